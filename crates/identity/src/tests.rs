//! Accounts and sessions as a browser on an enrolled device meets them.

mod account;
mod authenticator;
mod browser_attacks;
mod federation;
mod fixture;
mod imported;
mod lists;
mod passkeys;
mod scim;

use crate::{SignInAlarm, SignInAlarmObserver, device_routes, portal_routes};
use axum::body::Body;
use fixture::{OPERATOR, PASSWORD, TestCompany, form, form_token, goes_to, shows};
use http::{Request, StatusCode};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::{Justification, OneTimeCode, PersonId, RevocationReason, Role};
use tegata_storage::{DeviceAction, EmergencyCode};
use tegata_testkit::{Everything, send};

#[tokio::test]
async fn a_person_sets_up_an_account_signs_in_and_sees_the_session() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    assert_eq!(person.recovery.len(), 10);
    let browser = company.browser().await;
    assert_eq!(goes_to(&browser.go("/account?lang=en").await), "/sign-in?lang=en");
    let entered = browser.sign_in("ＴＡＮＡＫＡ", PASSWORD, &company.digits(&person.code, 1).await).await;
    assert_eq!(goes_to(&entered), "/account?lang=ja");
    let account = browser.go("/account").await;
    assert_eq!(account.status, StatusCode::OK);
    assert!(account.text.contains("田中 花子") && account.text.contains("受付PC"), "{}", account.text);
    let out = browser.post("/account/sign-out", &[("form_token", &form_token(&account))]).await;
    assert_eq!(goes_to(&out), "/sign-in?lang=ja");
    assert_eq!(browser.session(), None);
    assert_eq!(goes_to(&browser.go("/account").await), "/sign-in?lang=ja");
}

#[tokio::test]
async fn every_wrong_sign_in_is_answered_alike_and_costs_one_hash() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    company.add("sato").await;
    let browser = company.browser().await;
    let used = company.digits(&person.code, 0).await;
    let right = company.digits(&person.code, 1).await;
    let mut answers = Vec::new();
    for (login, password, code) in [
        ("nobody", PASSWORD, &right[..]),
        ("sato", PASSWORD, &right),
        ("<x>", PASSWORD, &right),
        ("", "", ""),
        ("tanaka", "another password", &right),
        ("tanaka", PASSWORD, "000000"),
        ("tanaka", PASSWORD, &used),
        ("tanaka", PASSWORD, "AAAA-AAAA-AAAA-AAAA"),
        ("tanaka", PASSWORD, ""),
    ] {
        let before = company.service.hasher.done();
        let answer = browser.sign_in(login, password, code).await;
        assert_eq!(company.service.hasher.done(), before + 1, "{login} {code}");
        let escaped = login.replace('<', "&#60;").replace('>', "&#62;");
        answers.push((answer.status, answer.text.replace(&format!("value=\"{escaped}\""), "value=\"\"")));
        assert_eq!(browser.session(), None);
    }
    assert!(answers[0].0 == StatusCode::UNAUTHORIZED && answers[0].1.contains("U-01"), "{}", answers[0].1);
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert!(browser.sign_in("tanaka", PASSWORD, &right).await.status == StatusCode::SEE_OTHER);
    let audit = company.audit().await;
    assert!(audit.iter().any(|entry| entry.contains("session.refused") && entry.contains("U-01")));
    assert!(!audit.iter().any(|entry| entry.contains("tanaka") || entry.contains("nobody")), "{audit:?}");
}

