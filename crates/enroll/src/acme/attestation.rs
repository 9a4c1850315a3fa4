//! What a device's maker says about a key: a `WebAuthn` attestation object of format `apple`
//! (draft-ietf-acme-device-attest, Apple's Managed Device Attestation).

use super::problem::{AcmeError, AcmeResult};
use ring::digest::{SHA256, digest};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::cbor::CborItem;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Apple's freshness code, 1.2.840.113635.100.8.11.1.
const FRESHNESS: &str = "1.2.840.113635.100.8.11.1";

/// No honest chain is longer.
const LONGEST_CHAIN: usize = 4;

/// Whose attestations are believed, and whether devices may come without.
#[derive(Debug, Default)]
pub struct AttestationPolicy {
    roots: Vec<TrustAnchor<'static>>,
    /// Whether a device that shows an invitation must be attested too.
    pub is_required: bool,
}

impl AttestationPolicy {
    /// Believes chains below these roots, DER.
    ///
    /// # Errors
    /// The place of the first one that is not a certificate.
    pub fn new(roots: &[Vec<u8>], is_required: bool) -> Result<Self, usize> {
        let anchor = |(place, der): (usize, &Vec<u8>)| {
            let der = CertificateDer::from(der.as_slice());
            anchor_from_trusted_cert(&der).map(|anchor| anchor.to_owned()).map_err(|_| place)
        };
        Ok(Self { roots: roots.iter().enumerate().map(anchor).collect::<Result<_, _>>()?, is_required })
    }

    /// The key that an attestation object speaks of, as SHA-256 of its `SubjectPublicKeyInfo`, if the object was made for
    /// one of these challenges.
    pub(super) fn attested_key(
        &self,
        object: &[u8],
        challenges: &[&str],
        now: Timestamp,
    ) -> AcmeResult<[u8; 32]> {
        let object = CborItem::parse(object).ok_or(refused("the attestation object cannot be read"))?;
        if object.get("fmt").and_then(CborItem::text) != Some("apple") {
            return Err(refused("the format is not apple"));
        }
        let chain =
            object.get("attStmt").and_then(|statement| statement.get("x5c")).and_then(CborItem::array);
        let chain: Option<Vec<_>> = chain.and_then(|chain| chain.iter().map(CborItem::bytes).collect());
        let chain = chain.ok_or(refused("there is no chain"))?;
        let Some((leaf, above)) = chain.split_first().filter(|_| chain.len() <= LONGEST_CHAIN) else {
            return Err(refused("there is no chain of honest length"));
        };
        self.verify(leaf, above, now)?;
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| refused("the leaf cannot be read"))?;
        check_freshness(&leaf, challenges)?;
        Ok(digest(&SHA256, leaf.public_key().raw).as_ref().try_into().unwrap_or_default())
    }

    fn verify(&self, leaf: &[u8], above: &[&[u8]], now: Timestamp) -> AcmeResult<()> {
        let leaf = CertificateDer::from(leaf);
        let above: Vec<_> = above.iter().map(|der| CertificateDer::from(*der)).collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.seconds().unsigned_abs()));
        // An attestation leaf names no purpose; one that names another than a client's is refused.
        EndEntityCert::try_from(&leaf)
            .and_then(|leaf| {
                let usage = KeyUsage::client_auth();
                leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &self.roots, &above, now, usage, None, None)
                    .map(drop)
            })
            .map_err(|_| refused("the chain does not end at a root that is believed here"))
    }
}

/// Apple hashes the token alone; the draft hashes the key authorization. Either was made for this challenge.
fn check_freshness(leaf: &X509Certificate<'_>, challenges: &[&str]) -> AcmeResult<()> {
    let mut codes = leaf.extensions().iter().filter(|extension| extension.oid.to_id_string() == FRESHNESS);
    let (Some(code), None) = (codes.next(), codes.next()) else {
        return Err(refused("the leaf has no freshness code"));
    };
    let is_fresh = challenges.iter().any(|text| digest(&SHA256, text.as_bytes()).as_ref() == code.value);
    if is_fresh { Ok(()) } else { Err(refused("it was made for another challenge")) }
}

const fn refused(detail: &'static str) -> AcmeError {
    AcmeError::attestation(detail)
}
