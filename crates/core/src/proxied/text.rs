//! Certificates as text: PEM, base64, and how headers escape them.

use crate::encoding::{from_base64, percent_decoded};

/// The DER in a URL-escaped PEM of one certificate.
pub(super) fn escaped_pem(text: &str) -> Option<Vec<u8>> {
    let chain = pem_chain(text)?;
    if chain.len() == 1 { first(chain) } else { None }
}

pub(super) fn pem_chain(text: &str) -> Option<Vec<Vec<u8>>> {
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

pub(super) fn bare_chain(text: &str) -> Option<Vec<Vec<u8>>> {
    let text = String::from_utf8(percent_decoded(text)?).ok()?;
    text.split(',').map(der).collect()
}

pub(super) fn is_byte_sequence(text: &str) -> bool {
    byte_sequence(text).is_some()
}

/// A byte sequence of RFC 9651 section 3.3.5, without parameters.
pub(super) fn byte_sequence(text: &str) -> Option<Vec<u8>> {
    der(text.trim_matches(' ').strip_prefix(':')?.strip_suffix(':')?)
}

fn der(base64: &str) -> Option<Vec<u8>> {
    from_base64(base64).filter(|der| !der.is_empty())
}

pub(super) fn first(chain: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    chain.into_iter().next()
}
