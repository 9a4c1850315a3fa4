//! Each rule of the lint is broken once, by a certificate that keeps all the others, and the lint says which.

use super::*;
use crate::audit::{self, AuditedIssuer, RecordedCertificate};
use crate::der::{self, DerReader, tag};
use crate::endpoints::IssuerEndpoints;
use crate::profile::CertificateProfile;
use crate::tests::draft::{Draft, endpoints, extension, fixture, general_names, rdn};
use crate::tests::fixture::{NOW, request};
use std::collections::BTreeSet;
use tegata_core::Serial;

const DAY: Duration = Duration::from_hours(24);

fn names(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(|finding| format!("{finding:?}")).collect()
}

type Spoil = fn(&mut Draft);

/// Findings that only a signed certificate can have.
const OF_THE_AUDIT: [Finding; 2] = [Finding::Intended, Finding::Signature];

#[test]
fn a_certificate_of_the_profile_has_no_findings() {
    assert_eq!(Draft::new().findings(), []);
}

#[test]
fn every_rule_notices_when_it_alone_is_broken() {
    let mut seen: Vec<Finding> = OF_THE_AUDIT.to_vec();
    for (broken, spoil) in SPOILT {
        let mut draft = Draft::new();
        spoil(&mut draft);
        assert_eq!(names(&draft.findings()), names(broken), "{broken:?}");
        seen.extend(*broken);
    }
    let unseen: Vec<_> = Finding::ALL.iter().filter(|finding| !seen.contains(finding)).collect();
    assert!(unseen.is_empty(), "nobody tried to break {unseen:?}");
}

