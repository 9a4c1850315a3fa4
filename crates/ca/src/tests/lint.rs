//! Each rule of the lint is broken once, and the lint says which.

use super::*;
use crate::issuer::RcgenKey;
use crate::tests::world::{NOW, World, key, request};
use rcgen::{
    CertificateParams, CrlDistributionPoint, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType, SerialNumber,
};

type Spoil = fn(&mut CertificateParams);

/// What the lint says about a certificate that was spoilt before it was signed.
fn findings(spoil: Spoil) -> Vec<String> {
    let world = World::new();
    let request = request(&rcgen::PKCS_ECDSA_P256_SHA256);
    let (not_before, not_after) =
        (NOW.whole_second(), NOW.whole_second().plus(Duration::from_secs(86_400 - 1)));
    let holder = world.holder("本店", "受付PC");
    let expected = Expected {
        issuer: &world.issuing,
        endpoints: &world.endpoints,
        crl: world.endpoints.crl(0),
        serial: Serial::random(&world.entropy),
        not_before,
        not_after,
        longest: Duration::from_hours(24),
        common_name: "本店 受付PC".into(),
        organization: None,
        uri: holder.uri(),
        request: &request,
    };
    let mut params = crate::prepare::parameters(&expected).unwrap();
    spoil(&mut params);
    let certificate = params.signed_by(&request, world.issuing.rehearsal()).unwrap();
    lint(certificate.der(), &expected).iter().map(ToString::to_string).collect()
}

#[test]
fn a_certificate_of_the_profile_has_no_findings() {
    assert_eq!(findings(|_| {}), Vec::<String>::new());
}

#[test]
fn every_rule_notices_when_it_is_broken() {
    let spoilt: &[(&str, Spoil)] = &[
        ("20 octets", |p| p.serial_number = Some(SerialNumber::from_slice(&[0x41; 21]))),
        ("reserved serial", |p| p.serial_number = Some(SerialNumber::from_slice(&[0x41; 16]))),
        ("intended validity", |p| p.not_after += Duration::from_secs(1)),
        ("than the profile's", |p| p.not_after += Duration::from_secs(1)),
        ("within the issuer's", |p| p.not_before -= Duration::from_hours(20 * 365 * 24)),
        ("64 characters", |p| p.distinguished_name.push(DnType::CommonName, "長".repeat(65))),
        ("intended common name", |p| p.distinguished_name.push(DnType::CommonName, "other")),
        ("intended organisation", |p| p.distinguished_name.push(DnType::OrganizationName, "other")),
        ("nothing else", |p| p.distinguished_name.push(DnType::LocalityName, "横浜")),
        ("AuthorityKeyIdentifier", |p| p.use_authority_key_identifier_extension = false),
        ("eight extensions", |p| p.custom_extensions.clear()),
        ("SubjectKeyIdentifier", |p| p.key_identifier_method = rcgen::KeyIdMethod::Sha512),
        ("KeyUsage with", |p| p.key_usages.push(KeyUsagePurpose::KeyCertSign)),
        ("KeyUsage with", |p| p.key_usages.clear()),
        ("SubjectAltName", |p| p.subject_alt_names.push(SanType::DnsName("a.jp".try_into().unwrap()))),
        ("SubjectAltName", |p| {
            p.subject_alt_names = vec![SanType::URI("https://x/device/y".try_into().unwrap())];
        }),
        ("BasicConstraints", |p| p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0))),
        ("BasicConstraints", |p| p.is_ca = IsCa::NoCa),
        ("ExtendedKeyUsage", |p| p.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth)),
        ("ExtendedKeyUsage", |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
        ("distribution point", |p| p.crl_distribution_points.push(p.crl_distribution_points[0].clone())),
        ("distribution point", |p| {
            p.crl_distribution_points =
                vec![CrlDistributionPoint { uris: vec!["http://other/x.crl".into()] }];
        }),
        ("AuthorityInfoAccess", |p| p.custom_extensions.clear()),
        ("AuthorityInfoAccess", |p| p.custom_extensions[0].set_criticality(true)),
        ("no extension twice", |p| p.custom_extensions.push(p.custom_extensions[0].clone())),
        ("eight extensions", |p| {
            p.custom_extensions.push(CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]));
        }),
    ];
    for (rule, spoil) in spoilt {
        let found = findings(*spoil);
        assert!(found.iter().any(|finding| finding.contains(rule)), "{rule}: {found:?}");
    }
}

#[test]
fn the_lint_notices_another_issuer_another_key_and_noise() {
    let world = World::new();
    let (ours, other) = (request(&rcgen::PKCS_ECDSA_P256_SHA256), request(&rcgen::PKCS_ECDSA_P256_SHA256));
    let holder = world.holder("", "PC");
    let prepared = |issuer| Expected {
        issuer,
        endpoints: &world.endpoints,
        crl: world.endpoints.crl(0),
        serial: Serial::random(&world.entropy),
        not_before: NOW.whole_second(),
        not_after: NOW.whole_second().plus(Duration::from_mins(1)),
        longest: Duration::from_secs(61),
        common_name: "PC".into(),
        organization: None,
        uri: holder.uri(),
        request: &ours,
    };
    let expected = prepared(&world.issuing);
    let params = crate::prepare::parameters(&expected).unwrap();
    let by_root = crate::issuer::rcgen_issuer(world.root.certificate(), key()).unwrap();
    let foreign = params.signed_by(&ours, &by_root).unwrap();
    let swapped = params.signed_by(&other, world.issuing.rehearsal()).unwrap();
    let by_itself = params.self_signed(&RcgenKey(key())).unwrap();
    let mut trailing = params.signed_by(&ours, world.issuing.rehearsal()).unwrap().der().to_vec();
    trailing.push(0);
    for (rule, der) in [
        ("issuer's subject", foreign.der().as_ref()),
        ("requested key", swapped.der()),
        ("issuer's subject", by_itself.der()),
        ("one X.509 certificate", &trailing),
        ("one X.509 certificate", b"noise"),
    ] {
        let found = lint(der, &expected);
        assert!(found.iter().any(|finding| finding.0.contains(rule)), "{rule}: {found:?}");
    }
}
