//! Issuers of every kind are believed for what they signed, and for nothing else.

use super::*;
use crate::encoding::base64url;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};
use std::process::Command;

const LONGEST: usize = 16 * 1024;

/// An issuer with a key of each kind.
struct ForeignIssuer {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl ForeignIssuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            rsa: RsaKeyPair::from_der(&rsa_key()).unwrap(),
            p256: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).unwrap(),
            ed25519: Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap(),
        }
    }

    fn jwk(&self, kind: &str) -> Value {
        let text = |bytes: &[u8]| base64url(bytes);
        match kind {
            "rsa" => {
                let RsaPublicKeyComponents { n, e } =
                    RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
                let n = text(&[vec![0], n].concat());
                json!({"kty": "RSA", "kid": "rsa", "n": n, "e": text(&e), "use": "sig"})
            }
            "p256" => {
                let point = self.p256.public_key().as_ref();
                let (x, y) = (text(&point[1..33]), text(&point[33..]));
                json!({"kty": "EC", "kid": "p256", "crv": "P-256", "x": x, "y": y})
            }
            _ => {
                let x = text(self.ed25519.public_key().as_ref());
                json!({"kty": "OKP", "kid": "ed25519", "crv": "Ed25519", "x": x})
            }
        }
    }

    fn keys(&self) -> ForeignKeys {
        keys(&["rsa", "p256", "ed25519"].map(|kind| self.jwk(kind)))
    }

    fn sign(&self, header: &Value, payload: &str) -> String {
        self.sign_raw(&header.to_string(), header["alg"].as_str().unwrap(), payload)
    }

    fn sign_raw(&self, header: &str, algorithm: &str, payload: &str) -> String {
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
        let random = SystemRandom::new();
        let mut rsa = vec![0; self.rsa.public().modulus_len()];
        let signature = match algorithm {
            "RS256" => {
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut rsa).unwrap();
                rsa
            }
            "PS256" => {
                self.rsa.sign(&RSA_PSS_SHA256, &random, signed.as_bytes(), &mut rsa).unwrap();
                rsa
            }
            "ES256" => self.p256.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed25519.sign(signed.as_bytes()).as_ref().to_vec(),
            // HMAC keyed with what everybody may know.
            "HS256" => {
                let key = self.rsa.public_key().as_ref();
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
                ring::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            _ => Vec::new(),
        };
        format!("{signed}.{}", base64url(&signature))
    }
}

/// The mathematics of RSA keys is left to openssl.
fn rsa_key() -> Vec<u8> {
    let made = Command::new("openssl")
        .args([
            "genpkey",
            "-quiet",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-outform",
            "DER",
        ])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

fn keys(keys: &[Value]) -> ForeignKeys {
    ForeignKeys::from_jwks(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

const KINDS: [(&str, &str); 4] =
    [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "p256"), ("EdDSA", "ed25519")];

#[test]
fn what_an_issuer_signed_in_any_of_the_four_algorithms_is_read() {
    let issuer = ForeignIssuer::new();
    for (alg, kid) in KINDS {
        let text = issuer.sign(&json!({"alg": alg, "kid": kid, "typ": "application/AT+jwt"}), "{}");
        let read = issuer.keys().verify(&text, LONGEST).unwrap();
        assert_eq!((read.typ.as_deref(), read.payload.as_slice()), (Some("at+jwt"), &b"{}"[..]), "{alg}");
        let alone = keys(&[issuer.jwk(kid)]);
        assert!(
            alone.verify(&issuer.sign(&json!({"alg": alg}), "{}"), LONGEST).is_ok(),
            "one key needs no name"
        );
        assert_eq!(unverified_payload(&text, LONGEST), Some(b"{}".to_vec()));
        assert_eq!(issuer.keys().verify(&text, text.len() - 1), Err(JwsError::Malformed));
    }
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let issuer = ForeignIssuer::new();
    let keys = issuer.keys();
    for (alg, kid) in KINDS {
        let text = issuer.sign(&json!({"alg": alg, "kid": kid}), r#"{"sub":"staff-1"}"#);
        for position in (0..text.len()).step_by(3) {
            let mut changed = text.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            assert!(
                keys.verify(std::str::from_utf8(&changed).unwrap(), LONGEST).is_err(),
                "{alg} {position}"
            );
        }
    }
}

#[test]
fn no_header_talks_a_verifier_into_another_algorithm_or_key() {
    let issuer = ForeignIssuer::new();
    let check = |header: Value| issuer.keys().verify(&issuer.sign(&header, "{}"), LONGEST);
    for alg in ["none", "None", "HS256", "RS1", "ES384", "RSA-OAEP", ""] {
        assert_eq!(check(json!({"alg": alg, "kid": "rsa"})), Err(JwsError::Algorithm), "{alg}");
    }
    assert_eq!(check(json!({"alg": "ES256", "kid": "rsa"})), Err(JwsError::UnknownKey));
    assert_eq!(check(json!({"alg": "RS256", "kid": "p256"})), Err(JwsError::UnknownKey));
    assert_eq!(check(json!({"alg": "RS256", "kid": "gone"})), Err(JwsError::UnknownKey));
    assert_eq!(
        check(json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false})),
        Err(JwsError::Critical)
    );
    let stranger = ForeignIssuer::new();
    for (alg, kid) in KINDS {
        let header = json!({"alg": alg, "kid": kid, "jwk": stranger.jwk(kid), "jku": "https://evil.example"});
        let text = stranger.sign(&header, "{}");
        assert_eq!(issuer.keys().verify(&text, LONGEST), Err(JwsError::Signature), "{alg}");
    }
    let twice = r#"{"alg":"none","alg":"RS256","kid":"rsa"}"#;
    let text = issuer.sign_raw(twice, "RS256", "{}");
    assert_eq!(issuer.keys().verify(&text, LONGEST), Err(JwsError::Malformed));
}

#[test]
fn a_key_is_for_what_its_issuer_says_it_is_for() {
    let issuer = ForeignIssuer::new();
    let with = |member: &str, value: &str| {
        let mut jwk = issuer.jwk("rsa");
        jwk[member] = value.into();
        keys(&[jwk])
    };
    let [rs, ps] = ["RS256", "PS256"].map(|alg| issuer.sign(&json!({"alg": alg, "kid": "rsa"}), "{}"));
    assert!(with("alg", "PS256").verify(&ps, LONGEST).is_ok());
    assert_eq!(with("alg", "PS256").verify(&rs, LONGEST), Err(JwsError::UnknownKey));
    for unusable in [with("use", "enc"), with("alg", "RSA-OAEP"), with("alg", "ES256"), with("kty", "oct")] {
        assert!(unusable.is_empty());
    }
    let two = keys(&[issuer.jwk("rsa"), issuer.jwk("rsa")]);
    assert_eq!(two.verify(&rs, LONGEST), Err(JwsError::UnknownKey), "one name, two keys");
    assert!(ForeignKeys::from_jwks(b"[]").is_none());
}
