//! OCSP (RFC 6960, the profile of RFC 5019, nonces by RFC 9654).
//!
//! Every CA appoints a responder ([`OcspResponders`]): a key that lives in this process alone, with a short-lived
//! certificate of the CA. So the CA's own key signs twice a month and not at every question, wherever it is kept.
//! Answers are signed when first asked for and given again as long as the status cache says that nothing has
//! changed.

mod answers;
mod delegate;
mod request;
mod responder;
mod response;
mod succession;

#[cfg(test)]
pub(crate) use delegate::{DelegatedResponder, ResponderCandidate};
pub use request::OcspRequest;
pub use responder::{HttpValidators, OcspResponders, OcspResponse};
pub use succession::ResponderError;

use crate::crl::CrlReason;
use crate::der::{MalformedDer, tag};
use crate::keys::CaKeyError;
use tegata_core::Timestamp;

/// The longest request that is looked at, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// The most certificates one request may ask about.
pub const MAX_CERTIFICATES: usize = 32;

/// What the ledger says about a serial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OcspStatus {
    /// Issued and in force.
    Good,
    /// Taken back, or on hold while its device is suspended.
    Revoked {
        /// When the certificate was revoked.
        at: Timestamp,
        /// The reason code that the ledger recorded.
        reason: CrlReason,
    },
    /// This CA never issued a certificate with that serial.
    Unknown,
}

/// An unsigned response, which states nothing about any certificate (RFC 6960 section 4.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum OcspError {
    /// The request is not one.
    MalformedRequest = 1,
    /// The key did not sign.
    InternalError = 2,
    /// The ledger cannot be asked now.
    TryLater = 3,
    /// No certificate in the request belongs to this issuer.
    Unauthorized = 6,
}

impl OcspError {
    /// The answer in DER.
    pub const fn response(self) -> [u8; 5] {
        [tag::SEQUENCE, 3, tag::ENUMERATED, 1, self as u8]
    }
}

impl From<CaKeyError> for OcspError {
    fn from(error: CaKeyError) -> Self {
        tracing::error!(%error, "the OCSP key did not sign");
        Self::InternalError
    }
}

impl From<MalformedDer> for OcspError {
    fn from(_: MalformedDer) -> Self {
        Self::MalformedRequest
    }
}

#[cfg(test)]
mod tests;
