//! Lines 36-40 of what a conformance run checks: a refresh token belongs to the device.

use crate::RefreshRules;
use crate::access_token::TokenRequest;
use crate::refresh_grant;
use crate::tests::fixture::{CertificateHolderFixture, OTHER_PRODUCT, OauthFixture, PRODUCT, TestResponse};
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, person_subject};
use tegata_core::feed::TokenHolder as Signed;
use tegata_core::{RevocationReason, Role};
use tegata_storage::DeviceAction;
use tegata_testkit::Everything;

const REVOKE: &str = "/oauth/revoke";

/// A device where a person has signed in.
struct RefreshSession {
    fixture: OauthFixture,
    device: CertificateHolderFixture,
    person: String,
    first: String,
    /// The access token that came with the first value.
    access: String,
}

impl RefreshSession {
    async fn begin() -> Self {
        Self::begin_with(None).await
    }

    async fn begin_with(scope: Option<&str>) -> Self {
        let fixture = OauthFixture::new().await;
        let device = fixture.enroll(Role::Device).await;
        let person = person_subject("https://idp.example", "staff-1");
        let now = fixture.context.now();
        let facts = fixture.context.caller(Some(&device.certificate), now).await.unwrap();
        let terms = TokenRequest {
            audience: PRODUCT,
            scope: scope.map(str::to_owned),
            person: Some(&person),
            key: None,
        };
        let claims = fixture.tokens.claims(&facts, terms, now);
        let first = refresh_grant::start(&fixture.tokens, &claims, Some(&person), now).await.unwrap();
        let access = fixture.tokens.sign(ACCESS_TOKEN, &claims).unwrap();
        Self { fixture, device, person, first: first.reveal(), access }
    }

    async fn ask(&self, holder: &CertificateHolderFixture, value: &str, more: &str) -> TestResponse {
        let body = format!("grant_type=refresh_token&client_id={}&refresh_token={value}{more}", holder.id);
        self.fixture.post("/oauth/token", Some(&holder.certificate), body).await
    }

    /// The answer to a value that must work.
    async fn refresh(&self, holder: &CertificateHolderFixture, value: &str) -> Value {
        let answer = self.ask(holder, value, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// Refreshes as [`RefreshSession::refresh`] does, and gives the next value only.
    async fn next(&self, value: &str) -> String {
        self.refresh(&self.device, value).await["refresh_token"].as_str().unwrap().to_owned()
    }

    async fn is_over(&self, value: &str) {
        self.ask(&self.device, value, "").await.is_error(400, "invalid_grant", "T-01");
    }

    fn claims(&self, answer: &Value) -> Value {
        let token = answer["access_token"].as_str().unwrap();
        serde_json::from_slice(&self.fixture.published().verify(token, ACCESS_TOKEN).unwrap()).unwrap()
    }

    async fn newest_entry(&self) -> Value {
        let log = self.fixture.context.ledger.everything().audit_of(&self.device.id, 1).await.unwrap();
        serde_json::from_str(&log[0].entry).unwrap()
    }
}

#[tokio::test]
async fn a_person_stays_signed_in_on_the_device_without_the_identity_provider() {
    let session = RefreshSession::begin().await;
    let answer = session.refresh(&session.device, &session.first).await;
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(300)));
    let claims = session.claims(&answer);
    assert_eq!(claims["sub"], session.person);
    assert_eq!(claims["act"], json!({"sub": format!("device:{}", session.device.id)}));
    assert_eq!((&claims["aud"], &claims["client_id"]), (&json!(PRODUCT), &json!(session.device.id)));
    assert_eq!(claims["cnf"]["x5t#S256"], session.device.certificate.thumbprint.to_string());

    let next = answer["refresh_token"].as_str().unwrap();
    assert_ne!(next, session.first);
    let secret = next.split_once('.').unwrap().1;
    assert_eq!(secret.len(), 32, "160 bits");
    let entry = session.newest_entry().await.to_string();
    assert!(entry.contains("token_family.rotated") && !entry.contains(secret) && !entry.contains("person:"));
}

