//! Each extension is there once, with its one criticality and value.

use super::expectation::LintExpectation;
use super::finding::{Finding, LintCheck};
use crate::der::{DerReader, MalformedDer, tag};
use crate::oid;
use crate::policy::CertificatePolicy;
use crate::public_key::{KeyType, PublicKey};
use ring::digest::{SHA256, digest};
use x509_parser::asn1_rs::Oid;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry as known;

/// Those that every certificate has; `CertificatePolicies` may come on top.
const OURS: [&Oid<'static>; 9] = [
    &known::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
    &known::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
    &known::OID_X509_EXT_KEY_USAGE,
    &known::OID_X509_EXT_CERTIFICATE_POLICIES,
    &known::OID_X509_EXT_SUBJECT_ALT_NAME,
    &known::OID_X509_EXT_BASIC_CONSTRAINTS,
    &known::OID_X509_EXT_EXTENDED_KEY_USAGE,
    &known::OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    &known::OID_PKIX_AUTHORITY_INFO_ACCESS,
];

pub(super) fn checks(certificate: &X509Certificate<'_>, expected: &LintExpectation<'_>) -> Vec<LintCheck> {
    let all = certificate.extensions();
    let find = |wanted: &Oid<'_>| all.iter().find(|extension| &extension.oid == wanted);
    let key_type = PublicKey::read(certificate.public_key().raw).ok().map(|key| key.key_type());
    let mut checks = vec![
        (is_each_once(all), Finding::ExtensionTwice),
        (all.iter().all(|extension| OURS.contains(&&extension.oid)), Finding::OtherExtension),
        (find(OURS[0]).is_some_and(|found| is_authority_key(found, expected)), Finding::AuthorityKey),
        (find(OURS[1]).is_some_and(|found| is_subject_key(found, certificate)), Finding::SubjectKey),
        (find(OURS[5]).is_some_and(is_not_a_ca), Finding::BasicConstraints),
        (find(OURS[6]).is_some_and(is_client_auth), Finding::ExtendedKeyUsage),
    ];
    checks.extend(key_usage(find(OURS[2]), key_type, expected));
    checks.extend(policies(find(OURS[3]), expected));
    checks.extend(alternative_name(find(OURS[4]), expected));
    checks.extend(addresses(find(OURS[7]), find(OURS[8]), expected));
    checks
}

fn is_each_once(extensions: &[X509Extension<'_>]) -> bool {
    extensions.iter().enumerate().all(|(at, one)| extensions[..at].iter().all(|other| other.oid != one.oid))
}

fn is_authority_key(found: &X509Extension<'_>, expected: &LintExpectation<'_>) -> bool {
    let ParsedExtension::AuthorityKeyIdentifier(authority) = found.parsed_extension() else { return false };
    let is_alone = authority.authority_cert_issuer.is_none() && authority.authority_cert_serial.is_none();
    let is_issuers =
        authority.key_identifier.as_ref().is_some_and(|key| key.0 == expected.parent.key_identifier);
    !found.critical && is_alone && is_issuers
}

fn is_subject_key(found: &X509Extension<'_>, certificate: &X509Certificate<'_>) -> bool {
    let ParsedExtension::SubjectKeyIdentifier(identifier) = found.parsed_extension() else { return false };
    let key = &certificate.public_key().subject_public_key.data;
    !found.critical && identifier.0 == &digest(&SHA256, key).as_ref()[..20]
}

fn is_not_a_ca(found: &X509Extension<'_>) -> bool {
    let ParsedExtension::BasicConstraints(constraints) = found.parsed_extension() else { return false };
    found.critical && !constraints.ca && constraints.path_len_constraint.is_none()
}

fn is_client_auth(found: &X509Extension<'_>) -> bool {
    let ParsedExtension::ExtendedKeyUsage(usage) = found.parsed_extension() else { return false };
    let others = usage.any
        || usage.server_auth
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing
        || !usage.other.is_empty();
    !found.critical && usage.client_auth && !others
}

/// The value is compared as it is encoded: DER has no zeros at the end of a list of named bits.
fn key_usage(
    found: Option<&X509Extension<'_>>,
    key: Option<KeyType>,
    expected: &LintExpectation<'_>,
) -> [LintCheck; 2] {
    const SIGNATURE: &[u8] = &[tag::BIT_STRING, 2, 7, 0b1000_0000];
    const SIGNATURE_AND_ENCIPHERMENT: &[u8] = &[tag::BIT_STRING, 2, 5, 0b1010_0000];
    let value = found.filter(|found| found.critical).map(|found| found.value);
    let enciphers = value == Some(SIGNATURE_AND_ENCIPHERMENT);
    let is_sound = value == Some(SIGNATURE) || (enciphers && key == Some(KeyType::Rsa));
    let is_wanted = key.is_none_or(|key| expected.profile.key_encipherment(key) == enciphers);
    [(is_sound, Finding::KeyUsage), (!is_sound || is_wanted, Finding::KeyEncipherment)]
}

fn policies(found: Option<&X509Extension<'_>>, expected: &LintExpectation<'_>) -> [LintCheck; 2] {
    let Some(found) = found else {
        return [
            (true, Finding::Policies),
            (expected.profile.policies().is_empty(), Finding::ProfilePolicies),
        ];
    };
    let read = read_policies(found);
    let is_sound = !found.critical && read.is_some();
    let is_profiles = read.is_none_or(|read| read == expected.profile.policies());
    [(is_sound, Finding::Policies), (is_profiles, Finding::ProfilePolicies)]
}

/// The policies, if each stands once and says no more than RFC 5280 section 4.2.1.4 lets it.
fn read_policies(found: &X509Extension<'_>) -> Option<Vec<CertificatePolicy>> {
    let ParsedExtension::CertificatePolicies(list) = found.parsed_extension() else { return None };
    let mut policies: Vec<CertificatePolicy> = Vec::new();
    for information in list {
        let mut policy = CertificatePolicy::of_identifier(information.policy_id.as_bytes())?;
        for qualifier in information.policy_qualifiers.iter().flatten() {
            let id = qualifier.policy_qualifier_id.as_bytes();
            policy = if id == oid::QUALIFIER_CPS && policy.cps().is_none() {
                let uri = DerReader::single(qualifier.qualifier, tag::IA5_STRING).ok()?;
                policy.with_cps(str::from_utf8(uri.content).ok()?).ok()?
            } else if id == oid::QUALIFIER_NOTICE && policy.notice().is_none() {
                policy.with_notice(explicit_text(qualifier.qualifier).ok()?).ok()?
            } else {
                return None;
            };
        }
        if policies.iter().any(|known| known.oid() == policy.oid()) {
            return None;
        }
        policies.push(policy);
    }
    Some(policies)
}

/// A `UserNotice` with an explicit text in UTF-8 alone.
fn explicit_text(notice: &[u8]) -> Result<&str, MalformedDer> {
    let mut fields = DerReader::new(DerReader::single(notice, tag::SEQUENCE)?.content);
    let text = fields.expect(tag::UTF8_STRING)?.content;
    fields.end()?;
    str::from_utf8(text).map_err(|_| MalformedDer)
}

fn alternative_name(found: Option<&X509Extension<'_>>, expected: &LintExpectation<'_>) -> [LintCheck; 2] {
    let uri = found.filter(|found| !found.critical).and_then(|found| match found.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => only_uri(&names.general_names),
        _ => None,
    });
    let is_absolute = |uri: &str| uri.strip_prefix("https://").is_some_and(|rest| !rest.starts_with('/'));
    let is_sound = uri.is_some_and(is_absolute);
    [(is_sound, Finding::AlternativeName), (!is_sound || uri == Some(&expected.uri), Finding::Holder)]
}

