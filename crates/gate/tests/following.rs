//! A gate and a platform that fails in every way a network and an attacker can think of.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::time::Duration;
use support::{Authority, TestPlatform, device, eventually, new_key, within};
use tegata_core::feed::{Change, Denial};
use tegata_core::jws::KeySet;
use tegata_core::{Refusal, Thumbprint};
use tegata_gate::Gate;

const SECOND: Duration = Duration::from_secs(1);

fn certificate() -> Thumbprint {
    Thumbprint::of(b"certificate")
}

fn enter(gate: &Gate, token: &str) -> Result<(), Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    gate.check(&headers, None, Some(certificate())).map(drop)
}

fn revoked() -> Change {
    Change::DeviceDenied { device: device(), reason: Denial::Revoked }
}

#[tokio::test]
async fn a_revocation_reaches_the_gate_within_a_second_and_gets_a_receipt() {
    let platform = TestPlatform::start().await;
    let gate = platform.gate().await;
    let token = platform.token(&device(), certificate());
    assert_eq!(enter(&gate, &token), Ok(()));
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let verified = gate.check(&headers, None, Some(certificate())).unwrap();
    let live = {
        let (gate, verified) = (gate.clone(), verified.clone());
        tokio::spawn(async move { gate.until_denied(&verified).await })
    };
    eventually("a receipt for the snapshot", || platform.facts().receipts == [0]).await;

    platform.happen(revoked());
    assert_eq!(within(SECOND, live).await.unwrap(), Refusal::CertificateRevoked);
    assert_eq!(enter(&gate, &token), Err(Refusal::CertificateRevoked));
    assert_eq!(gate.recheck(&verified), Err(Refusal::CertificateRevoked));
    eventually("a receipt for the event", || platform.facts().receipts.contains(&1)).await;
    let status = gate.status();
    assert_eq!((status.seq, status.connected, status.deciding), (Some(1), true, true));
}

#[tokio::test]
async fn a_gate_outlives_the_platform_a_while_then_fails_closed_then_catches_up() {
    let platform = TestPlatform::start().await;
    let gate = platform.gate().await;
    let token = platform.token(&device(), certificate());
    platform.go_away().await;
    eventually("the gate noticed", || !gate.status().connected).await;
    assert_eq!(enter(&gate, &token), Ok(()), "knowledge is young enough");
    eventually("stale", || enter(&gate, &token) == Err(Refusal::GateStale)).await;
    assert!(!gate.status().deciding);

    platform.happen(revoked());
    platform.come_back().await;
    eventually("caught up", || enter(&gate, &token) == Err(Refusal::CertificateRevoked)).await;
    platform.happen(Change::DeviceAllowed { device: device() });
    eventually("resumed", || enter(&gate, &token) == Ok(())).await;
}

#[tokio::test]
async fn a_silent_feed_connection_is_replaced_by_a_new_one() {
    let platform = TestPlatform::start().await;
    let gate = platform.gate().await;
    let token = platform.token(&device(), certificate());
    platform.facts().silent = true;
    eventually("stale", || enter(&gate, &token) == Err(Refusal::GateStale)).await;
    eventually("given up", || !gate.status().connected).await;
    platform.facts().silent = false;
    eventually("back", || enter(&gate, &token) == Ok(())).await;
}

#[tokio::test]
async fn a_new_signing_key_is_fetched_on_use_and_an_unpublished_one_refused() {
    let platform = TestPlatform::start().await;
    let gate = platform.gate().await;
    // Keys younger than a second are not fetched again.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    {
        let mut facts = platform.facts();
        facts.key = new_key();
        facts.published = KeySet::new([facts.key.public().clone()]);
    }
    let token = platform.token(&device(), certificate());
    eventually("the new key is known", || enter(&gate, &token) == Ok(())).await;
    assert_eq!(platform.facts().feeds_opened, 1, "without losing the feed");

    platform.facts().key = new_key();
    let token = platform.token(&device(), certificate());
    eventually("stale", || enter(&gate, &token) == Err(Refusal::GateStale)).await;
    let fetched = platform.facts().jwks_fetched;
    assert!(fetched < 25, "asked {fetched} times");
}

#[tokio::test]
async fn a_gates_file_is_believed_after_the_key_that_signed_it_is_gone() {
    let platform = TestPlatform::start().await;
    let disk = tempfile::tempdir().unwrap();
    let mut config = platform.config();
    config.state = Some(disk.path().into());
    let gate = platform.gate_with(config.clone());
    within(Duration::from_secs(5), gate.ready()).await;
    platform.happen(revoked());
    eventually("heard", || gate.status().seq == Some(1)).await;
    {
        let mut facts = platform.facts();
        let old = std::mem::replace(&mut facts.key, new_key());
        facts.published = KeySet::new([facts.key.public().clone(), old.public().clone()]);
    }
    eventually("the gate took a snapshot of the new key", || platform.facts().feeds_opened == 2).await;
    eventually("it follows", || gate.status().connected).await;
    {
        let mut facts = platform.facts();
        facts.published = KeySet::new([facts.key.public().clone()]);
    }
    platform.go_away().await;
    platform.come_back().await;
    eventually("the gate took the keys without the old one", || platform.facts().feeds_opened == 3).await;
    eventually("it kept a snapshot beside them", || gate.status().connected).await;
    gate.shutdown().await;
    platform.go_away().await;
    let restarted = platform.gate_with(config);
    eventually("resumed from disk", || restarted.status().seq == Some(1)).await;
    let token = platform.token(&device(), certificate());
    assert_eq!(enter(&restarted, &token), Err(Refusal::CertificateRevoked));
}

