//! What a device may ask for, and what no request makes the CA believe.

use super::*;
use crate::KeyType;
use crate::keys::LocalKey;
use crate::oid;
use crate::tests::tools::openssl;
use proptest::prelude::*;
use std::sync::LazyLock;

static REQUEST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::default().serialize_request(&key).unwrap().der().to_vec()
});

/// A request made by openssl from options such as `-newkey ec -pkeyopt …`.
fn from_openssl(options: &str) -> Vec<u8> {
    let options: Vec<&str> = options.split_whitespace().collect();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    let fixed = ["req", "-new", "-nodes", "-subj", "/CN=x", "-outform", "DER", "-keyout"];
    openssl(fixed.into_iter().chain([key.to_str().unwrap()]).chain(options)).stdout
}

fn refusal(der: &[u8]) -> Refusal {
    ParsedRequest::parse(der).unwrap_err()
}

#[test]
fn the_ca_reads_the_request_and_finds_it_signed_by_its_key() {
    let key = LocalKey::from_pkcs8(&LocalKey::generate().unwrap()).unwrap();
    let request = ParsedRequest::parse(&request_for(&key).unwrap()).unwrap();
    assert_eq!(request.public_key_info(), key.public_key_info());
}

#[test]
fn a_request_gives_its_key_and_nothing_else() {
    let parsed = ParsedRequest::parse(&REQUEST).unwrap();
    assert_eq!(parsed.key().key_type(), KeyType::P256);
    assert_eq!(parsed.public_key_info().len(), 91);
    assert_eq!(parsed.key_hash(), ParsedRequest::parse(&REQUEST).unwrap().key_hash());
}

#[test]
fn every_key_that_openssl_makes_is_known_by_itself_not_by_its_signature() {
    for (options, expected, bits) in [
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-256", KeyType::P256, 256),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha384", KeyType::P256, 256),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-384", KeyType::P384, 384),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha384", KeyType::P384, 384),
        ("-newkey rsa:2048", KeyType::Rsa, 2048),
        ("-newkey rsa:3072 -sha384", KeyType::Rsa, 3072),
        ("-newkey rsa:4096 -sha512", KeyType::Rsa, 4096),
        ("-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:4294967291", KeyType::Rsa, 2048),
        ("-newkey ed25519", KeyType::Ed25519, 256),
        ("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -addext basicConstraints=CA:TRUE", KeyType::P256, 256),
    ] {
        let parsed = ParsedRequest::parse(&from_openssl(options)).unwrap();
        assert_eq!((parsed.key().key_type(), parsed.key().bits()), (expected, bits), "{options}");
    }
}

#[test]
fn keys_that_are_weak_odd_or_written_in_another_way_are_refused() {
    for options in [
        "-newkey rsa:1024",
        "-newkey rsa:2047",
        "-newkey rsa:4104",
        "-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:3",
        "-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:65535",
        "-newkey rsa:2048 -pkeyopt rsa_keygen_pubexp:4294967297",
        "-newkey rsa-pss -pkeyopt rsa_keygen_bits:2048",
        "-newkey ec -pkeyopt ec_paramgen_curve:P-521",
        "-newkey ec -pkeyopt ec_paramgen_curve:secp256k1",
        "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
        "-newkey ed448",
    ] {
        assert_eq!(refusal(&from_openssl(options)), Refusal::KeyNotAllowed, "{options}");
    }
}

#[test]
fn a_weak_hash_or_another_scheme_proves_nothing() {
    for options in [
        "-newkey rsa:2048 -sha1",
        "-newkey rsa:2048 -sigopt rsa_padding_mode:pss",
        "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha512",
    ] {
        assert_eq!(refusal(&from_openssl(options)), Refusal::CsrNotSigned, "{options}");
    }
}