#[tokio::test]
async fn whoever_belongs_elsewhere_is_told_so_once_they_have_proved_it() {
    let company = TestCompany::new().await;
    let (own, other) = (company.set_up("tanaka").await, company.set_up("sato").await);
    let browser = company.browser().await;
    let ledger = &company.installation.context.ledger;
    let mut transaction = ledger.begin(company.installation.context.now()).await.unwrap();
    transaction.assign_device(&browser.device.id, &[other.id], &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let right = company.digits(&own.code, 1).await;
    assert!(shows(&browser.sign_in("tanaka", "another password", &right).await, "U-01"));
    assert!(shows(&browser.sign_in("tanaka", PASSWORD, "000000").await, "U-01"));
    let refused = browser.sign_in("tanaka", PASSWORD, &right).await;
    assert!(shows(&refused, "T-03") && refused.status == StatusCode::FORBIDDEN, "{}", refused.text);
    assert!(
        company.audit().await.iter().any(|entry| entry.contains("session.refused") && entry.contains("T-03"))
    );
    let digits = company.digits(&other.code, 1).await;
    assert_eq!(goes_to(&browser.sign_in("sato", PASSWORD, &digits).await), "/account?lang=ja");
    let mut transaction = ledger.begin(company.installation.context.now()).await.unwrap();
    transaction.disable_person(&own.id, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(shows(&browser.sign_in("tanaka", PASSWORD, &right).await, "U-04"));
    assert!(shows(&browser.sign_in("tanaka", "another password", &right).await, "U-01"));
}

#[tokio::test]
async fn without_a_device_s_certificate_nobody_can_even_try_a_password() {
    let company = TestCompany::new().await;
    let gate = company.installation.enroll(Role::Gate).await;
    let before = company.service.hasher.done();
    for certificate in [None, Some(&gate.certificate)] {
        for request in
            [Request::get("/sign-in").body(Body::empty()).unwrap(), form("/sign-in", &[("login", "a")])]
        {
            let answer = send(device_routes(company.service.clone()), certificate, request).await;
            let code = if certificate.is_none() { "C-01" } else { "C-09" };
            assert_eq!(answer.json()["code"], code);
        }
    }
    assert_eq!(company.service.hasher.done(), before);
}

#[tokio::test]
async fn strangers_lock_nobody_out_of_the_device_they_always_use() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let (own, stranger) = (company.browser().await, company.browser().await);
    own.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    for _ in 0..10 {
        assert!(shows(&stranger.sign_in("tanaka", "a guess of somebody", "123456").await, "U-01"));
    }
    company.installation.advance(Duration::from_mins(1)).await;
    let before = company.service.hasher.done();
    let right = company.digits(&person.code, 0).await;
    let refused = stranger.sign_in("tanaka", PASSWORD, &right).await;
    assert!(shows(&refused, "U-02") && refused.status == StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(company.service.hasher.done(), before, "and costs nothing");
    assert_eq!(goes_to(&own.sign_in("tanaka", PASSWORD, &right).await), "/account?lang=ja");
}

#[tokio::test]
async fn a_recovery_code_works_once_and_an_emergency_code_is_in_the_audit_log() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let code = &person.recovery[3];
    assert_eq!(goes_to(&browser.sign_in("tanaka", PASSWORD, code).await), "/account?lang=ja");
    assert!(shows(&browser.sign_in("tanaka", PASSWORD, code).await, "U-01"));
    let context = &company.installation.context;
    let because = Justification::new("電話機の故障", "T-7").unwrap();
    let emergency = OneTimeCode::random(context.entropy.as_ref());
    let until = context.now().plus(Duration::from_mins(10));
    let given = EmergencyCode { hash: emergency.hash(), expires_at: until, because: &because };
    let mut transaction = context.ledger.begin(context.now()).await.unwrap();
    transaction.give_emergency_code(&person.id, &given, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let used = browser.sign_in("tanaka", PASSWORD, &emergency.reveal().to_lowercase()).await;
    assert_eq!(goes_to(&used), "/account?lang=ja");
    let last = company.audit().await.pop().unwrap();
    assert!(last.contains("session.started") && last.contains("\"factor\":\"emergency\""), "{last}");
}

#[derive(Default)]
struct RungAlarms(Mutex<Vec<SignInAlarm>>);

impl SignInAlarmObserver for RungAlarms {
    fn rang(&self, alarm: SignInAlarm) {
        self.0.lock().unwrap().push(alarm);
    }
}

#[tokio::test]
async fn an_account_for_emergencies_rings_and_lets_somebody_in_once() {
    let mut company = TestCompany::new().await;
    let rung = Arc::new(RungAlarms::default());
    company.service = company.service.clone().with_alarms(rung.clone());
    let person = company.set_up("kinkyu").await;
    let context = &company.installation.context;
    let mut transaction = context.ledger.everything().begin(context.now()).await.unwrap();
    transaction.set_break_glass(&person.id, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let (browser, later) = (company.browser().await, company.browser().await);
    let wrong = browser.sign_in("kinkyu", "another password", &company.digits(&person.code, 1).await).await;
    assert!(shows(&wrong, "U-01") && rung.0.lock().unwrap().is_empty());
    let entered = browser.sign_in("kinkyu", PASSWORD, &company.digits(&person.code, 1).await).await;
    assert_eq!(goes_to(&entered), "/account?lang=ja");
    assert_eq!(*rung.0.lock().unwrap(), [SignInAlarm::BreakGlass]);
    company.installation.advance(Duration::from_mins(1)).await;
    let digits = company.digits(&person.code, 0).await;
    assert!(shows(&later.sign_in("kinkyu", "another password", &digits).await, "U-01"));
    assert!(shows(&later.sign_in("kinkyu", PASSWORD, &digits).await, "U-04"), "until it is enabled again");
    assert_eq!(browser.go("/account").await.status, StatusCode::OK, "the session goes on");
}

#[tokio::test]
async fn what_does_not_fit_is_said_at_its_field_and_the_link_still_works() {
    let company = TestCompany::new().await;
    let (_, code) = company.add("tanaka").await;
    let digits = company.digits(&code, 0).await;
    for (password, again, totp, problem) in [
        ("short", "short", &digits[..], "password-problem"),
        ("Password123", "Password123", &digits, "password-problem"),
        (PASSWORD, "another one", &digits, "password-problem"),
        (PASSWORD, PASSWORD, "000000", "code-problem"),
        (PASSWORD, PASSWORD, "", "code-problem"),
    ] {
        let answer = company.complete(&code, password, again, totp).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains(&format!("id=\"{problem}\"")), "{problem}");
        assert!(!answer.text.contains(PASSWORD), "a password is never sent back");
    }
    assert_eq!(company.complete(&code, PASSWORD, PASSWORD, &digits).await.status, StatusCode::OK);
    let again = company.complete(&code, PASSWORD, PASSWORD, &digits).await;
    assert_eq!((again.status, again.json()["code"].as_str()), (StatusCode::NOT_FOUND, Some("U-10")));
    let routes = portal_routes(company.service.clone());
    let opened = send(routes, None, form("/setup", &[("code", "0".repeat(32).as_str())])).await;
    assert_eq!(opened.json()["code"], "U-10");
}

#[tokio::test]
async fn a_session_idles_out_and_its_use_is_written_once_a_minute() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    browser.go("/account").await;
    let context = &company.installation.context;
    let used = async || {
        let of = context.ledger.everything().sessions_of(&person.id, context.now()).await;
        of.unwrap()[0].used_at
    };
    let before = used().await;
    company.installation.advance(Duration::from_secs(59)).await;
    for _ in 0..3 {
        assert_eq!(browser.go("/account").await.status, StatusCode::OK);
    }
    assert_eq!(used().await, before);
    for _ in 0..4 {
        company.installation.advance(Duration::from_mins(14)).await;
        assert_eq!(browser.go("/account").await.status, StatusCode::OK);
        assert_eq!(used().await, context.now());
    }
    company.installation.advance(Duration::from_mins(15)).await;
    assert_eq!(goes_to(&browser.go("/account").await), "/sign-in?lang=ja");
}

#[tokio::test]
async fn a_session_ends_with_its_device_and_is_worth_nothing_on_another() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    let thief = company.browser().await;
    thief.cookies.borrow_mut().clone_from(&browser.cookies.borrow());
    assert_eq!(goes_to(&thief.go("/account").await), "/sign-in?lang=ja", "a stolen cookie");
    let renewed = company.browser_on(company.installation.renew(&browser.device).await);
    renewed.cookies.borrow_mut().clone_from(&browser.cookies.borrow());
    assert_eq!(renewed.go("/account").await.status, StatusCode::OK, "a renewal keeps the session");
    let stop = DeviceAction::Revoke(RevocationReason::KeyCompromise);
    company.installation.act(&browser.device, stop).await;
    assert_eq!(browser.go("/account").await.json()["code"], "C-06");
    let context = &company.installation.context;
    let left = context.ledger.everything().sessions_of(&person.id, context.now()).await;
    assert_eq!(left.unwrap(), []);
}

