//! The subject values by which a registered client is known (RFC 8705 section 2.1.2), as an operator writes them.

mod name;

pub use name::{DistinguishedNameValue, InvalidRelativeName, NameAttribute, RelativeName, attribute_text};

use std::net::IpAddr;

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
