//! A registered client is who its certificate says, attribute by attribute, and nobody who looks alike.

use super::fixture::{leaf_params, rooted};
use crate::subject::matches;
use crate::{CertificateKeys, leaf};
use proptest::prelude::*;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, SanType, date_time_ymd,
};
use serde_json::json;
use tegata_core::encoding::{base64, base64url};
use tegata_core::subject::{DistinguishedNameValue, SubjectRule};
use tegata_core::{Refusal, Timestamp};
use x509_parser::prelude::{FromDer, X509Certificate};

fn subject(attributes: &[(DnType, &str)]) -> Vec<u8> {
    let mut name = DistinguishedName::new();
    for (kind, value) in attributes {
        name.push(kind.clone(), *value);
    }
    made(|params| params.distinguished_name = name)
}

fn named(names: Vec<SanType>) -> Vec<u8> {
    made(|params| params.subject_alt_names = names)
}

fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = leaf_params("batch.example");
    change(&mut params);
    rooted(params).der.to_vec()
}

fn dn(text: &str) -> SubjectRule {
    SubjectRule::Dn(DistinguishedNameValue::parse(text).unwrap())
}

#[test]
fn a_name_is_compared_by_attribute_however_it_is_written() {
    let leaf = subject(&[
        (DnType::CountryName, "JP"),
        (DnType::OrganizationName, "Aoba, Inc."),
        (DnType::CommonName, "在庫-batch"),
    ]);
    for same in [
        r"CN=在庫-batch,O=Aoba\, Inc.,C=JP",
        r"cn=\e5\9c\a8庫\2Dbatch,o=Aoba\2c\20Inc.,c=JP",
        r"2.5.4.3=在庫-batch,2.5.4.10=Aoba\, Inc.,2.5.4.6=JP",
        r"CN=#0C0ce59ca8e5baab2d6261746368,O=Aoba\, Inc.,C=JP",
    ] {
        assert!(matches(&dn(same), &leaf), "{same}");
    }
    for other in [
        r"CN=在庫-batch,O=Aoba\, Inc.",
        r"O=Aoba\, Inc.,C=JP",
        r"C=JP,O=Aoba\, Inc.,CN=在庫-batch",
        r"CN=在庫-batch,OU=Aoba\, Inc.,C=JP",
        r"CN=在庫-Batch,O=Aoba\, Inc.,C=JP",
        r"CN=在庫-batch+O=Aoba\, Inc.,C=JP",
        r"CN=在庫-batch,O=Aoba\, Inc.,C=JP,C=JP",
        r"CN=在庫-batch\,O=Aoba\\\, Inc.\,C=JP",
    ] {
        assert!(!matches(&dn(other), &leaf), "{other}");
    }
}

#[test]
fn one_attribute_whose_text_is_a_whole_name_is_not_that_name() {
    let forged = subject(&[(DnType::CommonName, "batch,O=Aoba,C=JP")]);
    assert!(!matches(&dn("CN=batch,O=Aoba,C=JP"), &forged));
    assert!(matches(&dn(r"CN=batch\,O=Aoba\,C=JP"), &forged));
}

proptest! {
    #[test]
    fn any_value_can_be_registered_and_stands_for_itself_alone(value in "[^\0]{1,40}", other in "[^\0]{1,40}") {
        let escaped: Vec<_> = value.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        let leaf = subject(&[(DnType::CommonName, &value)]);
        let wanted = dn(&format!("CN={}", escaped.concat()));
        prop_assert!(matches(&wanted, &leaf));
        prop_assert_eq!(matches(&wanted, &subject(&[(DnType::CommonName, &other)])), value == other);
    }

    #[test]
    fn no_certificate_makes_the_comparison_panic(leaf in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!matches(&dn("CN=a"), &leaf));
        prop_assert!(!matches(&SubjectRule::Dns("a".into()), &leaf));
        prop_assert!(!leaf::may_be_a_client(&leaf));
    }
}

