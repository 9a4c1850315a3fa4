//! The forms in which proxies write the certificate of their client.
//!
//! Each form is read whole or refused: no text is skipped, no second certificate is tolerated where the
//! form has one, and nothing is guessed. Parsing trusts nobody; whose header is parsed at all is
//! [`super::HeaderSource`]'s business.

use super::xfcc;
use crate::Thumbprint;
use crate::encoding::{from_base64, percent_decoded};

/// One form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
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
pub struct Malformed;

/// What a proxy says about its client's certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// The DER of the leaf.
    Certificate(Vec<u8>),
    /// Only which one it is.
    Thumbprint(Thumbprint),
}

impl Told {
    /// Which certificate it is.
    pub fn thumbprint(&self) -> Thumbprint {
        match self {
            Self::Certificate(der) => Thumbprint::of(der),
            Self::Thumbprint(thumbprint) => *thumbprint,
        }
    }

    /// The leaf's DER, where the proxy passes it on.
    pub fn der(&self) -> Option<&[u8]> {
        match self {
            Self::Certificate(der) => Some(der),
            Self::Thumbprint(_) => None,
        }
    }
}

impl Format {
    /// The certificate in a header's value.
    ///
    /// # Errors
    /// [`Malformed`] when the value is anything else.
    pub fn read(self, value: &[u8]) -> Result<Told, Malformed> {
        let text = str::from_utf8(value).ok().filter(|text| is_printable(text)).ok_or(Malformed)?;
        let told = match self {
            Self::EscapedPem => escaped_pem(text).map(Told::Certificate),
            Self::EscapedPemChain => pem_chain(text).and_then(first).map(Told::Certificate),
            Self::Rfc9440 => byte_sequence(text).map(Told::Certificate),
            Self::Bare => bare_chain(text).and_then(first).map(Told::Certificate),
            Self::Xfcc => xfcc::read(text),
        };
        told.ok_or(Malformed)
    }
}

/// The DER in a URL-escaped PEM of one certificate.
pub(super) fn escaped_pem(text: &str) -> Option<Vec<u8>> {
    let chain = pem_chain(text)?;
    if chain.len() == 1 { first(chain) } else { None }
}

fn pem_chain(text: &str) -> Option<Vec<Vec<u8>>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = String::from_utf8(percent_decoded(text)?).ok()?;
    let mut rest = text.trim_ascii();
    let mut chain = Vec::new();
    while !rest.is_empty() {
        let (body, after) = rest.strip_prefix(BEGIN)?.split_once(END)?;
        chain.push(der(&body.strip_prefix(['\r', '\n'])?.replace(['\r', '\n'], ""))?);
        rest = after.trim_ascii_start();
    }
    Some(chain)
}

fn bare_chain(text: &str) -> Option<Vec<Vec<u8>>> {
    let text = String::from_utf8(percent_decoded(text)?).ok()?;
    text.split(',').map(der).collect()
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

pub(super) fn is_byte_sequence(text: &str) -> bool {
    byte_sequence(text).is_some()
}

/// A byte sequence of RFC 9651 section 3.3.5, without parameters.
fn byte_sequence(text: &str) -> Option<Vec<u8>> {
    der(text.trim_matches(' ').strip_prefix(':')?.strip_suffix(':')?)
}

fn der(base64: &str) -> Option<Vec<u8>> {
    from_base64(base64).filter(|der| !der.is_empty())
}

fn first(chain: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    chain.into_iter().next()
}
