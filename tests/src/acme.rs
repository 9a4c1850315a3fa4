//! An ACME client (RFC 8555) small enough to misbehave: it signs whatever it is told to.

use crate::curl::{Curl, CurlAnswer};
use crate::installation::{RunningInstallation, text_of};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, DnType, KeyPair};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What `tegata invite --acme` hands out.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The key identifier.
    pub kid: String,
    /// The HMAC key, base64url.
    pub hmac_key: String,
    /// The name to order.
    pub identifier: String,
    /// Where the directory is.
    pub directory: String,
    /// The invitation's code.
    pub code: String,
}

/// A client with a key of its own.
pub struct AcmeClient {
    /// What verifies its server, PEM.
    pub tls_ca: PathBuf,
    /// The key of its account.
    pub key: EcdsaKeyPair,
    /// What its server's directory says.
    pub directory: Value,
    /// Its account, once it has one.
    pub account: Option<String>,
    /// What it calls itself, instead of curl.
    pub user_agent: Option<&'static str>,
}

impl Binding {
    /// A fresh invitation for a device.
    pub fn invited(installation: &RunningInstallation, label: &str) -> Self {
        let told = installation.tell(&["invite", "--acme", "--label", label]);
        let acme = &told["acme"];
        let (_, code) = told["url"].as_str().and_then(|url| url.split_once('#')).expect("a link");
        Self {
            kid: text_of(acme, "kid"),
            hmac_key: text_of(acme, "hmac_key"),
            identifier: text_of(acme, "identifier"),
            directory: text_of(acme, "directory"),
            code: code.to_owned(),
        }
    }
}

