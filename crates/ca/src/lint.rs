//! Every MUST that a device certificate can break: of RFC 5280 sections 4.1 and 4.2, whose sections the findings name,
//! and of Tegata itself. Checked before the real key signs, and again whenever somebody looks at what was issued.
//!
//! The lint reads DER with other code than wrote it: rcgen writes, x509-parser and the strict reader here read.

mod encoding;
mod extensions;
mod subject;

use crate::endpoints::IssuerEndpoints;
use crate::oid;
use crate::profile::CertificateProfile;
use crate::public_key::PublicKey;
use ring::digest::{SHA256, digest};
use std::fmt;
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::{AlgorithmIdentifier, X509Version};

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

/// What a finding is measured by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LintKind {
    /// RFC 5280, or what Tegata demands of every certificate.
    Rule,
    /// What was intended, and recorded in the ledger.
    Record,
    /// Today's profile and public address: a certificate from before they were changed may differ and be sound.
    Settings,
}

macro_rules! findings {
    ($($kind:ident { $($name:ident $text:literal)* })*) => {
        /// Something the certificate should have and has not.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum Finding { $($($name),*),* }

        impl Finding {
            /// All that there can be.
            pub const ALL: &'static [Self] = &[$($(Self::$name),*),*];

            /// What it is measured by.
            pub fn kind(self) -> LintKind {
                match self { $($(Self::$name => LintKind::$kind),*),* }
            }

            /// What the certificate should have, with the section of RFC 5280 that wants it if there is one.
            pub fn text(self) -> &'static str {
                match self { $($(Self::$name => $text),*),* }
            }
        }
    };
}

findings! {
    Rule {
        Encoding "one X.509 certificate in DER (4.1)"
        Version "version 3 (4.1.2.1)"
        SerialForm "a positive serial of at most 20 octets (4.1.2.2)"
        Algorithm "ecdsa-with-SHA256 inside and outside (4.1.1.2)"
        IssuerName "the issuer's subject, byte by byte (4.1.2.4)"
        TimeForm "UTCTime through 2049 and GeneralizedTime from 2050, to the second, in Z (4.1.2.5)"
        Order "an end that is not before the begin (4.1.2.5)"
        IssuersLife "a life within the issuer's"
        SubjectMissing "a subject, because SubjectAltName is not critical (4.1.2.6)"
        SubjectForm "subject values of 1 to 64 visible characters in UTF8String or PrintableString (4.1.2.4, A.1)"
        SubjectTypes "one common name, at most one organization and one country, each alone in its place"
        KeyForm "a sound key in its one form (4.1.2.7)"
        UniqueIdentifiers "no unique identifiers (4.1.2.8)"
        ExtensionTwice "no extension twice (4.2)"
        OtherExtension "no extensions but those of a profile"
        AuthorityKey "AuthorityKeyIdentifier with the issuer's key identifier alone, not critical (4.2.1.1)"
        SubjectKey "SubjectKeyIdentifier by RFC 7093 method 1, not critical (4.2.1.2)"
        KeyUsage "critical KeyUsage with digitalSignature, and at most keyEncipherment for RSA (4.2.1.3)"
        Policies "CertificatePolicies, not critical: every policy once, its qualifiers in their form (4.2.1.4)"
        AlternativeName "SubjectAltName with one https URI, not critical (4.2.1.6)"
        BasicConstraints "critical BasicConstraints with CA:FALSE (4.2.1.9)"
        ExtendedKeyUsage "ExtendedKeyUsage with clientAuth alone, not critical (4.2.1.12)"
        DistributionPoint "one CRL distribution point with one URL, not critical (4.2.1.13)"
        InformationAccess "AuthorityInfoAccess with OCSP and caIssuers of the issuer, not critical (4.2.2.1)"
        Signature "a signature of the issuer's (4.1.1.3)"
    }
    Record {
        Intended "the bytes that were recorded before signing"
        Serial "the reserved serial"
        Validity "the intended validity"
        Key "the requested key, byte by byte"
        CommonName "the intended common name"
        Holder "the holder's URI"
        Shard "the CRL of its shard"
    }
    Settings {
        Life "a life no longer than the profile's"
        KeyType "a key that the profile allows"
        KeyEncipherment "keyEncipherment if the profile wants it"
        ProfileSubject "the profile's organization and country"
        ProfilePolicies "the profile's policies"
        Address "URLs at the public address"
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

/// What is wrong: nothing in a good certificate. Whether its signature holds is not looked at.
pub(crate) fn lint(der: &[u8], expected: &LintExpectation<'_>) -> Vec<Finding> {
    let parsed = x509_parser::parse_x509_certificate(der);
    let (true, Ok(([], certificate))) = (encoding::is_der(der), parsed) else {
        return vec![Finding::Encoding];
    };
    let mut checks = Vec::from(fields(&certificate, expected));
    checks.extend(life(der, &certificate, expected));
    checks.extend(key(&certificate, expected));
    checks.extend(subject::checks(certificate.subject(), expected));
    checks.extend(extensions::checks(&certificate, expected));
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, finding)| finding).collect()
}

/// Whether it holds, and what to say otherwise.
type LintCheck = (bool, Finding);

fn fields(certificate: &X509Certificate<'_>, expected: &LintExpectation<'_>) -> [LintCheck; 6] {
    let tbs = &certificate.tbs_certificate;
    let serial = tbs.raw_serial();
    let is_positive = serial.first().is_some_and(|first| *first < 0x80) && serial != [0];
    let is_ecdsa = |algorithm: &AlgorithmIdentifier<'_>| {
        algorithm.algorithm.as_bytes() == &oid::ECDSA_WITH_SHA256[4..] && algorithm.parameters.is_none()
    };
    [
        (tbs.version() == X509Version::V3, Finding::Version),
        (is_positive && serial.len() <= 20, Finding::SerialForm),
        (serial == expected.serial.as_bytes(), Finding::Serial),
        (is_ecdsa(&tbs.signature) && is_ecdsa(&certificate.signature_algorithm), Finding::Algorithm),
        (tbs.issuer().as_raw() == expected.parent.subject, Finding::IssuerName),
        (tbs.issuer_uid.is_none() && tbs.subject_uid.is_none(), Finding::UniqueIdentifiers),
    ]
}

/// RFC 5280 section 4.1.2.5: both ends belong to the life.
fn life(der: &[u8], certificate: &X509Certificate<'_>, expected: &LintExpectation<'_>) -> [LintCheck; 5] {
    let validity = certificate.validity();
    let begin = Timestamp::from_seconds(validity.not_before.timestamp());
    let end = Timestamp::from_seconds(validity.not_after.timestamp());
    let life = end.since(begin) + Duration::from_secs(1);
    let parent = expected.parent;
    [
        (encoding::has_sound_times(der), Finding::TimeForm),
        (begin <= end, Finding::Order),
        (begin >= parent.not_before && end <= parent.not_after, Finding::IssuersLife),
        ((begin, end) == (expected.not_before, expected.not_after), Finding::Validity),
        (life <= expected.profile.validity(), Finding::Life),
    ]
}

fn key(certificate: &X509Certificate<'_>, expected: &LintExpectation<'_>) -> [LintCheck; 3] {
    let info = certificate.public_key().raw;
    let key = PublicKey::read(info).ok();
    [
        (key.is_some(), Finding::KeyForm),
        (digest(&SHA256, info).as_ref() == expected.key_hash, Finding::Key),
        (key.is_none_or(|key| expected.profile.allows(&key)), Finding::KeyType),
    ]
}

#[cfg(test)]
#[path = "tests/lint.rs"]
mod tests;
