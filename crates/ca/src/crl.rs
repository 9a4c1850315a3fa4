//! Certificate revocation lists (RFC 5280 section 5).
//!
//! Entries are written as they come, straight into the one buffer that becomes the list ([`CrlBuilder`]): a list costs
//! its own size in memory, whatever it is made from. It is read back and its signature verified before anybody sees it.

mod builder;
mod entry;
mod reading;

pub use builder::{CrlBuilder, build_crl};
pub(crate) use reading::scope_of;

use crate::der::{self, tag};
use crate::keys::CaKeyError;
use tegata_core::{RevocationReason, Serial, Timestamp};

/// Why a certificate stands on the list (RFC 5280 section 5.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum CrlReason {
    /// No reason given: the list says nothing, as the RFC asks.
    Unspecified = 0,
    /// The key may be compromised.
    KeyCompromise = 1,
    /// The key of a CA may be compromised. Only on a root's list.
    AuthorityCompromise = 2,
    /// The holder belongs elsewhere now.
    AffiliationChanged = 3,
    /// Another certificate took its place.
    Superseded = 4,
    /// The terminal is no longer used.
    CessationOfOperation = 5,
    /// The device is suspended. The entry disappears when it is resumed.
    CertificateHold = 6,
}

impl From<RevocationReason> for CrlReason {
    fn from(reason: RevocationReason) -> Self {
        match reason {
            RevocationReason::Unspecified => Self::Unspecified,
            RevocationReason::KeyCompromise => Self::KeyCompromise,
            RevocationReason::AffiliationChanged => Self::AffiliationChanged,
            RevocationReason::Superseded => Self::Superseded,
            RevocationReason::CessationOfOperation => Self::CessationOfOperation,
        }
    }
}

/// One entry of `revokedCertificates` (RFC 5280 section 5.1.2.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RevokedEntry {
    /// The serial of the revoked certificate.
    pub serial: Serial,
    /// When the certificate was revoked.
    pub at: Timestamp,
    /// The reason code that the entry states (RFC 5280 section 5.3.1).
    pub reason: CrlReason,
}

/// Which list this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CrlIdentity {
    /// Strictly greater than that of every list published before (section 5.2.3).
    pub number: u64,
    /// When the facts were read.
    pub this_update: Timestamp,
    /// When the next list will be there at the latest.
    pub next_update: Timestamp,
}

/// Which certificates a list is about, as the certificates' distribution point and the list's own critical
/// `IssuingDistributionPoint` say it (RFC 5280 section 5.2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrlScope<'a> {
    /// Devices and gates whose certificates name this URL.
    EndEntities(&'a str),
    /// All CAs that it has signed: what a root publishes. It names no address, because it has one list only, and
    /// because a verifier that asks about the root itself, whose certificate names no list, would refuse it.
    Authorities,
}

impl CrlScope<'_> {
    /// The value of the `IssuingDistributionPoint`. A list with another one is not about the same certificates.
    pub(crate) fn der(self) -> Vec<u8> {
        let url = match self {
            Self::EndEntities(url) => url,
            Self::Authorities => return der::sequence(&[&der::element(tag::context(2), &[&[0xff]])]),
        };
        let uri = der::element(tag::context(6), &[url.as_bytes()]);
        let name = der::element(tag::constructed(0), &[&der::element(tag::constructed(0), &[&uri])]);
        der::sequence(&[&name, &der::element(tag::context(1), &[&[0xff]])])
    }
}

/// Why no list was made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CrlError {
    /// nextUpdate must lie after thisUpdate.
    #[error("the next CRL would be due before this one: choose a positive CRL lifetime")]
    Edition,
    /// What was written is not what was meant.
    #[error("the CRL does not read back as written; it must not be published: tell the operators")]
    Altered,
    /// The list that is out is about other certificates than this one would be.
    #[error(
        "the published CRL has another address than this one would have: certificates name the old one for as long as \
         they live, so set the public address back"
    )]
    Moved,
    /// The key did not work.
    #[error(transparent)]
    Key(#[from] CaKeyError),
}

/// A list whose signature was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedCrl {
    buffer: Vec<u8>,
    start: usize,
    edition: CrlIdentity,
    entries: usize,
}

impl VerifiedCrl {
    /// The whole signed list in DER.
    pub fn der(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The signed list in DER, without copying it.
    pub fn into_der(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }

    /// Which list this is, to the second.
    pub fn edition(&self) -> CrlIdentity {
        self.edition
    }

    /// How many certificates are on it.
    pub fn entries(&self) -> usize {
        self.entries
    }
}

#[cfg(test)]
mod tests;
