//! The life of a token as curl sees it. Where to go is found in the issuer's metadata.

use crate::curl::{Answer, Curl};
use crate::identity::Identity;
use crate::installation::Installation;

/// A token request of this device for the product.
pub fn request(installation: &Installation, device: &Identity) -> Curl {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &device.device),
        ("resource", &installation.product),
    ];
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
