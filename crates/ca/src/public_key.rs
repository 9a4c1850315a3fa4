//! Public keys of devices: which kinds there are, and when one is sound.
//!
//! The kind comes from the `SubjectPublicKeyInfo`, never from a signature's algorithm. Only the one canonical encoding
//! of a key is accepted, so that the same key always has the same hash.

use crate::der::{DerReader, MalformedDer, octets_of_bit_string, tag};
use crate::keys::CaKey;
use crate::{oid, rsa};
use ring::digest::{SHA256, digest};
use ring::signature::{self, VerificationAlgorithm};
use serde::Deserialize;
use std::fmt;
use tegata_core::Refusal;

/// Kinds of keys a certificate can be made for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// RSA of 2048 to 4096 bits with a public exponent of at least 65537.
    Rsa,
    /// Ed25519 (RFC 8410), which a profile may allow.
    Ed25519,
}

impl fmt::Display for KeyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        })
    }
}

/// A key that is sound as far as it shows: of a known kind and strength, in its canonical form. Whether a point lies
/// on its curve shows when a signature is verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    key_type: KeyType,
    bits: usize,
    info: Vec<u8>,
    /// Where in `info` the content of the BIT STRING begins.
    key: usize,
}

impl PublicKey {
    /// From the DER of a `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`Refusal::CsrMalformed`], [`Refusal::KeyNotAllowed`] for a key that no profile can allow.
    pub fn read(info: &[u8]) -> Result<Self, Refusal> {
        let (algorithm, key) = split(info).map_err(|_| Refusal::CsrMalformed)?;
        let (key_type, bits) = kind(algorithm, key)?;
        Ok(Self { key_type, bits, info: info.to_vec(), key: info.len() - key.len() })
    }

    /// The public half of a key that signs.
    pub fn of(signer: &dyn CaKey) -> Self {
        let info = signer.public_key_info();
        let key = info.len() - signer.public_point().len();
        Self { key_type: KeyType::P256, bits: 256, info, key }
    }

    /// The kind of key.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The length of an RSA modulus, or of an elliptic curve's field.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// The `SubjectPublicKeyInfo` in DER.
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// The key alone: a point, or an `RSAPublicKey`.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.info[self.key..]
    }

    /// SHA-256 over the `SubjectPublicKeyInfo`: what the ledger knows a key by.
    pub fn hash(&self) -> [u8; 32] {
        digest(&SHA256, &self.info).as_ref().try_into().unwrap_or_default()
    }

    /// RFC 7093 section 2, method 1: what the certificate knows its key by.
    pub(crate) fn identifier(&self) -> Vec<u8> {
        digest(&SHA256, self.octets()).as_ref()[..20].to_vec()
    }

    /// Whether this key made a signature of `algorithm`, a whole `AlgorithmIdentifier`, over `message`.
    pub(crate) fn verifies(&self, algorithm: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let Some(algorithm) = verification(self.key_type, algorithm) else { return false };
        signature::UnparsedPublicKey::new(algorithm, self.octets()).verify(message, signature).is_ok()
    }
}

impl rcgen::PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        self.octets()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.key_type {
            KeyType::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyType::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyType::Rsa => &rcgen::PKCS_RSA_SHA256,
            KeyType::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }
}

fn split(info: &[u8]) -> Result<(&[u8], &[u8]), MalformedDer> {
    let mut fields = DerReader::new(DerReader::single(info, tag::SEQUENCE)?.content);
    let algorithm = fields.expect(tag::SEQUENCE)?.whole;
    let key = octets_of_bit_string(fields.expect(tag::BIT_STRING)?.content)?;
    fields.end()?;
    Ok((algorithm, key))
}

