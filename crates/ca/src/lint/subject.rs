//! The subject, for the people who read it.

use super::expectation::LintExpectation;
use super::finding::{Finding, LintCheck};
use crate::der::tag;
use crate::subject::{LONGEST, is_invisible};
use x509_parser::asn1_rs::Oid;
use x509_parser::oid_registry::{OID_X509_COMMON_NAME, OID_X509_COUNTRY_NAME, OID_X509_ORGANIZATION_NAME};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

pub(super) fn checks(subject: &X509Name<'_>, expected: &LintExpectation<'_>) -> [LintCheck; 5] {
    let profile = expected.profile;
    let is_alone = subject.iter_rdn().all(|place| place.iter().count() == 1);
    let known = [&OID_X509_COUNTRY_NAME, &OID_X509_ORGANIZATION_NAME, &OID_X509_COMMON_NAME];
    let is_known = subject.iter_attributes().all(|attribute| known.contains(&attribute.attr_type()));
    let count = |wanted: &Oid<'_>| {
        subject.iter_attributes().filter(|attribute| attribute.attr_type() == wanted).count()
    };
    let is_each_once = known.iter().all(|wanted| count(wanted) <= 1) && count(&OID_X509_COMMON_NAME) == 1;
    let is_empty = subject.iter_attributes().next().is_none();
    let value = |wanted: &Oid<'_>| {
        subject.iter_attributes().find(|attribute| attribute.attr_type() == wanted)?.as_str().ok()
    };
    let is_intended = |wanted: &String| value(&OID_X509_COMMON_NAME) == Some(wanted);
    let is_profiles = value(&OID_X509_ORGANIZATION_NAME) == profile.organization()
        && value(&OID_X509_COUNTRY_NAME) == profile.country();
    [
        (!is_empty, Finding::SubjectMissing),
        (subject.iter_attributes().all(has_sound_form), Finding::SubjectForm),
        (is_empty || (is_alone && is_known && is_each_once), Finding::SubjectTypes),
        (expected.common_name.as_ref().is_none_or(is_intended), Finding::CommonName),
        (is_profiles, Finding::ProfileSubject),
    ]
}

fn has_sound_form(attribute: &AttributeTypeAndValue<'_>) -> bool {
    let first_octet = attribute.attr_value().tag().0;
    let (utf8, printable) = (u32::from(tag::UTF8_STRING), u32::from(tag::PRINTABLE_STRING));
    let Ok(text) = attribute.as_str() else { return false };
    if attribute.attr_type() == &OID_X509_COUNTRY_NAME {
        return first_octet == printable && text.len() == 2;
    }
    [utf8, printable].contains(&first_octet)
        && (1..=LONGEST).contains(&text.chars().count())
        && !text.chars().any(is_invisible)
}
