//! Line 59 of what a conformance run checks.

use crate::tests::fixture::{LIFETIME, OauthFixture};
use serde_json::{Value, json};
use tegata_core::Role;
use tegata_testkit::Everything;

const PATH: &str = "/oauth/revoke";

#[tokio::test]
async fn whoever_was_told_revoked_is_never_then_told_active() {
    let fixture = OauthFixture::new().await;
    let (device, gate) = (fixture.enroll(Role::Device).await, fixture.enroll(Role::Gate).await);
    let (token, other) = (fixture.obtain(&device).await, fixture.obtain(&device).await);
    for _ in 0..2 {
        let answer = fixture.about(PATH, &device, &token).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
        assert_eq!(fixture.introspect(&gate, &token).await, json!({"active": false}));
    }
    assert_eq!(fixture.introspect(&gate, &other).await["active"], true, "one token, not the device");
    assert_eq!(fixture.context.ledger.feed_head().await.unwrap(), 1, "twice is once");
    let log = fixture.context.ledger.everything().audit_of(&device.id, 1).await.unwrap();
    let entry: Value = serde_json::from_str(&log[0].entry).unwrap();
    assert_eq!(
        (&entry["action"], &entry["actor"]),
        (&json!("token.revoked"), &json!(format!("device:{}", device.id)))
    );
}

#[tokio::test]
async fn a_renewed_device_still_takes_back_what_its_old_certificate_obtained() {
    let fixture = OauthFixture::new().await;
    let old = fixture.enroll(Role::Device).await;
    let token = fixture.obtain(&old).await;
    let new = fixture.renew(&old).await;
    assert_eq!(fixture.about(PATH, &new, &token).await.status.as_u16(), 200);
    assert_eq!(fixture.introspect(&new, &token).await, json!({"active": false}));
}

#[tokio::test]
async fn an_unknown_or_ended_token_is_as_good_as_revoked() {
    let fixture = OauthFixture::new().await;
    let device = fixture.enroll(Role::Device).await;
    assert_eq!(fixture.about(PATH, &device, "nobody.knows.this").await.status.as_u16(), 200);
    let token = fixture.obtain(&device).await;
    fixture.advance(LIFETIME).await;
    assert_eq!(fixture.about(PATH, &device, &token).await.status.as_u16(), 200);
    assert_eq!(fixture.context.ledger.feed_head().await.unwrap(), 0, "and nobody need hear of it");
}

#[tokio::test]
async fn nobody_takes_back_another_s_token() {
    let fixture = OauthFixture::new().await;
    let (device, other) = (fixture.enroll(Role::Device).await, fixture.enroll(Role::Device).await);
    let gate = fixture.enroll(Role::Gate).await;
    let token = fixture.obtain(&device).await;
    fixture.about(PATH, &other, &token).await.is_error(400, "unauthorized_client", "G-04");
    fixture.about(PATH, &gate, &token).await.is_error(400, "unauthorized_client", "C-09");
    let body = format!("client_id={}&token={token}", device.id);
    fixture.post(PATH, None, body).await.is_error(401, "invalid_client", "C-01");
    assert_eq!(fixture.introspect(&gate, &token).await["active"], true);
    fixture.about(PATH, &device, "").await.is_error(400, "invalid_request", "R-01");
}
