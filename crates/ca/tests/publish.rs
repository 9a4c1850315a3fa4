//! What whoever reads the CRL may rely on.

#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tegata_ca::{CrlError, IssuedCertificate, PublishError};
use tegata_core::{CLOCKS_APART, RevocationReason, Serial, Timestamp};
use tegata_storage::DeviceAction;
use tegata_testkit::ca::{CaFixture, NOW};
use tegata_testkit::{OPERATOR, TestPlace};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

const MINUTE: Duration = Duration::from_mins(1);
const LOST: DeviceAction = DeviceAction::Revoke(RevocationReason::KeyCompromise);

/// Reasons of RFC 5280 section 5.3.1.
const KEY_COMPROMISE: u8 = 1;
const SUPERSEDED: u8 = 4;
const HOLD: u8 = 6;

tegata_testkit::on_both_engines!(
    a_revocation_is_on_the_next_list_and_a_resumed_device_is_not,
    an_old_generation_is_listed_as_superseded,
    nothing_new_is_published_within_half_an_hour_unless_something_ended,
    publishers_at_once_never_go_back_and_never_claim_what_is_not_out,
    a_list_whose_address_certificates_do_not_name_is_not_published,
    a_list_is_dated_before_the_last_one_only_where_that_lies_in_the_future,
    a_shard_that_fails_holds_no_other_up,
    a_certificate_is_on_the_list_it_names_and_on_no_other,
    without_a_ledger_nothing_is_published,
);

async fn a_revocation_is_on_the_next_list_and_a_resumed_device_is_not(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let (lost, paused, good) =
        (fixture.enroll(NOW).await, fixture.enroll(NOW).await, fixture.enroll(NOW).await);
    let first = publish(&fixture, NOW).await;
    assert_eq!(first.entries.len(), 0);

    act(&fixture, &lost, LOST, NOW.plus(MINUTE)).await;
    act(&fixture, &paused, DeviceAction::Suspend, NOW.plus(MINUTE)).await;
    let second = publish(&fixture, NOW.plus(MINUTE)).await;
    assert!(second.number > first.number);
    let expected =
        HashMap::from([(lost.certificate.serial, KEY_COMPROMISE), (paused.certificate.serial, HOLD)]);
    assert_eq!(second.entries, expected);

    act(&fixture, &paused, DeviceAction::Resume, NOW.plus(MINUTE * 2)).await;
    let third = publish(&fixture, NOW.plus(MINUTE * 2)).await;
    assert!(third.number > second.number);
    assert_eq!(third.entries, HashMap::from([(lost.certificate.serial, KEY_COMPROMISE)]));
    assert!(!third.entries.contains_key(&good.certificate.serial));

    act(&fixture, &paused, DeviceAction::Suspend, NOW.plus(MINUTE * 3)).await;
    act(&fixture, &paused, LOST, NOW.plus(MINUTE * 3)).await;
    let fourth = publish(&fixture, NOW.plus(MINUTE * 3)).await;
    assert_eq!(fourth.entries.get(&paused.certificate.serial), Some(&KEY_COMPROMISE), "a hold can harden");
}

async fn an_old_generation_is_listed_as_superseded(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let old = fixture.enroll(NOW).await;
    fixture.present(&old, NOW, NOW).await;
    let new = fixture.renew(&old, NOW).await.unwrap();
    let retire_at = NOW.plus(MINUTE);
    fixture.present(&new, retire_at, NOW).await;
    assert_eq!(publish(&fixture, NOW).await.entries, HashMap::new(), "both work during the grace");

    let mut transaction = fixture.ledger.begin(retire_at).await.unwrap();
    assert_eq!(transaction.retire_due().await.unwrap(), 1);
    transaction.commit().await.unwrap();
    let list = publish(&fixture, retire_at).await;
    assert_eq!(list.entries, HashMap::from([(old.certificate.serial, SUPERSEDED)]));
}

async fn nothing_new_is_published_within_half_an_hour_unless_something_ended(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let device = fixture.enroll(NOW).await;
    let first = publish(&fixture, NOW).await;
    let entries = fixture.ledger.verify_audit().await.unwrap().unwrap();
    for minutes in [0, 1, 15, 29] {
        let same = publish(&fixture, NOW.plus(MINUTE * minutes)).await;
        assert_eq!(same.der, first.der, "after {minutes} minutes");
    }
    assert_eq!(fixture.ledger.verify_audit().await.unwrap(), Ok(entries), "and nothing was written down");

    let hourly = publish(&fixture, NOW.plus(MINUTE * 60)).await;
    assert!(hourly.number > first.number);
    assert!(hourly.this_update > first.this_update && hourly.next_update > first.next_update);
    assert!(hourly.next_update.since(hourly.this_update) > MINUTE * 60, "the next hour is covered");

    act(&fixture, &device, LOST, NOW.plus(MINUTE * 61)).await;
    assert!(publish(&fixture, NOW.plus(MINUTE * 61)).await.number > hourly.number);
}

