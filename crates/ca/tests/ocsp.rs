//! What whoever asks the OCSP responder may rely on.

#![allow(clippy::unwrap_used)]

mod asking;

use asking::{OcspFixture, OcspReading};
use std::time::Duration;
use tegata_ca::{IssuanceStep, IssuedCertificate};
use tegata_core::{DeviceId, RevocationReason, Role, Serial, Timestamp};
use tegata_storage::{DeviceAction, TenantAction};
use tegata_testkit::ca::{CaFixture, NOW, first_time, order, request};
use tegata_testkit::{Everything, OPERATOR, TestPlace};
use x509_parser::prelude::{FromDer, X509Certificate};

const MINUTE: Duration = Duration::from_mins(1);
const WEEK: Duration = Duration::from_hours(7 * 24);
const LOST: DeviceAction = DeviceAction::Revoke(RevocationReason::KeyCompromise);

/// Reasons of RFC 5280 section 5.3.1.
const KEY_COMPROMISE: u8 = 1;
const SUPERSEDED: u8 = 4;
const HOLD: u8 = 6;

tegata_testkit::on_both_engines!(
    ocsp_says_what_the_ledger_says,
    an_answer_is_signed_once_and_dropped_at_once_when_something_happens,
    a_memory_that_has_heard_nothing_for_a_second_is_not_believed,
    an_ended_certificate_does_not_become_good_when_its_denial_is_forgotten,
    a_responder_is_recorded_before_it_signs_and_replaced_at_half_its_life,
    without_a_ledger_nothing_is_good,
);

async fn ocsp_says_what_the_ledger_says(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let [good, lost, paused, laid_aside] = [
        fixture.enroll(NOW).await,
        fixture.enroll(NOW).await,
        fixture.enroll(NOW).await,
        fixture.enroll(NOW).await,
    ];
    let later = NOW.plus(MINUTE);
    act(&fixture, &lost, LOST, later).await;
    act(&fixture, &paused, DeviceAction::Suspend, later).await;
    act(&fixture, &laid_aside, DeviceAction::Retire, later).await;
    let responder = OcspFixture::open(&fixture, later).await;
    let ask = async |serial: &Serial| responder.ask(&fixture.authority, serial, later).await;
    assert_eq!(ask(&good.certificate.serial).await, OcspReading::Good);
    assert_eq!(ask(&lost.certificate.serial).await, OcspReading::Revoked(Some(KEY_COMPROMISE)));
    assert_eq!(ask(&paused.certificate.serial).await, OcspReading::Revoked(Some(HOLD)));
    assert!(matches!(ask(&laid_aside.certificate.serial).await, OcspReading::Revoked(_)));
    assert_eq!(ask(&Serial::random(&*fixture.entropy)).await, OcspReading::Unknown);

    act(&fixture, &paused, DeviceAction::Resume, later).await;
    assert_eq!(ask(&paused.certificate.serial).await, OcspReading::Good);

    let reserved = reserve(&fixture).await;
    assert_eq!(ask(&reserved).await, OcspReading::Unknown, "what was never signed is not good");
    let mut transaction = fixture.ledger.begin(later).await.unwrap();
    transaction.abandon_reserved(later).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        ask(&reserved).await,
        OcspReading::Revoked(Some(SUPERSEDED)),
        "what may have been signed is bad"
    );
}

