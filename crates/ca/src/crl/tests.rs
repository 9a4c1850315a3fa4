//! What whoever reads a list may rely on.

use super::builder::{extensions, fields};
use super::reading::reads_back;
use super::*;
use crate::create_ca::{CaName, Validity, create_issuing};
use crate::issuer::Issuer;
use crate::keys::sha256;
use crate::tests::fixture::{ADDRESSES, CaWorld, NOW};
use crate::{CaKey, DigestKey, PublicKey};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::entropy::Seeded;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

fn edition(number: u64) -> CrlIdentity {
    CrlIdentity { number, this_update: NOW, next_update: NOW.plus(Duration::from_hours(1)) }
}

fn entries(count: usize) -> Vec<RevokedEntry> {
    let entropy = Seeded::new(3);
    let reasons = [CrlReason::Unspecified, CrlReason::KeyCompromise, CrlReason::CertificateHold];
    let entry = |at: usize| RevokedEntry {
        serial: Serial::random(&entropy),
        at: NOW.minus(Duration::from_secs(at as u64)),
        reason: reasons[at % reasons.len()],
    };
    (0..count).map(entry).collect()
}

fn build(fixture: &CaWorld, entries: Vec<RevokedEntry>) -> VerifiedCrl {
    build_crl(&fixture.issuing, CrlScope::EndEntities(&fixture.endpoints.crl(0)), edition(7), entries)
        .unwrap()
}

#[test]
fn every_entry_can_be_found_whatever_the_length_of_the_list() {
    let fixture = CaWorld::new();
    // The last one is beyond 64 KiB; each has a head of another length.
    for count in [0, 1, 3, 1000, 3000] {
        let entries = entries(count);
        let crl = build(&fixture, entries.clone());
        let (rest, read) = CertificateRevocationList::from_der(crl.der()).unwrap();
        assert!(rest.is_empty());
        assert_eq!(read.crl_number().unwrap().to_string(), "7");
        let found: Vec<_> = read.iter_revoked_certificates().collect();
        assert_eq!(found.len(), count);
        for (found, entry) in found.iter().zip(&entries) {
            assert_eq!(found.raw_serial(), entry.serial.as_bytes());
            assert_eq!(found.revocation_date.timestamp(), entry.at.seconds());
            let reason = found.reason_code().map_or(0, |(_, code)| code.0);
            assert_eq!(reason, entry.reason as u8);
        }
        assert_eq!(crl.clone().into_der(), crl.der());
    }
}

#[test]
fn a_list_longer_than_expected_is_whole_all_the_same() {
    let fixture = CaWorld::new();
    let entry = entries(1)[0];
    let whole = |builder: CrlBuilder, count: usize| {
        let crl = builder.finish(&fixture.issuing).unwrap();
        let (rest, read) = CertificateRevocationList::from_der(crl.der()).unwrap();
        assert_eq!((rest.len(), read.iter_revoked_certificates().count()), (0, count));
        assert_eq!(crl.clone().into_der(), crl.der());
    };
    let url = fixture.endpoints.crl(0);
    for (reserved, count) in [(0, 360_000), (1 << 24, 360_000), (1 << 24, 1)] {
        let mut builder = CrlBuilder::new(&fixture.issuing, CrlScope::EndEntities(&url), edition(7)).unwrap();
        builder.reserve(reserved);
        (0..count).for_each(|_| builder.push(&entry));
        whole(builder, count);
    }
}

#[test]
fn a_list_changed_anywhere_does_not_read_back() {
    let fixture = CaWorld::new();
    let crl = build(&fixture, entries(3));
    let scope = CrlScope::EndEntities(&fixture.endpoints.crl(0)).der();
    let fields = fields(&fixture.issuing, crl.edition());
    let reads_back = |crl: &VerifiedCrl, issuer: &Issuer| {
        let extensions = extensions(&fixture.issuing, &scope, 7);
        reads_back(crl, None, &fields, &extensions, issuer)
    };
    for at in crl.start..crl.buffer.len() {
        let mut changed = crl.clone();
        changed.buffer[at] ^= 1;
        assert!(reads_back(&changed, &fixture.issuing).is_err(), "byte {at}");
    }
    assert!(reads_back(&crl, &fixture.root).is_err());
}

