//! Base 32 for what people may type, base 64 for what machines exchange.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fmt::Write;

/// Crockford's alphabet in lower case: no i, l, o or u to misread.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Five bits a character, most significant first, the last character padded with zero bits.
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity((bytes.len() * 8).div_ceil(5));
    let (mut buffer, mut bits) = (0u32, 0u32);
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(BASE32[(buffer >> bits) as usize & 31] as char);
        }
    }
    if bits > 0 {
        text.push(BASE32[(buffer << (5 - bits)) as usize & 31] as char);
    }
    text
}

/// The first 128 bits of a text of the alphabet; characters of another count as 0.
pub fn base32_bits(text: &str) -> [u8; 16] {
    let value = |byte: u8| BASE32_VALUES[usize::from(byte)];
    let bits = text.bytes().take(25).fold(0u128, |bits, byte| (bits << 5) | u128::from(value(byte)));
    let last = text.as_bytes().get(25).map_or(0, |byte| value(*byte) >> 2);
    ((bits << 3) | u128::from(last)).to_be_bytes()
}

/// The value of each character; what is in no alphabet counts as 0.
const BASE32_VALUES: [u8; 256] = {
    let mut values = [0; 256];
    let mut at = 0u8;
    while at < 32 {
        values[BASE32[at as usize] as usize] = at;
        at += 1;
    }
    values
};

/// Whether `text` consists of `length` characters of the alphabet.
pub fn is_base32(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| IS_BASE32[usize::from(byte)])
}

/// Which characters are of the alphabet. Identifiers are read at every request, so that a table is worth its 256 bytes.
const IS_BASE32: [bool; 256] = one_of(BASE32);

/// A table of the characters that are among these.
pub const fn one_of(characters: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < characters.len() {
        table[characters[at] as usize] = true;
        at += 1;
    }
    table
}

/// Base64url without padding (RFC 7515 section 2).
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the base64url text of `bytes` to `text`, without padding and without an allocation of its own.
pub fn push_base64url(text: &mut String, bytes: &[u8]) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// The bytes, or `None` when the text is not canonical base64url without padding.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Base64 with padding (RFC 4648 section 4).
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes, or `None` when the text is not canonical padded base64.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Lower-case hexadecimal, two characters a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes, or `None` when the text is not an even number of hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| (digit as char).to_digit(16);
    digits.chunks(2).map(|pair| u8::try_from(value(pair[0])? * 16 + value(pair[1])?).ok()).collect()
}

/// Text as a value within a URL or a form: everything but unreserved characters is escaped (RFC 3986 section 2.3).
pub fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte as char);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// The bytes behind `%XX` escapes (RFC 3986 section 2.1); `None` when an escape is cut off or not hexadecimal.
pub fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || (bytes.next()? as char).to_digit(16);
        decoded.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_a_url_is_read_back_as_it_was() {
        let text = "a b&c=d#é/?+%~";
        assert_eq!(percent_encoded(text), "a%20b%26c%3Dd%23%C3%A9%2F%3F%2B%25~");
        assert_eq!(percent_decoded(&percent_encoded(text)).unwrap(), text.as_bytes());
    }

    #[test]
    fn twenty_bytes_are_thirty_two_readable_characters() {
        let text = base32(&[0xff; 20]);
        assert_eq!(text, "z".repeat(32));
        assert!(is_base32(&text, 32));
        assert_eq!(base32(&[0; 16]).len(), 26);
        let bits = *b"\x9d\x00\xff\x01 any 12 more";
        assert_eq!(base32_bits(&base32(&bits)), bits);
        assert!(!is_base32("ilou", 4));
    }

    #[test]
    fn hexadecimal_returns_what_went_in_and_refuses_the_rest() {
        assert_eq!(from_hex(&hex(&[0, 127, 255])), Some(vec![0, 127, 255]));
        assert_eq!(from_hex("abc"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
