//! What a lint compares a certificate with.

use crate::endpoints::IssuerEndpoints;
use crate::profile::CertificateProfile;
use tegata_core::{Serial, Timestamp};

/// What the certificate must say.
pub(crate) struct LintExpectation<'a> {
    pub(crate) parent: IssuerReference<'a>,
    pub(crate) endpoints: &'a IssuerEndpoints,
    pub(crate) profile: &'a CertificateProfile,
    /// The URL of the one CRL that will name it.
    pub(crate) crl: String,
    pub(crate) serial: Serial,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// Nothing when labels have changed since it was issued.
    pub(crate) common_name: Option<String>,
    pub(crate) uri: String,
    /// SHA-256 of the `SubjectPublicKeyInfo`.
    pub(crate) key_hash: &'a [u8],
}

/// What a certificate repeats of its issuer.
#[derive(Clone, Copy)]
pub(crate) struct IssuerReference<'a> {
    pub(crate) subject: &'a [u8],
    pub(crate) key_identifier: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}
