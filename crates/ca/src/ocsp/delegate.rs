//! The certificate of a responder: short-lived, for OCSP alone, and never itself asked about.

use crate::delegated_signer::{DelegatedSigner, SignerValidity, sign_as_prepared};
use crate::der;
use crate::issuer::{Issuer, RcgenKey};
use crate::keys::{CaKey, LocalKey};
use crate::oid;
use crate::prepare::{PrepareError, tbs_of};
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, KeyUsagePurpose};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use x509_parser::extensions::{ParsedExtension, X509Extension};

use super::response::{ResponseSigner, responder_id};

/// How long a responder's certificate is valid. Nobody can take its certificate back (id-pkix-ocsp-nocheck), so it ends
/// soon.
const LIFE: Duration = Duration::from_hours(14 * 24);

/// A responder's certificate before the CA has signed it, with the key that was made for it.
pub(crate) struct ResponderCandidate {
    key: Arc<LocalKey>,
    pub(crate) tbs: Vec<u8>,
    pub(crate) serial: Serial,
    pub(crate) term: SignerValidity,
}

/// A delegated OCSP responder (RFC 6960 section 4.2.2.2).
pub(crate) struct DelegatedResponder {
    key: Arc<LocalKey>,
    id: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    not_before: Timestamp,
    renew_at: Timestamp,
    not_after: Timestamp,
}

impl ResponderCandidate {
    /// Makes a key, and rehearses and lints a certificate for it. It ends no later than its CA.
    pub(crate) fn new(issuer: &Issuer, serial: Serial, now: Timestamp) -> Result<Self, PrepareError> {
        let term = SignerValidity::from(now, LIFE, issuer)?;
        let key = Arc::new(LocalKey::from_pkcs8(&LocalKey::generate()?)?);
        let signer = DelegatedSigner { issuer, key: &key.public_key_info(), serial, term };
        let usages = vec![KeyUsagePurpose::DigitalSignature];
        let purpose = ExtendedKeyUsagePurpose::OcspSigning;
        let mut parameters = signer.parameters("OCSP", &key.key_identifier(), usages, purpose);
        // id-pkix-ocsp-nocheck (RFC 6960 section 4.2.2.2.1): whoever would ask about the responder would ask the responder.
        parameters.custom_extensions =
            vec![CustomExtension::from_oid_content(oid::OCSP_NOCHECK, vec![der::tag::NULL, 0])];
        let subject_key: Arc<dyn CaKey> = key.clone();
        let rehearsed = parameters
            .signed_by(&RcgenKey(subject_key), issuer.rehearsal())
            .map_err(|error| PrepareError::Encoding(error.to_string()))?;
        if !signer.is_named_by(rehearsed.der(), 6, is_sound) {
            return Err(PrepareError::Encoding("the responder's certificate would not be one".to_owned()));
        }
        let tbs = tbs_of(rehearsed.der()).ok_or(PrepareError::Altered)?.to_vec();
        Ok(Self { key, tbs, serial, term })
    }

    /// Signs exactly the prepared bytes.
    pub(crate) fn sign(self, issuer: &Issuer) -> Result<DelegatedResponder, PrepareError> {
        let certificate = sign_as_prepared(&self.tbs, issuer)?;
        let SignerValidity { not_before, not_after } = self.term;
        Ok(DelegatedResponder {
            id: responder_id(self.key.as_ref()),
            key: self.key,
            certificate,
            not_before,
            renew_at: not_before.plus(not_after.since(not_before) / 2),
            not_after,
        })
    }
}

impl DelegatedResponder {
    pub(crate) fn signer(&self) -> ResponseSigner<'_> {
        ResponseSigner::new(self.key.as_ref(), &self.id, &self.certificate)
    }

    /// Whether a successor should be appointed: soon it ends, or a clock that was ahead has appointed it.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        now >= self.renew_at || now < self.not_before
    }

    /// Whether an answer given now is valid as long as it says.
    pub(crate) fn covers(&self, now: Timestamp, lifetime: Duration) -> bool {
        self.not_before <= now && now.plus(lifetime) <= self.not_after
    }
}

/// What RFC 6960 section 4.2.2.2 asks of it beyond what it shares with others.
fn is_sound(parsed: &ParsedExtension<'_>, extension: &X509Extension<'_>) -> bool {
    match parsed {
        ParsedExtension::KeyUsage(usage) => extension.critical && usage.flags == 1,
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let others = usage.any || usage.client_auth || usage.server_auth || !usage.other.is_empty();
            usage.ocsp_signing && !others
        }
        _ => extension.oid.as_bytes() == oid::OCSP_NOCHECK_DER && extension.value == [der::tag::NULL, 0],
    }
}
