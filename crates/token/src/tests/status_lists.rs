//! Whoever can neither introspect nor follow the feed reads in a list what stands of a token.

use super::world::{OauthFixture, START, until};
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
use tegata_storage::{DeviceAction, TenantAction};
use tokio::task::JoinHandle;

/// A world whose lists are published.
async fn world() -> (OauthFixture, JoinHandle<()>) {
    let world = OauthFixture::new().await;
    begin_status_lists(&world.signals).await.unwrap();
    let publisher = tokio::spawn(publish_statuses(world.signals.clone()));
    until(|| world.signals.status_lists().all().is_some()).await;
    (world, publisher)
}

fn claims(world: &OauthFixture, token: &str, typ: &str) -> Value {
    serde_json::from_slice(&world.published().verify_up_to(token, typ, token.len()).unwrap()).unwrap()
}

/// Where the token says that its status is.
fn entry(world: &OauthFixture, token: &str) -> (String, u32) {
    let entry = claims(world, token, "at+jwt")["status"]["status_list"].clone();
    let index = entry["idx"].as_u64().unwrap();
    (entry["uri"].as_str().unwrap().to_owned(), u32::try_from(index).unwrap())
}

fn list(world: &OauthFixture, uri: &str) -> Arc<SignedList> {
    let name = uri.strip_prefix("http://public.example/status/").unwrap();
    world.signals.status_lists().get(name).unwrap()
}

fn said(world: &OauthFixture, token: &str) -> TokenStatus {
    let (uri, index) = entry(world, token);
    let list = list(world, &uri);
    let text = std::str::from_utf8(&list.text).unwrap();
    let claims = claims(world, text, STATUS_LIST);
    assert_eq!(claims["sub"], *uri);
    let packed = from_base64url(claims["status_list"]["lst"].as_str().unwrap()).unwrap();
    let mut entries = Vec::new();
    ZlibDecoder::new(&packed[..]).read_to_end(&mut entries).unwrap();
    StatusEntries::from(entries).get(index).unwrap()
}

async fn comes(world: &OauthFixture, token: &str, status: TokenStatus) {
    until(|| said(world, token) == status).await;
}

