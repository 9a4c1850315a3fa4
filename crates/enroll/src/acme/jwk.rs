//! Keys of accounts in JSON (RFC 7517, RFC 7518, RFC 8037): ES256, ES384, RS256 and `EdDSA`, each by its kind of key. The
//! algorithm follows from the key; what a header says must agree with it.

use super::problem::{AcmeError, AcmeResult};
use ring::digest::{SHA256, digest};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::jws::{as_written, may_verify};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What requests are signed by.
pub(super) const ALGORITHMS: [&str; 4] = ["ES256", "ES384", "RS256", "EdDSA"];

/// RSA moduli from 2048 to 4096 bits, in octets.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=512;

/// A key as it travels. Members that no key here has are not read.
#[derive(Deserialize)]
struct WrittenAcmeJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    #[serde(rename = "use")]
    use_: Option<String>,
    #[serde(default, deserialize_with = "as_written")]
    key_ops: Option<serde_json::Value>,
}

/// A sound public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum AcmeJwk {
    /// The uncompressed point, 65 bytes.
    P256(Vec<u8>),
    /// The uncompressed point, 97 bytes.
    P384(Vec<u8>),
    /// Modulus and exponent, without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
    /// The public key, 32 bytes (RFC 8037 section 2).
    Ed25519(Vec<u8>),
}

impl AcmeJwk {
    /// Reads a JWK; a key that no profile can allow is refused as `badPublicKey`.
    pub(super) fn parse(value: &serde_json::Value) -> AcmeResult<Self> {
        let written = WrittenAcmeJwk::deserialize(value).map_err(|_| AcmeError::bad_key("not a JWK"))?;
        if !may_verify(written.use_.as_deref(), written.key_ops.as_ref()) {
            return Err(AcmeError::bad_key("by its use or key_ops it verifies no signatures"));
        }
        written
            .read()
            .ok_or(AcmeError::bad_key("a key is P-256, P-384, RSA of 2048 to 4096 bits, or Ed25519"))
    }

    /// The required members in the order of RFC 7638, which is what the ledger keeps.
    pub(super) fn canonical(&self) -> String {
        match self {
            Self::P256(point) => elliptic("P-256", point),
            Self::P384(point) => elliptic("P-384", point),
            Self::Rsa(n, e) => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, base64url(e), base64url(n)),
            Self::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(x)),
        }
    }

    /// RFC 7638, base64url of SHA-256.
    pub(super) fn thumbprint(&self) -> String {
        base64url(digest(&SHA256, self.canonical().as_bytes()).as_ref())
    }

    /// Whether this key made the signature, by the one algorithm of its kind.
    pub(super) fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> AcmeResult<()> {
        if algorithm != self.algorithm() {
            return Err(AcmeError::bad_algorithm("the algorithm is not that of the key", &ALGORITHMS));
        }
        let verified = match self {
            Self::P256(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::P384(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            Self::Rsa(n, e) => RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
            Self::Ed25519(key) => UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature),
        };
        verified.map_err(|_| tegata_core::Refusal::AcmeSignature.into())
    }

    /// Whether a `SubjectPublicKeyInfo` in DER holds this key.
    pub(super) fn is(&self, info: &[u8]) -> bool {
        let Ok((_, info)) = SubjectPublicKeyInfo::from_der(info) else { return false };
        match (self, info.parsed()) {
            (Self::P256(point) | Self::P384(point), Ok(Parsed::EC(other))) => point == other.data(),
            (Self::Rsa(n, e), Ok(Parsed::RSA(other))) => {
                *n == plain(other.modulus) && *e == plain(other.exponent)
            }
            (Self::Ed25519(key), _) => *key == *info.subject_public_key.data,
            _ => false,
        }
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Rsa(..) => "RS256",
            Self::Ed25519(_) => "EdDSA",
        }
    }
}

impl WrittenAcmeJwk {
    fn read(&self) -> Option<AcmeJwk> {
        match (&*self.kty, self.crv.as_deref()) {
            ("EC", Some("P-256")) => self.point(32).map(AcmeJwk::P256),
            ("EC", Some("P-384")) => self.point(48).map(AcmeJwk::P384),
            ("OKP", Some("Ed25519")) => octets(self.x.as_ref(), 32).map(AcmeJwk::Ed25519),
            ("RSA", _) => {
                let [n, e] = [&self.n, &self.e].map(|number| from_base64url(number.as_deref()?));
                let (n, e) = (n?, e?);
                let is_plain = |number: &[u8]| number.first().is_some_and(|first| *first != 0);
                // An exponent of 1 signs everything; ring wants at least 3 and odd.
                let is_sound = is_plain(&n) && MODULUS.contains(&n.len()) && is_plain(&e) && e.len() <= 4;
                is_sound.then_some(AcmeJwk::Rsa(n, e))
            }
            _ => None,
        }
    }

