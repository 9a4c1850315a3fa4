//! Line 59 of what a conformance run checks.

use crate::tests::world::{LIFETIME, OauthFixture};
use serde_json::{Value, json};
use tegata_core::Role;

const PATH: &str = "/oauth/revoke";

#[tokio::test]
async fn whoever_was_told_revoked_is_never_then_told_active() {
    let world = OauthFixture::new().await;
    let (device, gate) = (world.enroll(Role::Device).await, world.enroll(Role::Gate).await);
    let (token, other) = (world.obtain(&device).await, world.obtain(&device).await);
    for _ in 0..2 {
        let answer = world.about(PATH, &device, &token).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
        assert_eq!(world.introspect(&gate, &token).await, json!({"active": false}));
    }
    assert_eq!(world.introspect(&gate, &other).await["active"], true, "one token, not the device");
    assert_eq!(world.context.ledger.feed_head().await.unwrap(), 1, "twice is once");
    let log = world.context.ledger.audit_of(&device.id, 1).await.unwrap();
    let entry: Value = serde_json::from_str(&log[0].entry).unwrap();
    assert_eq!(
        (&entry["action"], &entry["actor"]),
        (&json!("token.revoked"), &json!(format!("device:{}", device.id)))
    );
}

#[tokio::test]
async fn a_renewed_device_still_takes_back_what_its_old_certificate_obtained() {
    let world = OauthFixture::new().await;
    let old = world.enroll(Role::Device).await;
    let token = world.obtain(&old).await;
    let new = world.renew(&old).await;
    assert_eq!(world.about(PATH, &new, &token).await.status.as_u16(), 200);
    assert_eq!(world.introspect(&new, &token).await, json!({"active": false}));
}

#[tokio::test]
async fn an_unknown_or_ended_token_is_as_good_as_revoked() {
    let world = OauthFixture::new().await;
    let device = world.enroll(Role::Device).await;
    assert_eq!(world.about(PATH, &device, "nobody.knows.this").await.status.as_u16(), 200);
    let token = world.obtain(&device).await;
    world.advance(LIFETIME).await;
    assert_eq!(world.about(PATH, &device, &token).await.status.as_u16(), 200);
    assert_eq!(world.context.ledger.feed_head().await.unwrap(), 0, "and nobody need hear of it");
}

#[tokio::test]
async fn nobody_takes_back_another_s_token() {
    let world = OauthFixture::new().await;
    let (device, other) = (world.enroll(Role::Device).await, world.enroll(Role::Device).await);
    let gate = world.enroll(Role::Gate).await;
    let token = world.obtain(&device).await;
    world.about(PATH, &other, &token).await.is_error(400, "unauthorized_client", "G-04");
    world.about(PATH, &gate, &token).await.is_error(400, "unauthorized_client", "C-09");
    let body = format!("client_id={}&token={token}", device.id);
    world.post(PATH, None, body).await.is_error(401, "invalid_client", "C-01");
    assert_eq!(world.introspect(&gate, &token).await["active"], true);
    world.about(PATH, &device, "").await.is_error(400, "invalid_request", "R-01");
}
