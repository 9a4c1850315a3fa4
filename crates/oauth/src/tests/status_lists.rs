//! Whoever can neither introspect nor follow the feed reads in a list what stands of a token.

use super::fixture::{OauthFixture, START, until};
use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::Value;
use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::encoding::from_base64url;
use tegata_core::feed::TokenHolder;
use tegata_core::jws::SigningKey;
use tegata_core::status_list::{STATUS_LIST, StatusEntries, TokenStatus};
use tegata_core::{RevocationReason, Role};
use tegata_signals::{
    STATUS_LIST_LIFE, STATUS_LIST_TTL, SignalIssuer, Signals, SignedList, SigningKeys, begin_status_lists,
    publish_statuses,
};
use tegata_storage::{DeviceAction, ServerSurface, TenantAction};
use tokio::task::JoinHandle;

/// A world whose lists are published.
async fn fixture() -> (OauthFixture, JoinHandle<()>) {
    let fixture = OauthFixture::new().await;
    begin_status_lists(&fixture.signals).await.unwrap();
    let publisher = tokio::spawn(publish_statuses(fixture.signals.clone()));
    until(|| fixture.signals.status_lists().all().is_some()).await;
    (fixture, publisher)
}

fn claims(fixture: &OauthFixture, token: &str, typ: &str) -> Value {
    serde_json::from_slice(&fixture.published().verify_up_to(token, typ, token.len()).unwrap()).unwrap()
}

/// Where the token says that its status is.
fn entry(fixture: &OauthFixture, token: &str) -> (String, u32) {
    let entry = claims(fixture, token, "at+jwt")["status"]["status_list"].clone();
    let index = entry["idx"].as_u64().unwrap();
    (entry["uri"].as_str().unwrap().to_owned(), u32::try_from(index).unwrap())
}

fn list(fixture: &OauthFixture, uri: &str) -> Arc<SignedList> {
    let name = uri.strip_prefix("http://public.example/status/").unwrap();
    fixture.signals.status_lists().get(name).unwrap()
}

fn said(fixture: &OauthFixture, token: &str) -> TokenStatus {
    let (uri, index) = entry(fixture, token);
    let list = list(fixture, &uri);
    let text = std::str::from_utf8(&list.text).unwrap();
    let claims = claims(fixture, text, STATUS_LIST);
    assert_eq!(claims["sub"], *uri);
    let packed = from_base64url(claims["status_list"]["lst"].as_str().unwrap()).unwrap();
    let mut entries = Vec::new();
    ZlibDecoder::new(&packed[..]).read_to_end(&mut entries).unwrap();
    StatusEntries::from(entries).get(index).unwrap()
}

async fn comes(fixture: &OauthFixture, token: &str, status: TokenStatus) {
    until(|| said(fixture, token) == status).await;
}