#[rustfmt::skip]
const SPOILT: &[(&[Finding], Spoil)] = &[
    (&[Finding::Encoding], |d| d.after = vec![0]),
    (&[Finding::Encoding], |d| d.subject = vec![0x30, 0x80, 0, 0]),
    (&[Finding::Encoding], |d| d.serial = vec![2, 2, 0, 1]),
    (&[Finding::Encoding], |d| d.replace("basicConstraints", extension("basicConstraints", true, &[0x30, 3, 1, 1, 0]))),
    (&[Finding::Encoding], |d| d.replace("keyUsage", vec![0x30, 0x0e, 6, 3, 0x55, 0x1d, 15, 1, 1, 1, 4, 4, 3, 2, 7, 0x80])),
    (&[Finding::Encoding], |d| d.replace("keyUsage", extension("keyUsage", true, &[3, 2, 7, 0x80, 5, 0]))),
    (&[Finding::Version], |d| d.version = vec![0xa0, 3, 2, 1, 1]),
    (&[Finding::SerialForm, Finding::Serial], |d| d.serial = der::element(tag::INTEGER, &[&[0x41; 21]])),
    (&[Finding::SerialForm, Finding::Serial], |d| d.serial = vec![2, 1, 0x80]),
    (&[Finding::SerialForm, Finding::Serial], |d| d.serial = vec![2, 1, 0]),
    (&[Finding::Serial], |d| d.serial = vec![2, 1, 0x41]),
    (&[Finding::Algorithm], |d| d.algorithm = vec![0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]),
    (&[Finding::Algorithm], |d| d.outer_algorithm = vec![0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3]),
    (&[Finding::Algorithm], |d| d.algorithm = vec![0x30, 0x0c, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2, 5, 0]),
    (&[Finding::IssuerName], |d| d.issuer = der::sequence(&[])),
    (&[Finding::IssuerName], |d| d.issuer = fixture().root.subject().to_vec()),
    (&[Finding::TimeForm], |d| d.validity = der::sequence(&[&der::generalized_time(d.not_before), &der::time(d.not_after)])),
    (&[Finding::Order], |d| d.live(d.not_before, d.not_before.minus(Duration::from_secs(1)))),
    (&[Finding::IssuersLife], |d| d.live(fixture().issuing.not_before().minus(Duration::from_secs(1)), NOW.whole_second())),
    (&[Finding::IssuersLife], |d| d.live(fixture().issuing.not_after(), fixture().issuing.not_after().plus(Duration::from_secs(1)))),
    (&[Finding::Life], |d| d.live(d.not_before, d.not_before.plus(365 * DAY))),
    (&[Finding::Validity], |d| d.not_before = d.not_before.minus(Duration::from_secs(1))),
    (&[Finding::Validity], |d| d.not_after = d.not_after.plus(Duration::from_secs(1))),
    (&[Finding::SubjectMissing, Finding::CommonName, Finding::ProfileSubject], |d| d.subject = der::sequence(&[])),
    (&[Finding::SubjectForm], |d| d.name(&"長".repeat(65))),
    (&[Finding::SubjectForm], |d| d.name("")),
    (&[Finding::SubjectForm], |d| d.name("PC\u{202e}")),
    (&[Finding::SubjectForm], |d| d.name_as(0x16, b"PC")),
    (&[Finding::SubjectForm, Finding::CommonName], |d| d.name_as(0x1e, b"\0P\0C")),
    (&[Finding::SubjectForm], |d| d.subject = d.subject_with(&rdn(6, tag::UTF8_STRING, b"JP"))),
    (&[Finding::SubjectTypes], |d| d.subject = d.subject_with(&[rdn(6, tag::PRINTABLE_STRING, b"JP"), rdn(7, tag::UTF8_STRING, b"x")].concat())),
    (&[Finding::SubjectTypes], |d| d.subject = d.subject_with(&[rdn(6, tag::PRINTABLE_STRING, b"JP"), rdn(3, tag::UTF8_STRING, "本店 受付PC".as_bytes())].concat())),
    (&[Finding::SubjectTypes], |d| d.subject = d.subject_in_one_place()),
    (&[Finding::CommonName], |d| d.common_name = "本店 受付PD".into()),
    (&[Finding::ProfileSubject], |d| d.subject = d.subject_with(&[])),
    (&[Finding::ProfileSubject], |d| d.subject = d.subject_with(&rdn(6, tag::PRINTABLE_STRING, b"US"))),
    (&[Finding::Key], |d| d.key_hash[0] ^= 1),
    (&[Finding::KeyForm], |d| d.hold(&der::sequence(&[oid::P256_KEY, &der::bit_string(&[3; 33])]))),
    (&[Finding::KeyForm], |d| d.hold(&Draft::rsa_key(1024))),
    (&[Finding::KeyType], |d| d.hold(&der::sequence(&[oid::P384_KEY, &der::bit_string(&[4; 97])]))),
    (&[Finding::KeyType, Finding::KeyEncipherment], |d| d.hold(&Draft::rsa_key(2048))),
    (&[Finding::KeyEncipherment], |d| d.hold(&Draft::rsa_key(3072))),
    (&[Finding::UniqueIdentifiers], |d| d.unique_identifiers = vec![0x81, 2, 0, 1]),
    (&[Finding::UniqueIdentifiers], |d| d.unique_identifiers = vec![0x82, 2, 0, 1]),
    (&[Finding::ExtensionTwice], |d| d.extensions.push(d.extensions[0].clone())),
    (&[Finding::OtherExtension], |d| d.extensions.push(extension("subjectDirectoryAttributes", false, &[0x30, 0]))),
    (&[Finding::OtherExtension], |d| d.extensions.push(extension("nameConstraints", true, &[0x30, 0]))),
    (&[Finding::AuthorityKey], |d| d.remove("authorityKeyIdentifier")),
    (&[Finding::AuthorityKey], |d| d.change("authorityKeyIdentifier", |value| *value.last_mut().unwrap() ^= 1)),
    (&[Finding::AuthorityKey], |d| d.make_critical("authorityKeyIdentifier")),
    (&[Finding::AuthorityKey], |d| d.change("authorityKeyIdentifier", |value| {
        let own = DerReader::single(value, tag::SEQUENCE).unwrap().content;
        *value = der::sequence(&[own, &[0x82, 1, 1]]);
    })),
    (&[Finding::SubjectKey], |d| d.remove("subjectKeyIdentifier")),
    (&[Finding::SubjectKey], |d| d.change("subjectKeyIdentifier", |value| *value.last_mut().unwrap() ^= 1)),
    (&[Finding::SubjectKey], |d| d.make_critical("subjectKeyIdentifier")),
    (&[Finding::KeyUsage], |d| d.remove("keyUsage")),
    (&[Finding::KeyUsage], |d| d.replace("keyUsage", extension("keyUsage", false, &[3, 2, 7, 0x80]))),
    (&[Finding::KeyUsage], |d| d.change("keyUsage", |value| *value = vec![3, 2, 5, 0xa0])),
    (&[Finding::KeyUsage], |d| d.change("keyUsage", |value| *value = vec![3, 2, 2, 0x84])),
    (&[Finding::KeyUsage], |d| d.change("keyUsage", |value| *value = vec![3, 2, 0, 0x80])),
    (&[Finding::KeyUsage], |d| d.change("keyUsage", |value| *value = vec![3, 1, 0])),
    (&[Finding::Policies], |d| d.make_critical("certificatePolicies")),
    (&[Finding::Policies], |d| d.change("certificatePolicies", |value| {
        let list = DerReader::single(value, tag::SEQUENCE).unwrap().content;
        *value = der::sequence(&[list, list]);
    })),
    (&[Finding::Policies], |d| d.policy(&[])),
    (&[Finding::Policies], |d| d.policy(&der::element(0x1a, &[b"VisibleString"]))),
    (&[Finding::Policies], |d| d.policy(&der::element(tag::UTF8_STRING, &["字".repeat(201).as_bytes()]))),
    (&[Finding::Policies], |d| d.policy(&der::element(tag::UTF8_STRING, &[b"a\x07"]))),
    (&[Finding::ProfilePolicies], |d| d.policy(&der::element(tag::UTF8_STRING, &[b"other"]))),
    (&[Finding::ProfilePolicies], |d| d.remove("certificatePolicies")),
    (&[Finding::AlternativeName], |d| d.remove("subjectAltName")),
    (&[Finding::AlternativeName], |d| d.make_critical("subjectAltName")),
    (&[Finding::AlternativeName], |d| d.change("subjectAltName", |value| *value = vec![0x30, 0])),
    (&[Finding::AlternativeName], |d| d.change("subjectAltName", |value| {
        let own = DerReader::single(value, tag::SEQUENCE).unwrap().content;
        *value = der::sequence(&[own, &[0x82, 4, b'a', b'.', b'j', b'p']]);
    })),
    (&[Finding::AlternativeName], |d| d.change("subjectAltName", |value| *value = general_names(&["urn:x"]))),
    (&[Finding::AlternativeName], |d| d.change("subjectAltName", |value| *value = general_names(&["https:///x"]))),
    (&[Finding::Holder], |d| d.change("subjectAltName", |value| *value = general_names(&["https://x/device/y"]))),
    (&[Finding::BasicConstraints], |d| d.remove("basicConstraints")),
    (&[Finding::BasicConstraints], |d| d.replace("basicConstraints", extension("basicConstraints", false, &[0x30, 0]))),
    (&[Finding::BasicConstraints], |d| d.change("basicConstraints", |value| *value = vec![0x30, 3, 1, 1, 0xff])),
    (&[Finding::BasicConstraints], |d| d.change("basicConstraints", |value| *value = vec![0x30, 3, 2, 1, 0])),
    (&[Finding::ExtendedKeyUsage], |d| d.remove("extKeyUsage")),
    (&[Finding::ExtendedKeyUsage], |d| d.make_critical("extKeyUsage")),
    // serverAuth beside clientAuth, and anyExtendedKeyUsage alone.
    (&[Finding::ExtendedKeyUsage], |d| d.change("extKeyUsage", |value| {
        let own = DerReader::single(value, tag::SEQUENCE).unwrap().content;
        *value = der::sequence(&[own, &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1]]);
    })),
    (&[Finding::ExtendedKeyUsage], |d| d.change("extKeyUsage", |value| *value = der::sequence(&[&[6, 4, 0x55, 0x1d, 37, 0]]))),
    (&[Finding::DistributionPoint], |d| d.remove("cRLDistributionPoints")),
    (&[Finding::DistributionPoint], |d| d.make_critical("cRLDistributionPoints")),
    (&[Finding::DistributionPoint], |d| d.change("cRLDistributionPoints", |value| {
        let own = DerReader::single(value, tag::SEQUENCE).unwrap().content;
        *value = der::sequence(&[own, own]);
    })),
    (&[Finding::DistributionPoint], |d| d.change("cRLDistributionPoints", |value| {
        let own = DerReader::single(DerReader::single(value, tag::SEQUENCE).unwrap().content, tag::SEQUENCE).unwrap();
        *value = der::sequence(&[&der::sequence(&[own.content, &[0x81, 2, 6, 0x40]])]);
    })),
    (&[Finding::Shard], |d| d.crl(&endpoints().crl(1))),
    (&[Finding::Address], |d| d.crl(&endpoints().crl(0).replace("pki.example.jp", "old.example.jp"))),
    (&[Finding::InformationAccess], |d| d.remove("authorityInfoAccess")),
    (&[Finding::InformationAccess], |d| d.make_critical("authorityInfoAccess")),
    (&[Finding::InformationAccess], |d| d.access(endpoints().certificate(), endpoints().ocsp())),
    (&[Finding::Address], |d| d.access(
        &endpoints().ocsp().replace("http://", "https://"),
        endpoints().certificate(),
    )),
];