/// Signs digests, as a token does; a broken one signs another than it is given.
struct SignsDigests {
    key: SigningKey,
    point: Vec<u8>,
    is_broken: bool,
}

impl SignsDigests {
    fn new(is_broken: bool) -> Self {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self { key, point, is_broken }
    }
}

impl CaKey for SignsDigests {
    fn public_point(&self) -> &[u8] {
        &self.point
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CaKeyError> {
        self.sign_digest(&sha256(message))
    }

    fn by_digest(&self) -> Option<&dyn DigestKey> {
        Some(self)
    }
}

impl DigestKey for SignsDigests {
    fn sign_digest(&self, digest: &[u8; 32]) -> Result<Vec<u8>, CaKeyError> {
        let mut digest = *digest;
        digest[31] ^= u8::from(self.is_broken);
        let signature: Signature = self.key.sign_prehash(&digest).map_err(|_| CaKeyError::Signing)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

#[test]
fn a_list_that_a_token_signs_holds_for_everybody_or_is_not_published() {
    let fixture = CaWorld::new();
    for is_broken in [false, true] {
        let key = SignsDigests::new(is_broken);
        let name = CaName { organization: "テスト薬局", common_name: "Tegata 端末" };
        let terms = Validity { days: 3650, now: NOW, entropy: &fixture.entropy };
        let certificate =
            create_issuing(name, &PublicKey::of(&key), &fixture.root, ADDRESSES, terms).unwrap();
        let issuer = Issuer::load(fixture.issuing.id().clone(), certificate, Arc::new(key), NOW).unwrap();
        let scope = CrlScope::EndEntities(&fixture.endpoints.crl(0));
        let built = build_crl(&issuer, scope, edition(7), entries(3000));
        if is_broken {
            assert_eq!(built, Err(CrlError::Altered));
        } else {
            let crl = built.unwrap();
            let (_, read) = CertificateRevocationList::from_der(crl.der()).unwrap();
            let tbs = read.tbs_cert_list.as_ref();
            assert!(issuer.verifies(tbs, &read.signature_value.data), "ring, over the whole list");
        }
    }
}

#[test]
fn a_list_that_is_stale_when_born_is_refused() {
    let fixture = CaWorld::new();
    let stale = CrlIdentity { next_update: NOW, ..edition(1) };
    let refused = build_crl(&fixture.issuing, CrlScope::EndEntities(&fixture.endpoints.crl(0)), stale, []);
    assert_eq!(refused, Err(CrlError::Edition));
}

#[test]
fn a_list_says_which_certificates_it_is_about() {
    let fixture = CaWorld::new();
    for scope in [
        CrlScope::EndEntities("http://pki.example.jp/crl/a.crl"),
        CrlScope::EndEntities("http://pki.example.jp/crl/a-1.crl"),
        CrlScope::Authorities,
    ] {
        for entries in [entries(2), vec![]] {
            let crl = build_crl(&fixture.root, scope, edition(1), entries).unwrap();
            assert_eq!(scope_of(crl.der()), Some(scope.der().as_slice()));
        }
    }
    assert_eq!(scope_of(fixture.root.certificate()), None);
    assert_eq!(scope_of(b"noise"), None);
}

proptest! {
    #[test]
    fn entries_that_come_one_by_one_make_the_same_list(count in 0usize..200) {
        let fixture = CaWorld::new();
        let url = fixture.endpoints.crl(0);
        let mut builder = CrlBuilder::new(&fixture.issuing, CrlScope::EndEntities(&url), edition(7)).unwrap();
        let entries = entries(count);
        for entry in &entries {
            builder.push(entry);
        }
        let streamed = builder.finish(&fixture.issuing).unwrap();
        let at_once = build(&fixture, entries);
        // Signatures differ, what is signed does not.
        let signed = |crl: &VerifiedCrl| {
            let (_, read) = CertificateRevocationList::from_der(crl.der()).unwrap();
            read.tbs_cert_list.as_ref().to_vec()
        };
        prop_assert_eq!(signed(&streamed), signed(&at_once));
    }
}
