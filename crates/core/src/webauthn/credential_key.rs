//! Public keys of passkeys: COSE keys (RFC 9052 section 7, RFC 9053, RFC 8230) of the three algorithms that every
//! authenticator has one of.

use crate::cbor::CborItem;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

pub(super) const ES256: i64 = -7;
pub(super) const EDDSA: i64 = -8;
pub(super) const RS256: i64 = -257;

// Labels of COSE: what every key has, and what those of a curve and of RSA have.
const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;
const CURVE: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const MODULUS: i64 = -1;
const EXPONENT: i64 = -2;

// Values of KEY_TYPE with the CURVE each is taken with.
const OKP: i64 = 1;
const EC2: i64 = 2;
const RSA: i64 = 3;
const ED25519_CURVE: i64 = 6;
const P256_CURVE: i64 = 1;

/// The octets of a coordinate, and of a modulus: from 2048 to 4096 bits.
const COORDINATE: usize = 32;
const MODULI: std::ops::RangeInclusive<usize> = 256..=512;

/// A key that can have signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum CredentialKey<'a> {
    /// An uncompressed point of the curve.
    P256(Vec<u8>),
    Ed25519(&'a [u8]),
    Rsa {
        n: &'a [u8],
        e: &'a [u8],
    },
}

impl<'a> CredentialKey<'a> {
    /// From a COSE key and nothing after it; `None` where it is of another kind, or its parts do not fit together.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let key = CborItem::parse(bytes)?;
        let number = |label| key.get_number(label).and_then(CborItem::number);
        let octets = |label| key.get_number(label).and_then(CborItem::bytes);
        let coordinate = |label| octets(label).filter(|octets| octets.len() == COORDINATE);
        match (number(KEY_TYPE)?, number(ALGORITHM)?) {
            (EC2, ES256) if number(CURVE) == Some(P256_CURVE) => {
                Some(Self::P256([&[4], coordinate(X)?, coordinate(Y)?].concat()))
            }
            (OKP, EDDSA) if number(CURVE) == Some(ED25519_CURVE) => Some(Self::Ed25519(coordinate(X)?)),
            (RSA, RS256) => {
                let n = octets(MODULUS).filter(|n| MODULI.contains(&n.len()))?;
                Some(Self::Rsa { n, e: octets(EXPONENT).filter(|e| (1..=8).contains(&e.len()))? })
            }
            _ => None,
        }
    }

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            Self::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature).is_ok()
            }
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }
}
