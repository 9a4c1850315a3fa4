//! Whether a certificate is the one by which a registered client is known (RFC 8705 section 2.1.2).
//!
//! A certificate is parsed and its names are compared one by one; no text of a certificate is ever searched. What
//! cannot be read matches nothing.

use std::net::IpAddr;
use tegata_core::subject::{
    DistinguishedNameValue, NameAttribute, RelativeName, SubjectRule, attribute_text,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{AttributeTypeAndValue, FromDer, X509Certificate, X509Name};

/// Whether a leaf says what the rule demands. Whatever else it says does not matter.
pub fn matches(rule: &SubjectRule, leaf: &[u8]) -> bool {
    let Ok(([], certificate)) = X509Certificate::from_der(leaf) else { return false };
    if let SubjectRule::Dn(name) = rule {
        return is_name(name, certificate.subject());
    }
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| is_alternative_name(rule, name))
}

/// Whether a certificate's name has the attributes of this one, in their order.
fn is_name(wanted: &DistinguishedNameValue, found: &X509Name<'_>) -> bool {
    let sets = found.iter().map(|set| {
        let mut attributes = set.iter().map(read).collect::<Option<RelativeName>>()?;
        attributes.sort();
        Some(attributes)
    });
    sets.collect::<Option<Vec<_>>>().is_some_and(|sets| sets == wanted.relative_names())
}

/// Nothing for a value that is not a text.
fn read(attribute: &AttributeTypeAndValue<'_>) -> Option<NameAttribute> {
    let value = attribute.attr_value();
    let tag = u8::try_from(value.header.tag().0).ok()?;
    Some((attribute.attr_type().to_id_string(), attribute_text(tag, value.data)?))
}

fn is_alternative_name(rule: &SubjectRule, name: &GeneralName<'_>) -> bool {
    match (rule, name) {
        (SubjectRule::Dns(wanted), GeneralName::DNSName(found)) => found.eq_ignore_ascii_case(wanted),
        (SubjectRule::Uri(wanted), GeneralName::URI(found)) => found == wanted,
        (SubjectRule::Email(wanted), GeneralName::RFC822Name(found)) => same_mailbox(wanted, found),
        (SubjectRule::Ip(IpAddr::V4(wanted)), GeneralName::IPAddress(found)) => *found == wanted.octets(),
        (SubjectRule::Ip(IpAddr::V6(wanted)), GeneralName::IPAddress(found)) => *found == wanted.octets(),
        _ => false,
    }
}

/// RFC 5280 section 7.5: the local part as it is, the host part as a host.
fn same_mailbox(wanted: &str, found: &str) -> bool {
    match (wanted.rsplit_once('@'), found.rsplit_once('@')) {
        (Some((local, host)), Some((found_local, found_host))) => {
            local == found_local && host.eq_ignore_ascii_case(found_host)
        }
        _ => false,
    }
}
