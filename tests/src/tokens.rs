//! The life of a token as curl sees it. Where to go is found in the issuer's metadata.

use crate::curl::{Curl, CurlAnswer};
use crate::identity::DeviceIdentity;
use crate::installation::RunningInstallation;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use std::path::Path;

/// A token request of this device for the product.
pub fn request(installation: &RunningInstallation, device: &DeviceIdentity) -> Curl {
    request_for(installation, device, &installation.product)
}

/// Requests a token for another product.
pub fn request_for(installation: &RunningInstallation, device: &DeviceIdentity, product: &str) -> Curl {
    let fields =
        [("grant_type", "client_credentials"), ("client_id", &*device.device), ("resource", product)];
    installation.oauth("token_endpoint").as_device(device).form(&fields)
}

/// A token for the product.
pub fn obtain(installation: &RunningInstallation, device: &DeviceIdentity) -> String {
    let answer = request(installation, device).send().expect(200);
    answer.json()["access_token"].as_str().expect("a token").to_owned()
}

/// What introspection says to this device about a token.
pub fn introspect(installation: &RunningInstallation, asking: &DeviceIdentity, token: &str) -> CurlAnswer {
    let fields = [("client_id", &*asking.device), ("token", token)];
    installation.oauth("introspection_endpoint").as_device(asking).form(&fields).send()
}

/// The header of a signed token.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// What a signed token says, unverified.
pub fn payload(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).expect("a part");
    let json = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

/// A token of one's own making, signed by the P-256 key in this PEM file.
pub fn signed(key: &Path, header: &Value, claims: &Value) -> String {
    let key = PrivatePkcs8KeyDer::from_pem_file(key).expect("a key");
    let chance = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.secret_pkcs8_der(), &chance);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = key.expect("a key for P-256").sign(&chance, text.as_bytes()).expect("a signature");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
