//! Proofs, and attacks on them by their names.

use super::*;
use crate::encoding::base64url;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const TOKEN: &str = "header.payload.signature";

/// A client with a key of its own.
enum Client {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Client {
    fn new() -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
        Self::P256(pair)
    }

    fn ed25519() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self) -> Value {
        match self {
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": base64url(&point[1..33]), "y": base64url(&point[33..])})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref())})
            }
        }
    }

    fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.algorithm(), "jwk": self.jwk()})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = match self {
            Self::P256(pair) => pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", base64url(&signature))
    }

    fn proof(&self, changes: &Value) -> Result<DpopProof, ProofError> {
        DpopProof::verify(&self.sign(&self.header(), &merged(claims(), changes)))
    }
}

fn claims() -> Value {
    json!({
        "jti": "e1j3V_bKic8-LAEB", "htm": "GET", "htu": "https://rezept.example/stock/1", "iat": NOW,
        "ath": hash_of(TOKEN),
    })
}

/// `null` takes a member away.
fn merged(mut all: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
            value => all[name] = value.clone(),
        }
    }
    all
}

fn check_at(proof: &DpopProof, second: i64) -> Result<(), ProofError> {
    let origins = [HttpOrigin::parse("https://rezept.example").unwrap()];
    let target =
        ProofTarget { method: "GET", origins: &origins, path: "/stock/1", access_token: Some(TOKEN) };
    proof.check(&target, Timestamp::from_seconds(second))
}

#[test]
fn a_client_proves_with_either_kind_of_key_that_the_request_is_its_own() {
    for client in [Client::new(), Client::ed25519()] {
        let proof = client.proof(&json!({"nonce": "n"})).unwrap();
        assert_eq!((check_at(&proof, NOW), proof.nonce()), (Ok(()), Some("n")));
        let again = client.proof(&json!({"jti": "another"})).unwrap();
        assert_eq!(again.key(), proof.key());
        let newer = merged(client.header(), &json!({"typ": "application/dpop+jwt"}));
        assert!(DpopProof::verify(&client.sign(&newer, &claims())).is_ok());
    }
    let client = Client::ed25519();
    let newer = merged(client.header(), &json!({"alg": "Ed25519"}));
    assert!(DpopProof::verify(&client.sign(&newer, &claims())).is_ok());
}

