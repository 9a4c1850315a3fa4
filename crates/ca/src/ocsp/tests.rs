//! What an OCSP client may rely on. Agreement with openssl and pkilint is tested beside this file.

use super::request::read_extensions;
use super::response::nonce_extension;
use super::*;
use crate::der;
use crate::issuer::Issuer;
use crate::oid;
use crate::tests::fixture::{CaWorld, NOW};
use proptest::prelude::*;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use std::sync::LazyLock;
use std::time::Duration;
use tegata_core::Serial;
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

static SAMPLE: LazyLock<(CaWorld, Vec<u8>)> = LazyLock::new(|| {
    let fixture = CaWorld::new();
    let id = certificate_id(&fixture.issuing, false, serial().as_bytes());
    let request = request(&[id], Some(&[7; 32]));
    (fixture, request)
});

#[test]
fn a_client_gets_its_own_nonce_back_unless_it_is_too_long() {
    let fixture = CaWorld::new();
    let ids = [certificate_id(&fixture.issuing, true, serial().as_bytes())];
    let responder = fixture.responder();
    let asked = |nonce: &[u8]| -> Result<_, OcspError> {
        let request = OcspRequest::parse(&request(&ids, Some(nonce)))?;
        Ok(responder.signer().say(&request, &[OcspStatus::Good], NOW, LIFETIME)?)
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
fn every_certificate_in_a_request_is_answered_in_its_place() {
    let fixture = CaWorld::new();
    let ids = [
        certificate_id(&fixture.root, false, &[9; 16]),
        certificate_id(&fixture.issuing, false, serial().as_bytes()),
        certificate_id(&fixture.issuing, true, &[1; 21]),
    ];
    let request = OcspRequest::parse(&request(&ids, None)).unwrap();
    let statuses = [
        OcspStatus::Unknown,
        OcspStatus::Good,
        OcspStatus::Revoked { at: NOW, reason: CrlReason::KeyCompromise },
    ];
    let answer = fixture.responder().signer().say(&request, &statuses, NOW, LIFETIME).unwrap();
    let followed_by = |id: &Vec<u8>, status: &[u8]| contains(&answer, &[id.as_slice(), status].concat());
    assert!(followed_by(&ids[0], &[0x82, 0]));
    assert!(followed_by(&ids[1], &[0x80, 0]));
    assert!(followed_by(&ids[2], &[0xa1, 22]));
}

#[test]
fn only_what_everybody_would_get_alike_may_be_given_again() {
    let fixture = CaWorld::new();
    let id = certificate_id(&fixture.issuing, true, serial().as_bytes());
    let parse = |ids: &[Vec<u8>], nonce| OcspRequest::parse(&request(ids, nonce)).unwrap();
    let one = std::slice::from_ref(&id);
    assert!(parse(one, None).single().is_some());
    assert!(parse(one, Some(&[7; 32])).single().is_none());
    assert!(parse(&[id.clone(), id.clone()], None).single().is_none());
}

#[test]
fn a_responder_speaks_for_its_ca_alone_and_not_for_long() {
    let fixture = CaWorld::new();
    let responder = fixture.responder();
    let (_, certificate) = x509_parser::parse_x509_certificate(&responder.certificate).unwrap();
    let (_, issuer) = x509_parser::parse_x509_certificate(fixture.issuing.certificate()).unwrap();
    certificate.verify_signature(Some(issuer.public_key())).unwrap();
    let purpose = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purpose.ocsp_signing && !purpose.client_auth && !certificate.is_ca());

    let week = Duration::from_hours(7 * 24);
    assert!(!responder.is_due(NOW) && !responder.is_due(NOW.plus(week).minus(Duration::from_hours(1))));
    assert!(responder.is_due(NOW.plus(week)));
    assert!(responder.covers(NOW.plus(week), week.saturating_sub(LIFETIME)));
    assert!(!responder.covers(NOW.plus(week * 2), LIFETIME));

    let end = fixture.issuing.not_after();
    let last = ResponderCandidate::new(&fixture.issuing, serial(), end.minus(LIFETIME)).unwrap();
    assert_eq!(last.term.not_after, end, "no responder outlives its CA");
    assert!(ResponderCandidate::new(&fixture.issuing, serial(), end).is_err());
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
    let fixture = CaWorld::new();
    let ids = vec![certificate_id(&fixture.issuing, false, serial().as_bytes()); MAX_CERTIFICATES + 1];
    assert!(OcspRequest::parse(&request(&ids[1..], None)).is_ok());
    assert_eq!(OcspRequest::parse(&request(&ids, None)), Err(OcspError::MalformedRequest));
    assert_eq!(OcspRequest::parse(&request(&[], None)), Err(OcspError::MalformedRequest));
    assert_eq!(OcspRequest::parse(&[0x30; MAX_LENGTH + 1]), Err(OcspError::MalformedRequest));
}

#[test]
fn a_critical_extension_that_is_not_understood_is_not_passed_over() {
    let list = |critical| der::sequence(&[&der::extension(&[0x55, 0x1d, 0x63], critical, &[5, 0])]);
    assert_eq!(read_extensions(&list(false)), Ok(None));
    assert_eq!(read_extensions(&list(true)), Err(MalformedDer));
}

proptest! {
    #[test]
    fn no_bytes_make_the_responder_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = OcspRequest::parse(&bytes);
        let _ = OcspRequest::from_path(&String::from_utf8_lossy(&bytes));
        let _ = OcspRequest::from_path(&base64(&bytes));
    }

    #[test]
    fn a_damaged_request_is_refused_or_asks_about_something(
        at in any::<prop::sample::Index>(), change in 1..=255u8,
    ) {
        let (fixture, request) = &*SAMPLE;
        let mut request = request.clone();
        let at = at.index(request.len());
        request[at] ^= change;
        match OcspRequest::parse(&request) {
            Ok(parsed) => {
                prop_assert!(!parsed.certificates.is_empty());
                let answer = fixture.responder().signer().say(&parsed, &[OcspStatus::Unknown], NOW, LIFETIME).unwrap();
                prop_assert!(der::is_der(&answer));
                prop_assert!(parsed.certificate_ids().all(|id| contains(&answer, id)));
            }
            Err(error) => prop_assert_eq!(error, OcspError::MalformedRequest),
        }
    }
}