    fn point(&self, length: usize) -> Option<Vec<u8>> {
        let (x, y) = (octets(self.x.as_ref(), length)?, octets(self.y.as_ref(), length)?);
        Some([&[4], &*x, &*y].concat())
    }
}

fn octets(text: Option<&String>, length: usize) -> Option<Vec<u8>> {
    from_base64url(text?).filter(|octets| octets.len() == length)
}

fn elliptic(curve: &str, point: &[u8]) -> String {
    let (x, y) = point[1..].split_at(point.len() / 2);
    format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, base64url(x), base64url(y))
}

/// A number without leading zeros.
fn plain(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        // RFC 7638 section 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key =
            AcmeJwk::parse(&json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}));
        assert_eq!(key.unwrap().thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        // RFC 8037 appendix A.3.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = AcmeJwk::parse(&json!({"kty": "OKP", "crv": "Ed25519", "x": x})).unwrap();
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn each_kind_of_key_has_one_algorithm_and_is_found_in_a_certificate() {
        use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData};
        use ring::rand::SystemRandom;
        use ring::signature as s;
        let random = SystemRandom::new();
        let ecdsa = |algorithm, der: &[u8]| {
            let pair = s::EcdsaKeyPair::from_pkcs8(algorithm, der, &random).unwrap();
            pair.sign(&random, b"message").unwrap().as_ref().to_vec()
        };
        let coordinates = |key: &KeyPair, curve: &str| {
            let (x, y) = key.public_key_raw()[1..].split_at(key.public_key_raw().len() / 2);
            json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
        };
        let [p256, p384, ed25519] = [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519]
            .map(|algorithm| KeyPair::generate_for(algorithm).unwrap());
        let edwards = s::Ed25519KeyPair::from_pkcs8(&ed25519.serialize_der()).unwrap();
        let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(ed25519.public_key_raw())});
        let all = [
            (&p256, coordinates(&p256, "P-256"), "ES256"),
            (&p384, coordinates(&p384, "P-384"), "ES384"),
            (&ed25519, okp, "EdDSA"),
        ];
        let signatures = [
            ecdsa(&s::ECDSA_P256_SHA256_FIXED_SIGNING, &p256.serialize_der()),
            ecdsa(&s::ECDSA_P384_SHA384_FIXED_SIGNING, &p384.serialize_der()),
            edwards.sign(b"message").as_ref().to_vec(),
        ];
        for (at, (pair, written, algorithm)) in all.iter().enumerate() {
            let key = AcmeJwk::parse(written).unwrap();
            assert_eq!(AcmeJwk::parse(&serde_json::from_str(&key.canonical()).unwrap()).unwrap(), key);
            assert_eq!(key.verify(algorithm, b"message", &signatures[at]), Ok(()), "{algorithm}");
            assert!(key.verify(algorithm, b"massage", &signatures[at]).is_err());
            for (other, (another, _, foreign)) in all.iter().enumerate().filter(|(other, _)| *other != at) {
                assert!(
                    key.verify(foreign, b"message", &signatures[at]).is_err(),
                    "{algorithm} as {foreign}"
                );
                assert!(key.verify(algorithm, b"message", &signatures[other]).is_err());
                assert!(!key.is(&another.subject_public_key_info()));
            }
            assert!(key.is(&pair.subject_public_key_info()), "{algorithm}");
        }
    }

    #[test]
    fn what_is_no_sound_key_is_refused() {
        let x = base64url(&[1; 32]);
        for wrong in [
            json!({"kty": "oct", "k": "AAAA"}),
            json!({"kty": "EC", "crv": "P-256", "x": x}),
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": base64url(&[1; 31])}),
            json!({"kty": "EC", "crv": "secp256k1", "x": x, "y": x}),
            json!({"kty": "OKP", "crv": "X25519", "x": x}),
            json!({"kty": "RSA", "n": base64url(&[255; 128]), "e": "AQAB"}),
            json!({"kty": "RSA", "n": base64url(&[255; 1024]), "e": "AQAB"}),
            json!({"kty": "RSA", "n": base64url(&[&[0][..], &[255; 256]].concat()), "e": "AQAB"}),
            json!("key"),
            json!({"kty": "OKP", "crv": "Ed25519", "x": x, "use": "enc"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": x, "key_ops": ["sign"]}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": x, "key_ops": null}),
        ] {
            assert!(AcmeJwk::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