async fn an_answer_is_signed_once_and_dropped_at_once_when_something_happens(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let [one, other, third] =
        [fixture.enroll(NOW).await, fixture.enroll(NOW).await, fixture.enroll(NOW).await];
    let responder = OcspFixture::open(&fixture, NOW).await;
    let (authority, serial) = (&fixture.authority, &one.certificate.serial);
    let answer = async |now| {
        responder.status.catch_up(now).await.unwrap();
        responder.answer(authority, serial, now).await
    };
    let first = answer(NOW).await;
    let validators = first.validators.clone().unwrap();
    assert_eq!(validators.this_update, NOW.whole_second());
    assert_eq!(answer(NOW.plus(MINUTE)).await.der, first.der, "no second signature");
    act(&fixture, &other, LOST, NOW.plus(MINUTE)).await;
    assert_eq!(answer(NOW.plus(MINUTE)).await.der, first.der, "what happens to another is no matter");
    let later = NOW.plus(MINUTE * 3);
    assert_ne!(answer(later).await.der, first.der, "half its life is over");

    act(&fixture, &one, DeviceAction::Suspend, later).await;
    assert_eq!(responder.ask(authority, serial, later).await, OcspReading::Revoked(Some(HOLD)));
    let held = answer(later).await;
    act(&fixture, &third, LOST, later).await;
    assert_eq!(answer(later).await.der, held.der, "the same is not signed again");
    act(&fixture, &one, DeviceAction::Resume, later).await;
    assert_eq!(responder.ask(authority, serial, later).await, OcspReading::Good);
    act(&fixture, &one, LOST, later).await;
    assert_eq!(responder.ask(authority, serial, later).await, OcspReading::Revoked(Some(KEY_COMPROMISE)));

    let third = &third.certificate.serial;
    let of_third = async |now| {
        responder.status.catch_up(now).await.unwrap();
        responder.ask(authority, third, now).await
    };
    let tenant = fixture.ledger.everything().tenants().await.unwrap().remove(0).id;
    let fourth = fixture.enroll(later).await.certificate.serial;
    assert_eq!(responder.ask(authority, &fourth, later).await, OcspReading::Good);
    for (action, said) in
        [(TenantAction::Suspend, OcspReading::Revoked(Some(HOLD))), (TenantAction::Resume, OcspReading::Good)]
    {
        let mut transaction = fixture.ledger.begin(later).await.unwrap();
        transaction.act_on_tenant(&tenant, action, "", &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(of_third(later).await, OcspReading::Revoked(Some(KEY_COMPROMISE)), "for itself");
        assert_eq!(responder.ask(authority, &fourth, later).await, said, "with its tenant");
    }

    let unknown = responder.answer(authority, &Serial::random(&*fixture.entropy), NOW).await;
    assert!(unknown.validators.is_none(), "what is unknown may be issued in a moment");
}

async fn a_memory_that_has_heard_nothing_for_a_second_is_not_believed(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let device = fixture.enroll(NOW).await;
    let responder = OcspFixture::open(&fixture, NOW).await;
    let serial = &device.certificate.serial;
    let ask =
        async |now| asking::status(&responder.answer(&fixture.authority, serial, now).await.der, serial);
    assert_eq!(ask(NOW).await, OcspReading::Good);
    act(&fixture, &device, LOST, NOW).await;
    // The cache is not told. It may be believed for a second, and not longer.
    assert_eq!(ask(NOW.plus(Duration::from_millis(1001))).await, OcspReading::Revoked(Some(KEY_COMPROMISE)));
}

async fn an_ended_certificate_does_not_become_good_when_its_denial_is_forgotten(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let device = fixture.enroll(NOW).await;
    let (serial, end) = (&device.certificate.serial, device.not_after);
    let before = end.minus(MINUTE);
    let responder = OcspFixture::open(&fixture, before).await;
    assert_eq!(responder.ask(&fixture.authority, serial, before).await, OcspReading::Good);
    act(&fixture, &device, LOST, before).await;
    let after = end.plus(Duration::from_secs(1));
    responder.status.catch_up(after).await.unwrap();
    responder.status.forget(after);
    assert_eq!(
        responder.ask(&fixture.authority, serial, after).await,
        OcspReading::Revoked(Some(KEY_COMPROMISE))
    );
}

async fn a_responder_is_recorded_before_it_signs_and_replaced_at_half_its_life(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let device = fixture.enroll(NOW).await;
    let responder = OcspFixture::open(&fixture, NOW).await;
    let (authority, serial) = (&fixture.authority, &device.certificate.serial);
    let ask = async |serial: &Serial, now: Timestamp| responder.answer(authority, serial, now).await.der;
    responder.responders.appoint(authority, NOW).await.unwrap();
    responder.responders.appoint(authority, NOW.plus(WEEK).minus(MINUTE * 61)).await.unwrap();
    let recorded = fixture.ledger.responders(authority.issuer().id()).await.unwrap();
    let [first] = recorded.as_slice() else { panic!("one is enough: {recorded:?}") };
    let signed = first.der.as_deref().unwrap();
    let (_, parsed) = X509Certificate::from_der(signed).unwrap();
    assert_eq!(parsed.tbs_certificate.as_ref(), first.tbs, "what was recorded is what was signed");
    assert!(contains(&ask(serial, NOW).await, signed), "the answer brings the certificate");
    assert_eq!(asking::status(&ask(&first.serial, NOW).await, &first.serial), OcspReading::Good);

    let later = NOW.plus(WEEK);
    responder.responders.appoint(authority, later).await.unwrap();
    let recorded = fixture.ledger.responders(authority.issuer().id()).await.unwrap();
    assert_eq!(recorded.len(), 2);
    let second = recorded.iter().find(|one| one.serial != first.serial).unwrap();
    assert!(contains(&ask(serial, later).await, second.der.as_deref().unwrap()));
    assert!(first.not_after > later.plus(MINUTE * 5), "answers of the old one hold to their end");
    assert_eq!(asking::status(&ask(&second.serial, later).await, &second.serial), OcspReading::Good);
}

async fn without_a_ledger_nothing_is_good(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let device = fixture.enroll(NOW).await;
    let responder = OcspFixture::open(&fixture, NOW).await;
    let serial = &device.certificate.serial;
    assert_eq!(responder.ask(&fixture.authority, serial, NOW).await, OcspReading::Good);
    fixture.ledger.close().await;
    let answer = responder.answer(&fixture.authority, serial, NOW.plus(MINUTE)).await;
    assert_eq!(*answer.der, [0x30, 3, 0x0a, 1, 3], "tryLater (RFC 6960 section 4.2.1), and nothing else");
    assert!(answer.validators.is_none());
}

async fn act(fixture: &CaFixture, certificate: &IssuedCertificate, action: DeviceAction, now: Timestamp) {
    let mut transaction = fixture.ledger.begin(now).await.unwrap();
    transaction.act_on_device(&certificate.device, action, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Leaves a certificate reserved, as a requester that goes away in the middle does.
async fn reserve(fixture: &CaFixture) -> Serial {
    let (_, invitation) = fixture.invite(Role::Device, NOW).await;
    let device = DeviceId::random(&*fixture.entropy);
    let (authority, entropy, id) = (fixture.authority.clone(), fixture.entropy.clone(), device.clone());
    let cut_short = tokio::spawn(async move {
        let witness = |step| assert_ne!(step, IssuanceStep::Reserved, "cut short on purpose");
        let request = request();
        authority.issue(order(&id, first_time(&invitation), &request), NOW, &*entropy, &witness).await
    });
    assert!(cut_short.await.unwrap_err().is_panic());
    fixture.ledger.everything().certificates_of(&device).await.unwrap()[0].serial
}
