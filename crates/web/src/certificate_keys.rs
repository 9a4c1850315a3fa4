//! The certificates that a client registered as its own: a JWKS (RFC 8705 section 2.2).

use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use tegata_core::Thumbprint;
use tegata_core::encoding::{from_base64, from_base64url};
use tegata_core::jws::{VerifyingKey, as_written, may_verify};
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// Certificates and keys of one set: each is named in the audit log, and compared with whoever comes.
const MOST: usize = 32;

/// Certificates, where the set has them in `x5c`, and bare public keys, where it has not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CertificateKeys {
    certificates: HashSet<Thumbprint>,
    keys: HashSet<CertificateKey>,
}

/// The text is not a JWKS, or a key in it cannot be compared with a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("not a JWKS with certificates or public keys: {0}")]
pub struct NotCertificateKeys(String);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum CertificateKey {
    /// The uncompressed point of a P-256 or P-384 key.
    Ec(Vec<u8>),
    /// The modulus and the public exponent.
    Rsa(Vec<u8>, Vec<u8>),
}

impl CertificateKeys {
    /// Reads the certificates and keys of a JWK Set (RFC 7517 section 5).
    ///
    /// # Errors
    /// [`NotCertificateKeys`] when one of its keys is of no use, there is none, or there are more than 32: a set that is half understood would
    /// refuse somebody without a word.
    pub fn from_jwks(text: &str) -> Result<Self, NotCertificateKeys> {
        let jwks: CertificateJwks =
            serde_json::from_str(text).map_err(|error| NotCertificateKeys(error.to_string()))?;
        let mut known = Self::default();
        // A set has keys for other purposes too, which say so.
        let own = jwks.keys.iter().filter(|jwk| may_verify(jwk.use_.as_deref(), jwk.key_ops.as_ref()));
        for jwk in own {
            known.add(jwk).ok_or_else(|| {
                let name = jwk.kid.as_deref().unwrap_or("without kid");
                NotCertificateKeys(format!("the key {name} has neither a certificate nor a public key"))
            })?;
        }
        if known.certificates.len() + known.keys.len() > MOST {
            return Err(NotCertificateKeys(format!("it has more than {MOST} keys that verify signatures")));
        }
        if known.is_empty() {
            return Err(NotCertificateKeys("it has no key that verifies signatures".into()));
        }
        Ok(known)
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.keys.is_empty()
    }

    /// Whether a leaf is one of them, or of one of the keys.
    pub fn contains(&self, leaf: &[u8]) -> bool {
        self.certificates.contains(&Thumbprint::of(leaf))
            || key_of(leaf).is_some_and(|key| self.keys.contains(&key))
    }

    /// Whether the holder of a certificate may still be one of them, as far as its thumbprint tells: a bare key has any
    /// number of certificates.
    pub fn may_contain(&self, certificate: &Thumbprint) -> bool {
        self.certificates.contains(certificate) || !self.keys.is_empty()
    }

    /// The certificates, for the record.
    pub fn thumbprints(&self) -> impl Iterator<Item = &Thumbprint> {
        self.certificates.iter()
    }

    /// How many bare keys there are besides.
    pub fn bare_keys(&self) -> usize {
        self.keys.len()
    }

    /// A certificate stands for itself alone: another one of the same key is not registered.
    fn add(&mut self, jwk: &CertificateJwk) -> Option<()> {
        match &jwk.x5c {
            Some(chain) => {
                let leaf = from_base64(chain.first()?)?;
                key_of(&leaf)?;
                self.certificates.insert(Thumbprint::of(&leaf));
            }
            None => {
                self.keys.insert(jwk.key()?);
            }
        }
        Some(())
    }
}

#[derive(Deserialize)]
struct CertificateJwks {
    keys: Vec<CertificateJwk>,
}

#[derive(Deserialize)]
struct CertificateJwk {
    kid: Option<String>,
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x5c: Option<Vec<String>>,
    #[serde(rename = "use")]
    use_: Option<String>,
    #[serde(default, deserialize_with = "as_written")]
    key_ops: Option<Value>,
}

impl CertificateJwk {
    fn key(&self) -> Option<CertificateKey> {
        let number = |text: &Option<String>| from_base64url(text.as_deref()?);
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256" | "P-384")) => {
                let (x, y) = (number(&self.x)?, number(&self.y)?);
                (x.len() == y.len()).then(|| CertificateKey::Ec([&[4], &*x, &*y].concat()))
            }
            ("RSA", None) => Some(rsa(&number(&self.n)?, &number(&self.e)?)),
            _ => None,
        }
    }
}

/// The public key of a certificate, if it is one for ES256.
pub fn p256_key(certificate: &[u8]) -> Option<VerifyingKey> {
    match key_of(certificate)? {
        CertificateKey::Ec(point) => VerifyingKey::from_point(&point),
        CertificateKey::Rsa(..) => None,
    }
}

fn key_of(leaf: &[u8]) -> Option<CertificateKey> {
    let Ok(([], certificate)) = X509Certificate::from_der(leaf) else { return None };
    match certificate.public_key().parsed().ok()? {
        PublicKey::EC(point) => Some(CertificateKey::Ec(point.data().to_vec())),
        PublicKey::RSA(key) => Some(rsa(key.modulus, key.exponent)),
        _ => None,
    }
}

/// Without the zeros that DER puts before a number and JWK does not.
fn rsa(modulus: &[u8], exponent: &[u8]) -> CertificateKey {
    let bare = |number: &[u8]| number.iter().copied().skip_while(|&byte| byte == 0).collect();
    CertificateKey::Rsa(bare(modulus), bare(exponent))
}
