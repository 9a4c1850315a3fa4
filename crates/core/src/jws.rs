//! Signed JSON in its compact form (RFC 7515), ES256 only.
//!
//! The header is parsed, never searched. Nothing in a header names a key beyond `kid` in a set the
//! verifier already holds: `jku`, `x5u` and `jwk` are ignored, `crit` is refused, and `alg` must be
//! the one the key is for.

pub mod foreign;

use crate::encoding::{base64url, from_base64url, push_base64url};
use crate::thumbprint::JwkThumbprint;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::HashSet;

/// The only algorithm that is signed with or accepted (RFC 7518 section 3.4).
const ALGORITHM: &str = "ES256";

/// The longest text [`KeySet::verify`] looks at, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024;

/// Why a signed text is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JwsError {
    /// Not three parts of base64url with a JSON header, or too long.
    #[error("not a compact JWS")]
    Malformed,
    /// `alg` is not ES256.
    #[error("the algorithm is not allowed")]
    Algorithm,
    /// `typ` is not the one expected here.
    #[error("the type is not the one expected")]
    Type,
    /// `crit` names extensions nobody here understands.
    #[error("a critical extension is not understood")]
    Critical,
    /// No key in the set has this `kid`.
    #[error("the key is not known")]
    UnknownKey,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
}

/// A key that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a usable P-256 key or key set")]
pub struct JwkError;

/// A P-256 private key and its name.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    public: VerifyingKey,
}

impl SigningKey {
    /// Reads a private key from PKCS#8 DER.
    ///
    /// # Errors
    /// [`JwkError`] unless it is a P-256 private key with its public half.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, JwkError> {
        let random = SystemRandom::new();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).map_err(|_| JwkError)?;
        let public = VerifyingKey::from_point(pair.public_key().as_ref()).ok_or(JwkError)?;
        Ok(Self { pair, random, public })
    }

    /// A new private key as PKCS#8 DER.
    ///
    /// # Errors
    /// [`JwkError`] when the operating system yields no randomness.
    pub fn generate() -> Result<Vec<u8>, JwkError> {
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map(|document| document.as_ref().to_vec())
            .map_err(|_| JwkError)
    }

    /// Gives the key another `kid`, for a key that others have published under a name of their own.
    #[must_use]
    pub fn named(mut self, kid: String) -> Self {
        self.public.kid = kid;
        self
    }

    /// The public key, with the `kid` that goes into headers.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a JSON payload as `typ`.
    ///
    /// # Errors
    /// [`JwkError`] when the operating system yields no randomness.
    pub fn sign(&self, typ: &str, payload: &[u8]) -> Result<String, JwkError> {
        let header = format!(r#"{{"alg":"{ALGORITHM}","kid":"{}","typ":"{typ}"}}"#, self.public.kid);
        self.sign_under(&header, payload)
    }

    /// Signs a payload under a header of this text.
    pub(crate) fn sign_under(&self, header: &str, payload: &[u8]) -> Result<String, JwkError> {
        // Four characters for three bytes each, and the signature's 64 bytes at the end.
        let mut text = String::with_capacity((header.len() + payload.len() + 64) * 4 / 3 + 8);
        push_base64url(&mut text, header.as_bytes());
        text.push('.');
        push_base64url(&mut text, payload);
        let signature = self.pair.sign(&self.random, text.as_bytes()).map_err(|_| JwkError)?;
        text.push('.');
        push_base64url(&mut text, signature.as_ref());
        Ok(text)
    }
}

/// A P-256 public key, named by its RFC 7638 thumbprint unless it was given another name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyingKey {
    kid: String,
    point: Vec<u8>,
}

impl VerifyingKey {
    /// From an uncompressed point: 65 bytes, the first 0x04.
    pub fn from_point(point: &[u8]) -> Option<Self> {
        (point.len() == 65 && point[0] == 4)
            .then(|| Self { kid: jwk_thumbprint(point).to_string(), point: point.to_vec() })
    }

    /// Gives the key another `kid`, for a key that others have published under a name of their own.
    #[must_use]
    pub fn named(mut self, kid: String) -> Self {
        self.kid = kid;
        self
    }

    /// The `kid` by which headers name this key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// RFC 7518 section 3.4: the signature is r and s, 32 bytes each.
    fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point).verify(text, signature).is_ok()
    }

    /// Its JSON form (RFC 7517).
    pub fn jwk(&self) -> Jwk {
        Jwk {
            kty: "EC".into(),
            crv: Some("P-256".into()),
            x: Some(base64url(&self.point[1..33])),
            y: Some(base64url(&self.point[33..])),
            kid: Some(self.kid.clone()),
            alg: Some(ALGORITHM.into()),
            use_: Some("sig".into()),
            key_ops: None,
        }
    }
}

