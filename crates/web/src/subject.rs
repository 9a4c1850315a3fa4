//! The subjects of certificates by which a registered client is known (RFC 8705 section 2.1.2).
//!
//! A certificate is parsed and its names are compared one by one; no text of a certificate is ever searched. What
//! cannot be read matches nothing.

mod name;

pub use name::{DistinguishedNameValue, InvalidRelativeName};

use std::net::IpAddr;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a client's certificate must say of its subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SubjectRule {
    /// `tls_client_auth_subject_dn`: the whole name.
    Dn(DistinguishedNameValue),
    /// `tls_client_auth_san_dns`: one of the dNSNames, in ASCII without regard to case.
    Dns(String),
    /// `tls_client_auth_san_uri`: one of the URIs, character by character.
    Uri(String),
    /// `tls_client_auth_san_ip`: one of the iPAddresses.
    Ip(IpAddr),
    /// `tls_client_auth_san_email`: one of the rfc822Names; its domain without regard to case.
    Email(String),
}

impl SubjectRule {
    /// Whether a leaf says so. Whatever else it says does not matter.
    pub fn matches(&self, leaf: &[u8]) -> bool {
        let Ok(([], certificate)) = X509Certificate::from_der(leaf) else { return false };
        if let Self::Dn(name) = self {
            return name.is_of(certificate.subject());
        }
        let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
        names.value.general_names.iter().any(|name| self.is(name))
    }

    fn is(&self, name: &GeneralName<'_>) -> bool {
        match (self, name) {
            (Self::Dns(wanted), GeneralName::DNSName(found)) => found.eq_ignore_ascii_case(wanted),
            (Self::Uri(wanted), GeneralName::URI(found)) => found == wanted,
            (Self::Email(wanted), GeneralName::RFC822Name(found)) => same_mailbox(wanted, found),
            (Self::Ip(IpAddr::V4(wanted)), GeneralName::IPAddress(found)) => *found == wanted.octets(),
            (Self::Ip(IpAddr::V6(wanted)), GeneralName::IPAddress(found)) => *found == wanted.octets(),
            _ => false,
        }
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