/// A request put together by hand, with whatever signature.
fn by_hand(version: &[u8], public_key_info: &[u8], signature_algorithm: &[u8]) -> Vec<u8> {
    let info = der::sequence(&[version, &der::sequence(&[]), public_key_info, &[0xa0, 0]]);
    let signature = der::sequence(&[&der::unsigned(1), &der::unsigned(1)]);
    der::sequence(&[&info, signature_algorithm, &der::bit_string(&signature)])
}

const VERSION: &[u8] = &[tag::INTEGER, 1, 0];

#[test]
fn a_point_beside_its_curve_signs_nothing() {
    for (algorithm, length) in [(oid::P256_KEY, 65), (oid::P384_KEY, 97)] {
        let mut point = vec![1; length];
        point[0] = 4;
        let key = der::sequence(&[algorithm, &der::bit_string(&point)]);
        assert_eq!(refusal(&by_hand(VERSION, &key, oid::ECDSA_WITH_SHA256)), Refusal::CsrNotSigned);
        for first in [2, 3, 5, 6] {
            let mut other_form = point.clone();
            other_form[0] = first;
            let key = der::sequence(&[algorithm, &der::bit_string(&other_form)]);
            assert_eq!(refusal(&by_hand(VERSION, &key, oid::ECDSA_WITH_SHA256)), Refusal::KeyNotAllowed);
        }
    }
}

#[test]
fn an_rsa_key_that_is_not_written_in_der_is_malformed() {
    let modulus = |first: &[u8]| {
        let mut octets = [first, &[0x55; 255]].concat();
        *octets.last_mut().unwrap() |= 1;
        der::element(tag::INTEGER, &[&octets])
    };
    let exponent = |octets: &[u8]| der::element(tag::INTEGER, &[octets]);
    let (sound, odd) = (modulus(&[0, 0x80]), exponent(&[1, 0, 1]));
    for (modulus, exponent, expected) in [
        (&sound, exponent(&[1]), Refusal::KeyNotAllowed),
        (&sound, exponent(&[1, 0, 0]), Refusal::KeyNotAllowed),
        (&sound, exponent(&[0, 0x80, 0, 0, 0]), Refusal::KeyNotAllowed),
        (&sound, exponent(&[0]), Refusal::CsrMalformed),
        (&sound, exponent(&[0xff]), Refusal::CsrMalformed),
        (&sound, exponent(&[0, 1, 0, 1]), Refusal::CsrMalformed),
        (&modulus(&[0x80]), odd.clone(), Refusal::CsrMalformed),
        (&modulus(&[0, 0, 0x80]), odd.clone(), Refusal::CsrMalformed),
        (&sound, [odd.clone(), odd.clone()].concat(), Refusal::CsrMalformed),
    ] {
        let key = der::sequence(&[oid::RSA_KEY, &der::bit_string(&der::sequence(&[modulus, &exponent]))]);
        assert_eq!(refusal(&by_hand(VERSION, &key, oid::ECDSA_WITH_SHA256)), expected, "{exponent:?}");
    }
}

#[test]
fn any_number_is_a_version_and_another_shape_is_malformed() {
    let key = ParsedRequest::parse(&REQUEST).unwrap().public_key_info().to_vec();
    // Certbot 1.21 and GitLab write 2.
    for version in [&[2, 1, 1][..], &[2, 1, 2], &[2, 1, 0xff], &[2, 2, 1, 0]] {
        assert_eq!(refusal(&by_hand(version, &key, oid::ECDSA_WITH_SHA256)), Refusal::CsrNotSigned);
    }
    for version in [&[10, 1, 0][..], &[]] {
        assert_eq!(refusal(&by_hand(version, &key, oid::ECDSA_WITH_SHA256)), Refusal::CsrMalformed);
    }
    let padded_key = der::sequence(&[&key, &[tag::NULL, 0]]);
    assert_eq!(refusal(&by_hand(VERSION, &padded_key, oid::ECDSA_WITH_SHA256)), Refusal::CsrMalformed);
    assert_eq!(refusal(&by_hand(VERSION, &key, &[])), Refusal::CsrMalformed);
    assert_eq!(refusal(&by_hand(VERSION, &key, oid::ECDSA_WITH_SHA256)), Refusal::CsrNotSigned);
}

