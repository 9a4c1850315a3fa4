//! `X-Forwarded-Client-Cert` of Envoy: elements separated by `,`, pairs separated by `;`, values quoted
//! when they contain a separator.
//!
//! Envoy does not quote everything it should: a name inside a certificate may look like further pairs.
//! That is why a second element, a second `Cert` or `Hash`, and a `Cert` that is not the `Hash` are
//! refused instead of interpreted.

use super::statement::ProxiedCertificate;
use super::text::escaped_pem;
use crate::Thumbprint;
use std::iter::Peekable;
use std::str::Chars;

/// The certificate of the only element.
pub(super) fn read(text: &str) -> Option<ProxiedCertificate> {
    let mut certificate = None;
    let mut hash = None;
    for (key, value) in pairs(text)? {
        let found = match key.to_ascii_lowercase().as_str() {
            "cert" => certificate.replace(escaped_pem(&value)?).is_some(),
            "hash" => hash.replace(sha256(&value)?).is_some(),
            _ => false,
        };
        if found {
            return None;
        }
    }
    match (certificate, hash) {
        (Some(certificate), Some(hash)) if Thumbprint::of(&certificate) != hash => None,
        (Some(certificate), _) => Some(ProxiedCertificate::Certificate(certificate)),
        (None, hash) => hash.map(ProxiedCertificate::Thumbprint),
    }
}

/// The pairs of one element; `None` when there is another element, or something that is no pair.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut rest = text.trim_matches(' ').chars().peekable();
    let mut pairs = Vec::new();
    loop {
        pairs.push((key(&mut rest)?, value(&mut rest)?));
        match rest.next() {
            None => return Some(pairs),
            Some(';') => {}
            Some(_) => return None,
        }
    }
}

/// Up to the `=`, which is taken.
fn key(rest: &mut Peekable<Chars>) -> Option<String> {
    let mut key = String::new();
    loop {
        match rest.next()? {
            '=' if !key.is_empty() => return Some(key),
            letter if letter.is_ascii_alphanumeric() => key.push(letter),
            _ => return None,
        }
    }
}

fn value(rest: &mut Peekable<Chars>) -> Option<String> {
    if rest.next_if_eq(&'"').is_some() {
        return quoted(rest);
    }
    let mut value = String::new();
    while let Some(character) = rest.next_if(|character| !matches!(character, ';' | ',')) {
        if character == '"' {
            return None;
        }
        value.push(character);
    }
    Some(value)
}

/// Up to the closing quote, which is taken. A backslash makes the next character an ordinary one.
fn quoted(rest: &mut Peekable<Chars>) -> Option<String> {
    let mut value = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(value),
            '\\' => value.push(rest.next()?),
            character => value.push(character),
        }
    }
}

/// Reads a `Hash`: the SHA-256 thumbprint as 64 hexadecimal digits.
fn sha256(text: &str) -> Option<Thumbprint> {
    if text.len() != 64 {
        return None;
    }
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let bytes =
        digits?.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect::<Option<Vec<_>>>();
    Thumbprint::from_slice(&bytes?)
}