#[test]
fn an_audit_verifies_the_issuers_signature_and_the_recorded_bytes() {
    let fixture = fixture();
    let (holder, request) = (fixture.holder("本店", "受付PC"), request(&rcgen::PKCS_ECDSA_P256_SHA256));
    let serial = Serial::random(&fixture.entropy);
    let issued = crate::prepare(
        &fixture.issuing,
        endpoints(),
        &fixture.device_profile,
        &holder,
        &request,
        serial,
        NOW,
    )
    .unwrap();
    let (tbs, key_hash) = (issued.tbs().to_vec(), issued.key_hash());
    let record = RecordedCertificate {
        serial: issued.serial(),
        shard: issued.shard(),
        not_before: issued.not_before(),
        not_after: issued.not_after(),
        key_hash: &key_hash,
        tbs: &tbs,
        uri: fixture.holder("", "").uri(),
    };
    let der = issued.sign(&fixture.issuing).unwrap().der;
    let issuer = AuditedIssuer::read(fixture.issuing.certificate()).unwrap();
    let audit = |der: &[u8], record: &RecordedCertificate<'_>| {
        audit::certificate(der, &issuer, &fixture.device_profile, endpoints(), record)
    };
    assert_eq!(audit(&der, &record), []);

    let mut by_another = der.clone();
    *by_another.last_mut().unwrap() ^= 1;
    assert_eq!(audit(&by_another, &record), [Finding::Signature]);
    let other_bytes = RecordedCertificate { tbs: &tbs[1..], ..record.clone() };
    assert_eq!(audit(&der, &other_bytes), [Finding::Intended]);
    let other_shard = RecordedCertificate { shard: record.shard ^ 1, ..record.clone() };
    assert_eq!(audit(&der, &other_shard), [Finding::Shard]);
    assert_eq!(audit(b"noise", &record), [Finding::Encoding]);
    assert!(AuditedIssuer::read(&der).is_err(), "a device is no issuer");
}

#[test]
fn a_certificate_from_before_a_settings_change_differs_in_settings_only() {
    let fixture = fixture();
    let draft = Draft::new();
    let changed = CertificateProfile::parse(
        "new.toml",
        "role = \"device\"\nkeys = [\"ed25519\"]\nvalidity_days = 30\nbackdate_minutes = 5\n[subject]\n\
         common_name = \"{label}\"\norganization = \"新会社\"\n",
    );
    let moved =
        IssuerEndpoints::new(&"http://new.example.jp".parse().unwrap(), fixture.issuing.id(), 4).unwrap();
    let findings = draft.findings_by(&changed.unwrap(), &moved);
    assert!(
        !findings.is_empty() && findings.iter().all(|finding| finding.kind() == LintKind::Settings),
        "{findings:?}"
    );
}