#[tokio::test]
async fn a_person_ends_their_own_sessions_and_nobody_else_s() {
    let company = TestCompany::new().await;
    let (person, other) = (company.set_up("tanaka").await, company.set_up("sato").await);
    let [one, two, others] = [company.browser().await, company.browser().await, company.browser().await];
    one.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    others.sign_in("sato", PASSWORD, &company.digits(&other.code, 1).await).await;
    company.installation.advance(Duration::from_mins(1)).await;
    two.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 0).await).await;
    let context = &company.installation.context;
    let of = async |person: &PersonId| {
        context.ledger.everything().sessions_of(person, context.now()).await.unwrap()
    };
    let token = form_token(&one.go("/account").await);
    let strange = of(&other.id).await[0].id.to_string();
    one.post("/account/sessions/end", &[("form_token", &token), ("session", &strange)]).await;
    assert_eq!(others.go("/account").await.status, StatusCode::OK, "somebody else's goes on");
    let ended = one.post("/account/sessions/end-others", &[("form_token", &token)]).await;
    assert_eq!(goes_to(&ended), "/account?lang=ja");
    assert_eq!(goes_to(&two.go("/account").await), "/sign-in?lang=ja");
    assert_eq!(of(&person.id).await.len(), 1);
    assert_eq!(others.go("/account").await.status, StatusCode::OK, "nor here");
    let last = company.audit().await.pop().unwrap();
    assert!(last.contains("session.others_ended") && last.contains("\"sessions\":1"), "{last}");
}