#[tokio::test]
async fn a_token_s_entry_follows_its_device_and_its_tenant() {
    let (fixture, _publisher) = fixture().await;
    let (device, other) = (fixture.enroll(Role::Device).await, fixture.enroll(Role::Device).await);
    let (token, others) = (fixture.obtain(&device).await, fixture.obtain(&other).await);
    assert_ne!(entry(&fixture, &token), entry(&fixture, &others));
    assert_eq!(said(&fixture, &token), TokenStatus::Valid);
    fixture.act(&device, DeviceAction::Suspend).await;
    comes(&fixture, &token, TokenStatus::Suspended).await;
    fixture.act(&device, DeviceAction::Resume).await;
    comes(&fixture, &token, TokenStatus::Valid).await;
    fixture.act_on_tenant(TenantAction::Suspend).await;
    comes(&fixture, &token, TokenStatus::Suspended).await;
    assert_eq!(said(&fixture, &others), TokenStatus::Suspended);
    fixture.act_on_tenant(TenantAction::Resume).await;
    comes(&fixture, &token, TokenStatus::Valid).await;
    fixture.act(&device, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    comes(&fixture, &token, TokenStatus::Invalid).await;
    assert_eq!(said(&fixture, &others), TokenStatus::Valid);
}

#[tokio::test]
async fn whoever_was_signed_out_gets_tokens_with_another_entry() {
    let (fixture, _publisher) = fixture().await;
    let device = fixture.enroll(Role::Device).await;
    let before = fixture.obtain(&device).await;
    fixture.sign_out(&TokenHolder::Device(device.id.clone())).await;
    comes(&fixture, &before, TokenStatus::Invalid).await;
    let after = fixture.obtain(&device).await;
    assert_ne!(entry(&fixture, &before), entry(&fixture, &after));
    assert_eq!(said(&fixture, &after), TokenStatus::Valid);
}

#[tokio::test]
async fn each_generation_has_an_entry_of_its_own_and_keeps_it() {
    let (fixture, _publisher) = fixture().await;
    let first = fixture.enroll(Role::Device).await;
    let tokens = [fixture.obtain(&first).await, fixture.obtain(&first).await];
    assert_eq!(entry(&fixture, &tokens[0]), entry(&fixture, &tokens[1]));
    let second = fixture.renew(&first).await;
    assert_ne!(entry(&fixture, &fixture.obtain(&second).await), entry(&fixture, &tokens[0]));
}

#[tokio::test]
async fn a_receipt_means_that_the_list_is_out() {
    let (fixture, _publisher) = fixture().await;
    let device = fixture.enroll(Role::Device).await;
    let token = fixture.obtain(&device).await;
    fixture.act(&device, DeviceAction::Suspend).await;
    let seq = fixture.context.status.freshness().seq;
    let own = ServerSurface::StatusList.of(&fixture.context.server);
    loop {
        let receipts = fixture.context.ledger.receipts().await.unwrap();
        if receipts.iter().any(|receipt| receipt.surface == own && receipt.seq.0 >= seq) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(said(&fixture, &token), TokenStatus::Suspended);
}

#[tokio::test]
async fn a_list_says_how_long_it_holds_and_is_made_anew_in_time() {
    let (fixture, _publisher) = fixture().await;
    let device = fixture.enroll(Role::Device).await;
    let (uri, _) = entry(&fixture, &fixture.obtain(&device).await);
    let first = list(&fixture, &uri);
    let text = std::str::from_utf8(&first.text).unwrap();
    let claims = claims(&fixture, text, STATUS_LIST);
    assert_eq!(claims["iat"], START.seconds());
    assert_eq!(claims["exp"], START.plus(STATUS_LIST_LIFE).seconds());
    assert_eq!(claims["ttl"], STATUS_LIST_TTL.as_secs());
    assert_eq!(claims["status_list"]["bits"], 2);
    let mut unpacked = String::new();
    GzDecoder::new(&first.gzipped[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);

    fixture.advance(STATUS_LIST_LIFE / 2).await;
    until(|| list(&fixture, &uri).issued > first.issued).await;
    assert_ne!(list(&fixture, &uri).tag, first.tag);
}

/// Nobody says what is true now who has not heard of it.
#[tokio::test]
async fn a_server_that_does_not_hear_its_ledger_lets_its_lists_end() {
    let (fixture, _publisher) = fixture().await;
    let device = fixture.enroll(Role::Device).await;
    let (uri, _) = entry(&fixture, &fixture.obtain(&device).await);
    let before = list(&fixture, &uri);
    fixture.deafen().await;
    fixture.clock.set(START.plus(STATUS_LIST_LIFE));
    tokio::time::sleep(Duration::from_millis(600)).await;
    let after = list(&fixture, &uri);
    assert!(after.tag == before.tag && after.expires <= fixture.context.now());
}

#[tokio::test]
async fn another_key_signs_the_lists_as_soon_as_it_signs_tokens() {
    let (fixture, _publisher) = fixture().await;
    let device = fixture.enroll(Role::Device).await;
    let (uri, _) = entry(&fixture, &fixture.obtain(&device).await);
    let former = fixture.published();
    let former = former.jwks();
    let old = tegata_core::jws::KeySet::from_jwks(&former).unwrap();
    let next = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    fixture.signals.issuer().set_keys(SigningKeys::new(next, []));
    let is_old = |list: &SignedList| {
        let text = std::str::from_utf8(&list.text).unwrap().to_owned();
        old.verify_up_to(&text, STATUS_LIST, text.len()).is_ok()
    };
    until(|| !is_old(&list(&fixture, &uri))).await;
    let list = list(&fixture, &uri);
    claims(&fixture, std::str::from_utf8(&list.text).unwrap(), STATUS_LIST);
}

#[tokio::test]
async fn all_lists_are_listed_with_one_that_nobody_is_referred_to_yet() {
    let (fixture, _publisher) = fixture().await;
    let device = fixture.enroll(Role::Device).await;
    let (uri, _) = entry(&fixture, &fixture.obtain(&device).await);
    let all: Value = serde_json::from_slice(&fixture.signals.status_lists().all().unwrap()).unwrap();
    let all: HashSet<&str> =
        all["status_lists"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap()).collect();
    assert!(all.len() == 2 && all.contains(&*uri));
    assert!(all.iter().all(|uri| list(&fixture, uri).text.len() > 100));
}

/// Two servers of one ledger refer to each other's lists.
#[tokio::test]
async fn every_server_makes_the_same_lists() {
    let (fixture, _publisher) = fixture().await;
    let device = fixture.enroll(Role::Device).await;
    let token = fixture.obtain(&device).await;
    let issuer = SignalIssuer::new(fixture.context.clone(), super::fixture::keys());
    let other = Signals::new(issuer, Arc::default(), vec![]).unwrap();
    begin_status_lists(&other).await.unwrap();
    let place =
        fixture.context.ledger.holding(&device.certificate.thumbprint).await.unwrap().unwrap().status_place;
    let claim = other.status_lists().claim(place.unwrap().unsigned_abs()).unwrap();
    assert_eq!((claim.status_list.uri, claim.status_list.idx), entry(&fixture, &token));
}
