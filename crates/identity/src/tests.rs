//! Accounts and sessions as a browser on an enrolled device meets them.

mod account;
mod authenticator;
mod passkeys;

use crate::cookie::{BrowserSecret, CookieName};
use crate::service::IdentityService;
use crate::{OneTimeCode, SignInAlarm, SignInAlarmObserver, device_routes, portal_routes};
use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{Method, Request, StatusCode};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::{
    Justification, LoginId, Name, PersonId, PersonRole, RevocationReason, Role, Roles, SetupCode,
};
use tegata_storage::{Actor, DeviceAction, EmergencyCode, NewPerson};
use tegata_testkit::{
    CertificateHolderFixture, DEVICE, Everything, TestInstallation, TestResponse, YEAR, send,
};
use tegata_web::{InstallationSecret, ListenerRules};

const PASSWORD: &str = "むかしむかし、あるところに";
const OPERATOR: Actor = Actor::System("test");

struct TestCompany {
    installation: TestInstallation,
    service: IdentityService,
}

/// A browser on a device, with its cookies.
struct TestBrowser<'a> {
    company: &'a TestCompany,
    device: CertificateHolderFixture,
    cookies: RefCell<BTreeMap<String, String>>,
}

/// Somebody who has set up the account.
struct SetUpPerson {
    id: PersonId,
    code: SetupCode,
    recovery: Vec<String>,
}

impl TestCompany {
    async fn new() -> Self {
        let installation = TestInstallation::new().await;
        let secret = Arc::new(|| Some(InstallationSecret::new(b"a secret of sixteen")));
        let service = IdentityService::new(installation.context.for_services(), secret);
        Self { installation, service }
    }

    /// A browser on a device of its own.
    async fn browser(&self) -> TestBrowser<'_> {
        self.browser_on(self.installation.enroll(Role::Device).await)
    }

    fn browser_on(&self, device: CertificateHolderFixture) -> TestBrowser<'_> {
        TestBrowser { company: self, device, cookies: RefCell::default() }
    }

    async fn add(&self, login: &str) -> (PersonId, SetupCode) {
        let (context, now) = (&self.installation.context, self.installation.context.now());
        let entropy = context.entropy.as_ref();
        let new = NewPerson {
            id: PersonId::random(entropy),
            tenant: self.installation.tenant.clone(),
            login: LoginId::parse(login).unwrap(),
            name: Name::of_place("田中 花子").unwrap(),
            roles: Roles::new([PersonRole::Staff]),
            sites: vec![self.installation.site.clone()],
        };
        let code = SetupCode::random(entropy);
        let mut transaction = context.ledger.begin(now).await.unwrap();
        transaction.add_person(&new, &OPERATOR).await.unwrap();
        let until = now.plus(YEAR);
        transaction.make_setup_link(&new.id, &code, until, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        (new.id, code)
    }

    async fn set_up(&self, login: &str) -> SetUpPerson {
        let (id, code) = self.add(login).await;
        let digits = self.digits(&code, 0).await;
        let done = self.complete(&code, PASSWORD, PASSWORD, &digits).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.text);
        let recovery = done.text.split("<li><code>").skip(1).map(|rest| rest[..19].to_owned()).collect();
        SetUpPerson { id, code, recovery }
    }

    async fn complete(&self, code: &SetupCode, password: &str, again: &str, totp: &str) -> TestResponse {
        let fields = [("code", code.reveal()), ("password", password), ("again", again), ("totp", totp)];
        let request = form("/setup/complete", &fields);
        send(portal_routes(self.service.clone()), None, request).await
    }

    /// What the app shows so many steps from now.
    async fn digits(&self, code: &SetupCode, steps: i64) -> String {
        let step = self.installation.context.now().seconds() / 30 + steps;
        format!("{:06}", self.service.totp_of_link(code).await.unwrap().code(step))
    }

    async fn audit(&self) -> Vec<String> {
        let entries = self.installation.context.ledger.audit_entries(0, 1000).await.unwrap();
        entries.into_iter().map(|entry| entry.entry).collect()
    }
}

impl TestBrowser<'_> {
    fn routes(&self) -> Router {
        device_routes(self.company.service.clone())
    }

    async fn go(&self, path: &str) -> TestResponse {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        self.send(form(path, fields)).await
    }

    async fn send(&self, mut request: Request<Body>) -> TestResponse {
        let cookies: Vec<_> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(COOKIE, cookies.join("; ").parse().unwrap());
        }
        let response = send(self.routes(), Some(&self.device.certificate), request).await;
        for cookie in response.headers.get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }

    async fn sign_in(&self, login: &str, password: &str, code: &str) -> TestResponse {
        let page = self.go("/sign-in").await;
        let token = form_token(&page);
        self.post(
            "/sign-in",
            &[("form_token", &token), ("login", login), ("password", password), ("code", code)],
        )
        .await
    }

    fn session(&self) -> Option<String> {
        self.cookies.borrow().get("__Host-tegata-session").cloned()
    }
}

fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let pairs = fields.iter().map(|(name, value)| {
        value.bytes().fold(format!("{name}="), |text, byte| format!("{text}%{byte:02X}"))
    });
    let body = pairs.collect::<Vec<_>>().join("&");
    let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(Body::from(body)).unwrap()
}