/// The key and the thumbprint of RFC 7638 section 3.1 are RSA; these are of RFC 8037 appendix A.3, and of RFC 9449 section 4.1
/// with the `jkt` of section 6.1.
#[test]
fn a_key_has_the_thumbprint_that_the_standards_print() {
    let ed25519: ProofJwk = serde_json::from_value(json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    }))
    .unwrap();
    let key = ProofKey::read(&ed25519, "EdDSA").unwrap();
    assert_eq!(key.thumbprint().to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let p256: ProofJwk = serde_json::from_value(json!({
        "kty": "EC", "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
    }))
    .unwrap();
    let key = ProofKey::read(&p256, "ES256").unwrap();
    assert_eq!(key.thumbprint().to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

/// The proof of RFC 9449 section 4.1, made for a token request at its own time.
#[test]
fn the_proof_that_the_standard_prints_is_read() {
    let text = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rsc\
        EJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.e\
        yJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0Ijo\
        xNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let proof = DpopProof::verify(text).unwrap();
    let origins = [HttpOrigin::parse("https://server.example.com").unwrap()];
    let target = ProofTarget { method: "POST", origins: &origins, path: "/token", access_token: None };
    assert_eq!(proof.check(&target, Timestamp::from_seconds(1_562_262_616)), Ok(()));
    assert_eq!(proof.check(&target, Timestamp::from_seconds(NOW)), Err(ProofError::Time));
}

#[test]
fn a_proof_for_another_request_is_none() {
    let client = Client::new();
    for (error, changes) in [
        (ProofError::Method, json!({"htm": "POST"})),
        (ProofError::Method, json!({"htm": "get"})),
        (ProofError::Address, json!({"htu": "https://rezept.example/stock/2"})),
        (ProofError::Address, json!({"htu": "https://rezept.example/stock/1/"})),
        (ProofError::Address, json!({"htu": "https://rezept.example/a/../stock/1"})),
        (ProofError::Address, json!({"htu": "https://rezept.example/stock%2F1"})),
        (ProofError::Address, json!({"htu": "https://rezept.example/Stock/1"})),
        (ProofError::Address, json!({"htu": "https://evil.example/stock/1"})),
        (ProofError::Address, json!({"htu": "https://rezept.example.evil.example/stock/1"})),
        (ProofError::Address, json!({"htu": "https://rezept.example@evil.example/stock/1"})),
        (ProofError::Address, json!({"htu": "https://rezept.example:8443/stock/1"})),
        (ProofError::Address, json!({"htu": "http://rezept.example/stock/1"})),
        (ProofError::Address, json!({"htu": "/stock/1"})),
        (ProofError::Address, json!({"htu": ""})),
        (ProofError::Token, json!({"ath": null})),
        (ProofError::Token, json!({"ath": hash_of("another.token.there")})),
        (ProofError::Token, json!({"ath": ""})),
    ] {
        let proof = client.proof(&changes).unwrap();
        assert_eq!(check_at(&proof, NOW), Err(error), "{changes}");
    }
}

#[test]
fn one_address_may_be_written_in_several_ways() {
    let client = Client::new();
    for htu in [
        "HTTPS://Rezept.EXAMPLE/stock/1",
        "https://rezept.example:443/stock/1",
        "https://rezept.example/stock/1?page=2",
        "https://rezept.example/stock/1#x",
        "https://rezept.example/st%6fck/%31",
        "https://rezept.example/st%6Fck/1",
    ] {
        let proof = client.proof(&json!({"htu": htu})).unwrap();
        assert_eq!(check_at(&proof, NOW), Ok(()), "{htu}");
    }
    assert_eq!(normalized(""), "/");
    assert_eq!(normalized("/%e3%81%82%2f%zz%"), "/%E3%81%82%2F%zz%");
}

#[test]
fn a_stale_proof_and_one_from_tomorrow_are_refused() {
    let proof = Client::new().proof(&json!({})).unwrap();
    for (second, held) in
        [(NOW, true), (NOW + 60, true), (NOW + 61, false), (NOW - 10, true), (NOW - 11, false)]
    {
        assert_eq!(check_at(&proof, second).is_ok(), held, "{}", second - NOW);
    }
    let ever = Client::new().proof(&json!({"iat": i64::MAX})).unwrap();
    assert_eq!(check_at(&ever, NOW), Err(ProofError::Time));
}

#[test]
fn a_private_key_in_a_proof_is_given_away_and_proves_nothing() {
    let client = Client::new();
    for (name, value) in [
        ("d", json!("x")),
        ("d", json!(null)),
        ("k", json!("c2VjcmV0")),
        ("p", json!("x")),
        ("q", json!("x")),
        ("dp", json!("x")),
        ("dq", json!("x")),
        ("qi", json!("x")),
        ("oth", json!([])),
    ] {
        let mut header = client.header();
        header["jwk"][name] = value;
        assert_eq!(DpopProof::verify(&client.sign(&header, &claims())), Err(ProofError::Key), "{name}");
    }
}

#[test]
fn no_header_talks_a_verifier_into_another_algorithm_key_or_type() {
    let (client, other) = (Client::new(), Client::new());
    let rsa = json!({"kty": "RSA", "n": base64url(&[0xff; 256]), "e": "AQAB"});
    let secret = json!({"kty": "oct", "k": "c2VjcmV0"});
    let with = |member: &str, value: Value| {
        let mut jwk = client.jwk();
        jwk[member] = value;
        json!({ "jwk": jwk })
    };
    for (error, changes) in [
        (ProofError::Algorithm, json!({"alg": "none"})),
        (ProofError::Algorithm, json!({"alg": "HS256"})),
        (ProofError::Algorithm, json!({"alg": "HS256", "jwk": secret})),
        (ProofError::Algorithm, json!({"alg": "RS256", "jwk": rsa})),
        (ProofError::Algorithm, json!({"alg": "ES384"})),
        (ProofError::Algorithm, json!({"alg": "es256"})),
        (ProofError::Algorithm, json!({"crit": ["b64"], "b64": false})),
        (ProofError::Algorithm, json!({"crit": null, "alg": "none"})),
        (ProofError::Key, json!({"alg": "EdDSA"})),
        (ProofError::Key, json!({"jwk": {"kty": "oct", "k": "c2VjcmV0"}})),
        (ProofError::Key, json!({"jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}})),
        (ProofError::Key, with("crv", json!("P-384"))),
        (ProofError::Key, with("use", json!("enc"))),
        (ProofError::Key, with("key_ops", json!(["sign"]))),
        (ProofError::Key, with("alg", json!("ES384"))),
        (ProofError::Type, json!({"typ": "JWT"})),
        (ProofError::Type, json!({"typ": "at+jwt"})),
        (ProofError::Type, json!({"typ": null})),
        (ProofError::Malformed, json!({"jwk": null})),
        (ProofError::Malformed, json!({"jwk": "https://evil.example/key"})),
        (ProofError::Signature, json!({"jwk": other.jwk()})),
        (ProofError::Signature, with("x", json!(base64url(&[1; 32])))),
    ] {
        let text = client.sign(&merged(client.header(), &changes), &claims());
        assert_eq!(DpopProof::verify(&text), Err(error), "{changes}");
    }
}

#[test]
fn a_proof_has_its_claims_and_nothing_more_than_its_length() {
    let client = Client::new();
    for changes in [
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": "x".repeat(257)}),
        json!({"jti": 7}),
        json!({"htm": null}),
        json!({"htu": null}),
        json!({"iat": null}),
        json!({"iat": "now"}),
        json!({"nonce": ""}),
        json!({"x": "x".repeat(4096)}),
    ] {
        assert_eq!(client.proof(&changes), Err(ProofError::Malformed), "{changes}");
    }
    let good = client.sign(&client.header(), &claims());
    for text in [
        String::new(),
        "..".into(),
        good.replacen('.', "..", 1),
        format!("{good}="),
        format!(" {good}"),
        good[..good.len() - 1].to_owned(),
        good.rsplit_once('.').unwrap().0.to_owned(),
    ] {
        assert!(DpopProof::verify(&text).is_err(), "{text:?}");
    }
    let twice = client.header().to_string().replacen('{', r#"{"alg":"none","#, 1);
    let text = format!("{}.{}", base64url(twice.as_bytes()), good.split_once('.').unwrap().1);
    assert_eq!(DpopProof::verify(&text), Err(ProofError::Malformed), "two algorithms");
}

#[test]
fn a_replayed_proof_is_refused_as_long_as_it_would_hold() {
    let used = UsedProofs::default();
    let (client, other) = (Client::new(), Client::new());
    let proof = client.proof(&json!({"iat": NOW + 10})).unwrap();
    let take = |proof: &DpopProof, second: i64| used.take(proof, "device", Timestamp::from_seconds(second));
    assert_eq!(take(&proof, NOW), Ok(()));
    for second in [NOW, NOW + 1, NOW + 30, NOW + 69, NOW + 70] {
        assert_eq!(check_at(&proof, second), Ok(()));
        assert_eq!(take(&proof, second), Err(ProofError::Used), "{}", second - NOW);
    }
    assert_eq!(take(&other.proof(&json!({})).unwrap(), NOW + 70), Ok(()), "its name is its own");
    assert_eq!(check_at(&proof, NOW + 71), Err(ProofError::Time));
    assert_eq!(take(&client.proof(&json!({"jti": "fresh"})).unwrap(), NOW + 200), Ok(()));
}

#[test]
fn whoever_floods_the_memory_holds_up_nobody_else() {
    let used = UsedProofs::default();
    let now = Timestamp::from_seconds(NOW);
    let (keys, other) = ([Client::new(), Client::new()], Client::new());
    let mut proofs = keys.map(|key| key.proof(&json!({})).unwrap());
    let taken = (0..10_000).take_while(|number| {
        let proof = &mut proofs[number % 2];
        proof.claims.jti = number.to_string();
        used.take(proof, "flooding", now).is_ok()
    });
    assert_eq!(taken.count(), 8192, "however many keys it makes");
    let [mut proof, _] = proofs;
    assert_eq!(used.take(&proof, "flooding", now), Err(ProofError::TooMany));
    proof.claims.jti = "0".into();
    assert_eq!(used.take(&proof, "flooding", now), Err(ProofError::Used), "what is full forgets nothing");
    assert_eq!(used.take(&proof, "another", now), Err(ProofError::Used), "nor does it for another");
    let mut own = other.proof(&json!({})).unwrap();
    own.claims.jti = "0".into();
    assert_eq!(used.take(&own, "another", now), Ok(()), "a name is one key's");
}
