//! Line 60 of what a conformance run checks.

use crate::tests::fixture::{DEVICE, OauthFixture, PORTAL};
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tegata_core::Role;
use tegata_core::claims::ACCESS_TOKEN;
use tegata_core::jws::{Jwks, KeySet, SigningKey};
use tegata_signals::SigningKeys;
use tower::ServiceExt;

async fn get(door: Router, path: &str) -> Value {
    let response = door.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status().as_u16(), 200, "{path}");
    assert!(response.headers()["content-type"].to_str().unwrap().ends_with("json"));
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn everything_is_found_from_the_issuer() {
    let fixture = OauthFixture::new().await;
    let metadata = get(fixture.portal(), "/.well-known/oauth-authorization-server").await;
    assert_eq!(metadata, get(fixture.device_door(), "/.well-known/oauth-authorization-server").await);
    assert_eq!(metadata["issuer"], PORTAL, "exactly (RFC 8414 section 3.3)");
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    assert_eq!(metadata, get(fixture.portal(), "/.well-known/openid-configuration").await);
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let grants = json!(["authorization_code", "client_credentials", "refresh_token", exchange]);
    assert_eq!(metadata["grant_types_supported"], grants);
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(metadata["authorization_endpoint"], format!("{DEVICE}/authorize"));
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true, "RFC 9207");
    for endpoint in ["token", "introspection", "revocation"] {
        let (url, methods) =
            (format!("{endpoint}_endpoint"), format!("{endpoint}_endpoint_auth_methods_supported"));
        assert!(metadata[&url].as_str().unwrap().starts_with(&format!("{DEVICE}/")), "{metadata}");
        assert_eq!(metadata["mtls_endpoint_aliases"][&url], metadata[&url]);
        assert_eq!(metadata[methods], json!(["tls_client_auth", "self_signed_tls_client_auth", "none"]));
    }
    assert_eq!(metadata["introspection_signing_alg_values_supported"], json!(["ES256"]), "RFC 9701");
    assert_eq!(metadata["jwks_uri"], format!("{PORTAL}/.well-known/jwks.json"));
    assert_eq!(metadata["tegata_feed_endpoint"], format!("{DEVICE}/feed"));
    assert_eq!(metadata["tegata_receipt_endpoint"], format!("{DEVICE}/feed/receipts"));
}

#[tokio::test]
async fn the_published_keys_verify_a_token_and_hold_no_secret() {
    let fixture = OauthFixture::new().await;
    let device = fixture.enroll(Role::Device).await;
    let published = get(fixture.portal(), "/.well-known/jwks.json").await;
    for key in published["keys"].as_array().unwrap() {
        assert!(key.get("d").is_none());
        assert_eq!((&key["kty"], &key["use"], &key["alg"]), (&json!("EC"), &json!("sig"), &json!("ES256")));
    }
    let jwks: Jwks = serde_json::from_value(published).unwrap();
    let token = fixture.obtain(&device).await;
    assert!(KeySet::from_jwks(&jwks).unwrap().verify(&token, ACCESS_TOKEN).is_ok());
}

#[tokio::test]
async fn a_change_of_keys_is_noticed_by_nobody_who_looks_at_the_published_set() {
    let fixture = OauthFixture::new().await;
    let device = fixture.enroll(Role::Device).await;
    let fresh = || Arc::new(SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap());
    let (old, new) = (fresh(), fresh());
    fixture.signals.issuer().set_keys(SigningKeys::new(old.clone(), [new.public().clone()]));
    let announced = published_set(&fixture).await;
    let before = fixture.obtain(&device).await;
    fixture.signals.issuer().set_keys(SigningKeys::new(new.clone(), [old.public().clone()]));
    let after = fixture.obtain(&device).await;
    for keys in [announced, published_set(&fixture).await] {
        for token in [&before, &after] {
            assert!(keys.verify(token, ACCESS_TOKEN).is_ok());
        }
    }
    assert!(KeySet::new([new.public().clone()]).verify(&after, ACCESS_TOKEN).is_ok(), "the new one signs");
    assert_eq!(fixture.introspect(&device, &before).await["active"], true);
}

async fn published_set(fixture: &OauthFixture) -> KeySet {
    let jwks: Jwks = serde_json::from_value(get(fixture.portal(), "/.well-known/jwks.json").await).unwrap();
    KeySet::from_jwks(&jwks).unwrap()
}

#[tokio::test]
async fn the_portal_has_no_endpoint_that_needs_a_certificate() {
    let fixture = OauthFixture::new().await;
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/feed/receipts", "/feed"] {
        let request = Request::post(path).body(Body::empty()).unwrap();
        assert_eq!(fixture.portal().oneshot(request).await.unwrap().status().as_u16(), 404, "{path}");
    }
}
