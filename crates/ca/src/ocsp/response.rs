//! Encodes and signs OCSP responses (RFC 6960 section 4.2).

use super::OcspStatus;
use super::request::{CertificateId, OcspRequest};
use crate::crl::CrlReason;
use crate::der::{self, tag};
use crate::keys::{CaKey, CaKeyError};
use crate::oid;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::time::Duration;
use tegata_core::Timestamp;

/// Nonces up to this length are repeated, longer ones left out (RFC 9654 section 2.1).
const LONGEST_REPEATED_NONCE: usize = 32;

/// Who signs: a key, and the certificate that a client needs to believe it.
pub(crate) struct ResponseSigner<'a> {
    signer: &'a dyn CaKey,
    /// The DER of a `ResponderID` by key (RFC 6960 section 4.2.1).
    id: &'a [u8],
    certificate: &'a [u8],
}

impl<'a> ResponseSigner<'a> {
    pub(crate) fn new(signer: &'a dyn CaKey, id: &'a [u8], certificate: &'a [u8]) -> Self {
        Self { signer, id, certificate }
    }

    /// An answer about the certificates of a request in their order, valid for `lifetime` from `now`.
    pub(crate) fn say(
        &self,
        request: &OcspRequest,
        statuses: &[OcspStatus],
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Vec<u8>, CaKeyError> {
        let times = update_times(now, lifetime);
        let mut answers = Vec::with_capacity(statuses.len() * 160);
        for (CertificateId { whole, .. }, status) in request.certificates.iter().zip(statuses) {
            answers.extend(der::sequence(&[whole, &status_der(*status), &times]));
        }
        let nonce = match &request.nonce {
            Some(nonce) if nonce.len() <= LONGEST_REPEATED_NONCE => nonce_extension(nonce),
            _ => Vec::new(),
        };
        let data =
            der::sequence(&[self.id, &der::generalized_time(now), &der::sequence(&[&answers]), &nonce]);
        let signature = der::bit_string(&self.signer.sign(&data)?);
        let certificates = der::element(tag::constructed(0), &[&der::sequence(&[self.certificate])]);
        Ok(successful(&der::sequence(&[&data, oid::ECDSA_WITH_SHA256, &signature, &certificates])))
    }
}

/// `ResponderID` by the SHA-1 hash of the public key, which RFC 6960 section 4.2.1 prescribes.
pub(crate) fn responder_id(signer: &dyn CaKey) -> Vec<u8> {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, signer.public_point());
    der::element(tag::constructed(2), &[&der::element(tag::OCTET_STRING, &[hash.as_ref()])])
}

/// The `CertStatus` choice of a `SingleResponse` (RFC 6960 section 4.2.1).
fn status_der(status: OcspStatus) -> Vec<u8> {
    match status {
        OcspStatus::Good => der::element(tag::context(0), &[]),
        OcspStatus::Unknown => der::element(tag::context(2), &[]),
        OcspStatus::Revoked { at, reason } => {
            let code = der::element(tag::ENUMERATED, &[&[reason as u8]]);
            let reason = match reason {
                CrlReason::Unspecified => Vec::new(),
                _ => der::element(tag::constructed(0), &[&code]),
            };
            der::element(tag::constructed(1), &[&der::generalized_time(at), &reason])
        }
    }
}

/// The `thisUpdate` and `nextUpdate` of a `SingleResponse`, one after the other.
fn update_times(now: Timestamp, lifetime: Duration) -> Vec<u8> {
    let next = der::generalized_time(now.plus(lifetime));
    [der::generalized_time(now), der::element(tag::constructed(0), &[&next])].concat()
}

/// responseExtensions with the nonce alone.
pub(crate) fn nonce_extension(nonce: &[u8]) -> Vec<u8> {
    let value = der::element(tag::OCTET_STRING, &[nonce]);
    der::element(tag::constructed(1), &[&der::sequence(&[&der::extension(oid::OCSP_NONCE, false, &value)])])
}

/// `OCSPResponse` with the status successful around a `BasicOCSPResponse`.
fn successful(basic: &[u8]) -> Vec<u8> {
    let bytes = der::sequence(&[
        &der::element(tag::OID, &[oid::OCSP_BASIC]),
        &der::element(tag::OCTET_STRING, &[basic]),
    ]);
    der::sequence(&[&[tag::ENUMERATED, 1, 0], &der::element(tag::constructed(0), &[&bytes])])
}
