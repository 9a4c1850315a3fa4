//! Lines 56-58 of what a conformance run checks.

use crate::tests::fixture::{
    CertificateHolderFixture, LIFETIME, OTHER_PRODUCT, OauthFixture, PRODUCT, START,
};
use serde_json::json;
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims};
use tegata_core::feed::TokenHolder as Signed;
use tegata_core::jws::SigningKey;
use tegata_core::{RevocationReason, Role};
use tegata_signals::SigningKeys;
use tegata_storage::{DeviceAction, TenantAction};

const PATH: &str = "/oauth/introspect";

struct IntrospectionRequest {
    fixture: OauthFixture,
    device: CertificateHolderFixture,
    gate: CertificateHolderFixture,
    token: String,
}

impl IntrospectionRequest {
    async fn new() -> Self {
        let fixture = OauthFixture::new().await;
        let (device, gate) = (fixture.enroll(Role::Device).await, fixture.enroll(Role::Gate).await);
        let token = fixture.obtain(&device).await;
        Self { fixture, device, gate, token }
    }

    async fn is_inactive(&self, token: &str) {
        let answer = self.fixture.about(PATH, &self.gate, token).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, r#"{"active":false}"#));
    }
}

#[tokio::test]
async fn a_gate_learns_what_a_living_token_says() {
    let asked = IntrospectionRequest::new().await;
    let answer = asked.fixture.about(PATH, &asked.gate, &asked.token).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let body = answer.json();
    assert_eq!((&body["active"], &body["token_type"]), (&json!(true), &json!("Bearer")));
    assert_eq!(body["cnf"], json!({"x5t#S256": asked.device.certificate.thumbprint}), "line 58");
    assert_eq!((&body["client_id"], &body["aud"]), (&json!(asked.device.id), &json!(PRODUCT)));
    assert_eq!(body["exp"], START.seconds() + 300);
}

#[tokio::test]
async fn whoever_does_not_say_who_asks_learns_nothing() {
    let asked = IntrospectionRequest::new().await;
    let body = format!("client_id={}&token={}", asked.gate.id, asked.token);
    asked.fixture.post(PATH, None, body).await.is_error(401, "invalid_client", "C-01");
    asked.fixture.act(&asked.gate, DeviceAction::Suspend).await;
    asked.fixture.about(PATH, &asked.gate, &asked.token).await.is_error(401, "invalid_client", "C-07");
    asked.fixture.act(&asked.gate, DeviceAction::Resume).await;
    let nothing = asked.fixture.about(PATH, &asked.gate, "").await;
    nothing.is_error(400, "invalid_request", "R-01");
}

#[tokio::test]
async fn a_device_learns_of_its_own_tokens_only() {
    let asked = IntrospectionRequest::new().await;
    assert_eq!(asked.fixture.introspect(&asked.device, &asked.token).await["active"], true);
    let other = asked.fixture.enroll(Role::Device).await;
    assert_eq!(asked.fixture.introspect(&other, &asked.token).await, json!({"active": false}));
}

#[tokio::test]
async fn a_token_for_another_product_than_the_one_named_is_inactive() {
    let asked = IntrospectionRequest::new().await;
    for (audience, active) in [(PRODUCT, true), (OTHER_PRODUCT, false)] {
        let body = format!("client_id={}&token={}&audience={audience}", asked.gate.id, asked.token);
        let answer = asked.fixture.post(PATH, Some(&asked.gate.certificate), body).await;
        assert_eq!(answer.json()["active"], active, "{audience}");
    }
}

