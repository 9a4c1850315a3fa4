//! Signed texts of other issuers, in the algorithms they use: RS256, PS256, ES256 and `EdDSA` with Ed25519.
//!
//! As strict as our own: `alg` must be one that the key is for, `crit` is refused, and nothing in a header names a key
//! beyond `kid` in the set that the issuer publishes.

use super::{JwsError, JwsParts, as_written, decode, may_verify, present};
use crate::encoding::from_base64url;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// A text whose signature holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignText {
    /// Its `typ`, without `application/`, in lower case.
    pub typ: Option<String>,
    /// The payload that the signature covers, decoded.
    pub payload: Vec<u8>,
}

/// The keys that another issuer publishes, as far as they verify here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ForeignKeys(Vec<ForeignKey>);

impl ForeignKeys {
    /// From a JWK Set. Keys for other purposes and of other kinds are passed over; `None` when it is no set at all.
    pub fn from_jwks(json: &[u8]) -> Option<Self> {
        let set: ForeignJwks = serde_json::from_slice(json).ok()?;
        Some(Self(set.keys.into_iter().filter_map(read_key).collect()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, if one key of this set has signed it; at most `longest` bytes are looked at.
    ///
    /// # Errors
    /// [`JwsError`] says which check failed first. A `kid` that stands for two keys is as good as unknown.
    pub fn verify(&self, text: &str, longest: usize) -> Result<ForeignText, JwsError> {
        let parts = JwsParts::split(text, longest).ok_or(JwsError::Malformed)?;
        let header: ForeignHeader =
            serde_json::from_slice(&decode(parts.header)?).map_err(|_| JwsError::Malformed)?;
        let algorithm = ForeignAlgorithm::parse(&header.alg).ok_or(JwsError::Algorithm)?;
        if header.crit {
            return Err(JwsError::Critical);
        }
        let key = self.key(header.kid.as_deref(), algorithm).ok_or(JwsError::UnknownKey)?;
        let signature = decode(parts.signature)?;
        if !key.material.has_signed(algorithm, parts.signed.as_bytes(), &signature) {
            return Err(JwsError::Signature);
        }
        Ok(ForeignText { typ: header.typ.as_deref().map(bare), payload: decode(parts.payload)? })
    }

    /// The one key that fits. An issuer with a single key need not name it.
    fn key(&self, kid: Option<&str>, algorithm: ForeignAlgorithm) -> Option<&ForeignKey> {
        let fits = |key: &&ForeignKey| {
            key.material.is_for(algorithm)
                && key.algorithm.is_none_or(|own| own == algorithm)
                && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
        };
        let mut fitting = self.0.iter().filter(fits);
        let (one, another) = (fitting.next(), fitting.next());
        one.filter(|_| another.is_none())
    }
}

/// What a text says before anybody has verified it: only for choosing whom to ask for keys.
pub fn unverified_payload(text: &str, longest: usize) -> Option<Vec<u8>> {
    from_base64url(JwsParts::split(text, longest)?.payload)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ForeignAlgorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl ForeignAlgorithm {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct ForeignKey {
    kid: Option<String>,
    algorithm: Option<ForeignAlgorithm>,
    material: KeyMaterial,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum KeyMaterial {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl KeyMaterial {
    fn is_for(&self, algorithm: ForeignAlgorithm) -> bool {
        match self {
            Self::Rsa { .. } => matches!(algorithm, ForeignAlgorithm::Rs256 | ForeignAlgorithm::Ps256),
            Self::P256(_) => algorithm == ForeignAlgorithm::Es256,
            Self::Ed25519(_) => algorithm == ForeignAlgorithm::EdDsa,
        }
    }

    /// RSA keys under 2048 bits verify nothing.
    fn has_signed(&self, algorithm: ForeignAlgorithm, text: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                let padding = if algorithm == ForeignAlgorithm::Ps256 {
                    &RSA_PSS_2048_8192_SHA256
                } else {
                    &RSA_PKCS1_2048_8192_SHA256
                };
                key.verify(padding, text, signature)
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text, signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(text, signature),
        };
        verified.is_ok()
    }
}

#[derive(Deserialize)]
struct ForeignHeader {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

#[derive(Deserialize)]
struct ForeignJwks {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct ForeignJwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    use_: Option<String>,
    #[serde(default, deserialize_with = "as_written")]
    key_ops: Option<serde_json::Value>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

fn read_key(json: serde_json::Value) -> Option<ForeignKey> {
    let jwk: ForeignJwk = serde_json::from_value(json).ok()?;
    if !may_verify(jwk.use_.as_deref(), jwk.key_ops.as_ref()) {
        return None;
    }
    let algorithm = match jwk.alg.as_deref() {
        Some(name) => Some(ForeignAlgorithm::parse(name)?),
        None => None,
    };
    let material = read_material(&jwk)?;
    algorithm.is_none_or(|own| material.is_for(own)).then_some(ForeignKey {
        kid: jwk.kid,
        algorithm,
        material,
    })
}

fn read_material(jwk: &ForeignJwk) -> Option<KeyMaterial> {
    let bytes = |member: &Option<String>| from_base64url(member.as_deref()?);
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => Some(KeyMaterial::Rsa { n: number(&bytes(&jwk.n)?), e: number(&bytes(&jwk.e)?) }),
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
            (x.len() == 32 && y.len() == 32).then(|| KeyMaterial::P256([&[4], &*x, &*y].concat()))
        }
        ("OKP", Some("Ed25519")) => bytes(&jwk.x).filter(|x| x.len() == 32).map(KeyMaterial::Ed25519),
        _ => None,
    }
}

/// Some issuers pad with a zero byte.
fn number(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|&byte| byte == 0).collect()
}

fn bare(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").map_or(typ.clone(), str::to_owned)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
