//! What an OCSP client may rely on. Agreement with openssl and pkilint is tested beside this file.

use super::*;
use crate::tests::world::{NOW, World};
use proptest::prelude::*;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use std::sync::LazyLock;
use tegata_core::encoding::base64;
use tegata_core::entropy::Seeded;

const LIFETIME: Duration = Duration::from_mins(10);

fn certificate_id(issuer: &Issuer, sha256: bool, serial: &[u8]) -> Vec<u8> {
    let (id, algorithm) =
        if sha256 { (oid::SHA256, &SHA256) } else { (oid::SHA1, &SHA1_FOR_LEGACY_USE_ONLY) };
    let hash = |bytes| der::element(tag::OCTET_STRING, &[digest(algorithm, bytes).as_ref()]);
    let algorithm = der::sequence(&[&der::element(tag::OID, &[id]), &[tag::NULL, 0]]);
    let (name, key) = (hash(issuer.subject()), hash(issuer.signer().public_point()));
    der::sequence(&[&algorithm, &name, &key, &der::element(tag::INTEGER, &[serial])])
}

fn request(ids: &[Vec<u8>], nonce: Option<&[u8]>) -> Vec<u8> {
    let list: Vec<u8> = ids.iter().flat_map(|id| der::sequence(&[id])).collect();
    let extensions = nonce.map(|nonce| {
        let value = der::element(tag::OCTET_STRING, &[nonce]);
        let list = der::sequence(&[&der::extension(oid::OCSP_NONCE, false, &value)]);
        der::element(tag::constructed(2), &[&list])
    });
    let list = der::sequence(&[&list]);
    der::sequence(&[&der::sequence(&[&list, &extensions.unwrap_or_default()])])
}

fn serial() -> Serial {
    Serial::random(&Seeded::new(4))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

static SAMPLE: LazyLock<(World, Vec<u8>)> = LazyLock::new(|| {
    let world = World::new();
    let id = certificate_id(&world.issuing, false, serial().as_bytes());
    let request = request(&[id], Some(&[7; 32]));
    (world, request)
});

#[test]
fn a_client_gets_its_own_nonce_back_unless_it_is_too_long() {
    let world = World::new();
    let ids = [certificate_id(&world.issuing, true, serial().as_bytes())];
    let asked = |nonce: &[u8]| {
        let request = OcspRequest::parse(&request(&ids, Some(nonce)))?;
        request.answer(&world.issuing, NOW, LIFETIME, |_| Ok(OcspStatus::Good))
    };
    for length in [1, 16, 32] {
        assert!(contains(&asked(&vec![7; length]).unwrap(), &nonce_extension(&vec![7; length])));
    }
    for length in [33, 128] {
        assert!(!contains(&asked(&vec![7; length]).unwrap(), oid::OCSP_NONCE));
    }
    for length in [0, 129] {
        assert_eq!(asked(&vec![7; length]), Err(OcspError::MalformedRequest));
    }
}

#[test]
fn every_certificate_in_a_request_is_answered_and_only_ours_are_looked_up() {
    let world = World::new();
    let ours = serial();
    let ids = [
        certificate_id(&world.root, false, &[9; 16]),
        certificate_id(&world.issuing, false, ours.as_bytes()),
        certificate_id(&world.issuing, true, &[1; 21]),
    ];
    let mut asked = Vec::new();
    let answer = OcspRequest::parse(&request(&ids, None))
        .unwrap()
        .answer(&world.issuing, NOW, LIFETIME, |serial| {
            asked.push(*serial);
            Ok(OcspStatus::Good)
        })
        .unwrap();
    assert_eq!(asked, [ours]);
    let followed_by = |id: &Vec<u8>, status: &[u8]| contains(&answer, &[id.as_slice(), status].concat());
    assert!(followed_by(&ids[0], &[0x82, 0]));
    assert!(followed_by(&ids[1], &[0x80, 0]));
    assert!(followed_by(&ids[2], &[0x82, 0]));
}

#[test]
fn nothing_is_signed_for_certificates_of_others_or_when_the_ledger_is_out_of_reach() {
    let world = World::new();
    let good = |_: &Serial| Ok(OcspStatus::Good);
    let foreign = request(&[certificate_id(&world.root, false, &[9; 16])], None);
    let answer_to = |der: &[u8]| answer(OcspRequest::parse(der), &world.issuing, NOW, LIFETIME, good);
    assert_eq!(answer_to(&foreign), [0x30, 3, 0x0a, 1, 6]);
    assert_eq!(answer_to(b"noise"), [0x30, 3, 0x0a, 1, 1]);
    let ours = OcspRequest::parse(&SAMPLE.1);
    let (issuer, later) = (&SAMPLE.0.issuing, |_: &Serial| Err(OcspError::TryLater));
    assert_eq!(answer(ours, issuer, NOW, LIFETIME, later), [0x30, 3, 0x0a, 1, 3]);
}

#[test]
fn a_request_may_come_in_a_path() {
    let expected = OcspRequest::parse(&SAMPLE.1).unwrap();
    let text = base64(&SAMPLE.1);
    assert_eq!(OcspRequest::from_path(&text).unwrap(), expected);
    let encoded = text.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
    assert_eq!(OcspRequest::from_path(&encoded).unwrap(), expected);
    assert!(!expected.is_cacheable());
    for wrong in ["", "%", "%2", "%zz", "%+1", "a b", "あ"] {
        assert_eq!(OcspRequest::from_path(wrong), Err(OcspError::MalformedRequest));
    }
}

#[test]
fn requests_beyond_the_bounds_are_malformed() {
    let world = World::new();
    let ids = vec![certificate_id(&world.issuing, false, serial().as_bytes()); MAX_CERTIFICATES + 1];
    assert!(OcspRequest::parse(&request(&ids[1..], None)).is_ok());
    assert_eq!(OcspRequest::parse(&request(&ids, None)), Err(OcspError::MalformedRequest));
    assert_eq!(OcspRequest::parse(&request(&[], None)), Err(OcspError::MalformedRequest));
    assert_eq!(OcspRequest::parse(&[0x30; MAX_LENGTH + 1]), Err(OcspError::MalformedRequest));
}

#[test]
fn a_critical_extension_that_is_not_understood_is_not_passed_over() {
    let list = |critical| der::sequence(&[&der::extension(&[0x55, 0x1d, 0x63], critical, &[5, 0])]);
    assert_eq!(read_extensions(&list(false)), Ok(None));
    assert_eq!(read_extensions(&list(true)), Err(Malformed));
}

proptest! {
    #[test]
    fn no_bytes_make_the_responder_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = OcspRequest::parse(&bytes);
        let _ = OcspRequest::from_path(&String::from_utf8_lossy(&bytes));
        let _ = OcspRequest::from_path(&base64(&bytes));
    }

    #[test]
    fn a_damaged_request_gets_an_answer_that_is_still_an_answer(
        at in any::<prop::sample::Index>(), change in 1..=255u8,
    ) {
        let (world, request) = &*SAMPLE;
        let mut request = request.clone();
        let at = at.index(request.len());
        request[at] ^= change;
        let answered =
            answer(OcspRequest::parse(&request), &world.issuing, NOW, LIFETIME, |_| Ok(OcspStatus::Good));
        prop_assert!(Reader::single(&answered, tag::SEQUENCE).is_ok());
    }
}
