//! The life of a token as curl sees it. Where to go is found in the issuer's metadata.

use crate::curl::{Answer, Curl};
use crate::identity::Identity;
use crate::installation::Installation;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A token request of this device for the product.
pub fn request(installation: &Installation, device: &Identity) -> Curl {
    request_for(installation, device, &installation.product)
}

/// The same for another product.
pub fn request_for(installation: &Installation, device: &Identity, product: &str) -> Curl {
    let fields =
        [("grant_type", "client_credentials"), ("client_id", &*device.device), ("resource", product)];
    installation.oauth("token_endpoint").as_device(device).form(&fields)
}

/// A token for the product.
pub fn obtain(installation: &Installation, device: &Identity) -> String {
    let answer = request(installation, device).send().expect(200);
    answer.json()["access_token"].as_str().expect("a token").to_owned()
}

/// What introspection says to this device about a token.
pub fn introspect(installation: &Installation, asking: &Identity, token: &str) -> Answer {
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
