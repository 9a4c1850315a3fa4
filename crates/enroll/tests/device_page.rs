//! What somebody reads on the page of their own device, whatever has become of its certificate.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod fixture;

use axum::body::Body;
use fixture::{EnrollFixture, EnrollResponse, certificate, fresh_csr, presenting};
use http::{Request, StatusCode};
use std::time::Duration;
use tegata_core::{DeviceId, RevocationReason, Role};
use tegata_storage::{DeviceAction, TenantAction};
use tegata_testkit::Everything;
use tegata_testkit::ca::{DAY, NOW};
use tegata_web::PeerCertificate;

#[tokio::test]
async fn a_good_device_shows_when_it_is_due_and_the_number_that_support_types() {
    let (fixture, certificate, device) = enrolled().await;
    let page = read(&fixture, "/?lang=ja", &certificate).await;
    assert_eq!(page.status, StatusCode::OK);
    let number = &device.as_str()[..8];
    assert!(page.text.contains(number), "{}", page.text);
    let found = fixture.ca.ledger.everything().devices_numbered(number).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, device);
}

#[tokio::test]
async fn a_calendar_entry_keeps_its_identifier_and_moves_with_the_renewal() {
    let (fixture, old, device) = enrolled().await;
    let first = read(&fixture, "/calendar.ics?lang=en", &old).await;
    assert_eq!(first.headers["content-type"], "text/calendar; charset=utf-8");
    fixture.pass_time(DAY * 340).await;
    let renewed = certificate(&fixture.renew(&old, &fresh_csr()).await);
    let second = read(&fixture, "/calendar.ics?lang=en", &renewed).await;
    let line = |calendar: &EnrollResponse, name: &str| {
        let start = format!("{name}:");
        calendar.text.lines().find(|line| line.starts_with(&start)).unwrap().to_owned()
    };
    assert!(line(&first, "UID").contains(device.as_str()));
    assert_eq!(line(&first, "UID"), line(&second, "UID"));
    assert_eq!([line(&first, "SEQUENCE"), line(&second, "SEQUENCE")], ["SEQUENCE:1", "SEQUENCE:2"]);
    assert_ne!(line(&first, "DTSTART;VALUE=DATE"), line(&second, "DTSTART;VALUE=DATE"));
}

#[tokio::test]
async fn a_refused_person_reads_since_when_and_why() {
    let (fixture, certificate, _) = enrolled().await;
    fixture.act(&certificate, DeviceAction::Suspend).await;
    is_told(&fixture, &certificate, "C-07", "停止した日時").await;
    fixture.act(&certificate, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    is_told(&fixture, &certificate, "C-06", "停止した日時").await;

    let (fixture, certificate, _) = enrolled().await;
    suspend_tenant(&fixture).await;
    is_told(&fixture, &certificate, "C-07", "法人の利用を停止した日時").await;

    let (fixture, certificate, _) = enrolled().await;
    fixture.supersede(&certificate).await;
    is_told(&fixture, &certificate, "C-08", "新しい証明書を入れた日").await;

    let (fixture, certificate, _) = enrolled().await;
    fixture.pass_time(DAY * 366).await;
    is_told(&fixture, &certificate, "C-04", "期限が切れた日").await;

    let (fixture, certificate, _) = enrolled().await;
    fixture.clock.set(NOW.minus(Duration::from_hours(48)));
    is_told(&fixture, &certificate, "C-05", "使えるようになる日時").await;
}

#[tokio::test]
async fn whoever_shows_a_certificate_of_others_learns_nothing_about_devices() {
    let (fixture, certificate, device) = enrolled().await;
    let foreign = PeerCertificate { path: tegata_web::TrustVerdict::Foreign, ..certificate };
    let page = read(&fixture, "/?lang=ja", &foreign).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(page.text.contains("C-02") && !page.text.contains(&device.as_str()[..8]), "{}", page.text);
    assert!(!page.text.contains("受付PC"));
}

async fn is_told(fixture: &EnrollFixture, certificate: &PeerCertificate, code: &str, fact: &str) {
    let page = read(fixture, "/?lang=ja", certificate).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{code}");
    for words in [code, fact, "受付PC", "端末番号"] {
        assert!(page.text.contains(words), "{code}: {words} in {}", page.text);
    }
    let calendar = read(fixture, "/calendar.ics", certificate).await;
    assert_eq!((calendar.status, &calendar.json["code"]), (StatusCode::UNAUTHORIZED, &code.into()));
}

async fn suspend_tenant(fixture: &EnrollFixture) {
    let ledger = &fixture.ca.ledger;
    let tenant = ledger.everything().tenants().await.unwrap().remove(0).id;
    let mut transaction = ledger.begin(NOW).await.unwrap();
    transaction.act_on_tenant(&tenant, TenantAction::Suspend, "", &tegata_testkit::OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    fixture.pass_time(Duration::from_secs(0)).await;
}

async fn enrolled() -> (EnrollFixture, PeerCertificate, DeviceId) {
    let fixture = EnrollFixture::new().await;
    let answer = fixture.enroll(&fixture.invite(Role::Device).await, &fresh_csr()).await;
    let device = DeviceId::parse(answer.json["device"].as_str().unwrap()).unwrap();
    let certificate = certificate(&answer);
    fixture.probe(Some(&certificate), None).await;
    (fixture, certificate, device)
}

async fn read(fixture: &EnrollFixture, path: &str, certificate: &PeerCertificate) -> EnrollResponse {
    fixture.send(presenting(Request::get(path).body(Body::empty()).unwrap(), certificate)).await
}
