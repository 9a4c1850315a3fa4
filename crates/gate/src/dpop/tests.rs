//! Tokens that are bound to a key, at a gate that takes them; attacks by their names.

use super::*;
use crate::check::tests::{GateFixture, NOW, at, certificate, new_key};
use serde_json::{Value, json};
use tegata_core::dpop::{hash_of, proof_by};
use tegata_core::jws::SigningKey;

const ORDERS: &str = "https://rezept.example/orders";

/// A device whose client has a key.
struct KeyFixture {
    gate: GateFixture,
    key: SigningKey,
    token: String,
}

impl KeyFixture {
    fn new() -> Self {
        let mut gate = GateFixture::new();
        gate.take_keys_at("https://rezept.example");
        let key = new_key();
        let token = gate.token_with(bound_to(&key));
        Self { gate, key, token }
    }

    fn proof(&self, others: &Value) -> String {
        proof_of(&self.key, &self.token, others)
    }

    /// What the gate decides about `GET /orders` with these proofs.
    fn ask(&self, token: &str, proofs: &[&str]) -> Result<(), Refusal> {
        self.ask_for(token, proofs, Some(RequestLine { method: "GET", path: "/orders" }))
    }

    fn ask_for(&self, token: &str, proofs: &[&str], line: Option<RequestLine<'_>>) -> Result<(), Refusal> {
        let headers = proofs.iter().map(|proof| (PROOF, proof.parse().unwrap())).collect();
        let request = ProofRequest { token, headers: &headers, line };
        self.gate.gate.check_proof(&request, at(0)).map(drop)
    }
}

/// The claims of a token that is bound to this key, and says which certificate the device had shown.
fn bound_to(key: &SigningKey) -> Value {
    let proof = DpopProof::verify(&proof_of(key, "", &json!({}))).unwrap();
    json!({"cnf": {"jkt": proof.key()}, "x5t#S256": certificate()})
}

/// `null` takes a claim away.
fn proof_of(key: &SigningKey, token: &str, others: &Value) -> String {
    let mut claims = json!({"jti": "1", "htm": "GET", "htu": ORDERS, "iat": NOW, "ath": hash_of(token)});
    for (name, value) in others.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    proof_by(key, claims.to_string().as_bytes()).unwrap()
}

#[test]
fn a_request_with_the_proof_of_its_token_s_key_passes_and_says_by_what() {
    let fixture = KeyFixture::new();
    let (proof, line) = (fixture.proof(&json!({})), RequestLine { method: "GET", path: "/orders" });
    let headers = [(PROOF, proof.parse().unwrap())].into_iter().collect();
    let request = ProofRequest { token: &fixture.token, headers: &headers, line: Some(line) };
    let verified = fixture.gate.gate.check_proof(&request, at(0)).unwrap();
    assert_eq!(verified.key(), Some(DpopProof::verify(&proof).unwrap().key()));
    assert_eq!((verified.thumbprint(), verified.generation()), (&certificate(), 1));
    for number in 2..10 {
        let proof = fixture.proof(&json!({"jti": number.to_string(), "nonce": "of another server"}));
        assert_eq!(fixture.ask(&fixture.token, &[&proof]), Ok(()), "warm");
    }
}

#[test]
fn a_missing_stale_or_replayed_proof_or_one_for_another_request_is_none() {
    let fixture = KeyFixture::new();
    let refused = Err(Refusal::DpopProofInvalid);
    let good = fixture.proof(&json!({}));
    let second = fixture.proof(&json!({"jti": "2"}));
    for proofs in [&[][..], &[&*good, &*second], &["x"], &[""]] {
        assert_eq!(fixture.ask(&fixture.token, proofs), refused, "{proofs:?}");
    }
    for changes in [
        json!({"htm": "POST"}),
        json!({"htu": "https://rezept.example/orders/7"}),
        json!({"htu": "https://evil.example/orders"}),
        json!({"htu": "http://rezept.example/orders"}),
        json!({"iat": NOW - 61}),
        json!({"iat": NOW + 11}),
        json!({"ath": null}),
        json!({"ath": hash_of("another token")}),
    ] {
        assert_eq!(fixture.ask(&fixture.token, &[&fixture.proof(&changes)]), refused, "{changes}");
    }
    assert_eq!(fixture.ask_for(&fixture.token, &[&good], None), refused, "nobody says what was asked for");
    assert_eq!(fixture.ask(&fixture.token, &[&good]), Ok(()), "nothing used it up");
    assert_eq!(fixture.ask(&fixture.token, &[&good]), refused, "replayed");
}

