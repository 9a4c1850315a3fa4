//! Reads validity and purpose of a leaf certificate that the ledger does not know.

use tegata_core::{Refusal, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The end of its life, when it has begun and not ended.
///
/// # Errors
/// [`Refusal`] when it cannot be used at this moment, or read at all.
pub fn in_force(leaf: &[u8], now: Timestamp) -> Result<Timestamp, Refusal> {
    let Ok(([], certificate)) = X509Certificate::from_der(leaf) else {
        return Err(Refusal::ForeignCertificate);
    };
    let validity = certificate.validity();
    let (first, last) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    match now.seconds() {
        early if early < first => Err(Refusal::CertificateNotYetValid),
        late if late > last => Err(Refusal::CertificateExpired),
        _ => Ok(Timestamp::from_seconds(last)),
    }
}

/// Whether it may be used by clients: it says so, or says nothing about purposes. For certificates that vouch for
/// themselves; those of CAs must say so.
pub fn may_be_a_client(leaf: &[u8]) -> bool {
    let Ok(([], certificate)) = X509Certificate::from_der(leaf) else { return false };
    match certificate.extended_key_usage() {
        Ok(None) => true,
        Ok(Some(usage)) => usage.value.client_auth,
        Err(_) => false,
    }
}
