//! Line 25 of what a conformance run checks: a token is good for what was asked for, and for nothing else.

use crate::tests::fixture::{CertificateHolderFixture, OTHER_PRODUCT, OauthFixture};
use serde_json::{Value, json};
use tegata_core::Role;

async fn world_with_device() -> (OauthFixture, CertificateHolderFixture) {
    let fixture = OauthFixture::new().await;
    let device = fixture.enroll(Role::Device).await;
    (fixture, device)
}

#[tokio::test]
async fn a_token_is_good_for_what_was_asked_for_and_says_so() {
    let (fixture, device) = world_with_device().await;
    for (asked, granted) in [
        ("", Value::Null),
        ("&scope=stock.read", json!("stock.read")),
        ("&scope=stock.write+stock.read", json!("stock.read stock.write")),
        ("&scope=stock.read+stock.read", json!("stock.read")),
    ] {
        let answer = fixture.ask_token(&device, asked).await.json();
        assert_eq!(answer["scope"], granted, "{asked}");
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!(fixture.introspect(&device, token).await["scope"], granted, "{asked}");
    }
}

#[tokio::test]
async fn a_scope_that_the_product_lacks_is_refused_with_all_beside_it() {
    let (fixture, device) = world_with_device().await;
    let elsewhere = format!("&resource={OTHER_PRODUCT}&scope=stock.read");
    for asked in [
        "&scope=admin",
        "&scope=stock.read+admin",
        "&scope=STOCK.READ",
        "&scope=stock",
        "&scope=+stock.read",
        "&scope=stock.read++stock.write",
        "&scope=stock.read%09stock.write",
        "&scope=%22",
        &elsewhere,
    ] {
        fixture.ask_token(&device, asked).await.is_error(400, "invalid_scope", "R-01");
    }
}