#[test]
fn a_stolen_token_is_nothing_with_a_foreign_key_or_none() {
    let fixture = KeyFixture::new();
    let thief = new_key();
    let proof = proof_of(&thief, &fixture.token, &json!({}));
    assert_eq!(fixture.ask(&fixture.token, &[&proof]), Err(Refusal::DpopProofInvalid));
    for presented in [None, Some(certificate()), Some(tegata_core::Thumbprint::of(b"another"))] {
        let stripped = fixture.gate.gate.check(&fixture.token, presented, at(0)).map(drop);
        assert_eq!(stripped, Err(Refusal::DpopProofInvalid), "stripped to Bearer");
    }
    let bound = fixture.gate.token();
    let proof = proof_of(&fixture.key, &bound, &json!({}));
    assert_eq!(fixture.ask(&bound, &[&proof]), Err(Refusal::DpopProofInvalid), "bound to the certificate");
    assert_eq!(fixture.gate.gate.check(&bound, None, at(0)).map(drop), Err(Refusal::NoCertificate));
    assert_eq!(fixture.gate.check(&bound), Ok(()), "certificates count as ever");
}

#[test]
fn a_token_with_a_mixed_confirmation_is_none() {
    let fixture = KeyFixture::new();
    let (jkt, x5t) = (bound_to(&fixture.key)["cnf"]["jkt"].clone(), json!(certificate()));
    for changes in [
        json!({"cnf": {"jkt": jkt, "x5t#S256": x5t}, "x5t#S256": x5t}),
        json!({"cnf": {"jkt": jkt}}),
        json!({"cnf": {"jkt": jkt}, "x5t#S256": "short"}),
        json!({"cnf": {"x5t#S256": x5t}, "x5t#S256": x5t}),
    ] {
        let token = fixture.gate.token_with(changes.clone());
        let proof = proof_of(&fixture.key, &token, &json!({}));
        assert_eq!(fixture.ask(&token, &[&proof]), Err(Refusal::TokenInvalid), "{changes}");
        assert_eq!(fixture.gate.check(&token), Err(Refusal::TokenInvalid), "{changes}");
    }
}

#[test]
fn a_gate_that_was_not_told_to_takes_no_token_of_a_key() {
    let gate = GateFixture::new();
    let key = new_key();
    let token = gate.token_with(bound_to(&key));
    let headers = [(PROOF, proof_of(&key, &token, &json!({})).parse().unwrap())].into_iter().collect();
    let line = Some(RequestLine { method: "GET", path: "/orders" });
    let request = ProofRequest { token: &token, headers: &headers, line };
    assert_eq!(gate.gate.check_proof(&request, at(0)).map(drop), Err(Refusal::TokenMissing));
    assert_eq!(gate.check(&token), Err(Refusal::TokenInvalid));
    assert_eq!(gate.gate.check(&token, None, at(0)).map(drop), Err(Refusal::NoCertificate));
}

#[test]
fn what_ends_the_device_s_certificate_ends_the_token_of_its_key() {
    use tegata_core::feed::{Change, Denial};
    for (change, refusal) in [
        (
            Change::DeviceDenied { device: GateFixture::new().device, reason: Denial::Suspended },
            Refusal::DeviceSuspended,
        ),
        (
            Change::CertificateDenied {
                thumbprint: certificate(),
                reason: Denial::Revoked,
                until: Timestamp::from_seconds(NOW + 1000),
            },
            Refusal::CertificateRevoked,
        ),
        (
            Change::TokenDenied { jti: "token-1".into(), until: Timestamp::from_seconds(NOW + 1000) },
            Refusal::TokenRevoked,
        ),
    ] {
        let mut fixture = KeyFixture::new();
        assert_eq!(fixture.ask(&fixture.token, &[&fixture.proof(&json!({}))]), Ok(()));
        fixture.gate.happen(change);
        assert_eq!(fixture.ask(&fixture.token, &[&fixture.proof(&json!({"jti": "2"}))]), Err(refusal));
    }
}

#[test]
fn whoever_is_refused_learns_how_a_token_of_a_key_is_sent() {
    let told = |refusal: Refusal, by_key: bool| {
        let mut headers = HeaderMap::new();
        headers.extend(www_authenticate(refusal).map(|challenge| (WWW_AUTHENTICATE, challenge)));
        challenge(refusal, by_key, &mut headers);
        let all = headers.get_all(WWW_AUTHENTICATE).iter();
        all.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let algorithms = r#"algs="ES256 EdDSA Ed25519""#;
    assert_eq!(told(Refusal::TokenMissing, false), ["Bearer".to_owned(), format!("DPoP {algorithms}")]);
    let invalid = told(Refusal::DpopProofInvalid, true);
    assert!(invalid[0].starts_with(r#"DPoP error="invalid_dpop_proof", error_description="T-20 "#));
    assert!(invalid[0].ends_with(algorithms) && invalid.len() == 1, "{invalid:?}");
    assert_eq!(told(Refusal::DpopProofInvalid, false), invalid, "a token that was stripped");
    assert!(told(Refusal::TokenEnded, true)[0].starts_with(r#"DPoP error="invalid_token""#));
    assert!(told(Refusal::TokenEnded, false)[0].starts_with(r#"Bearer error="invalid_token""#));
    assert!(told(Refusal::ScopeInsufficient, true)[0].starts_with(r#"DPoP error="insufficient_scope""#));
    assert_eq!(told(Refusal::GateStale, true), Vec::<String>::new());
}
