//! Enrolling past a policy is tried through the page's endpoints, and waiting for an approval is tried by everybody who
//! has a part in it.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod fixture;

use axum::body::Body;
use fixture::{EnrollFixture, EnrollResponse, certificate, enrolling, fresh_csr, is_problem, post, rsa_csr};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tegata_core::encoding::base64;
use tegata_core::id::InvitationCode;
use tegata_core::policy::OpeningHours;
use tegata_core::{ApprovalId, EnrollmentPolicy, Platform, Refusal, Role, Timestamp};
use tegata_storage::PolicyPlace;
use tegata_testkit::OPERATOR;
use tegata_testkit::ca::{DAY, NOW};
use tegata_web::PeerAddress;

impl EnrollFixture {
    /// The rules of the tenant, from now on.
    async fn rule(&self, policy: EnrollmentPolicy) {
        let code = InvitationCode::parse(&self.invite(Role::Device).await).unwrap();
        let invitation = self.ca.invitation(&code).await;
        let place = PolicyPlace { tenant: invitation.tenant, site: None };
        let mut transaction = self.ca.ledger.begin(NOW).await.unwrap();
        transaction.set_policy(&place, &policy, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn decide(&self, waiting: &EnrollResponse, approved: bool) {
        let id = ApprovalId::parse(waiting.json["approval"].as_str().unwrap()).unwrap();
        let mut transaction = self.ca.ledger.begin(self.now()).await.unwrap();
        if approved {
            transaction.approve(&id, &OPERATOR).await.unwrap();
        } else {
            transaction.decline(&id, "not ours", &OPERATOR).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }

    fn now(&self) -> Timestamp {
        use tegata_core::Clock;
        self.clock.now()
    }

    async fn ask(&self, waiting: &EnrollResponse) -> EnrollResponse {
        self.portal("/api/v1/approvals", &json!({"approval": waiting.json["approval"]})).await
    }
}

fn from(mut request: Request<Body>, address: &str) -> Request<Body> {
    request
        .extensions_mut()
        .insert(PeerAddress((address.parse::<std::net::IpAddr>().unwrap(), 50_000).into()));
    request
}

fn by(mut request: Request<Body>, user_agent: &str) -> Request<Body> {
    request.headers_mut().insert("user-agent", user_agent.parse().unwrap());
    request
}

fn approval() -> EnrollmentPolicy {
    EnrollmentPolicy { approval: true, ..EnrollmentPolicy::default() }
}

fn waits(answer: &EnrollResponse) {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    assert_eq!(answer.headers["retry-after"], "5");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let (id, number) = (answer.json["approval"].as_str().unwrap(), answer.json["number"].as_str().unwrap());
    assert_eq!(number.replace('-', ""), id[..8]);
}

#[tokio::test]
async fn whoever_comes_from_elsewhere_is_refused_and_may_go_where_it_is_allowed() {
    let fixture = EnrollFixture::new().await;
    let networks = ["192.0.2.0/24", "2001:db8:1::/48"].map(|text| text.parse().unwrap()).to_vec();
    fixture.rule(EnrollmentPolicy { networks: Some(networks), ..EnrollmentPolicy::default() }).await;
    let code = fixture.invite(Role::Device).await;
    for elsewhere in ["198.51.100.1", "2001:db8:2::1", "::1", "::ffff:198.51.100.1"] {
        let request = from(enrolling(&code, &fresh_csr()), elsewhere);
        let mut copy = enrolling(&code, &fresh_csr());
        copy = from(copy, elsewhere);
        is_problem(&fixture.send(request).await, Refusal::NetworkNotAllowed);
        // What a client writes about itself is not an address.
        copy.headers_mut().insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        is_problem(&fixture.send(copy).await, Refusal::NetworkNotAllowed);
    }
    fixture.refuses(Refusal::NetworkNotAllowed, from(enrolling(&code, &fresh_csr()), "10.0.0.1")).await;
    certificate(&fixture.send(from(enrolling(&code, &fresh_csr()), "::ffff:192.0.2.9")).await);
}

#[tokio::test]
async fn only_devices_of_the_kinds_that_are_allowed_are_enrolled() {
    let fixture = EnrollFixture::new().await;
    let ios =
        EnrollmentPolicy { platforms: Some(BTreeSet::from([Platform::Ios])), ..EnrollmentPolicy::default() };
    fixture.rule(ios).await;
    let code = fixture.invite(Role::Device).await;
    for other in ["Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "curl/8.5.0"] {
        is_problem(
            &fixture.send(by(enrolling(&code, &fresh_csr()), other)).await,
            Refusal::PlatformNotAllowed,
        );
    }
    fixture.refuses(Refusal::PlatformNotAllowed, enrolling(&code, &fresh_csr())).await;
    let macintosh = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17.4 Safari/605.1.15";
    is_problem(
        &fixture.send(by(enrolling(&code, &fresh_csr()), macintosh)).await,
        Refusal::PlatformNotAllowed,
    );
    // An iPad says that it is a Macintosh; its page knows better.
    let body = json!({"code": code, "csr": fresh_csr(), "platform": "ios"}).to_string();
    certificate(&fixture.send(by(post("/api/v1/enrollments", body), macintosh)).await);
}

#[tokio::test]
async fn whoever_comes_too_late_reads_when_to_come_in_both_languages() {
    let fixture = EnrollFixture::new().await;
    let hours =
        OpeningHours { windows: vec!["mon-fri 09:00-20:00".parse().unwrap()], ..OpeningHours::default() };
    let night = Timestamp::parse("2030-01-07T20:00:00+09:00").unwrap();
    fixture.rule(EnrollmentPolicy { hours: Some(hours), ..EnrollmentPolicy::default() }).await;
    fixture.clock.set(night);
    let code = fixture.invite(Role::Device).await;
    let csr = fresh_csr();
    let mut request = enrolling(&code, &csr);
    request.headers_mut().insert("accept-language", "ja".parse().unwrap());
    let said = fixture.send(request).await;
    is_problem(&said, Refusal::OutsideHours);
    assert!(said.text.contains("日本時間で月〜金 9:00〜20:00"), "{}", said.text);
    let mut request = enrolling(&code, &csr);
    request.headers_mut().insert("accept-language", "en".parse().unwrap());
    assert!(fixture.send(request).await.text.contains("Mon–Fri 9:00–20:00, Japan time"));
    fixture.clock.set(night.minus(Duration::from_secs(1)));
    let first = fixture.enroll(&code, &csr).await;
    let known = certificate(&first);
    fixture.clock.set(night.plus(Duration::from_hours(3)));
    assert_eq!(
        fixture.enroll(&code, &csr).await.json,
        first.json,
        "an answer that was lost is given at night as well"
    );
    assert_eq!(fixture.renew(&known, &fresh_csr()).await.status, StatusCode::CREATED, "and a renewal");
}

#[tokio::test]
async fn past_every_rule_a_renewal_works_and_a_first_certificate_does_not() {
    let fixture = EnrollFixture::new().await;
    let known = certificate(&fixture.enroll(&fixture.invite(Role::Device).await, &fresh_csr()).await);
    let never = EnrollmentPolicy {
        devices: Some(0),
        platforms: Some(BTreeSet::new()),
        networks: Some(Vec::new()),
        hours: Some(OpeningHours::default()),
        approval: true,
    };
    fixture.rule(never.clone()).await;
    let code = fixture.invite(Role::Device).await;
    let renewed = certificate(&fixture.renew(&known, &fresh_csr()).await);
    assert_ne!(renewed, known);
    for (less, refusal) in [
        (never.clone(), Refusal::NetworkNotAllowed),
        (EnrollmentPolicy { networks: None, ..never.clone() }, Refusal::PlatformNotAllowed),
        (EnrollmentPolicy { networks: None, platforms: None, ..never.clone() }, Refusal::OutsideHours),
        (EnrollmentPolicy { devices: Some(0), ..EnrollmentPolicy::default() }, Refusal::NoPlaceLeft),
    ] {
        fixture.rule(less).await;
        is_problem(&fixture.enroll(&code, &fresh_csr()).await, refusal);
    }
    fixture.rule(never).await;
    let gate = fixture.enroll(&fixture.invite(Role::Gate).await, &fresh_csr()).await;
    assert_eq!(gate.status, StatusCode::CREATED, "no rule is about gates");
}

#[tokio::test]
async fn a_waiting_device_is_told_so_and_gets_its_certificate_once_approved() {
    let fixture = EnrollFixture::new().await;
    fixture.rule(approval()).await;
    let (code, csr) = (fixture.invite(Role::Device).await, fresh_csr());
    let waiting = fixture.enroll(&code, &csr).await;
    waits(&waiting);
    assert_eq!(fixture.certificates().await, 0);
    let before = fixture.ca.place.content().await;
    for again in [fixture.enroll(&code, &csr).await, fixture.ask(&waiting).await] {
        waits(&again);
        assert_eq!(again.json, waiting.json);
    }
    assert_eq!(fixture.ca.place.content().await, before, "and nothing is written for it");
    assert_eq!(fixture.audited("certificate.refused").await, 0, "waiting is no refusal");

    fixture.decide(&waiting, true).await;
    fixture.rule(EnrollmentPolicy { hours: Some(OpeningHours::default()), ..approval() }).await;
    let given = fixture.ask(&waiting).await;
    let thumbprint = certificate(&given).thumbprint;
    assert_eq!(fixture.ask(&waiting).await.json, given.json, "a lost answer is given again");
    assert_eq!(fixture.enroll(&code, &csr).await.json, given.json);
    let deliver = async |body: Value| fixture.portal("/api/v1/deliveries", &body).await;
    let noted = json!({"approval": waiting.json["approval"], "thumbprint": thumbprint.to_string()});
    let both =
        json!({"code": code, "approval": waiting.json["approval"], "thumbprint": thumbprint.to_string()});
    is_problem(&deliver(both).await, Refusal::RequestMalformed);
    assert_eq!(deliver(noted).await.status, StatusCode::NO_CONTENT);
    assert_eq!(fixture.audited("certificate.delivered").await, 1);
}

#[tokio::test]
async fn an_approval_is_for_one_key_and_nobody_else_with_the_link_slips_in() {
    let fixture = EnrollFixture::new().await;
    fixture.rule(approval()).await;
    let (code, honest, thief) = (fixture.invite(Role::Device).await, fresh_csr(), fresh_csr());
    let waiting = fixture.enroll(&code, &honest).await;
    waits(&waiting);
    let theirs = fixture.enroll(&code, &thief).await;
    waits(&theirs);
    assert_ne!(theirs.json["approval"], waiting.json["approval"]);
    fixture.decide(&waiting, true).await;
    waits(&fixture.enroll(&code, &thief).await);
    waits(&fixture.ask(&theirs).await);
    waits(&fixture.enroll(&code, &fresh_csr()).await);
    certificate(&fixture.enroll(&code, &honest).await);
    for late in [fixture.enroll(&code, &thief).await, fixture.ask(&theirs).await] {
        is_problem(&late, Refusal::InvitationUsed);
    }
    for nobody in ["", "x", &"0".repeat(26), &code] {
        let body = json!({"approval": nobody});
        is_problem(&fixture.portal("/api/v1/approvals", &body).await, Refusal::InvitationUnknown);
    }
}

#[tokio::test]
async fn a_declined_person_reads_so_and_an_approval_must_come_in_time() {
    let fixture = EnrollFixture::new().await;
    fixture.rule(approval()).await;
    let code = fixture.invite(Role::Device).await;
    let csr = fresh_csr();
    let waiting = fixture.enroll(&code, &csr).await;
    fixture.decide(&waiting, false).await;
    is_problem(&fixture.ask(&waiting).await, Refusal::ApprovalDeclined);
    fixture.refuses(Refusal::ApprovalDeclined, enrolling(&code, &csr)).await;
    fixture.rule(EnrollmentPolicy::default()).await;
    certificate(&fixture.enroll(&code, &csr).await);

    fixture.rule(approval()).await;
    let other = fixture.invite(Role::Device).await;
    let waiting = fixture.enroll(&other, &fresh_csr()).await;
    waits(&waiting);
    fixture.pass_time(DAY).await;
    fixture.pass_time(Duration::from_secs(1)).await;
    is_problem(&fixture.ask(&waiting).await, Refusal::InvitationExpired);
}

#[tokio::test]
async fn nobody_is_asked_about_what_could_not_be_issued_or_by_too_many() {
    let fixture = EnrollFixture::new().await;
    fixture.rule(approval()).await;
    let code = fixture.invite(Role::Device).await;
    let csr = base64(&rsa_csr());
    fixture.refuses(Refusal::KeyNotAllowed, enrolling(&code, &csr)).await;
    for _ in 0..5 {
        waits(&fixture.enroll(&code, &fresh_csr()).await);
    }
    fixture.refuses(Refusal::TooManyWaiting, enrolling(&code, &fresh_csr())).await;
}