/// RFC 7638: SHA-256 over the required members in order.
fn jwk_thumbprint(point: &[u8]) -> JwkThumbprint {
    let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
    JwkThumbprint::of(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
}

/// One key of a set as it travels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Jwk {
    pub kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_: Option<String>,
    #[serde(default, deserialize_with = "as_written", skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Value>,
}

/// A JWK Set as it travels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Jwks {
    pub keys: Vec<Jwk>,
}

/// The keys a verifier believes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
}

impl KeySet {
    /// From keys at hand.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// From a JWK Set. Keys for other algorithms are passed over.
    ///
    /// # Errors
    /// [`JwkError`] for a malformed P-256 key, for a `kid` that stands twice, and for a set without any
    /// usable key: fail closed rather than believe nothing or anything.
    pub fn from_jwks(jwks: &Jwks) -> Result<Self, JwkError> {
        let mut keys: Vec<VerifyingKey> = Vec::new();
        for jwk in jwks.keys.iter().filter(|jwk| is_es256_signature_key(jwk)) {
            let key = parse_jwk(jwk).ok_or(JwkError)?;
            if keys.iter().any(|known| known.kid == key.kid) {
                return Err(JwkError);
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(JwkError) } else { Ok(Self { keys }) }
    }

    /// The set as it travels.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: self.keys.iter().map(VerifyingKey::jwk).collect() }
    }

    /// The payload of a token signed as `typ` by a key of this set, at most [`MAX_LENGTH`] long.
    ///
    /// # Errors
    /// [`JwsError`] says which check failed first.
    pub fn verify(&self, text: &str, typ: &str) -> Result<Vec<u8>, JwsError> {
        self.verify_up_to(text, typ, MAX_LENGTH)
    }

    /// The payload of a token signed as `typ` by a key of this set, at most `longest` bytes long. A longer limit than
    /// [`MAX_LENGTH`] is only for peers that are authenticated by other means.
    ///
    /// # Errors
    /// [`JwsError`] says which check failed first.
    pub fn verify_up_to(&self, text: &str, typ: &str, longest: usize) -> Result<Vec<u8>, JwsError> {
        let parts = JwsParts::split(text, longest).ok_or(JwsError::Malformed)?;
        let header: JwsHeader =
            serde_json::from_slice(&decode(parts.header)?).map_err(|_| JwsError::Malformed)?;
        if header.alg != ALGORITHM {
            return Err(JwsError::Algorithm);
        }
        if header.crit {
            return Err(JwsError::Critical);
        }
        if !header.typ.as_deref().is_some_and(|found| is_type(found, typ)) {
            return Err(JwsError::Type);
        }
        let key = self.key(header.kid.as_deref()).ok_or(JwsError::UnknownKey)?;
        if !key.has_signed(parts.signed.as_bytes(), &decode(parts.signature)?) {
            return Err(JwsError::Signature);
        }
        decode(parts.payload)
    }

    fn key(&self, kid: Option<&str>) -> Option<&VerifyingKey> {
        let kid = kid?;
        self.keys.iter().find(|key| key.kid == kid)
    }
}

/// RFC 7515 section 4.1.9: `application/` may be omitted, and media types ignore case.
pub(crate) fn is_type(found: &str, expected: &str) -> bool {
    let bare = match found.get(..12) {
        Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &found[12..],
        _ => found,
    };
    bare.eq_ignore_ascii_case(expected)
}

fn is_es256_signature_key(jwk: &Jwk) -> bool {
    jwk.kty == "EC"
        && jwk.crv.as_deref() == Some("P-256")
        && jwk.alg.as_deref().is_none_or(|alg| alg == ALGORITHM)
        && may_verify(jwk.use_.as_deref(), jwk.key_ops.as_ref())
}

fn parse_jwk(jwk: &Jwk) -> Option<VerifyingKey> {
    let mut point = vec![4];
    for coordinate in [&jwk.x, &jwk.y] {
        let bytes = from_base64url(coordinate.as_deref()?)?;
        if bytes.len() != 32 {
            return None;
        }
        point.extend_from_slice(&bytes);
    }
    Some(VerifyingKey { kid: jwk.kid.clone()?, point })
}

pub(crate) struct JwsParts<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) signed: &'a str,
}

impl<'a> JwsParts<'a> {
    pub(crate) fn split(text: &'a str, longest: usize) -> Option<Self> {
        if text.len() > longest {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        (!payload.contains('.')).then_some(Self { header, payload, signature, signed })
    }
}

pub(crate) fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    from_base64url(part).ok_or(JwsError::Malformed)
}