impl AcmeClient {
    /// A new key, for the server behind this directory.
    pub fn new(installation: &RunningInstallation, directory: &str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.expect("a key");
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &SystemRandom::new());
        let tls_ca = installation.tls_ca.clone();
        let directory = Curl::to(directory).trusting(&tls_ca).send().expect(200).json();
        Self { tls_ca, key: key.expect("a key"), directory, account: None, user_agent: None }
    }

    /// A client with an account that is bound to a fresh invitation.
    pub fn registered(installation: &RunningInstallation, label: &str) -> (Self, Binding) {
        let binding = Binding::invited(installation, label);
        let mut client = Self::new(installation, &binding.directory);
        client.register(Some(&client.binding(&binding))).expect(201);
        (client, binding)
    }

    /// A URL of the directory.
    pub fn url(&self, name: &str) -> String {
        text_of(&self.directory, name)
    }

    /// A fresh nonce.
    pub fn nonce(&self) -> String {
        let answer = Curl::to(&self.url("newNonce")).trusting(&self.tls_ca).send().expect(204);
        answer.header("replay-nonce").to_owned()
    }

    /// Its public key.
    pub fn jwk(&self) -> Value {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y)})
    }

    /// RFC 7638.
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        encoded(digest(&SHA256, canonical.as_bytes()).as_ref())
    }

    /// A binding of its key, for its server's newAccount.
    pub fn binding(&self, binding: &Binding) -> Value {
        let key = URL_SAFE_NO_PAD.decode(&binding.hmac_key).expect("base64url");
        let header = json!({"alg": "HS256", "kid": binding.kid, "url": self.url("newAccount")});
        mac(&key, &header, &self.jwk())
    }

    /// Asks for an account, and keeps it.
    pub fn register(&mut self, binding: Option<&Value>) -> CurlAnswer {
        let mut payload = json!({"termsOfServiceAgreed": true});
        if let Some(binding) = binding {
            payload["externalAccountBinding"] = binding.clone();
        }
        let answer = self.post_as_key(&self.url("newAccount"), &payload);
        if matches!(answer.status, 200 | 201) {
            self.account = Some(answer.header("location").to_owned());
        }
        answer
    }

    /// Posts a payload, signed by the account.
    pub fn post(&self, url: &str, payload: &Value) -> CurlAnswer {
        self.send(url, &self.as_account(url, &self.nonce(), &payload.to_string()))
    }

    /// Fetches by POST-as-GET, signed by the account.
    pub fn read(&self, url: &str) -> CurlAnswer {
        self.send(url, &self.as_account(url, &self.nonce(), ""))
    }

    /// Posts a payload, signed by the key without its account.
    pub fn post_as_key(&self, url: &str, payload: &Value) -> CurlAnswer {
        let header = json!({"alg": "ES256", "nonce": self.nonce(), "url": url, "jwk": self.jwk()});
        self.send(url, &self.sign(&header, &payload.to_string()))
    }

    /// The body of a request of its account.
    pub fn as_account(&self, url: &str, nonce: &str, payload: &str) -> Value {
        let account = self.account.as_deref().expect("an account");
        let header = json!({"alg": "ES256", "nonce": nonce, "url": url, "kid": account});
        self.sign(&header, payload)
    }

    /// A JWS with any header.
    pub fn sign(&self, header: &Value, payload: &str) -> Value {
        let (header, payload) = (encoded(header.to_string().as_bytes()), encoded(payload.as_bytes()));
        let message = format!("{header}.{payload}");
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        json!({"protected": header, "payload": payload, "signature": encoded(signature.as_ref())})
    }

    /// Sends any body.
    pub fn send(&self, url: &str, body: &Value) -> CurlAnswer {
        let mut request = Curl::to(url).trusting(&self.tls_ca);
        if let Some(user_agent) = self.user_agent {
            request = request.header("user-agent", user_agent);
        }
        request.body("application/jose+json", body.to_string()).send()
    }

    /// Asks for an order.
    pub fn order(&self, kind: &str, name: &str) -> CurlAnswer {
        let payload = json!({"identifiers": [{"type": kind, "value": name}]});
        self.post(&self.url("newOrder"), &payload)
    }

    /// Finalizes an order for a key.
    pub fn finalize(&self, order: &CurlAnswer, key: &KeyPair) -> CurlAnswer {
        self.finalize_with(order, &request(key, "somebody else"))
    }

    /// Finalizes an order with any request, DER.
    pub fn finalize_with(&self, order: &CurlAnswer, csr: &[u8]) -> CurlAnswer {
        self.post(&text_of(&order.json(), "finalize"), &json!({ "csr": encoded(csr) }))
    }

    /// From an order that is ready to a chain in PEM.
    pub fn obtain(&self, kind: &str, name: &str, key: &KeyPair) -> String {
        let order = self.order(kind, name).expect(201);
        let done = self.finalize(&order, key).expect(200);
        self.read(&text_of(&done.json(), "certificate")).expect(200).text()
    }
}

/// A certificate request (PKCS #10, DER) with a common name that the server is not to believe.
pub fn request(key: &KeyPair, common_name: &str) -> Vec<u8> {
    let mut params = CertificateParams::new(vec!["tegata.example.com".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serialize_request(key).expect("a request").der().to_vec()
}

/// A JWS by HS256.
pub fn mac(key: &[u8], header: &Value, payload: &Value) -> Value {
    let (header, payload) = (encoded(header.to_string().as_bytes()), encoded(payload.to_string().as_bytes()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{header}.{payload}").as_bytes());
    json!({"protected": header, "payload": payload, "signature": encoded(tag.as_ref())})
}

/// base64url without padding.
pub fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The last part of a problem's type, and our code.
pub fn refusal(answer: &CurlAnswer) -> (String, String) {
    assert!(answer.header("content-type").starts_with("application/problem+json"), "{answer}");
    assert!(!answer.header("replay-nonce").is_empty(), "a nonce with every answer: {answer}");
    let problem = answer.json();
    let (kind, code) = (text_of(&problem, "type"), text_of(&problem, "code"));
    assert!(text_of(&problem, "detail").starts_with(&code), "{problem}");
    assert_eq!(problem["status"], answer.status, "{problem}");
    let kind = kind.strip_prefix("urn:ietf:params:acme:error:").expect("a type of RFC 8555");
    (kind.to_owned(), code)
}
