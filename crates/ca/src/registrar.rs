//! Registrars: the certificates and RSA keys behind which a CA speaks SCEP (RFC 8894 section 2.1.2). A CA's own key signs
//! certificates and lists, and is no RSA key; a registrar's opens requests and signs answers, and can issue nothing.
//!
//! Keys lie sealed in the ledger, so that any server of an installation opens what was encrypted for any other.

mod ca_registrars;
mod candidate;

use crate::issuing_ca::IssuingCa;
use crate::keys::{CaKeyError, RsaKey};
use crate::pkcs7::{ContentKey, ContentSignatureAlgorithm, ContentSigner};
use crate::prepare::PrepareError;
use ca_registrars::RegistrarStore;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tegata_core::{Entropy, IssuerId, Timestamp};
use tegata_storage::LedgerError;
use zeroize::Zeroizing;

/// Seals keys so that only this installation opens them. Either may take a while: it is called on a thread that may
/// block.
pub trait KeySafe: Send + Sync {
    /// A PKCS#8 key as PEM; none if it cannot be sealed.
    fn seal(&self, pkcs8: &[u8]) -> Option<String>;

    /// What was sealed; none if this is not the safe it was sealed with.
    fn open(&self, sealed: &str) -> Option<Zeroizing<Vec<u8>>>;
}

/// Why there is no registrar.
#[derive(Debug, thiserror::Error)]
pub enum RegistrarError {
    /// Its certificate could not be made.
    #[error("the SCEP registrar's certificate could not be made: {0}")]
    Issue(#[from] PrepareError),
    /// Its key could not be made or used.
    #[error("the SCEP registrar's key cannot be used: {0}")]
    Key(#[from] CaKeyError),
    /// The ledger did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It was sealed with another secret.
    #[error("the SCEP registrar's key in the ledger does not open with the secret of the keys folder")]
    Sealed,
}

/// The registrars of all CAs.
pub struct Registrars {
    safe: Arc<dyn KeySafe>,
    entropy: Arc<dyn Entropy>,
    of: RwLock<HashMap<IssuerId, Arc<RegistrarStore>>>,
}

/// A registrar with its certificate and its opened key.
pub struct Registrar {
    key: Arc<RsaKey>,
    signer: ContentSigner,
    certificate: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Registrars {
    /// None is made yet.
    pub fn new(safe: Arc<dyn KeySafe>, entropy: Arc<dyn Entropy>) -> Self {
        Self { safe, entropy, of: RwLock::default() }
    }

    /// The current registrar of a CA: made when it is first asked for, and succeeded when half its life is over.
    pub async fn current(
        &self,
        authority: &IssuingCa,
        now: Timestamp,
    ) -> Result<Arc<Registrar>, RegistrarError> {
        self.signer(authority).current(authority, &self.safe, &self.entropy, now).await
    }

    /// The one of a CA whose certificate has this `IssuerAndSerialNumber`, DER, while it lives: clients write to the one
    /// that they have heard of.
    pub async fn addressed(
        &self,
        authority: &IssuingCa,
        id: &[u8],
        now: Timestamp,
    ) -> Result<Option<Arc<Registrar>>, RegistrarError> {
        self.signer(authority).addressed(authority, id, &self.safe, now).await
    }

    /// Sees to it that a CA that has a registrar has a young one.
    pub async fn succeed(&self, authority: &IssuingCa, now: Timestamp) -> Result<(), RegistrarError> {
        if authority.ledger.registrars(authority.issuer().id(), now).await?.is_empty() {
            return Ok(());
        }
        self.current(authority, now).await.map(drop)
    }

    fn signer(&self, authority: &IssuingCa) -> Arc<RegistrarStore> {
        let id = authority.issuer().id();
        if let Some(found) = self.of.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return found.clone();
        }
        let mut all = self.of.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(id.clone()).or_default().clone()
    }
}

impl Registrar {
    /// With the certificate that was made for its key, and the CA's. None if they do not belong together.
    pub(crate) fn new(key: RsaKey, certificate: Vec<u8>, authority: &[u8]) -> Option<Self> {
        let key = Arc::new(key);
        let (not_before, not_after) = {
            let (rest, read) = x509_parser::parse_x509_certificate(&certificate).ok()?;
            if !rest.is_empty() || read.public_key().raw != key.public_key_info() {
                return None;
            }
            let validity = read.validity();
            let time = |at: x509_parser::time::ASN1Time| Timestamp::from_seconds(at.timestamp());
            (time(validity.not_before), time(validity.not_after))
        };
        let chain = vec![certificate.clone(), authority.to_vec()];
        let signer = ContentSigner::new(Box::new(SharedKey(key.clone())), chain)?;
        Some(Self { key, signer, certificate, not_before, not_after })
    }

    /// Its certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// `IssuerAndSerialNumber` of its certificate, DER.
    pub(crate) fn id(&self) -> &[u8] {
        self.signer.id()
    }

    pub(crate) fn key(&self) -> &RsaKey {
        &self.key
    }

    pub(crate) fn signer(&self) -> &ContentSigner {
        &self.signer
    }

    fn is_alive(&self, now: Timestamp) -> bool {
        now <= self.not_after
    }

    fn is_due(&self, now: Timestamp) -> bool {
        now >= self.not_before.plus(self.not_after.since(self.not_before) / 2)
    }
}

/// A certificate for a registrar's key, as [`Registrars`] has it made.
#[cfg(test)]
pub(crate) fn certificate_for_tests(issuer: &crate::Issuer, key: &RsaKey, now: Timestamp) -> Vec<u8> {
    let serial = tegata_core::Serial::random(&tegata_core::entropy::Seeded::new(9));
    candidate::RegistrarCandidate::new(issuer, key, serial, now).unwrap().sign(issuer).unwrap()
}

struct SharedKey(Arc<RsaKey>);

impl ContentKey for SharedKey {
    fn algorithm(&self) -> ContentSignatureAlgorithm {
        self.0.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.sign(message)
    }
}
