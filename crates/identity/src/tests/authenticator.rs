//! An authenticator in software: one ES256 key, which counts.

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use std::cell::Cell;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_testkit::DEVICE;

/// The host of [`DEVICE`].
const SITE: &str = "device.example";

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const ATTESTED: u8 = 1 << 6;

pub(super) struct TestAuthenticator {
    pair: EcdsaKeyPair,
    pub(super) id: Vec<u8>,
    pub(super) counter: Cell<u32>,
    /// Whether it verifies who touches it.
    pub(super) verifies: Cell<bool>,
    /// What the page is that asks, as the browser says.
    pub(super) origin: Cell<&'static str>,
    user_handle: Cell<Option<String>>,
}

impl TestAuthenticator {
    pub(super) fn new(id: &[u8]) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random);
        Self {
            pair: pair.unwrap(),
            id: id.to_vec(),
            counter: Cell::new(0),
            verifies: Cell::new(true),
            origin: Cell::new(DEVICE),
            user_handle: Cell::default(),
        }
    }

    /// What a page's script puts into the form for these creation options.
    pub(super) fn create(&self, options: &Value) -> String {
        self.user_handle.set(options["user"]["id"].as_str().map(str::to_owned));
        let point = self.pair.public_key().as_ref();
        let key =
            [&b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"[..], &point[1..33], b"\x22\x58\x20", &point[33..]];
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let data = [&self.data(ATTESTED)[..], &[0; 16], &length, &self.id, &key.concat()].concat();
        let size = [u8::try_from(data.len()).unwrap()];
        let object = [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58", &size[..], &data].concat();
        let client = self.client("webauthn.create", options);
        json!({"clientDataJSON": base64url(&client), "attestationObject": base64url(&object)}).to_string()
    }

    /// What a page's script puts into the form for these request options.
    pub(super) fn get(&self, options: &Value) -> String {
        if self.counter.get() > 0 {
            self.counter.set(self.counter.get() + 1);
        }
        let (client, data) = (self.client("webauthn.get", options), self.data(0));
        let signed = [&data[..], digest(&SHA256, &client).as_ref()].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        let user_handle = self.user_handle.take();
        self.user_handle.set(user_handle.clone());
        json!({
            "id": base64url(&self.id), "clientDataJSON": base64url(&client), "authenticatorData": base64url(&data),
            "signature": base64url(signature.as_ref()), "userHandle": user_handle.unwrap_or_default(),
        })
        .to_string()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let flags = PRESENT | more | if self.verifies.get() { VERIFIED } else { 0 };
        let counter = self.counter.get().to_be_bytes();
        [digest(&SHA256, SITE.as_bytes()).as_ref(), &[flags], &counter].concat()
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = options["challenge"].as_str().unwrap();
        assert!(from_base64url(challenge).is_some_and(|challenge| challenge.len() >= 16));
        json!({"type": kind, "challenge": challenge, "origin": self.origin.get(), "crossOrigin": false})
            .to_string()
            .into_bytes()
    }
}