#[tokio::test]
async fn a_token_s_entry_follows_its_device_and_its_tenant() {
    let (world, _publisher) = world().await;
    let (device, other) = (world.enroll(Role::Device).await, world.enroll(Role::Device).await);
    let (token, others) = (world.obtain(&device).await, world.obtain(&other).await);
    assert_ne!(entry(&world, &token), entry(&world, &others));
    assert_eq!(said(&world, &token), TokenStatus::Valid);
    world.act(&device, DeviceAction::Suspend).await;
    comes(&world, &token, TokenStatus::Suspended).await;
    world.act(&device, DeviceAction::Resume).await;
    comes(&world, &token, TokenStatus::Valid).await;
    world.act_on_tenant(TenantAction::Suspend).await;
    comes(&world, &token, TokenStatus::Suspended).await;
    assert_eq!(said(&world, &others), TokenStatus::Suspended);
    world.act_on_tenant(TenantAction::Resume).await;
    comes(&world, &token, TokenStatus::Valid).await;
    world.act(&device, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    comes(&world, &token, TokenStatus::Invalid).await;
    assert_eq!(said(&world, &others), TokenStatus::Valid);
}

#[tokio::test]
async fn whoever_was_signed_out_gets_tokens_with_another_entry() {
    let (world, _publisher) = world().await;
    let device = world.enroll(Role::Device).await;
    let before = world.obtain(&device).await;
    world.sign_out(&TokenHolder::Device(device.id.clone())).await;
    comes(&world, &before, TokenStatus::Invalid).await;
    let after = world.obtain(&device).await;
    assert_ne!(entry(&world, &before), entry(&world, &after));
    assert_eq!(said(&world, &after), TokenStatus::Valid);
}

#[tokio::test]
async fn each_generation_has_an_entry_of_its_own_and_keeps_it() {
    let (world, _publisher) = world().await;
    let first = world.enroll(Role::Device).await;
    let tokens = [world.obtain(&first).await, world.obtain(&first).await];
    assert_eq!(entry(&world, &tokens[0]), entry(&world, &tokens[1]));
    let second = world.renew(&first).await;
    assert_ne!(entry(&world, &world.obtain(&second).await), entry(&world, &tokens[0]));
}

#[tokio::test]
async fn a_receipt_means_that_the_list_is_out() {
    let (world, _publisher) = world().await;
    let device = world.enroll(Role::Device).await;
    let token = world.obtain(&device).await;
    world.act(&device, DeviceAction::Suspend).await;
    let seq = world.context.status.freshness().seq;
    loop {
        let receipts = world.context.ledger.receipts().await.unwrap();
        if receipts.iter().any(|receipt| receipt.surface == "status-list" && receipt.seq.0 >= seq) {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(said(&world, &token), TokenStatus::Suspended);
}

#[tokio::test]
async fn a_list_says_how_long_it_holds_and_is_made_anew_in_time() {
    let (world, _publisher) = world().await;
    let device = world.enroll(Role::Device).await;
    let (uri, _) = entry(&world, &world.obtain(&device).await);
    let first = list(&world, &uri);
    let text = std::str::from_utf8(&first.text).unwrap();
    let claims = claims(&world, text, STATUS_LIST);
    assert_eq!(claims["iat"], START.seconds());
    assert_eq!(claims["exp"], START.plus(STATUS_LIST_LIFE).seconds());
    assert_eq!(claims["ttl"], STATUS_LIST_TTL.as_secs());
    assert_eq!(claims["status_list"]["bits"], 2);
    let mut unpacked = String::new();
    GzDecoder::new(&first.gzipped[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, text);

    world.advance(STATUS_LIST_LIFE / 2).await;
    until(|| list(&world, &uri).issued > first.issued).await;
    assert_ne!(list(&world, &uri).tag, first.tag);
}

/// Nobody says what is true now who has not heard of it.
#[tokio::test]
async fn a_server_that_does_not_hear_its_ledger_lets_its_lists_end() {
    let (world, _publisher) = world().await;
    let device = world.enroll(Role::Device).await;
    let (uri, _) = entry(&world, &world.obtain(&device).await);
    let before = list(&world, &uri);
    world.deafen().await;
    world.clock.set(START.plus(STATUS_LIST_LIFE));
    tokio::time::sleep(Duration::from_millis(600)).await;
    let after = list(&world, &uri);
    assert!(after.tag == before.tag && after.expires <= world.context.now());
}

#[tokio::test]
async fn another_key_signs_the_lists_as_soon_as_it_signs_tokens() {
    let (world, _publisher) = world().await;
    let device = world.enroll(Role::Device).await;
    let (uri, _) = entry(&world, &world.obtain(&device).await);
    let former = world.published();
    let former = former.jwks();
    let old = tegata_core::jws::KeySet::from_jwks(&former).unwrap();
    let next = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    world.signals.issuer().set_keys(SigningKeys::new(next, []));
    let is_old = |list: &SignedList| {
        let text = std::str::from_utf8(&list.text).unwrap().to_owned();
        old.verify_up_to(&text, STATUS_LIST, text.len()).is_ok()
    };
    until(|| !is_old(&list(&world, &uri))).await;
    let list = list(&world, &uri);
    claims(&world, std::str::from_utf8(&list.text).unwrap(), STATUS_LIST);
}

#[tokio::test]
async fn all_lists_are_listed_with_one_that_nobody_is_referred_to_yet() {
    let (world, _publisher) = world().await;
    let device = world.enroll(Role::Device).await;
    let (uri, _) = entry(&world, &world.obtain(&device).await);
    let all: Value = serde_json::from_slice(&world.signals.status_lists().all().unwrap()).unwrap();
    let all: HashSet<&str> =
        all["status_lists"].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap()).collect();
    assert!(all.len() == 2 && all.contains(&*uri));
    assert!(all.iter().all(|uri| list(&world, uri).text.len() > 100));
}

/// Two servers of one ledger refer to each other's lists.
#[tokio::test]
async fn every_server_makes_the_same_lists() {
    let (world, _publisher) = world().await;
    let device = world.enroll(Role::Device).await;
    let token = world.obtain(&device).await;
    let issuer = SignalIssuer::new(world.context.clone(), super::world::keys());
    let other = Signals::new(issuer, Arc::default(), vec![]).unwrap();
    begin_status_lists(&other).await.unwrap();
    let place =
        world.context.ledger.holding(&device.certificate.thumbprint).await.unwrap().unwrap().status_place;
    let claim = other.status_lists().claim(place.unwrap().unsigned_abs()).unwrap();
    assert_eq!((claim.status_list.uri, claim.status_list.idx), entry(&world, &token));
}