async fn publishers_at_once_never_go_back_and_never_claim_what_is_not_out(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let other = CaFixture::reopen(fixture.place.clone(), 2).await;
    let mut devices = Vec::new();
    for _ in 0..24 {
        devices.push(fixture.enroll(NOW).await);
    }
    let publishing = [&fixture, &other, &fixture, &other].map(|fixture| {
        let (authority, ledger) = (fixture.authority.clone(), fixture.ledger.clone());
        tokio::spawn(async move {
            let (mut number, mut revision) = (0, 0);
            for _ in 0..30 {
                let wanted = ledger.shards(authority.issuer().id()).await.unwrap()[0].revision;
                let claimed = authority.publish_crls(NOW).await;
                let out = ledger.crl(authority.issuer().id(), 0).await.unwrap().unwrap();
                match claimed {
                    Ok(_) => {
                        assert!(out.revision >= wanted, "claimed {wanted}, the list has {}", out.revision);
                    }
                    Err(error) => assert!(matches!(error, PublishError::Overtaken), "{error}"),
                }
                assert!(out.number >= number && out.revision >= revision, "the list went back");
                (number, revision) = (out.number, out.revision);
                tokio::task::yield_now().await;
            }
        })
    });
    for device in &devices {
        act(&fixture, device, LOST, NOW).await;
    }
    for publisher in publishing {
        publisher.await.unwrap();
    }
    let last = publish(&fixture, NOW).await;
    assert_eq!(last.entries.len(), devices.len());
    let first = NOW.millis().unsigned_abs();
    assert!(last.number <= first + devices.len() as u64, "a number for each change at most");
}

async fn a_list_whose_address_certificates_do_not_name_is_not_published(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let device = fixture.enroll(NOW).await;
    let first = publish(&fixture, NOW).await;
    act(&fixture, &device, LOST, NOW).await;

    let moved = fixture.at("http://elsewhere.example.jp").await;
    let refused = moved.publish_crls(NOW).await;
    assert!(matches!(refused, Err(PublishError::Crl(CrlError::Moved))), "{refused:?}");
    let out = fixture.ledger.crl(moved.issuer().id(), 0).await.unwrap().unwrap();
    assert_eq!(out.number, first.number, "the list that is out stays");
    assert_eq!(publish(&fixture, NOW).await.entries.len(), 1);
}

async fn a_list_is_dated_before_the_last_one_only_where_that_lies_in_the_future(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let [one, two] = [fixture.enroll(NOW).await, fixture.enroll(NOW).await];
    let first = publish(&fixture, NOW.plus(CLOCKS_APART)).await;
    act(&fixture, &one, LOST, NOW).await;
    let second = publish(&fixture, NOW).await;
    assert_eq!(
        (second.this_update, second.entries.len()),
        (first.this_update, 1),
        "clocks are a little apart"
    );

    act(&fixture, &two, LOST, NOW).await;
    let ahead = publish(&fixture, NOW.plus(MINUTE * 60 * 24 * 200)).await;
    let right = publish(&fixture, NOW.plus(MINUTE)).await;
    assert_eq!(
        (right.this_update, right.entries.len()),
        (NOW.plus(MINUTE).whole_second(), 2),
        "though nothing is new"
    );
    assert!(right.number > ahead.number, "the number never goes back");
}

async fn a_shard_that_fails_holds_no_other_up(place: TestPlace) {
    let fixture = CaFixture::found_with(place, 4).await;
    publish_all(&fixture, NOW).await.unwrap();
    let mut devices = Vec::new();
    while devices.iter().map(|device| shard_of(&fixture, device)).collect::<HashSet<_>>().len() < 4 {
        devices.push(fixture.enroll(NOW).await);
    }
    for device in &devices {
        act(&fixture, device, LOST, NOW.plus(MINUTE)).await;
    }
    let issuer = fixture.authority.issuer().id().clone();
    damage_list(&fixture, 1).await;
    // A publisher that has not seen the list yet looks at it, and does not follow what is none.
    let fresh = fixture.at("http://pki.example.jp").await;
    assert!(fresh.publish_crls(NOW.plus(MINUTE)).await.is_err(), "no receipt while one is not out");
    let shards = fixture.ledger.shards(&issuer).await.unwrap();
    let behind = shards.iter().filter(|shard| shard.published.unwrap().revision < shard.revision);
    assert_eq!(behind.map(|shard| shard.number).collect::<Vec<_>>(), [1]);
}

