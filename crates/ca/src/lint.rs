//! Every MUST a device certificate can break, checked on the rehearsed certificate before the real key
//! signs. The lint reads the DER with another library than the one that wrote it.

use crate::csr::ParsedRequest;
use crate::endpoints::Endpoints;
use crate::issuer::Issuer;
use crate::oid;
use crate::subject::LONGEST;
use std::fmt;
use std::time::Duration;
use tegata_core::{Serial, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{
    DistributionPointName, GeneralName, ParsedExtension, ParsedExtension as Extension, X509Extension,
};
use x509_parser::x509::X509Version;

/// What the certificate must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) endpoints: &'a Endpoints,
    /// The URL of the one CRL that will name it.
    pub(crate) crl: String,
    pub(crate) serial: Serial,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) longest: Duration,
    pub(crate) common_name: String,
    pub(crate) organization: Option<&'a str>,
    pub(crate) uri: String,
    pub(crate) request: &'a ParsedRequest,
}

/// A rule the certificate would break, with its section of RFC 5280 where it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding(&'static str);

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// The rules that are broken: none in a good certificate.
pub(crate) fn lint(der: &[u8], expected: &Expected<'_>) -> Vec<Finding> {
    let Ok(([], certificate)) = x509_parser::parse_x509_certificate(der) else {
        return vec![Finding("one X.509 certificate in DER (4.1)")];
    };
    let mut checks = fields(&certificate, expected);
    checks.extend(subject(&certificate, expected));
    checks.extend(extensions(&certificate, expected));
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, rule)| Finding(rule)).collect()
}

type Check = (bool, &'static str);

fn fields(certificate: &X509Certificate<'_>, expected: &Expected<'_>) -> Vec<Check> {
    let tbs = &certificate.tbs_certificate;
    let serial = tbs.raw_serial();
    let validity = certificate.validity();
    let begin = Timestamp::from_seconds(validity.not_before.timestamp());
    let end = Timestamp::from_seconds(validity.not_after.timestamp());
    let life = end.since(begin) + Duration::from_secs(1);
    let issuer = expected.issuer;
    let ecdsa = |algorithm: &x509_parser::x509::AlgorithmIdentifier<'_>| {
        let oid = algorithm.algorithm.as_bytes();
        oid == &oid::ECDSA_WITH_SHA256[4..] && algorithm.parameters.is_none()
    };
    vec![
        (tbs.version() == X509Version::V3, "version 3 (4.1.2.1)"),
        (
            serial.len() <= 20 && serial.first().is_some_and(|first| *first < 0x80),
            "a positive serial of at most 20 octets (4.1.2.2)",
        ),
        (serial == expected.serial.as_bytes(), "the reserved serial"),
        (
            ecdsa(&tbs.signature) && ecdsa(&certificate.signature_algorithm),
            "ecdsa-with-SHA256 inside and outside (4.1.1.2)",
        ),
        (tbs.issuer().as_raw() == issuer.subject(), "the issuer's subject, byte by byte (4.1.2.4)"),
        ((begin, end) == (expected.not_before, expected.not_after), "the intended validity (4.1.2.5)"),
        (begin < end && life <= expected.longest, "a life no longer than the profile's"),
        (begin >= issuer.not_before() && end <= issuer.not_after(), "a life within the issuer's"),
        (
            tbs.public_key().raw == expected.request.public_key_info(),
            "the requested key, byte by byte (4.1.2.7)",
        ),
        (tbs.issuer_uid.is_none() && tbs.subject_uid.is_none(), "no unique identifiers (4.1.2.8)"),
    ]
}

fn subject(certificate: &X509Certificate<'_>, expected: &Expected<'_>) -> Vec<Check> {
    let subject = certificate.subject();
    let only = |values: Vec<&x509_parser::x509::AttributeTypeAndValue<'_>>, text: Option<&str>| {
        values.iter().map(|value| value.as_str().ok()).collect::<Vec<_>>()
            == text.map(Some).into_iter().collect::<Vec<_>>()
    };
    let values: Vec<_> = subject.iter_attributes().collect();
    let fits = |value: &&x509_parser::x509::AttributeTypeAndValue<'_>| {
        value.as_str().is_ok_and(|text| (1..=LONGEST).contains(&text.chars().count()))
    };
    vec![
        (values.iter().all(fits), "subject values of 1 to 64 characters (appendix A.1)"),
        (only(subject.iter_common_name().collect(), Some(&expected.common_name)), "the intended common name"),
        (only(subject.iter_organization().collect(), expected.organization), "the intended organisation"),
        (values.len() == 1 + usize::from(expected.organization.is_some()), "nothing else in the subject"),
    ]
}