#[tokio::test]
async fn a_feed_or_metadata_of_another_issuer_changes_nothing() {
    for liar in [0, 1] {
        let platform = TestPlatform::start().await;
        let gate = platform.gate().await;
        let token = platform.token(&device(), certificate());
        platform.go_away().await;
        platform.happen(revoked());
        {
            let claimed = &mut platform.facts().claimed;
            let issuer = if liar == 0 { &mut claimed.0 } else { &mut claimed.1 };
            *issuer = "https://evil.example".into();
        }
        platform.come_back().await;
        eventually("stale", || enter(&gate, &token) == Err(Refusal::GateStale)).await;
        assert_eq!(gate.status().seq, Some(0));
        platform.facts().claimed = (platform.issuer.clone(), platform.issuer.clone());
        eventually("honest again", || enter(&gate, &token) == Err(Refusal::CertificateRevoked)).await;
    }
}

#[tokio::test]
async fn a_platform_that_lost_events_is_not_followed() {
    let platform = TestPlatform::start().await;
    platform.happen(revoked());
    let gate = platform.gate().await;
    let token = platform.token(&device(), certificate());
    assert_eq!(enter(&gate, &token), Err(Refusal::CertificateRevoked));
    platform.go_away().await;
    platform.facts().truth = tegata_core::feed::Denials::default();
    platform.come_back().await;
    eventually("stale", || enter(&gate, &token) == Err(Refusal::GateStale)).await;
    assert_eq!(gate.status().seq, Some(1));
}

#[tokio::test]
async fn a_restarted_gate_serves_from_disk_no_longer_than_allowed() {
    let platform = TestPlatform::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = platform.config();
    config.state = Some(folder.path().into());
    config.policy.max_staleness = 5 * SECOND;
    let gate = platform.gate_with(config.clone());
    within(5 * SECOND, gate.ready()).await;
    let good =
        platform.token(&tegata_core::DeviceId::random(&tegata_core::entropy::Seeded::new(5)), certificate());
    let denied = platform.token(&device(), certificate());
    platform.happen(revoked());
    eventually("denied", || enter(&gate, &denied) == Err(Refusal::CertificateRevoked)).await;
    let kept = folder.path().join("heartbeat.jws");
    let first = std::fs::read(&kept).unwrap_or_default();
    eventually("a later heartbeat is kept", || std::fs::read(&kept).is_ok_and(|now| now != first)).await;
    gate.shutdown().await;
    drop(gate);
    platform.go_away().await;

    let gate = platform.gate_with(config.clone());
    within(SECOND, gate.ready()).await;
    assert_eq!(enter(&gate, &good), Ok(()));
    assert_eq!(enter(&gate, &denied), Err(Refusal::CertificateRevoked));
    assert!(!gate.status().connected);
    drop(gate);

    platform.clock.move_by(6);
    let gate = platform.gate_with(config.clone());
    within(SECOND, gate.ready()).await;
    assert_eq!(enter(&gate, &good), Err(Refusal::GateStale), "too long ago");
    drop(gate);

    let path = folder.path().join("feed.jws");
    let mut text = std::fs::read(&path).unwrap();
    text[200] ^= 1;
    std::fs::write(path, text).unwrap();
    let gate = platform.gate_with(config);
    assert_eq!(enter(&gate, &good), Err(Refusal::GateStale));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(gate.status().seq, None, "a changed line is no memory");
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_spoken_to() {
    let platform = TestPlatform::start().await;
    let mut config = platform.config();
    config.trust = Authority::new().roots();
    let gate = platform.gate_with(config);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(gate.status().seq, None);
    assert_eq!(platform.facts().jwks_fetched, 0);
}

#[tokio::test]
async fn a_gate_without_its_certificate_or_its_folder_does_not_start() {
    let platform = TestPlatform::start().await;
    let entropy = std::sync::Arc::new(tegata_core::entropy::Seeded::new(1));
    let mut config = platform.config();
    config.state = Some(platform.identity().join("missing"));
    assert!(Gate::connect(config, platform.clock.clone(), entropy.clone()).is_err());
    assert!(Gate::connect(platform.config(), platform.clock.clone(), entropy.clone()).is_ok());
    std::fs::remove_file(platform.identity().join("key.pem")).unwrap();
    assert!(Gate::connect(platform.config(), platform.clock.clone(), entropy).is_err());
}

#[tokio::test]
async fn a_gate_set_back_in_time_is_not_kept_young_by_that() {
    let platform = TestPlatform::start().await;
    let gate = platform.gate().await;
    let token = platform.token(&device(), certificate());
    platform.go_away().await;
    platform.clock.move_by(-1);
    tokio::time::sleep(Duration::from_millis(2600)).await;
    assert_eq!(enter(&gate, &token), Err(Refusal::GateStale));
}
