//! The platform's authorization server, as far as a gate needs it: whoever asks is signed in at once.

use super::{AUDIENCE, TestPlatform, site, tenant};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tegata_core::encoding::base64url;
use tegata_core::jws::SigningKey;
use tegata_core::{DeviceId, Thumbprint};

/// A person, as tokens call them.
pub const PERSON: &str = "person:ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";

/// What the authorization server remembers and how it misbehaves.
#[derive(Default)]
pub struct ProviderFacts {
    /// What a code stands for, until it is exchanged.
    pub codes: HashMap<String, GrantedCode>,
    pub exchanges: usize,
    /// How often the token endpoint was asked, whatever came of it.
    pub asked: usize,
    /// How often the metadata was asked for, and how long it takes.
    pub metadata_asked: usize,
    pub metadata_after: Duration,
    /// Members that replace those of the next ID tokens; null takes one out.
    pub lies: Value,
    /// Answers of the token endpoint in place of its own.
    pub broken: Option<(u16, String)>,
    /// The type of the next ID tokens.
    pub typ: Option<&'static str>,
}

pub struct GrantedCode {
    pub claims: Value,
    pub challenge: String,
    pub redirect_uri: String,
}

/// What a gate asked the authorization endpoint for.
#[derive(Clone, Debug)]
pub struct Asked(pub HashMap<String, String>);

impl Asked {
    pub fn of(location: &str) -> Self {
        let (_, query) = location.split_once('?').expect("a query");
        Self(serde_urlencoded::from_str(query).unwrap())
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Fails unless it is what the sign-in for this product asks for.
    pub fn is_as_expected(&self) {
        assert_eq!(self.get("response_type"), "code");
        assert_eq!(self.get("client_id"), "client");
        assert_eq!(self.get("redirect_uri"), "https://localhost/.tegata/callback");
        assert_eq!((self.get("scope"), self.get("resource")), ("openid", AUDIENCE));
        assert_eq!(self.get("code_challenge_method"), "S256");
        assert_eq!((self.get("state").len(), self.get("nonce").len()), (22, 22));
    }
}

impl TestPlatform {
    /// Grants what was asked for, to this device with this certificate: path and query of the way back.
    pub fn grant(&self, asked: &Asked, device: &DeviceId, certificate: Thumbprint) -> String {
        let now = tegata_core::Clock::now(&*self.clock).seconds();
        let alone = asked.get("acr_values") == "urn:tegata:acr:device";
        let mut claims = json!({
            "iss": self.issuer, "aud": asked.get("client_id"), "iat": now, "exp": now + 300,
            "nonce": asked.get("nonce"), "tenant": tenant(), "site": site(), "device": device, "generation": 3,
            "cnf": { "x5t#S256": certificate }, "amr": ["hwk"], "acr": "urn:tegata:acr:device",
            "sub": format!("device:{device}"),
        });
        if !alone {
            claims["sub"] = PERSON.into();
            claims["acr"] = "urn:tegata:acr:mfa".into();
            claims["amr"] = json!(["pwd", "otp", "hwk"]);
            claims["auth_time"] = (now - 60).into();
            claims["sid"] = "session-0123456789".into();
        }
        let mut facts = self.facts();
        let code = format!("code-{}", facts.provider.exchanges + facts.provider.codes.len());
        let redirect_uri = asked.get("redirect_uri").to_owned();
        let challenge = asked.get("code_challenge").to_owned();
        facts.provider.codes.insert(code.clone(), GrantedCode { claims, challenge, redirect_uri });
        let issuer = self.issuer.clone();
        let query =
            serde_urlencoded::to_string([("code", &*code), ("state", asked.get("state")), ("iss", &issuer)]);
        format!("/.tegata/callback?{}", query.unwrap())
    }
}

impl ProviderFacts {
    /// Status and body of the token endpoint.
    pub fn exchange(&mut self, form: &str, key: &SigningKey) -> (u16, String) {
        self.asked += 1;
        if let Some(broken) = &self.broken {
            return broken.clone();
        }
        let form: HashMap<String, String> = serde_urlencoded::from_str(form).unwrap();
        let refused = (400, json!({"error": "invalid_grant"}).to_string());
        // A code works once, whatever comes of it.
        let Some(granted) = self.codes.remove(&form["code"]) else { return refused };
        self.exchanges += 1;
        let challenge = base64url(digest(&SHA256, form["code_verifier"].as_bytes()).as_ref());
        let fits = form["grant_type"] == "authorization_code"
            && form["redirect_uri"] == granted.redirect_uri
            && form["client_id"] == granted.claims["aud"]
            && challenge == granted.challenge;
        if !fits {
            return refused;
        }
        let mut claims = granted.claims;
        for (name, value) in self.lies.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let typ = self.typ.unwrap_or("JWT");
        let id_token = key.sign(typ, claims.to_string().as_bytes()).unwrap();
        (200, json!({"access_token": "x", "token_type": "Bearer", "id_token": id_token}).to_string())
    }
}
