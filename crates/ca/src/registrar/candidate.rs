//! The certificate of a registrar: short-lived, for its own CA's requests alone.

use crate::delegated_signer::{DelegatedSigner, SignerValidity, sign_as_prepared};
use crate::issuer::Issuer;
use crate::keys::RsaKey;
use crate::oid;
use crate::prepare::{PrepareError, tbs_of};
use crate::public_key::PublicKey;
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use x509_parser::extensions::{ParsedExtension, X509Extension};

/// How long a registrar's certificate is valid. What was written to it can be read as long as somebody has its key, so
/// it is not kept long.
const LIFE: Duration = Duration::from_hours(60 * 24);

/// A registrar's certificate before the CA has signed it.
pub(super) struct RegistrarCandidate {
    pub(super) tbs: Vec<u8>,
    pub(super) serial: Serial,
    pub(super) not_after: Timestamp,
}

impl RegistrarCandidate {
    /// Rehearses and lints a certificate for a key. It ends no later than its CA.
    pub(super) fn new(
        issuer: &Issuer,
        key: &RsaKey,
        serial: Serial,
        now: Timestamp,
    ) -> Result<Self, PrepareError> {
        let term = SignerValidity::from(now, LIFE, issuer)?;
        let key = PublicKey::read(key.public_key_info()).map_err(PrepareError::Refused)?;
        let signer = DelegatedSigner { issuer, key: key.info(), serial, term };
        let usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        // Named, so that nobody takes it for anything else: not for a device, and not for a server.
        let purpose = ExtendedKeyUsagePurpose::Other(oid::CMC_RA.to_vec());
        let rehearsed = signer
            .parameters("SCEP", &key.identifier(), usages, purpose)
            .signed_by(&key, issuer.rehearsal())
            .map_err(|error| PrepareError::Encoding(error.to_string()))?;
        if !signer.is_named_by(rehearsed.der(), 5, is_sound) {
            return Err(PrepareError::Encoding("the registrar's certificate would not be one".to_owned()));
        }
        let tbs = tbs_of(rehearsed.der()).ok_or(PrepareError::Altered)?.to_vec();
        Ok(Self { tbs, serial, not_after: term.not_after })
    }

    /// Signs exactly the prepared bytes. The certificate in DER.
    pub(super) fn sign(self, issuer: &Issuer) -> Result<Vec<u8>, PrepareError> {
        sign_as_prepared(&self.tbs, issuer)
    }
}

fn is_sound(parsed: &ParsedExtension<'_>, extension: &X509Extension<'_>) -> bool {
    match parsed {
        // digitalSignature is bit 0, keyEncipherment bit 2.
        ParsedExtension::KeyUsage(usage) => extension.critical && usage.flags == 0b101,
        ParsedExtension::ExtendedKeyUsage(usage) => {
            let others = usage.any || usage.client_auth || usage.server_auth || usage.ocsp_signing;
            !others && usage.other.len() == 1 && usage.other[0].as_bytes() == oid::CMC_RA_DER
        }
        _ => false,
    }
}