/// Where the CRL, the responder and the issuer's certificate are. The path says whose they are, and which; the address
/// before it may have been another when the certificate was issued.
fn addresses(
    point: Option<&X509Extension<'_>>,
    access: Option<&X509Extension<'_>>,
    expected: &LintExpectation<'_>,
) -> [LintCheck; 4] {
    let crl = point.and_then(distribution_point).map(at_host);
    let services = access.and_then(services).map(|urls| urls.map(at_host));
    let (crl_wanted, services_wanted) =
        (at_host(&expected.crl), [expected.endpoints.ocsp(), expected.endpoints.certificate()].map(at_host));
    let found = crl.iter().chain(services.iter().flatten());
    let paths = |urls: [(&str, &str); 2]| urls.map(|(_, path)| path) == services_wanted.map(|(_, path)| path);
    [
        (crl.is_some(), Finding::DistributionPoint),
        (crl.is_none_or(|(_, path)| path == crl_wanted.1), Finding::Shard),
        (services.is_some_and(paths), Finding::InformationAccess),
        (found.into_iter().all(|(host, _)| *host == crl_wanted.0), Finding::Address),
    ]
}

fn distribution_point<'a>(found: &'a X509Extension<'a>) -> Option<&'a str> {
    let ParsedExtension::CRLDistributionPoints(points) = found.parsed_extension() else { return None };
    let [point] = points.points.as_slice() else { return None };
    let Some(DistributionPointName::FullName(names)) = &point.distribution_point else { return None };
    let is_whole = !found.critical && point.reasons.is_none() && point.crl_issuer.is_none();
    only_uri(names).filter(|_| is_whole)
}

/// The responder and the issuer's certificate, in this order.
fn services<'a>(found: &'a X509Extension<'a>) -> Option<[&'a str; 2]> {
    let ParsedExtension::AuthorityInfoAccess(access) = found.parsed_extension() else { return None };
    let [ocsp, issuer] = access.accessdescs.as_slice() else { return None };
    let is_sound = !found.critical
        && ocsp.access_method.as_bytes() == oid::AD_OCSP
        && issuer.access_method.as_bytes() == oid::AD_CA_ISSUERS;
    match (&ocsp.access_location, &issuer.access_location) {
        (GeneralName::URI(ocsp), GeneralName::URI(issuer)) if is_sound => Some([ocsp, issuer]),
        _ => None,
    }
}

fn only_uri<'a>(names: &[GeneralName<'a>]) -> Option<&'a str> {
    match names {
        [GeneralName::URI(uri)] => Some(uri),
        _ => None,
    }
}

/// Scheme and host, and the rest.
fn at_host(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.split_at(path)
}