async fn a_certificate_is_on_the_list_it_names_and_on_no_other(place: TestPlace) {
    let fixture = CaFixture::found_with(place, 8).await;
    let mut devices = Vec::new();
    for _ in 0..24 {
        let device = fixture.enroll(NOW).await;
        act(&fixture, &device, LOST, NOW).await;
        devices.push(device);
    }
    publish_all(&fixture, NOW).await.unwrap();
    for device in &devices {
        let (_, certificate) = X509Certificate::from_der(&device.certificate.der).unwrap();
        for shard in 0..8 {
            let url = fixture.authority.endpoints().crl(shard);
            let is_named = contains(certificate.as_raw(), url.as_bytes());
            let list = read(&fixture, shard).await;
            assert!(contains(&list.der, url.as_bytes()), "the list says its own address");
            assert_eq!(list.entries.contains_key(&device.certificate.serial), is_named, "shard {shard}");
        }
    }
}

async fn without_a_ledger_nothing_is_published(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    fixture.ledger.close().await;
    assert!(fixture.authority.publish_crls(NOW).await.is_err());
}

struct List {
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    entries: HashMap<Serial, u8>,
    der: Vec<u8>,
}

/// The list that is out after a publisher's turn.
async fn publish(fixture: &CaFixture, now: Timestamp) -> List {
    let claimed = publish_all(fixture, now).await.unwrap();
    assert_eq!(claimed, fixture.ledger.feed_head().await.unwrap());
    read(fixture, 0).await
}

async fn publish_all(fixture: &CaFixture, now: Timestamp) -> Result<u64, PublishError> {
    let claimed = fixture.authority.publish_crls(now).await?;
    for shard in fixture.ledger.shards(fixture.authority.issuer().id()).await? {
        assert_eq!(shard.published.unwrap().revision, shard.revision);
    }
    Ok(claimed)
}

/// The list that is out, read by somebody else's parser.
async fn read(fixture: &CaFixture, shard: u16) -> List {
    let issuer = fixture.authority.issuer().id();
    let stored = fixture.ledger.crl(issuer, shard).await.unwrap().unwrap();
    let (rest, crl) = CertificateRevocationList::from_der(&stored.der).unwrap();
    assert!(rest.is_empty());
    let (_, issuer) = X509Certificate::from_der(fixture.authority.issuer().certificate()).unwrap();
    crl.verify_signature(issuer.public_key()).unwrap();
    assert_eq!(crl.crl_number().unwrap().to_string(), stored.number.to_string());
    let entries = crl.iter_revoked_certificates().map(|entry| {
        let reason = entry.reason_code().map_or(0, |(_, reason)| reason.0);
        (Serial::from_slice(entry.raw_serial()).unwrap(), reason)
    });
    List {
        number: stored.number,
        this_update: Timestamp::from_seconds(crl.last_update().timestamp()),
        next_update: Timestamp::from_seconds(crl.next_update().unwrap().timestamp()),
        entries: entries.collect(),
        der: stored.der.clone(),
    }
}

async fn damage_list(fixture: &CaFixture, shard: u16) {
    let issuer = fixture.authority.issuer().id();
    let mut list = fixture.ledger.crl(issuer, shard).await.unwrap().unwrap();
    list.number += 1;
    list.der.truncate(100);
    let mut transaction = fixture.ledger.begin(NOW).await.unwrap();
    assert!(transaction.publish_crl(issuer, shard, &list).await.unwrap());
    transaction.commit().await.unwrap();
}

fn shard_of(fixture: &CaFixture, device: &IssuedCertificate) -> u16 {
    fixture.authority.endpoints().shard_of(&device.certificate.serial)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    // The URL of the first shard is no prefix of another's: it ends in .crl.
    haystack.windows(needle.len()).any(|window| window == needle)
}

async fn act(fixture: &CaFixture, certificate: &IssuedCertificate, action: DeviceAction, now: Timestamp) {
    let mut transaction = fixture.ledger.begin(now).await.unwrap();
    transaction.act_on_device(&certificate.device, action, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
}
