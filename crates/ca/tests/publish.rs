//! What whoever reads the CRL or asks the OCSP responder may rely on.

#![allow(clippy::unwrap_used)]

mod support;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use std::collections::HashMap;
use std::time::Duration;
use support::{House, NOW, OPERATOR, Place, first_time, order, request};
use tegata_ca::{Issued, OcspRequest, PublishError, Step};
use tegata_core::{DeviceId, RevocationReason, Role, Serial, Timestamp};
use tegata_storage::DeviceAction;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

const MINUTE: Duration = Duration::from_mins(1);
const LOST: DeviceAction = DeviceAction::Revoke(RevocationReason::KeyCompromise);

/// Reasons of RFC 5280 section 5.3.1.
const KEY_COMPROMISE: u8 = 1;
const SUPERSEDED: u8 = 4;
const HOLD: u8 = 6;

on_both_engines!(
    a_revocation_is_on_the_next_list_and_a_resumed_device_is_not,
    an_old_generation_is_listed_as_superseded,
    nothing_new_is_published_within_the_hour_unless_something_ended,
    publishers_at_once_never_go_back_and_never_claim_what_is_not_out,
    ocsp_says_what_the_ledger_says,
    without_a_ledger_nothing_is_good,
);

async fn a_revocation_is_on_the_next_list_and_a_resumed_device_is_not(place: Place) {
    let house = House::found(place).await;
    let (lost, paused, good) = (house.enroll(NOW).await, house.enroll(NOW).await, house.enroll(NOW).await);
    let first = publish(&house, NOW).await;
    assert_eq!(first.entries.len(), 0);

    act(&house, &lost, LOST, NOW.plus(MINUTE)).await;
    act(&house, &paused, DeviceAction::Suspend, NOW.plus(MINUTE)).await;
    let second = publish(&house, NOW.plus(MINUTE)).await;
    assert!(second.number > first.number);
    let expected =
        HashMap::from([(lost.certificate.serial, KEY_COMPROMISE), (paused.certificate.serial, HOLD)]);
    assert_eq!(second.entries, expected);

    act(&house, &paused, DeviceAction::Resume, NOW.plus(MINUTE * 2)).await;
    let third = publish(&house, NOW.plus(MINUTE * 2)).await;
    assert!(third.number > second.number);
    assert_eq!(third.entries, HashMap::from([(lost.certificate.serial, KEY_COMPROMISE)]));
    assert!(!third.entries.contains_key(&good.certificate.serial));

    act(&house, &paused, DeviceAction::Suspend, NOW.plus(MINUTE * 3)).await;
    act(&house, &paused, LOST, NOW.plus(MINUTE * 3)).await;
    let fourth = publish(&house, NOW.plus(MINUTE * 3)).await;
    assert_eq!(fourth.entries.get(&paused.certificate.serial), Some(&KEY_COMPROMISE), "a hold can harden");
}

async fn an_old_generation_is_listed_as_superseded(place: Place) {
    let house = House::found(place).await;
    let old = house.enroll(NOW).await;
    house.present(&old, NOW, NOW).await;
    let new = house.renew(&old, NOW).await.unwrap();
    let retire_at = NOW.plus(MINUTE);
    house.present(&new, retire_at, NOW).await;
    assert_eq!(publish(&house, NOW).await.entries, HashMap::new(), "both work during the grace");

    let mut transaction = house.ledger.begin(retire_at).await.unwrap();
    assert_eq!(transaction.retire_due().await.unwrap(), 1);
    transaction.commit().await.unwrap();
    let list = publish(&house, retire_at).await;
    assert_eq!(list.entries, HashMap::from([(old.certificate.serial, SUPERSEDED)]));
}

async fn nothing_new_is_published_within_the_hour_unless_something_ended(place: Place) {
    let house = House::found(place).await;
    let device = house.enroll(NOW).await;
    let first = publish(&house, NOW).await;
    let entries = house.ledger.verify_audit().await.unwrap().unwrap();
    for minutes in [0, 1, 30, 59] {
        let same = publish(&house, NOW.plus(MINUTE * minutes)).await;
        assert_eq!(same.der, first.der, "after {minutes} minutes");
    }
    assert_eq!(house.ledger.verify_audit().await.unwrap(), Ok(entries), "and nothing was written down");

    let hourly = publish(&house, NOW.plus(MINUTE * 60)).await;
    assert!(hourly.number > first.number);
    assert!(hourly.this_update > first.this_update && hourly.next_update > first.next_update);
    assert!(hourly.next_update.since(hourly.this_update) > MINUTE * 60, "the next hour is covered");

    act(&house, &device, LOST, NOW.plus(MINUTE * 61)).await;
    assert!(publish(&house, NOW.plus(MINUTE * 61)).await.number > hourly.number);
}

