//! Companies, their people, and browsers on their devices.

use crate::service::IdentityService;
use crate::{device_routes, portal_routes};
use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Request, StatusCode};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tegata_core::{LoginId, Name, PersonId, PersonRole, Role, Roles, SetupCode};
use tegata_storage::{Actor, NewPerson};
use tegata_testkit::{CertificateHolderFixture, TestInstallation, TestResponse, YEAR, send};
use tegata_web::InstallationSecret;

pub(super) const PASSWORD: &str = "むかしむかし、あるところに";
pub(super) const OPERATOR: Actor = Actor::System("test");

pub(super) struct TestCompany {
    pub(super) installation: TestInstallation,
    pub(super) service: IdentityService,
}

/// A browser on a device, with its cookies.
pub(super) struct TestBrowser<'a> {
    pub(super) company: &'a TestCompany,
    pub(super) device: CertificateHolderFixture,
    pub(super) cookies: RefCell<BTreeMap<String, String>>,
}

/// Somebody who has set up the account.
pub(super) struct SetUpPerson {
    pub(super) id: PersonId,
    pub(super) code: SetupCode,
    pub(super) recovery: Vec<String>,
}

impl TestCompany {
    pub(super) async fn new() -> Self {
        let installation = TestInstallation::new().await;
        let secret = Arc::new(|| Some(InstallationSecret::new(b"a secret of sixteen")));
        let service = IdentityService::new(installation.context.for_services(), secret);
        Self { installation, service }
    }

    /// A browser on a device of its own.
    pub(super) async fn browser(&self) -> TestBrowser<'_> {
        self.browser_on(self.installation.enroll(Role::Device).await)
    }

    pub(super) fn browser_on(&self, device: CertificateHolderFixture) -> TestBrowser<'_> {
        TestBrowser { company: self, device, cookies: RefCell::default() }
    }

    pub(super) async fn add(&self, login: &str) -> (PersonId, SetupCode) {
        let (context, now) = (&self.installation.context, self.installation.context.now());
        let entropy = context.entropy.as_ref();
        let new = NewPerson {
            id: PersonId::random(entropy),
            tenant: self.installation.tenant.clone(),
            login: LoginId::parse(login).unwrap(),
            name: Name::of_place("田中 花子").unwrap(),
            roles: Roles::new([PersonRole::Staff]),
            sites: vec![self.installation.site.clone()],
            external_key: None,
            awaits_sites: false,
        };
        let code = SetupCode::random(entropy);
        let mut transaction = context.ledger.begin(now).await.unwrap();
        transaction.add_person(&new, &OPERATOR).await.unwrap();
        let until = now.plus(YEAR);
        transaction.make_setup_link(&new.id, &code, until, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        (new.id, code)
    }

    pub(super) async fn set_up(&self, login: &str) -> SetUpPerson {
        let (id, code) = self.add(login).await;
        let digits = self.digits(&code, 0).await;
        let done = self.complete(&code, PASSWORD, PASSWORD, &digits).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.text);
        let recovery = done.text.split("<li><code>").skip(1).map(|rest| rest[..19].to_owned()).collect();
        SetUpPerson { id, code, recovery }
    }

    pub(super) async fn complete(
        &self,
        code: &SetupCode,
        password: &str,
        again: &str,
        totp: &str,
    ) -> TestResponse {
        let fields = [("code", code.reveal()), ("password", password), ("again", again), ("totp", totp)];
        let request = form("/setup/complete", &fields);
        send(portal_routes(self.service.clone()), None, request).await
    }

    /// What the app shows so many steps from now.
    pub(super) async fn digits(&self, code: &SetupCode, steps: i64) -> String {
        let step = self.installation.context.now().seconds() / 30 + steps;
        format!("{:06}", self.service.totp_of_link(code).await.unwrap().code(step))
    }

    pub(super) async fn audit(&self) -> Vec<String> {
        let entries = self.installation.context.ledger.audit_entries(0, 1000).await.unwrap();
        entries.into_iter().map(|entry| entry.entry).collect()
    }
}

impl TestBrowser<'_> {
    pub(super) fn routes(&self) -> Router {
        device_routes(self.company.service.clone())
    }

    pub(super) async fn go(&self, path: &str) -> TestResponse {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        self.send(form(path, fields)).await
    }

    pub(super) async fn send(&self, mut request: Request<Body>) -> TestResponse {
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

    pub(super) async fn sign_in(&self, login: &str, password: &str, code: &str) -> TestResponse {
        let page = self.go("/sign-in").await;
        let token = form_token(&page);
        self.post(
            "/sign-in",
            &[("form_token", &token), ("login", login), ("password", password), ("code", code)],
        )
        .await
    }

    pub(super) fn session(&self) -> Option<String> {
        self.cookies.borrow().get("__Host-tegata-session").cloned()
    }
}

pub(super) fn form(path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let pairs = fields.iter().map(|(name, value)| {
        value.bytes().fold(format!("{name}="), |text, byte| format!("{text}%{byte:02X}"))
    });
    let body = pairs.collect::<Vec<_>>().join("&");
    let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(Body::from(body)).unwrap()
}

pub(super) fn form_token(page: &TestResponse) -> String {
    let (_, rest) = page.text.split_once("name=\"form_token\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

pub(super) fn shows(response: &TestResponse, code: &str) -> bool {
    response.text.contains(code)
        && response
            .headers
            .get(SET_COOKIE)
            .is_none_or(|cookie| !cookie.to_str().unwrap().starts_with("__Host-tegata-session"))
}

pub(super) fn goes_to(response: &TestResponse) -> &str {
    assert_eq!(response.status, StatusCode::SEE_OTHER, "{}", response.text);
    response.headers[LOCATION].to_str().unwrap()
}