#[tokio::test]
async fn line_36_another_device_gains_nothing_by_a_copy() {
    let session = RefreshSession::begin().await;
    let other = session.fixture.enroll(Role::Device).await;
    session.ask(&other, &session.first, "").await.is_error(400, "invalid_grant", "T-01");
    let log = session.fixture.context.ledger.everything().audit_of(&other.id, 1).await.unwrap();
    assert!(log[0].entry.contains("token_family.refused"), "{}", log[0].entry);
    let impostor =
        CertificateHolderFixture { id: session.device.id.clone(), certificate: other.certificate.clone() };
    session.ask(&impostor, &session.first, "").await.is_error(401, "invalid_client", "C-12");
    let _ = session.next(&session.first).await;
}

#[tokio::test]
async fn lines_37_and_39_it_goes_on_with_the_renewed_certificate_bound_to_it() {
    let session = RefreshSession::begin().await;
    let renewed = session.fixture.renew(&session.device).await;
    let answer = session.refresh(&renewed, &session.first).await;
    let claims = session.claims(&answer);
    assert_eq!(claims["cnf"]["x5t#S256"], renewed.certificate.thumbprint.to_string());
    assert_eq!((&claims["generation"], &claims["sub"]), (&json!(2), &json!(session.person)));
    // Within its grace the old certificate is the device's as well, and gets what is bound to it.
    let answer = session.refresh(&session.device, answer["refresh_token"].as_str().unwrap()).await;
    assert_eq!(session.claims(&answer)["generation"], 1);
}

#[tokio::test]
async fn line_38_it_sleeps_with_a_suspended_device_and_dies_with_a_revoked_one() {
    let session = RefreshSession::begin().await;
    session.fixture.act(&session.device, DeviceAction::Suspend).await;
    session.ask(&session.device, &session.first, "").await.is_error(401, "invalid_client", "C-07");
    session.fixture.act(&session.device, DeviceAction::Resume).await;
    let next = session.next(&session.first).await;
    let revoke = DeviceAction::Revoke(RevocationReason::KeyCompromise);
    session.fixture.act(&session.device, revoke).await;
    session.ask(&session.device, &next, "").await.is_error(401, "invalid_client", "C-06");
}

#[tokio::test]
async fn it_ends_when_support_signs_the_device_or_its_tenant_out() {
    for all in [false, true] {
        let session = RefreshSession::begin().await;
        let of = if all {
            Signed::Tenant(session.fixture.tenant.clone())
        } else {
            Signed::Device(session.device.id.clone())
        };
        session.fixture.sign_out(&of).await;
        session.is_over(&session.first).await;
    }
}