#[test]
fn the_request_of_a_client_that_says_version_2_is_read() {
    let key = LocalKey::from_pkcs8(&LocalKey::generate().unwrap()).unwrap();
    let info = der::sequence(&[&der::unsigned(2), &der::sequence(&[]), &key.public_key_info(), &[0xa0, 0]]);
    let request = ParsedRequest::parse(&sign_structure(&key, &info).unwrap()).unwrap();
    assert_eq!(request.public_key_info(), key.public_key_info());
}

#[test]
fn a_password_is_read_in_every_type_of_string() {
    let key = LocalKey::from_pkcs8(&LocalKey::generate().unwrap()).unwrap();
    let asking = |tag: u8, password: &[u8]| {
        let attribute = der::sequence(&[
            &der::element(tag::OID, &[oid::CHALLENGE_PASSWORD]),
            &der::element(tag::SET, &[&der::element(tag, &[password])]),
        ]);
        let attributes = der::element(tag::constructed(0), &[&attribute]);
        let info =
            der::sequence(&[&der::unsigned(0), &der::sequence(&[]), &key.public_key_info(), &attributes]);
        challenge_password(&sign_structure(&key, &info).unwrap())
    };
    for (tag, password) in [
        (tag::UTF8_STRING, &b"k3q9"[..]),
        (tag::PRINTABLE_STRING, b"k3q9"),
        (tag::IA5_STRING, b"k3q9"),
        (tag::TELETEX_STRING, b"k3q9"),
        (tag::BMP_STRING, b"\0k\x003\0q\x009"),
        (tag::UNIVERSAL_STRING, b"\0\0\0k\0\0\x003\0\0\0q\0\0\x009"),
    ] {
        assert_eq!(asking(tag, password).as_deref(), Some("k3q9"), "{tag:#x}");
    }
    assert_eq!(asking(tag::OCTET_STRING, b"k3q9"), None);
}

#[test]
fn a_request_in_ber_that_is_not_der_is_malformed() {
    let content = DerReader::single(&REQUEST, tag::SEQUENCE).unwrap().content;
    let long_length = [&[0x30, 0x83, 0][..], &u16::try_from(content.len()).unwrap().to_be_bytes(), content];
    let indefinite = [&[0x30, 0x80][..], content, &[0, 0]];
    for ber in [long_length.concat(), indefinite.concat()] {
        assert_eq!(refusal(&ber), Refusal::CsrMalformed);
    }
}

#[test]
fn a_request_for_somebody_elses_key_is_refused() {
    let mut forged = REQUEST.clone();
    let other = rcgen::KeyPair::generate().unwrap();
    let own = ParsedRequest::parse(&REQUEST).unwrap().key.octets().to_vec();
    let at = forged.windows(65).position(|window| window == own).unwrap();
    forged[at..at + 65].copy_from_slice(other.public_key_raw());
    assert_eq!(refusal(&forged), Refusal::CsrNotSigned);
}

#[test]
fn too_much_and_more_than_one_are_refused() {
    assert_eq!(refusal(&[0x30; MAX_LENGTH + 1]), Refusal::CsrTooLarge);
    assert_eq!(refusal(&[REQUEST.as_slice(), &[0]].concat()), Refusal::CsrMalformed);
    assert_eq!(refusal(&[REQUEST.as_slice(), &REQUEST].concat()), Refusal::CsrMalformed);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(ParsedRequest::parse(&bytes).is_err());
    }

    #[test]
    fn a_request_changed_anywhere_is_refused(
        at in any::<prop::sample::Index>(), change in 1..=255u8, cut in any::<bool>(),
    ) {
        let mut request = REQUEST.clone();
        let at = at.index(request.len());
        request[at] ^= change;
        if cut {
            request.truncate(at);
        }
        prop_assert!(ParsedRequest::parse(&request).is_err());
    }
}
