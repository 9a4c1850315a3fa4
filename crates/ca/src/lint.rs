//! Every MUST that a device certificate can break: of RFC 5280 sections 4.1 and 4.2, whose sections the findings name,
//! and of Tegata itself. Checked before the real key signs, and again whenever somebody looks at what was issued.
//!
//! The lint reads DER with other code than wrote it: rcgen writes, x509-parser and the strict reader here read.

mod encoding;
mod expectation;
mod extensions;
mod finding;
mod subject;

pub(crate) use expectation::{IssuerReference, LintExpectation};
pub use finding::{Finding, LintKind};

use crate::oid;
use crate::public_key::PublicKey;
use finding::LintCheck;
use ring::digest::{SHA256, digest};
use std::time::Duration;
use tegata_core::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::{AlgorithmIdentifier, X509Version};

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
mod tests;
