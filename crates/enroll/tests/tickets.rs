//! What a profile and a waiting page hold in place of a code, and what somebody who finds either can do with it.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod fixture;

use axum::body::Body;
use fixture::{EnrollFixture, enrolling, fresh_csr, post, presenting};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::{Refusal, Role};
use tegata_testkit::ca::NOW;
use tegata_web::PeerCertificate;

const LIFE: Duration = Duration::from_mins(30);
const MOMENT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn what_a_profile_holds_enrolls_once_and_for_half_an_hour() {
    let fixture = EnrollFixture::new().await;
    let code = fixture.invite(Role::Device).await;
    let ticket = ticket(&fixture, form(&format!("code={code}"))).await;
    assert!(!ticket.contains(&code));
    fixture.clock.set(NOW.plus(LIFE).plus(MOMENT));
    fixture.refuses(Refusal::InvitationExpired, enrolling(&ticket, &fresh_csr())).await;
    fixture.clock.set(NOW.plus(LIFE));
    assert_eq!(fixture.enroll(&ticket, &fresh_csr()).await.status, StatusCode::CREATED);
    fixture.refuses(Refusal::InvitationUsed, enrolling(&ticket, &fresh_csr())).await;
    fixture.refuses(Refusal::InvitationUsed, form(&format!("code={code}"))).await;
}

#[tokio::test]
async fn a_withdrawn_invitation_takes_its_tickets_along() {
    let fixture = EnrollFixture::new().await;
    let code = fixture.invite(Role::Device).await;
    let ticket = ticket(&fixture, form(&format!("code={code}"))).await;
    let progress = opened(&fixture, &code).await;
    fixture.withdraw(&code).await;
    fixture.refuses(Refusal::InvitationWithdrawn, enrolling(&ticket, &fresh_csr())).await;
    fixture.refuses(Refusal::InvitationWithdrawn, waiting(&progress)).await;
}

#[tokio::test]
async fn nobody_makes_or_changes_a_ticket() {
    let fixture = EnrollFixture::new().await;
    let code = fixture.invite(Role::Device).await;
    let ticket = ticket(&fixture, form(&format!("code={code}"))).await;
    for place in [0, 5, 20, ticket.len() - 2] {
        let mut forged = ticket.clone().into_bytes();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        fixture.refuses(Refusal::InvitationUnknown, enrolling(&forged, &fresh_csr())).await;
    }
}

#[tokio::test]
async fn a_waiting_page_learns_that_its_certificate_was_issued_and_no_more() {
    let fixture = EnrollFixture::new().await;
    let code = fixture.invite(Role::Device).await;
    let progress = opened(&fixture, &code).await;
    assert_eq!(fixture.send(waiting(&progress)).await.json, json!({"state": "waiting"}));
    fixture.refuses(Refusal::InvitationUnknown, enrolling(&progress, &fresh_csr())).await;
    fixture.refuses(Refusal::InvitationUnknown, form(&format!("code={progress}"))).await;
    let ticket = ticket(&fixture, form(&format!("code={code}"))).await;
    fixture.refuses(Refusal::InvitationUnknown, waiting(&ticket)).await;
    fixture.refuses(Refusal::InvitationUnknown, waiting(&code)).await;

    let issued = fixture.enroll(&ticket, &fresh_csr()).await;
    let told = fixture.send(waiting(&progress)).await.json;
    let expected: Vec<&Value> = ["thumbprint", "not_after", "name"].map(|name| &issued.json[name]).into();
    assert_eq!(["thumbprint", "not_after", "name"].map(|name| &told[name]).to_vec(), expected);
    assert_eq!(told["state"], "issued");
    fixture.clock.set(NOW.plus(Duration::from_hours(2)).plus(MOMENT));
    fixture.refuses(Refusal::InvitationExpired, waiting(&progress)).await;
}

#[tokio::test]
async fn a_renewal_ticket_is_given_to_a_devices_certificate_and_invites_nobody() {
    let fixture = EnrollFixture::new().await;
    let issued = fixture.enroll(&fixture.invite(Role::Device).await, &fresh_csr()).await;
    let device = fixture::certificate(&issued);
    let fields = "hardware_bound=false";
    let ticket = ticket(&fixture, presenting(form(fields), &device)).await;
    fixture.refuses(Refusal::InvitationUnknown, enrolling(&ticket, &fresh_csr())).await;
    fixture.refuses(Refusal::InvitationUnknown, form(&format!("code={ticket}"))).await;

    assert_eq!(fixture.send(next(&device, 1)).await.json, json!({"state": "waiting"}));
    let renewed = fixture.renew(&device, &fresh_csr()).await;
    assert_eq!(fixture.send(next(&device, 1)).await.json["thumbprint"], renewed.json["thumbprint"]);

    fixture.act(&device, tegata_storage::DeviceAction::Suspend).await;
    fixture.refuses(Refusal::DeviceSuspended, presenting(form(fields), &device)).await;
    fixture.refuses(Refusal::DeviceSuspended, next(&device, 1)).await;
}

/// What is in the profile that is handed out for this form.
async fn ticket(fixture: &EnrollFixture, form: Request<Body>) -> String {
    let answer = fixture.send(form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let (_, rest) = answer.text.split_once("<key>ClientIdentifier</key>").unwrap();
    rest.trim_start().trim_start_matches("<string>").split('<').next().unwrap().to_owned()
}

async fn opened(fixture: &EnrollFixture, code: &str) -> String {
    let opened = fixture.portal("/api/v1/invitations/open", &json!({"code": code})).await;
    opened.json["progress"].as_str().unwrap().to_owned()
}

fn form(fields: &str) -> Request<Body> {
    let form = Request::post("/api/v1/profiles").header("content-type", "application/x-www-form-urlencoded");
    form.body(fields.to_owned().into()).unwrap()
}

fn waiting(ticket: &str) -> Request<Body> {
    post("/api/v1/invitations/progress", json!({ "ticket": ticket }).to_string())
}

fn next(device: &PeerCertificate, after: u32) -> Request<Body> {
    presenting(post("/api/v1/renewals/progress", json!({ "after": after }).to_string()), device)
}
