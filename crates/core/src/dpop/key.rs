//! The public key that a proof brings along.

use crate::encoding::{base64url, from_base64url};
use crate::jws::{as_written, may_verify, present};
use crate::thumbprint::JwkThumbprint;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

/// A JWK as the header of a proof has it (RFC 7517 section 4).
#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "the key has so many members that must not be there")]
pub(super) struct ProofJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    use_: Option<String>,
    #[serde(default, deserialize_with = "as_written")]
    key_ops: Option<Value>,
    // Members of private and symmetric keys (RFC 7518 section 6): whoever sends one has given the key away.
    #[serde(default, deserialize_with = "present")]
    d: bool,
    #[serde(default, deserialize_with = "present")]
    p: bool,
    #[serde(default, deserialize_with = "present")]
    q: bool,
    #[serde(default, deserialize_with = "present")]
    dp: bool,
    #[serde(default, deserialize_with = "present")]
    dq: bool,
    #[serde(default, deserialize_with = "present")]
    qi: bool,
    #[serde(default, deserialize_with = "present")]
    oth: bool,
    #[serde(default, deserialize_with = "present")]
    k: bool,
}

/// A public key of one of the kinds that proofs are signed with.
pub(super) enum ProofKey {
    /// A point on the curve, uncompressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl ProofKey {
    /// The key, if it is a public one for signatures by this algorithm.
    pub(super) fn read(jwk: &ProofJwk, algorithm: &str) -> Option<Self> {
        let is_named = jwk.alg.as_deref().is_none_or(|own| is_same(own, algorithm));
        if jwk.is_private() || !is_named || !may_verify(jwk.use_.as_deref(), jwk.key_ops.as_ref()) {
            return None;
        }
        let octets = |member: &Option<String>| from_base64url(member.as_deref()?).filter(|it| it.len() == 32);
        match (jwk.kty.as_str(), jwk.crv.as_deref()?, algorithm) {
            ("EC", "P-256", "ES256") => {
                let (x, y) = (octets(&jwk.x)?, octets(&jwk.y)?);
                Some(Self::P256([&[4], &*x, &*y].concat()))
            }
            ("OKP", "Ed25519", "EdDSA" | "Ed25519") if jwk.y.is_none() => octets(&jwk.x).map(Self::Ed25519),
            _ => None,
        }
    }

    pub(super) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text, signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(text, signature),
        };
        verified.is_ok()
    }

    /// RFC 7638 section 3, and RFC 8037 section 2 for Ed25519: written anew, so that no two texts of a key differ in it.
    pub(super) fn thumbprint(&self) -> JwkThumbprint {
        match self {
            Self::P256(point) => {
                let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
                JwkThumbprint::of(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
            }
            Self::Ed25519(key) => {
                let x = base64url(key);
                JwkThumbprint::of(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))
            }
        }
    }
}

impl ProofJwk {
    fn is_private(&self) -> bool {
        self.d || self.p || self.q || self.dp || self.dq || self.qi || self.oth || self.k
    }
}

/// Ed25519 goes by two names.
fn is_same(one: &str, other: &str) -> bool {
    let is_ed25519 = |name: &str| matches!(name, "EdDSA" | "Ed25519");
    one == other || (is_ed25519(one) && is_ed25519(other))
}