/// Each extension is expected once, with one criticality and one value.
fn extensions(certificate: &X509Certificate<'_>, expected: &Expected<'_>) -> Vec<Check> {
    let all = certificate.extensions();
    let once = |critical: bool, value: &dyn Fn(&Extension<'_>) -> Option<bool>| {
        let mut found =
            all.iter().filter_map(|extension| Some((extension, value(extension.parsed_extension())?)));
        matches!((found.next(), found.next()), (Some((extension, true)), None) if extension.critical == critical)
    };
    vec![
        (all.len() == 8, "exactly the eight extensions of this profile"),
        (no_duplicates(all), "no extension twice (4.2)"),
        (
            once(false, &|found| authority_key(found, expected.issuer.key_identifier())),
            "AuthorityKeyIdentifier with the issuer's key identifier alone (4.2.1.1)",
        ),
        (
            once(false, &|found| subject_key(found, &expected.request.key_identifier())),
            "SubjectKeyIdentifier by RFC 7093 method 1 (4.2.1.2)",
        ),
        (once(true, &key_usage), "critical KeyUsage with digitalSignature alone (4.2.1.3)"),
        (
            once(false, &|found| alternative_name(found, &expected.uri)),
            "SubjectAltName with the holder's URI alone (4.2.1.6)",
        ),
        (once(true, &not_a_ca), "critical BasicConstraints with CA:FALSE (4.2.1.9)"),
        (once(false, &client_auth), "ExtendedKeyUsage with clientAuth alone (4.2.1.12)"),
        (
            once(false, &|found| distribution_point(found, &expected.crl)),
            "one CRL distribution point with the issuer's URL (4.2.1.13)",
        ),
        (
            once(false, &|found| information_access(found, expected.endpoints)),
            "AuthorityInfoAccess with OCSP and caIssuers (4.2.2.1)",
        ),
    ]
}

fn no_duplicates(extensions: &[X509Extension<'_>]) -> bool {
    extensions.iter().enumerate().all(|(at, one)| extensions[..at].iter().all(|other| other.oid != one.oid))
}

fn authority_key(found: &Extension<'_>, identifier: &[u8]) -> Option<bool> {
    let ParsedExtension::AuthorityKeyIdentifier(authority) = found else { return None };
    let alone = authority.authority_cert_issuer.is_none() && authority.authority_cert_serial.is_none();
    Some(alone && authority.key_identifier.as_ref().is_some_and(|key| key.0 == identifier))
}

fn subject_key(found: &Extension<'_>, identifier: &[u8]) -> Option<bool> {
    let ParsedExtension::SubjectKeyIdentifier(key) = found else { return None };
    Some(key.0 == identifier)
}

fn key_usage(found: &Extension<'_>) -> Option<bool> {
    let ParsedExtension::KeyUsage(usage) = found else { return None };
    Some(usage.flags == 1)
}

fn alternative_name(found: &Extension<'_>, uri: &str) -> Option<bool> {
    let ParsedExtension::SubjectAlternativeName(names) = found else { return None };
    Some(matches!(names.general_names.as_slice(), [GeneralName::URI(found)] if *found == uri))
}

fn not_a_ca(found: &Extension<'_>) -> Option<bool> {
    let ParsedExtension::BasicConstraints(constraints) = found else { return None };
    Some(!constraints.ca && constraints.path_len_constraint.is_none())
}

fn client_auth(found: &Extension<'_>) -> Option<bool> {
    let ParsedExtension::ExtendedKeyUsage(usage) = found else { return None };
    let others = usage.any
        || usage.server_auth
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing
        || !usage.other.is_empty();
    Some(usage.client_auth && !others)
}

fn distribution_point(found: &Extension<'_>, url: &str) -> Option<bool> {
    let ParsedExtension::CRLDistributionPoints(points) = found else { return None };
    let [point] = points.points.as_slice() else { return Some(false) };
    let Some(DistributionPointName::FullName(names)) = &point.distribution_point else { return Some(false) };
    let named = matches!(names.as_slice(), [GeneralName::URI(found)] if *found == url);
    Some(named && point.reasons.is_none() && point.crl_issuer.is_none())
}

fn information_access(found: &Extension<'_>, endpoints: &Endpoints) -> Option<bool> {
    let ParsedExtension::AuthorityInfoAccess(access) = found else { return None };
    let wanted = [(oid::AD_OCSP, endpoints.ocsp()), (oid::AD_CA_ISSUERS, endpoints.certificate())];
    let exact = access.accessdescs.len() == wanted.len()
        && access.accessdescs.iter().zip(wanted).all(|(description, (method, url))| {
            description.access_method.as_bytes() == method
                && matches!(&description.access_location, GeneralName::URI(found) if *found == url)
        });
    Some(exact)
}

#[cfg(test)]
#[path = "tests/lint.rs"]
mod tests;
