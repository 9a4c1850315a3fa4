//! A registered client is who its certificate says, attribute by attribute, and nobody who looks alike.

use super::fixture::{leaf_params, rooted};
use crate::subject::{DistinguishedNameValue, SubjectRule};
use crate::{CertificateKeys, leaf};
use proptest::prelude::*;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, SanType, date_time_ymd,
};
use serde_json::json;
use tegata_core::encoding::{base64, base64url};
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
        assert!(dn(same).matches(&leaf), "{same}");
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
        assert!(!dn(other).matches(&leaf), "{other}");
    }
}

#[test]
fn one_attribute_whose_text_is_a_whole_name_is_not_that_name() {
    let forged = subject(&[(DnType::CommonName, "batch,O=Aoba,C=JP")]);
    assert!(!dn("CN=batch,O=Aoba,C=JP").matches(&forged));
    assert!(dn(r"CN=batch\,O=Aoba\,C=JP").matches(&forged));
}

#[test]
fn a_text_that_is_no_name_is_refused_rather_than_understood_somehow() {
    for wrong in [
        "",
        "CN",
        "CN=",
        "=a",
        "CN=a,",
        "CN=a+",
        ",CN=a",
        "CN=a\\",
        "CN=a\\4",
        "CN=a\\zz",
        "CN=a;O=b",
        "CN=\"a\"",
        "CN= a",
        "CN=a ",
        "XY=a",
        "2.5=a,1..2=b",
        "02.5=a",
        "CN=#zz",
        "CN=#0c",
        "CN=#0c0161ff",
        "CN=#040161",
        "CN=\\ff",
    ] {
        assert!(DistinguishedNameValue::parse(wrong).is_err(), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn any_value_can_be_registered_and_stands_for_itself_alone(value in "[^\0]{1,40}", other in "[^\0]{1,40}") {
        let escaped: Vec<_> = value.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        let leaf = subject(&[(DnType::CommonName, &value)]);
        let wanted = dn(&format!("CN={}", escaped.concat()));
        prop_assert!(wanted.matches(&leaf));
        prop_assert_eq!(wanted.matches(&subject(&[(DnType::CommonName, &other)])), value == other);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,60}") {
        let _ = DistinguishedNameValue::parse(&text);
    }

    #[test]
    fn no_certificate_makes_the_comparison_panic(leaf in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!dn("CN=a").matches(&leaf));
        prop_assert!(!SubjectRule::Dns("a".into()).matches(&leaf));
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
            assert_eq!(wanted.matches(&leaf), place == other, "{wanted:?} {name:?}");
        }
    }
    assert!(
        !SubjectRule::Uri("https://a.example/b".into())
            .matches(&named(vec![SanType::DnsName(text("https://a.example/b"))]))
    );
    assert!(
        !SubjectRule::Uri("https://a.example/b".into())
            .matches(&named(vec![SanType::URI(text("https://A.example/b"))]))
    );
    assert!(
        !SubjectRule::Email("batch@a.example".into())
            .matches(&named(vec![SanType::Rfc822Name(text("Batch@a.example"))]))
    );
    assert!(
        !SubjectRule::Dns("*.example".into()).matches(&named(vec![SanType::DnsName(text("batch.example"))]))
    );
    assert!(
        !SubjectRule::Dns("batch.example".into()).matches(&named(vec![SanType::DnsName(text("*.example"))]))
    );
    assert!(
        !SubjectRule::Dns("batch.example".into()).matches(&made(|_| {})),
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
    assert!(dn("O=Batch,CN=Batch").matches(&made(|params| params.distinguished_name = name)));
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