#[test]
fn a_subject_alternative_name_counts_in_its_own_form_alone() {
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    let v4 = "192.0.2.7".parse().unwrap();
    let v6 = "2001:db8::7".parse().unwrap();
    let all = [
        (SubjectRule::Dns("Batch.example".into()), SanType::DnsName(text("batch.EXAMPLE"))),
        (SubjectRule::Uri("https://a.example/b".into()), SanType::URI(text("https://a.example/b"))),
        (SubjectRule::Ip(v4), SanType::IpAddress(v4)),
        (SubjectRule::Ip(v6), SanType::IpAddress(v6)),
        (SubjectRule::Email("Batch@A.example".into()), SanType::Rfc822Name(text("Batch@a.EXAMPLE"))),
    ];
    for (place, (wanted, _)) in all.iter().enumerate() {
        for (other, (_, name)) in all.iter().enumerate() {
            let leaf = named(vec![SanType::DnsName(text("first.example")), name.clone()]);
            assert_eq!(matches(wanted, &leaf), place == other, "{wanted:?} {name:?}");
        }
    }
    assert!(!matches(
        &SubjectRule::Uri("https://a.example/b".into()),
        &named(vec![SanType::DnsName(text("https://a.example/b"))])
    ));
    assert!(!matches(
        &SubjectRule::Uri("https://a.example/b".into()),
        &named(vec![SanType::URI(text("https://A.example/b"))])
    ));
    assert!(!matches(
        &SubjectRule::Email("batch@a.example".into()),
        &named(vec![SanType::Rfc822Name(text("Batch@a.example"))])
    ));
    assert!(!matches(
        &SubjectRule::Dns("*.example".into()),
        &named(vec![SanType::DnsName(text("batch.example"))])
    ));
    assert!(!matches(
        &SubjectRule::Dns("batch.example".into()),
        &named(vec![SanType::DnsName(text("*.example"))])
    ));
    assert!(
        !matches(&SubjectRule::Dns("batch.example".into()), &made(|_| {})),
        "the common name is no dNSName"
    );
}

#[test]
fn a_value_of_another_string_type_is_read_as_what_it_says() {
    let mut name = DistinguishedName::new();
    let printable = rcgen::string::PrintableString::try_from("Batch").unwrap();
    let wide = rcgen::string::BmpString::try_from("Batch").unwrap();
    name.push(DnType::CommonName, DnValue::PrintableString(printable));
    name.push(DnType::OrganizationName, DnValue::BmpString(wide));
    assert!(matches(&dn("O=Batch,CN=Batch"), &made(|params| params.distinguished_name = name)));
}

#[test]
fn a_certificate_in_a_jwks_means_itself_and_a_bare_key_all_of_its_own() {
    let (own, stranger) = (rooted(leaf_params("Own")), rooted(leaf_params("Own")));
    let again = own.params.self_signed(&own.key).unwrap();
    let point =
        |der: &[u8]| X509Certificate::from_der(der).unwrap().1.public_key().subject_public_key.data.to_vec();
    let bytes = point(&own.der);
    let jwk =
        json!({"kty": "EC", "crv": "P-256", "x": base64url(&bytes[1..33]), "y": base64url(&bytes[33..])});
    let bare = CertificateKeys::from_jwks(&json!({"keys": [jwk]}).to_string()).unwrap();
    assert!(bare.contains(&own.der) && bare.contains(again.der()) && !bare.contains(&stranger.der));

    let mut with_certificate = jwk;
    with_certificate["x5c"] = json!([base64(&own.der)]);
    let exact = CertificateKeys::from_jwks(&json!({"keys": [with_certificate]}).to_string()).unwrap();
    assert!(exact.contains(&own.der) && !exact.contains(&stranger.der));
    let other = leaf_params("Another").self_signed(&own.key).unwrap();
    assert!(!exact.contains(other.der()), "another certificate of the same key is not registered");
}

#[test]
fn a_jwks_that_is_half_understood_is_refused() {
    for wrong in [
        "",
        "{}",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","k":"AA"}]}"#,
        r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA"}]}"#,
        r#"{"keys":[{"kty":"EC","x5c":[]}]}"#,
        r#"{"keys":[{"kty":"EC","x5c":["AA=="]}]}"#,
    ] {
        assert!(CertificateKeys::from_jwks(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_leaf_is_of_use_within_its_life_and_for_its_purpose() {
    let leaf = made(|params| {
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 12, 31);
    });
    let at = |year, month| Timestamp::from_seconds(date_time_ymd(year, month, 1).unix_timestamp());
    assert_eq!(leaf::in_force(&leaf, at(2025, 12)), Err(Refusal::CertificateNotYetValid));
    assert!(leaf::in_force(&leaf, at(2026, 6)).is_ok());
    assert_eq!(leaf::in_force(&leaf, at(2027, 1)), Err(Refusal::CertificateExpired));
    assert!(
        leaf::may_be_a_client(&leaf)
            && leaf::may_be_a_client(&made(|params| params.extended_key_usages.clear()))
    );
    assert!(!leaf::may_be_a_client(&made(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    })));
}