#[tokio::test]
async fn line_40_a_lost_answer_costs_nothing_and_a_late_copy_ends_the_family() {
    let session = RefreshSession::begin().await;
    let gate = session.fixture.enroll(Role::Gate).await;
    let _lost = session.next(&session.first).await;
    session.fixture.advance(Duration::from_secs(59)).await;
    let current = session.next(&session.first).await;
    let last = session.refresh(&session.device, &current).await;
    let token = last["access_token"].as_str().unwrap();
    assert_eq!(session.fixture.introspect(&gate, token).await["active"], true);

    session.fixture.advance(Duration::from_secs(2)).await;
    session.is_over(&session.first).await;
    assert_eq!(
        session.fixture.introspect(&gate, token).await,
        json!({"active": false}),
        "with all that came of it"
    );
    session.is_over(last["refresh_token"].as_str().unwrap()).await;
    let entries = session.fixture.context.ledger.audit_entries(0, 1000).await.unwrap();
    assert!(entries.iter().any(|entry| entry.entry.contains(r#""reason":"replayed""#)));
}

#[tokio::test]
async fn it_ends_when_nobody_uses_it_and_at_the_end_of_the_day() {
    let session = RefreshSession::begin().await;
    let rules = RefreshRules::default();
    session.fixture.clock.set(session.fixture.context.now().plus(rules.idle));
    session.fixture.advance(Duration::ZERO).await;
    session.is_over(&session.first).await;

    let session = RefreshSession::begin().await;
    let end = session.fixture.context.now().plus(rules.lifetime);
    let mut value = session.first.clone();
    while session.fixture.context.now().plus(rules.idle / 2) < end {
        session.fixture.advance(rules.idle / 2).await;
        value = session.next(&value).await;
    }
    session.fixture.advance(rules.idle / 2).await;
    session.is_over(&value).await;
}

#[tokio::test]
async fn signing_out_ends_the_family_and_its_access_tokens_at_once() {
    let session = RefreshSession::begin().await;
    let (gate, other) =
        (session.fixture.enroll(Role::Gate).await, session.fixture.enroll(Role::Device).await);
    let answer = session.refresh(&session.device, &session.first).await;
    let (value, token) =
        (answer["refresh_token"].as_str().unwrap(), answer["access_token"].as_str().unwrap());
    let copied = session.fixture.about(REVOKE, &other, value).await;
    copied.is_error(400, "unauthorized_client", "G-04");
    for _ in 0..2 {
        let answer = session.fixture.about(REVOKE, &session.device, value).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
        for token in [token, &session.access] {
            assert_eq!(session.fixture.introspect(&gate, token).await, json!({"active": false}));
        }
    }
    session.is_over(value).await;
}

#[tokio::test]
async fn to_gates_a_refresh_token_is_nothing() {
    let session = RefreshSession::begin().await;
    let gate = session.fixture.enroll(Role::Gate).await;
    for asking in [&gate, &session.device] {
        assert_eq!(session.fixture.introspect(asking, &session.first).await, json!({"active": false}));
    }
    assert_eq!(session.fixture.introspect(&gate, &session.access).await["active"], true);
    session.ask(&gate, &session.first, "").await.is_error(400, "unauthorized_client", "C-09");
}

#[tokio::test]
async fn it_is_for_the_product_of_its_grant() {
    let session = RefreshSession::begin().await;
    for (other, code) in [(OTHER_PRODUCT, "R-01"), ("https://unknown.example", "T-05")] {
        let answer = session.ask(&session.device, &session.first, &format!("&resource={other}")).await;
        answer.is_error(400, "invalid_target", code);
    }
    session.ask(&session.device, &session.first, "&scope=more").await.is_error(400, "invalid_scope", "R-01");
    let named = session.ask(&session.device, &session.first, &format!("&resource={PRODUCT}")).await;
    let value = named.json()["refresh_token"].as_str().unwrap().to_owned();
    let _ = session.next(&value).await;
}

#[tokio::test]
async fn it_keeps_to_the_scope_of_its_grant() {
    let session = RefreshSession::begin_with(Some("stock.read gone")).await;
    let refused = session.ask(&session.device, &session.first, "&scope=stock.write").await;
    refused.is_error(400, "invalid_scope", "R-01");
    let answer = session.refresh(&session.device, &session.first).await;
    assert_eq!(answer["scope"], "stock.read", "what the product gave up since is gone");
    let value = answer["refresh_token"].as_str().unwrap();
    let narrow = session.ask(&session.device, value, "&scope=stock.read").await.json();
    assert_eq!(narrow["scope"], "stock.read");

    let plain = RefreshSession::begin().await;
    plain.ask(&plain.device, &plain.first, "&scope=stock.read").await.is_error(400, "invalid_scope", "R-01");
    assert_eq!(plain.refresh(&plain.device, &plain.first).await.get("scope"), None);
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused_and_changes_nothing() {
    let session = RefreshSession::begin().await;
    session.ask(&session.device, "", "").await.is_error(400, "invalid_request", "R-01");
    let (family, secret) = session.first.split_once('.').unwrap();
    let unknown = format!("{}.{secret}", "0".repeat(26));
    for wrong in ["x", family, secret, &format!("{family}."), &format!("{family}.{secret}x"), &unknown] {
        session.is_over(wrong).await;
        assert_eq!(session.fixture.about(REVOKE, &session.device, wrong).await.status, StatusCode::OK);
    }
    let _ = session.next(&session.first).await;
}

#[tokio::test]
async fn without_the_ledger_nothing_is_refreshed() {
    let session = RefreshSession::begin().await;
    session.fixture.context.ledger.close().await;
    let answer = session.ask(&session.device, &session.first, "").await;
    answer.is_error(503, "temporarily_unavailable", "S-01");
}
