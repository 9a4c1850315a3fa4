//! The SHA-256 thumbprints by which a certificate and a public key are named.

use crate::encoding::{base64url, from_base64url};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// SHA-256 over the DER of a certificate: `x5t#S256` of RFC 8705 section 3.1. Its text is base64url
/// without padding, always 43 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The thumbprint of a certificate.
    pub fn of(der: &[u8]) -> Self {
        Self::from_slice(digest(&SHA256, der).as_ref()).unwrap_or(Self([0; 32]))
    }

    /// From exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From exactly 43 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_slice(&from_base64url(text)?)
    }

    /// The 32 bytes of the SHA-256 digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// SHA-256 over the canonical JSON of a public key (RFC 7638 section 3): `jkt` of RFC 9449. It is written like a
/// [`Thumbprint`], and never stands in for one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JwkThumbprint(Thumbprint);

impl JwkThumbprint {
    /// Of the canonical JSON of a key.
    pub fn of(canonical: &str) -> Self {
        Self(Thumbprint::of(canonical.as_bytes()))
    }

    /// From exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Thumbprint::from_slice(bytes).map(Self)
    }

    /// From exactly 43 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        Thumbprint::parse(text).map(Self)
    }

    /// The 32 bytes of the SHA-256 digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for JwkThumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl fmt::Debug for JwkThumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl TryFrom<Vec<u8>> for Thumbprint {
    type Error = std::array::TryFromSliceError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        bytes.as_slice().try_into().map(Self)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64url(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a SHA-256 thumbprint in base64url"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_compares_forty_three_characters() {
        let text = Thumbprint::of(b"abc").to_string();
        assert_eq!(text, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_eq!(Thumbprint::parse(&text), Some(Thumbprint::of(b"abc")));
        assert_eq!(Thumbprint::parse("abc"), None);
    }
}
