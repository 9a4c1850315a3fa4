//! What somebody at a shared PC without mail may rely on, and what somebody who guesses may not.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod fixture;

use axum::body::Body;
use fixture::{EnrollFixture, enrolling, fresh_csr, is_problem, post};
use http::{Request, StatusCode};
use serde_json::json;
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{Refusal, Role, ShortCode};
use tegata_testkit::OPERATOR;
use tegata_testkit::ca::{NOW, installation};
use tegata_web::{BehindProxy, PeerAddress};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn what_was_read_out_is_typed_and_becomes_a_certificate_like_a_link() {
    let (fixture, typed, _) = invited().await;
    let opened = fixture.portal("/api/v1/invitations/open", &json!({"code": typed})).await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.text);
    let sloppy = typed.to_lowercase().replace('-', " ").replace('0', "o");
    let answer = fixture.enroll(&sloppy, &fresh_csr()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let delivery = json!({"code": typed, "thumbprint": answer.json["thumbprint"]});
    assert_eq!(fixture.portal("/api/v1/deliveries", &delivery).await.status, StatusCode::NO_CONTENT);
    let again = fixture.enroll(&typed, &fresh_csr()).await;
    is_problem(&again, Refusal::InvitationUsed);
}

#[tokio::test]
async fn a_short_code_ends_before_its_invitation_does() {
    let (fixture, typed, link) = invited().await;
    fixture.clock.set(NOW.plus(HOUR).plus(Duration::from_millis(1)));
    fixture.refuses(Refusal::ShortCodeUnknown, opening(&typed, 1)).await;
    assert_eq!(fixture.send(opening(&link, 1)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_guesses_is_shut_out_while_links_and_other_places_go_on() {
    let (fixture, typed, link) = invited().await;
    for last in 0..10 {
        let wrong = format!("0000-000{last}");
        is_problem(&fixture.send(opening(&wrong, 1)).await, Refusal::ShortCodeUnknown);
    }
    is_problem(&fixture.send(opening(&typed, 1)).await, Refusal::TooManyGuesses);
    let mut enrolling = enrolling(&typed, &fresh_csr());
    enrolling.extensions_mut().insert(from(1));
    is_problem(&fixture.send(enrolling).await, Refusal::TooManyGuesses);
    assert_eq!(fixture.send(opening(&link, 1)).await.status, StatusCode::OK);
    assert_eq!(fixture.send(opening(&typed, 2)).await.status, StatusCode::OK);
    fixture.clock.set(NOW.plus(Duration::from_mins(10)));
    assert_eq!(fixture.send(opening(&typed, 1)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn wrong_short_codes_count_at_every_server_within_a_second() {
    let (fixture, typed, link) = invited().await;
    assert_eq!(fixture.send_elsewhere(opening(&typed, 1)).await.status, StatusCode::OK);
    for last in 0..10 {
        let wrong = format!("0000-000{last}");
        is_problem(&fixture.send(opening(&wrong, 1)).await, Refusal::ShortCodeUnknown);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    is_problem(&fixture.send_elsewhere(opening(&typed, 1)).await, Refusal::TooManyGuesses);
    assert_eq!(fixture.send_elsewhere(opening(&typed, 2)).await.status, StatusCode::OK);
    assert_eq!(fixture.send_elsewhere(opening(&link, 1)).await.status, StatusCode::OK);
    fixture.clock.set(NOW.plus(Duration::from_mins(10)));
    assert_eq!(fixture.send_elsewhere(opening(&typed, 1)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_right_link_is_answered_whatever_others_try_from_the_same_address() {
    let (fixture, typed, link) = invited().await;
    let before = fixture.ca.ledger.verify_audit().await.unwrap().unwrap();
    let wrong = |path: &str| {
        let code = InvitationCode::random(fixture.ca.entropy.as_ref()).reveal().to_owned();
        let mut request = post(path, json!({"code": code}).to_string());
        request.extensions_mut().insert(from(1));
        fixture.send(request)
    };
    for number in 0..100 {
        let path = ["/api/v1/invitations/open", "/api/v1/kitting/open"][number % 2];
        is_problem(&wrong(path).await, Refusal::InvitationUnknown);
    }
    is_problem(&wrong("/api/v1/invitations/open").await, Refusal::TooManyLinks);
    is_problem(&wrong("/api/v1/kitting/open").await, Refusal::TooManyLinks);
    assert_eq!(fixture.send(opening(&link, 1)).await.status, StatusCode::OK);
    assert_eq!(
        fixture.send(opening(&typed, 1)).await.status,
        StatusCode::OK,
        "a short code has its own count"
    );
    for _ in 0..20 {
        let code = InvitationCode::random(fixture.ca.entropy.as_ref()).reveal().to_owned();
        let mut request = enrolling(&code, &fresh_csr());
        request.extensions_mut().insert(from(1));
        is_problem(&fixture.send(request).await, Refusal::TooManyLinks);
    }
    let after = fixture.ca.ledger.verify_audit().await.unwrap().unwrap();
    assert_eq!(after, before + 1, "strangers are one entry of the audit log, however often they come");
    let mut request = enrolling(&link, &fresh_csr());
    request.extensions_mut().insert(from(1));
    assert_eq!(fixture.send(request).await.status, StatusCode::CREATED);
    fixture.clock.set(NOW.plus(Duration::from_mins(10)));
    is_problem(&wrong("/api/v1/invitations/open").await, Refusal::InvitationUnknown);
}

#[tokio::test]
async fn wrong_short_codes_of_unknown_origin_shut_out_nobody() {
    let (fixture, typed, _) = invited().await;
    let request = |code: &str| {
        let mut request = post("/api/v1/invitations/open", json!({"code": code}).to_string());
        request.extensions_mut().insert(BehindProxy);
        request
    };
    for last in 0..10 {
        is_problem(&fixture.send(request(&format!("0000-000{last}"))).await, Refusal::ShortCodeUnknown);
    }
    assert_eq!(fixture.send(request(&typed)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_withdrawn_invitations_short_code_is_withdrawn_too() {
    let (fixture, typed, link) = invited().await;
    fixture.withdraw(&link).await;
    fixture.refuses(Refusal::InvitationWithdrawn, opening(&typed, 1)).await;
}

/// A world, an invitation's short code as it is read out, and the code of its link.
async fn invited() -> (EnrollFixture, String, String) {
    let fixture = EnrollFixture::new().await;
    let link = fixture.invite(Role::Device).await;
    let invitation = fixture.ca.invitation(&InvitationCode::parse(&link).unwrap()).await;
    let code = ShortCode::random(fixture.ca.entropy.as_ref());
    let hash = code.hash(&installation());
    let mut transaction = fixture.ca.ledger.begin(NOW).await.unwrap();
    transaction.set_short_code(&invitation.id, &hash, NOW.plus(HOUR), &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    (fixture, code.reveal().to_string(), link)
}

fn opening(code: &str, place: u8) -> Request<Body> {
    let mut request = post("/api/v1/invitations/open", json!({"code": code}).to_string());
    request.extensions_mut().insert(from(place));
    request
}

fn from(place: u8) -> PeerAddress {
    PeerAddress(([192, 0, 2, place], 50_000).into())
}
