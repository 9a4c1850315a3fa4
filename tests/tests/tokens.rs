//! Product teams take any OAuth library, point it at the issuer, and it works.

use serde_json::{Value, json};
use tegata_tests::{DeviceIdentity, RunningInstallation, clients};

#[test]
fn openid_client_discovers_the_issuer_and_lives_the_life_of_a_token() {
    holds_its_promise("openid-client.mjs");
}

#[test]
fn oauth4webapi_discovers_the_issuer_and_lives_the_life_of_a_token() {
    let seen = holds_its_promise("oauth4webapi.mjs");
    assert_eq!(seen["signed"], seen["introspected"], "the same, signed (RFC 9701)");
}

fn holds_its_promise(client: &str) -> Value {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let seen = clients::run(client, &asked(&installation, &device));

    let metadata = &seen["metadata"];
    assert_eq!(metadata["issuer"], *installation.issuer, "exactly (RFC 8414 section 3.3)");
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    let aliases = &metadata["mtls_endpoint_aliases"];
    assert!(aliases["token_endpoint"].as_str().is_some_and(|url| url.starts_with(&installation.device)));

    let token = &seen["token"];
    assert_eq!(token["token_type"].as_str().map(str::to_ascii_lowercase).as_deref(), Some("bearer"));
    assert!(token["refresh_token"].is_null(), "RFC 6749 section 4.4.3");
    let lifetime = token["expires_in"].as_u64().expect("a lifetime");
    assert!((1..=300).contains(&lifetime), "{lifetime} s");

    claims_are_right(&seen["claims"], &installation, &device);
    assert_eq!(seen["introspected"]["active"], true, "{seen}");
    assert_eq!(seen["introspected"]["cnf"]["x5t#S256"], *device.thumbprint, "RFC 8705 section 3.2");
    assert_eq!(seen["afterwards"], json!({ "active": false }), "a revoked token says nothing else");
    seen
}

fn claims_are_right(claims: &Value, installation: &RunningInstallation, device: &DeviceIdentity) {
    assert_eq!(claims["iss"], *installation.issuer);
    assert_eq!(claims["aud"], *installation.product);
    assert_eq!(claims["client_id"], *device.device);
    assert_eq!(claims["device"], *device.device);
    assert_eq!(claims["generation"], device.generation);
    assert_eq!(claims["sub"], format!("device:{}", device.device), "no person's subject looks like this");
    assert_eq!(claims["cnf"], json!({ "x5t#S256": own_thumbprint(device) }), "bound, and to nothing else");
    for name in ["tenant", "site", "jti"] {
        assert!(claims[name].as_str().is_some_and(|text| text.len() >= 22), "{name}: {claims}");
    }
}

/// The thumbprint that RFC 8705 section 3.1 asks for, computed by openssl.
fn own_thumbprint(device: &DeviceIdentity) -> String {
    let certificate = device.file("cert.pem");
    let line =
        tegata_tests::run("openssl", &["x509", "-in", &certificate, "-noout", "-fingerprint", "-sha256"]);
    let (_, hex) = line.trim().split_once('=').expect("a fingerprint");
    let bytes: Vec<u8> =
        hex.split(':').map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect();
    let base64 = tegata_tests::csr::encoded(&bytes);
    base64.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn asked(installation: &RunningInstallation, device: &DeviceIdentity) -> Value {
    json!({
        "issuer": installation.issuer,
        "device": device.device,
        "resource": installation.product,
        "cert": device.file("chain.pem"),
        "key": device.file("key.pem"),
        "ca": installation.tls_ca,
    })
}