fn form_token(page: &TestResponse) -> String {
    let (_, rest) = page.text.split_once("name=\"form_token\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn shows(response: &TestResponse, code: &str) -> bool {
    response.text.contains(code)
        && response
            .headers
            .get(SET_COOKIE)
            .is_none_or(|cookie| !cookie.to_str().unwrap().starts_with("__Host-tegata-session"))
}

fn goes_to(response: &TestResponse) -> &str {
    assert_eq!(response.status, StatusCode::SEE_OTHER, "{}", response.text);
    response.headers[LOCATION].to_str().unwrap()
}

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

#[tokio::test]
async fn csrf_by_token_a_form_of_another_browser_changes_nothing() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let (browser, attacker) = (company.browser().await, company.browser().await);
    let digits = company.digits(&person.code, 1).await;
    let foreign = form_token(&attacker.go("/sign-in").await);
    browser.go("/sign-in").await;
    for token in ["", "x", &foreign] {
        let fields =
            [("form_token", token), ("login", "tanaka"), ("password", PASSWORD), ("code", &digits[..])];
        assert!(shows(&browser.post("/sign-in", &fields).await, "U-05"));
    }
    browser.sign_in("tanaka", PASSWORD, &digits).await;
    let session = browser.session().unwrap();
    for path in [
        "/account/sign-out",
        "/account/sessions/end-others",
        "/account/password",
        "/account/app",
        "/account/recovery-codes",
        "/account/passkeys/new",
        "/account/passkeys",
    ] {
        for token in ["", &foreign] {
            assert_eq!(browser.post(path, &[("form_token", token)]).await.json()["code"], "U-05", "{path}");
        }
    }
    assert!(browser.go("/account").await.status == StatusCode::OK && browser.session() == Some(session));
}

#[tokio::test]
async fn csrf_by_origin_a_page_of_another_site_is_refused() {
    let company = TestCompany::new().await;
    let router = || {
        let rules = ListenerRules { origins: vec![DEVICE.into()], ..ListenerRules::default() };
        rules.around(device_routes(company.service.clone()))
    };
    for path in [
        "/sign-in",
        "/account/sign-out",
        "/account/sessions/end",
        "/account/sessions/end-others",
        "/account/password",
        "/account/app",
        "/account/recovery-codes",
        "/account/passkeys/new",
        "/account/passkeys",
        "/account/passkeys/remove",
    ] {
        for (origin, site) in
            [("https://evil.example", "cross-site"), ("null", "cross-site"), (DEVICE, "cross-site")]
        {
            let mut request = form(path, &[("form_token", "x")]);
            request.headers_mut().insert(ORIGIN, origin.parse().unwrap());
            request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
            assert_eq!(router().answer(request).await.status(), StatusCode::FORBIDDEN, "{path} {origin}");
        }
        let changed = Request::builder().method(Method::GET).uri(path).body(Body::empty()).unwrap();
        let looked = router().answer(changed).await.status();
        let is_page = ["/sign-in", "/account/password", "/account/app", "/account/recovery-codes"]
            .contains(&path)
            || path == "/account/passkeys/new";
        assert!(is_page || looked == StatusCode::METHOD_NOT_ALLOWED, "nothing is changed by GET {path}");
    }
}

#[tokio::test]
async fn fixation_a_session_that_was_planted_is_never_signed_in_to() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let planted = BrowserSecret::random(company.installation.context.entropy.as_ref());
    let value =
        planted.given(CookieName::Session).to_str().unwrap().split([';', '=']).nth(1).unwrap().to_owned();
    browser.cookies.borrow_mut().insert("__Host-tegata-session".into(), value.clone());
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    let first = browser.session().unwrap();
    assert_ne!(first, value);
    company.installation.advance(Duration::from_mins(1)).await;
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 0).await).await;
    assert_ne!(browser.session().unwrap(), first, "each sign-in has a token of its own");
    let old = company.browser_on(browser.device.clone());
    for cookie in [value, first] {
        old.cookies.borrow_mut().insert("__Host-tegata-session".into(), cookie);
        assert_eq!(goes_to(&old.go("/account").await), "/sign-in?lang=ja");
    }
}

#[tokio::test]
async fn clickjacking_no_page_can_be_framed_or_kept() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let sign_in = browser.go("/sign-in").await;
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    let (_, code) = company.add("sato").await;
    let portal = || portal_routes(company.service.clone());
    let setup = send(portal(), None, form("/setup", &[("code", code.reveal())])).await;
    let asked = send(portal(), None, Request::get("/setup").body(Body::empty()).unwrap()).await;
    let mut pages = vec![sign_in, setup, asked];
    for path in
        ["/account", "/account/password", "/account/app", "/account/recovery-codes", "/account/passkeys/new"]
    {
        pages.push(browser.go(path).await);
    }
    for page in pages {
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"),
            "{policy}"
        );
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert_eq!(page.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn open_redirect_a_sign_in_goes_on_within_this_host_alone() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let mut steps = 0;
    for (next, leads_to) in [
        ("/authorize?a=b", "/authorize?a=b&lang=ja"),
        ("https://evil.example/", "/account?lang=ja"),
        ("//evil.example", "/account?lang=ja"),
        ("/\\evil.example", "/account?lang=ja"),
    ] {
        company.installation.advance(Duration::from_mins(1)).await;
        steps += 1;
        let digits = company.digits(&person.code, 0).await;
        let token = form_token(&browser.go("/sign-in").await);
        let fields = [
            ("form_token", &token[..]),
            ("login", "tanaka"),
            ("password", PASSWORD),
            ("code", &digits),
            ("next", next),
        ];
        assert_eq!(goes_to(&browser.post("/sign-in", &fields).await), leads_to, "{steps}");
    }
    let page = browser.go("/sign-in?next=https%3A%2F%2Fevil.example").await;
    assert!(!page.text.contains("evil"));
}

#[tokio::test]
async fn host_cookies_no_other_host_and_no_script_has_them() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let page = browser.go("/sign-in").await;
    let entered = browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    for cookie in page.headers.get_all(SET_COOKIE).iter().chain(entered.headers.get_all(SET_COOKIE)) {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-tegata-") && !cookie.contains("Domain"), "{cookie}");
        for attribute in ["; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
    }
}