#[tokio::test]
async fn a_token_dies_and_returns_with_the_standing_of_its_device() {
    let asked = IntrospectionRequest::new().await;
    asked.fixture.act(&asked.device, DeviceAction::Suspend).await;
    asked.is_inactive(&asked.token).await;
    asked.fixture.act(&asked.device, DeviceAction::Resume).await;
    assert_eq!(asked.fixture.introspect(&asked.gate, &asked.token).await["active"], true);
    asked.fixture.act(&asked.device, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    asked.is_inactive(&asked.token).await;
}

#[tokio::test]
async fn a_token_follows_its_tenants_state_while_gates_go_on_asking() {
    let asked = IntrospectionRequest::new().await;
    asked.fixture.act_on_tenant(TenantAction::Suspend).await;
    asked.is_inactive(&asked.token).await;
    asked.fixture.act_on_tenant(TenantAction::Resume).await;
    assert_eq!(asked.fixture.introspect(&asked.gate, &asked.token).await["active"], true);
}

#[tokio::test]
async fn a_device_that_is_signed_out_loses_its_tokens_and_no_other_device_does() {
    let asked = IntrospectionRequest::new().await;
    let other = asked.fixture.enroll(Role::Device).await;
    let others = asked.fixture.obtain(&other).await;
    asked.fixture.advance(Duration::from_secs(1)).await;
    asked.fixture.sign_out(&Signed::Device(asked.device.id.clone())).await;
    asked.is_inactive(&asked.token).await;
    assert_eq!(asked.fixture.introspect(&asked.gate, &others).await["active"], true);
    asked.fixture.sign_out(&Signed::Tenant(asked.fixture.tenant.clone())).await;
    asked.is_inactive(&others).await;
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let asked = IntrospectionRequest::new().await;
    asked.fixture.advance(LIFETIME.saturating_sub(Duration::from_secs(1))).await;
    assert_eq!(asked.fixture.introspect(&asked.gate, &asked.token).await["active"], true);
    asked.fixture.advance(Duration::from_secs(1)).await;
    asked.is_inactive(&asked.token).await;
}

#[tokio::test]
async fn what_this_server_did_not_sign_as_an_access_token_is_inactive() {
    let asked = IntrospectionRequest::new().await;
    let payload = asked.fixture.published().verify(&asked.token, ACCESS_TOKEN).unwrap();
    let stranger = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    asked.is_inactive(&stranger.sign(ACCESS_TOKEN, &payload).unwrap()).await;
    let claims: AccessClaims = serde_json::from_slice(&payload).unwrap();
    let keys = asked.fixture.tokens.clone();
    asked.is_inactive(&keys.sign("JWT", &claims).unwrap()).await;
    let elsewhere = AccessClaims { iss: "https://elsewhere.example".into(), ..claims.clone() };
    asked.is_inactive(&keys.sign(ACCESS_TOKEN, &elsewhere).unwrap()).await;
    let gone = AccessClaims { aud: "https://gone.example".into(), ..claims.clone() };
    asked.is_inactive(&keys.sign(ACCESS_TOKEN, &gone).unwrap()).await;
    let torn = AccessClaims { device: asked.gate.id.clone(), ..claims };
    asked.is_inactive(&keys.sign(ACCESS_TOKEN, &torn).unwrap()).await;
    for text in ["x", "a.b.c", "%00"] {
        asked.is_inactive(text).await;
    }
}

#[tokio::test]
async fn a_token_of_yesterday_s_key_lives_on_while_that_key_is_published() {
    let asked = IntrospectionRequest::new().await;
    let fresh = || SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    let old = fresh();
    let payload = asked.fixture.published().verify(&asked.token, ACCESS_TOKEN).unwrap();
    let token = old.sign(ACCESS_TOKEN, &payload).unwrap();
    let tokens = &asked.fixture.tokens;
    assert!(tokens.own(&token, START).is_none());
    asked.fixture.signals.issuer().set_keys(SigningKeys::new(fresh(), [old.public().clone()]));
    assert!(tokens.own(&token, START).is_some());
    asked.fixture.signals.issuer().set_keys(SigningKeys::new(fresh(), []));
    assert!(tokens.own(&token, START).is_none());
}

#[tokio::test]
async fn a_deaf_memory_calls_nothing_active() {
    let asked = IntrospectionRequest::new().await;
    asked.fixture.deafen().await;
    asked.fixture.clock.set(START.plus(Duration::from_millis(1001)));
    let answer = asked.fixture.about(PATH, &asked.gate, &asked.token).await;
    answer.is_error(503, "temporarily_unavailable", "S-01");
}