#[derive(Deserialize)]
struct JwsHeader {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// For a member whose presence matters and not its value: `null` is a value too.
///
/// # Errors
/// When the value is no JSON.
pub fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// For a member whose value is judged later: `null` is not taken for its absence.
///
/// # Errors
/// When the value is no JSON.
pub fn as_written<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// Whether a key may verify signatures by what its JWK says of its purpose: `use` (RFC 7517 section 4.2) and `key_ops`
/// (section 4.3), which hold together. What says neither may do everything.
pub fn may_verify(use_: Option<&str>, key_ops: Option<&Value>) -> bool {
    use_.is_none_or(|use_| use_ == "sig") && key_ops.is_none_or(allows_verifying)
}

/// An array of strings, none of them twice.
fn allows_verifying(key_ops: &Value) -> bool {
    let operations: Option<Vec<_>> =
        key_ops.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
    let Some(operations) = operations else { return false };
    let known: HashSet<_> = operations.iter().collect();
    known.len() == operations.len() && operations.contains(&"verify")
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key() -> SigningKey {
        SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap()
    }

    fn with_header(key: &SigningKey, header: &str, payload: &[u8]) -> String {
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(payload));
        let signature = key.pair.sign(&key.random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url(signature.as_ref()))
    }

    #[test]
    fn a_verifier_reads_what_the_issuer_signed_through_the_published_set() {
        let key = key();
        let text = key.sign("at+jwt", br#"{"a":1}"#).unwrap();
        let published = serde_json::to_string(&KeySet::new([key.public().clone()]).jwks()).unwrap();
        let set = KeySet::from_jwks(&serde_json::from_str(&published).unwrap()).unwrap();
        assert_eq!(set.verify(&text, "at+jwt").unwrap(), br#"{"a":1}"#);
        assert_eq!(set.verify(&text, "jwt"), Err(JwsError::Type));
    }

    #[test]
    fn a_forged_header_convinces_nobody() {
        let key = key();
        let set = KeySet::new([key.public().clone()]);
        let kid = key.public().kid();
        let check = |header: &str| set.verify(&with_header(&key, header, b"{}"), "at+jwt");
        assert!(check(&format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#)).is_ok());
        assert!(
            check(&format!(
                r#"{{"alg":"ES256","kid":"{kid}","typ":"application/AT+JWT","jku":"https://evil"}}"#
            ))
            .is_ok()
        );
        let refused = [
            (format!(r#"{{"alg":"none","kid":"{kid}","typ":"at+jwt"}}"#), JwsError::Algorithm),
            (format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"at+jwt"}}"#), JwsError::Algorithm),
            (format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"JWT"}}"#), JwsError::Type),
            (format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), JwsError::Type),
            (format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt","crit":["x"]}}"#), JwsError::Critical),
            (format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"at+jwt","crit":null}}"#), JwsError::Critical),
            (r#"{"alg":"ES256","kid":"other","typ":"at+jwt"}"#.into(), JwsError::UnknownKey),
            (r#"{"alg":"ES256","typ":"at+jwt"}"#.into(), JwsError::UnknownKey),
            (format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}","typ":"at+jwt"}}"#), JwsError::Malformed),
        ];
        for (header, error) in refused {
            assert_eq!(check(&header), Err(error), "{header}");
        }
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let key = key();
        let set = KeySet::new([key.public().clone()]);
        let text = key.sign("at+jwt", br#"{"sub":"device:x"}"#).unwrap();
        for position in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert!(set.verify(std::str::from_utf8(&changed).unwrap(), "at+jwt").is_err(), "{position}");
        }
    }

    #[test]
    fn a_key_set_with_a_name_twice_or_without_a_key_is_refused() {
        let jwk = key().public().jwk();
        assert_eq!(KeySet::from_jwks(&Jwks { keys: vec![jwk.clone(), jwk] }), Err(JwkError));
        assert_eq!(KeySet::from_jwks(&Jwks { keys: vec![] }), Err(JwkError));
    }

    #[test]
    fn a_key_verifies_only_where_its_set_says_that_it_may() {
        let [key, other] = [key(), key()];
        let set = |member: &str, value: Value| {
            let mut published = serde_json::to_value(KeySet::new([key.public().clone()]).jwks()).unwrap();
            published["keys"][0][member] = value;
            let other = serde_json::to_value(other.public().jwk()).unwrap();
            published["keys"].as_array_mut().unwrap().push(other);
            KeySet::from_jwks(&serde_json::from_value(published).unwrap()).unwrap()
        };
        let text = key.sign("at+jwt", b"{}").unwrap();
        for good in [json!(["verify"]), json!(["sign", "verify"])] {
            assert!(set("key_ops", good).verify(&text, "at+jwt").is_ok());
        }
        for wrong in [
            json!(["sign"]),
            json!([]),
            json!(null),
            json!("verify"),
            json!(["verify", "verify"]),
            json!([1]),
        ] {
            assert_eq!(set("key_ops", wrong).verify(&text, "at+jwt"), Err(JwsError::UnknownKey));
        }
        assert_eq!(set("use", json!("enc")).verify(&text, "at+jwt"), Err(JwsError::UnknownKey));
    }
}