fn kind(algorithm: &[u8], key: &[u8]) -> Result<(KeyType, usize), Refusal> {
    let is_point = |length| key.len() == length && key[0] == 4;
    match algorithm {
        oid::P256_KEY if is_point(65) => Ok((KeyType::P256, 256)),
        oid::P384_KEY if is_point(97) => Ok((KeyType::P384, 384)),
        oid::ED25519_KEY if is_sound_ed25519(key) => Ok((KeyType::Ed25519, 256)),
        oid::RSA_KEY => rsa::sound_bits(key)
            .map_err(|_| Refusal::CsrMalformed)?
            .map(|bits| (KeyType::Rsa, bits))
            .ok_or(Refusal::KeyNotAllowed),
        _ => Err(Refusal::KeyNotAllowed),
    }
}

/// RFC 8032 section 5.1.3: y is below 2^255 - 19. Points of a small order are nobody's alone: everybody can sign with
/// them.
fn is_sound_ed25519(key: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(key) else { return false };
    y[31] &= 0x7f;
    let reversed = || y.iter().rev();
    reversed().lt(ED25519_PRIME.iter().rev()) && !ED25519_SMALL_ORDER.contains(&y)
}

const ED25519_PRIME: [u8; 32] = little_endian(0xed, 0xff, 0x7f);

/// The y of the eight points whose order divides 8; x and -x share one.
const ED25519_SMALL_ORDER: [[u8; 32]; 5] = [
    little_endian(0, 0, 0),
    little_endian(1, 0, 0),
    little_endian(0xec, 0xff, 0x7f),
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
];

const fn little_endian(lowest: u8, middle: u8, highest: u8) -> [u8; 32] {
    let mut octets = [middle; 32];
    octets[0] = lowest;
    octets[31] = highest;
    octets
}

/// How to verify a signature of this algorithm by a key of this kind.
fn verification(key: KeyType, algorithm: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    const ECDSA_WITH_SHA384: &[u8] =
        &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
    // sha256WithRSAEncryption is 11, sha384 12, sha512 13 (RFC 4055 section 5).
    const RSA_PREFIX: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    Some(match (key, algorithm) {
        (KeyType::P256, oid::ECDSA_WITH_SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
        (KeyType::P256, ECDSA_WITH_SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
        (KeyType::P384, oid::ECDSA_WITH_SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
        (KeyType::P384, ECDSA_WITH_SHA384) => &signature::ECDSA_P384_SHA384_ASN1,
        (KeyType::Ed25519, oid::ED25519_KEY) => &signature::ED25519,
        (KeyType::Rsa, _) => match algorithm.strip_prefix(RSA_PREFIX)? {
            [11, tag::NULL, 0] => &signature::RSA_PKCS1_2048_8192_SHA256,
            [12, tag::NULL, 0] => &signature::RSA_PKCS1_2048_8192_SHA384,
            [13, tag::NULL, 0] => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der;

    fn ed25519(y: &[u8; 32], sign: u8) -> Result<PublicKey, Refusal> {
        let mut key = *y;
        key[31] |= sign;
        PublicKey::read(&der::sequence(&[oid::ED25519_KEY, &der::bit_string(&key)]))
    }

    #[test]
    fn a_key_with_which_everybody_can_sign_is_refused() {
        // R = identity and s = 0 sign any message under the point of order 1.
        let identity = little_endian(1, 0, 0);
        let forged = [identity, [0; 32]].concat();
        let verifier = signature::UnparsedPublicKey::new(&signature::ED25519, identity);
        assert!(verifier.verify(b"whatever", &forged).is_ok(), "ring leaves this check to its user");
        for y in &ED25519_SMALL_ORDER {
            for sign in [0, 0x80] {
                assert_eq!(ed25519(y, sign).unwrap_err(), Refusal::KeyNotAllowed);
            }
        }
    }

    #[test]
    fn a_key_has_one_form() {
        for lowest in 0xed..=0xff {
            let beyond = little_endian(lowest, 0xff, 0x7f);
            assert_eq!(ed25519(&beyond, 0).unwrap_err(), Refusal::KeyNotAllowed);
        }
        assert!(ed25519(&little_endian(0xeb, 0xff, 0x7f), 0).is_ok());
        assert!(ed25519(&little_endian(3, 0, 0), 0x80).is_ok());
    }
}