async fn publishers_at_once_never_go_back_and_never_claim_what_is_not_out(place: Place) {
    let house = House::found(place).await;
    let other = House::reopen(house.place.clone(), 2).await;
    let mut devices = Vec::new();
    for _ in 0..24 {
        devices.push(house.enroll(NOW).await);
    }
    let publishing = [&house, &other, &house, &other].map(|house| {
        let (authority, ledger) = (house.authority.clone(), house.ledger.clone());
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
        act(&house, device, LOST, NOW).await;
    }
    for publisher in publishing {
        publisher.await.unwrap();
    }
    let last = publish(&house, NOW).await;
    assert_eq!(last.entries.len(), devices.len());
    let first = NOW.millis().unsigned_abs();
    assert!(last.number <= first + devices.len() as u64, "a number for each change at most");
}

async fn ocsp_says_what_the_ledger_says(place: Place) {
    let house = House::found(place).await;
    let [good, lost, paused, laid_aside] =
        [house.enroll(NOW).await, house.enroll(NOW).await, house.enroll(NOW).await, house.enroll(NOW).await];
    let later = NOW.plus(MINUTE);
    act(&house, &lost, LOST, later).await;
    act(&house, &paused, DeviceAction::Suspend, later).await;
    act(&house, &laid_aside, DeviceAction::Retire, later).await;
    let ask =
        async |serial: &Serial| status(&house.authority.ocsp(ask_for(&house, serial), later).await, serial);
    assert_eq!(ask(&good.certificate.serial).await, Said::Good);
    assert_eq!(ask(&lost.certificate.serial).await, Said::Revoked(Some(KEY_COMPROMISE)));
    assert_eq!(ask(&paused.certificate.serial).await, Said::Revoked(Some(HOLD)));
    assert!(matches!(ask(&laid_aside.certificate.serial).await, Said::Revoked(_)));
    assert_eq!(ask(&Serial::random(&*house.entropy)).await, Said::Unknown);

    act(&house, &paused, DeviceAction::Resume, later).await;
    assert_eq!(ask(&paused.certificate.serial).await, Said::Good, "answers are never from a memory");

    let reserved = reserve(&house).await;
    assert_eq!(ask(&reserved).await, Said::Unknown, "what was never signed is not good");
    let mut transaction = house.ledger.begin(later).await.unwrap();
    transaction.abandon_reserved(later).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(ask(&reserved).await, Said::Revoked(Some(SUPERSEDED)), "what may have been signed is bad");
}

async fn without_a_ledger_nothing_is_good(place: Place) {
    let house = House::found(place).await;
    let device = house.enroll(NOW).await;
    house.ledger.close().await;
    let asked = ask_for(&house, &device.certificate.serial);
    let answer = house.authority.ocsp(asked, NOW).await;
    assert_eq!(answer, [0x30, 3, 0x0a, 1, 3], "tryLater (RFC 6960 section 4.2.1), and nothing else");
    assert!(house.authority.publish_crls(NOW).await.is_err());
}

struct List {
    number: u64,
    this_update: Timestamp,
    next_update: Timestamp,
    entries: HashMap<Serial, u8>,
    der: Vec<u8>,
}

/// The list that is out after a publisher's turn, read by somebody else's parser.
async fn publish(house: &House, now: Timestamp) -> List {
    let claimed = house.authority.publish_crls(now).await.unwrap();
    let issuer = house.authority.issuer().id();
    let stored = house.ledger.crl(issuer, 0).await.unwrap().unwrap();
    assert_eq!(claimed, house.ledger.feed_head().await.unwrap());
    assert_eq!(stored.revision, house.ledger.shards(issuer).await.unwrap()[0].revision);
    let (rest, crl) = CertificateRevocationList::from_der(&stored.der).unwrap();
    assert!(rest.is_empty());
    let (_, issuer) = X509Certificate::from_der(house.authority.issuer().certificate()).unwrap();
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

async fn act(house: &House, certificate: &Issued, action: DeviceAction, now: Timestamp) {
    let mut transaction = house.ledger.begin(now).await.unwrap();
    transaction.act_on_device(&certificate.device, action, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Leaves a certificate reserved, as a requester that goes away in the middle does.
async fn reserve(house: &House) -> Serial {
    let (_, invitation) = house.invite(Role::Device, NOW).await;
    let device = DeviceId::random(&*house.entropy);
    let (authority, entropy, id) = (house.authority.clone(), house.entropy.clone(), device.clone());
    let cut_short = tokio::spawn(async move {
        let witness = |step| assert_ne!(step, Step::Reserved, "cut short on purpose");
        let request = request();
        authority.issue(order(&id, first_time(&invitation), &request), NOW, &*entropy, &witness).await
    });
    assert!(cut_short.await.unwrap_err().is_panic());
    house.ledger.certificates_of(&device).await.unwrap()[0].serial
}

/// A request of RFC 6960 section 4.1.1 for one certificate, with SHA-1 as clients send it.
fn ask_for(house: &House, serial: &Serial) -> Result<OcspRequest, tegata_ca::ocsp::OcspError> {
    let (_, issuer) = X509Certificate::from_der(house.authority.issuer().certificate()).unwrap();
    let hash = |bytes: &[u8]| tlv(0x04, &[digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()]);
    let sha1 = tlv(0x30, &[&[0x06, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0]]);
    let (name, key) = (hash(issuer.subject().as_raw()), hash(&issuer.public_key().subject_public_key.data));
    let id = tlv(0x30, &[&sha1, &name, &key, &tlv(0x02, &[serial.as_bytes()])]);
    OcspRequest::parse(&tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&id])])])]))
}

#[derive(PartialEq, Eq, Debug)]
enum Said {
    Good,
    Revoked(Option<u8>),
    Unknown,
}

/// The certStatus, which follows the serial in the only `SingleResponse` (RFC 6960 section 4.2.1).
fn status(response: &[u8], serial: &Serial) -> Said {
    let serial = serial.as_bytes();
    let at = response.windows(serial.len()).position(|window| window == serial);
    match &response[at.expect("an answer about this serial") + serial.len()..] {
        [0x80, 0, ..] => Said::Good,
        [0x82, 0, ..] => Said::Unknown,
        // A GeneralizedTime of 17 octets, then [0] { ENUMERATED reason } of 5.
        [0xa1, 22, rest @ ..] => Said::Revoked(Some(rest[21])),
        [0xa1, 17, ..] => Said::Revoked(None),
        other => panic!("no status: {:02x?}", &other[..4]),
    }
}

/// One element of DER, shorter than 128 octets.
fn tlv(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&[tag, u8::try_from(content.len()).unwrap()], content.as_slice()].concat()
}
