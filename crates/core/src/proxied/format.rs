//! The forms in which proxies write the certificate of their client.
//!
//! Each form is read whole or refused: no text is skipped, no second certificate is tolerated where the
//! form has one, and nothing is guessed. Parsing trusts nobody; whose header is parsed at all is
//! decided by [`super::HeaderSource`].

use super::statement::ProxiedCertificate;
use super::{text, xfcc};

/// How one header writes a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderEncoding {
    /// URL-escaped PEM of the leaf: `$ssl_client_escaped_cert` of nginx, and what an AWS load balancer
    /// that verifies writes.
    EscapedPem,
    /// URL-escaped PEM of all that the client sent, the leaf first as TLS demands (RFC 8446 section
    /// 4.4.2): an AWS load balancer that passes certificates through.
    EscapedPemChain,
    /// `:base64 of DER:` of the leaf (RFC 9440 section 2.1): `HAProxy`, Caddy.
    Rfc9440,
    /// Base64 of DER, separated by commas, the leaf first; URL-escaped by Traefik 2, bare by Traefik 3.
    Bare,
    /// The one element of Envoy's `X-Forwarded-Client-Cert`: `Cert` as URL-escaped PEM, or `Hash` as
    /// hexadecimal SHA-256; when there are both, they must agree.
    Xfcc,
}

/// The text is not one certificate in the expected form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the certificate header is not one certificate in the configured format")]
pub struct MalformedHeader;

impl HeaderEncoding {
    /// The certificate in a header's value.
    ///
    /// # Errors
    /// [`MalformedHeader`] when the value is anything else.
    pub fn read(self, value: &[u8]) -> Result<ProxiedCertificate, MalformedHeader> {
        let text = str::from_utf8(value).ok().filter(|text| is_printable(text)).ok_or(MalformedHeader)?;
        let told = match self {
            Self::EscapedPem => text::escaped_pem(text).map(ProxiedCertificate::Certificate),
            Self::EscapedPemChain => {
                text::pem_chain(text).and_then(text::first).map(ProxiedCertificate::Certificate)
            }
            Self::Rfc9440 => text::byte_sequence(text).map(ProxiedCertificate::Certificate),
            Self::Bare => text::bare_chain(text).and_then(text::first).map(ProxiedCertificate::Certificate),
            Self::Xfcc => xfcc::read(text),
        };
        told.ok_or(MalformedHeader)
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}
