//! People of a tenant's own OpenID provider, as their browsers and the provider meet this server.

use super::fixture::{OPERATOR, PASSWORD, TestBrowser, TestCompany, form, form_token, goes_to, shows};
use crate::cookie::{BrowserSecret, CookieName};
use crate::portal_routes;
use futures_util::future::{Either, select};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, StatusCode};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::jws::{KeySet, SigningKey};
use tegata_core::{PersonId, TenantId};
use tegata_federation::{
    ClientSecret, IdentityProvider, IdentityProviders, MfaStatements, ProviderAuthentication,
    ProviderTransport, SignInClient, TransportAnswer,
};
use tegata_storage::{CreatesPeople, LiveSession, NewPersonLink, SignInAccounts, SignInPolicy};
use tegata_testkit::{Everything, TestResponse, send};

const ISSUER: &str = "https://login.example";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A provider: each code gives the ID token that was laid there for it, once.
struct CodeProvider {
    key: SigningKey,
    codes: Mutex<BTreeMap<String, String>>,
    is_away: Mutex<bool>,
    /// Takes requests for its documents and never answers.
    is_silent: AtomicBool,
    asked: AtomicUsize,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Option<T>> + Send + 'a>>;

impl ProviderTransport for CodeProvider {
    fn fetch<'a>(&'a self, url: &'a str) -> Answer<'a, Vec<u8>> {
        let document = if url.ends_with("openid-configuration") {
            serde_json::json!({
                "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks"),
                "authorization_endpoint": format!("{ISSUER}/authorize"), "token_endpoint": format!("{ISSUER}/token"),
                "end_session_endpoint": format!("{ISSUER}/end"),
            })
        } else {
            serde_json::to_value(KeySet::new([self.key.public().clone()]).jwks()).unwrap()
        };
        let is_away = *self.is_away.lock().unwrap();
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_silent.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move { (!is_away).then(|| document.to_string().into_bytes()) })
    }

    fn post_form<'a>(
        &'a self,
        _: &'a str,
        _: Option<http::HeaderValue>,
        form: String,
    ) -> Answer<'a, TransportAnswer> {
        let code = form.split('&').find_map(|field| field.strip_prefix("code=")).unwrap_or_default();
        let token = self.codes.lock().unwrap().remove(code);
        let (status, body) = match token {
            Some(token) => (StatusCode::OK, serde_json::json!({"id_token": token})),
            None => (StatusCode::BAD_REQUEST, serde_json::json!({"error": "invalid_grant"})),
        };
        Box::pin(async move { Some(TransportAnswer { status, body: body.to_string().into_bytes() }) })
    }
}

impl CodeProvider {
    fn sign(&self, claims: &serde_json::Value) -> String {
        self.key.sign("JWT", claims.to_string().as_bytes()).unwrap()
    }
}

/// A company with a provider of its own.
struct Federated {
    company: TestCompany,
    provider: Arc<CodeProvider>,
    /// Codes that were given.
    given: Mutex<usize>,
}

/// What the browser was sent to the provider with.
struct SentToProvider {
    state: String,
    nonce: String,
    address: String,
}

impl Federated {
    async fn new() -> Self {
        let mut company = TestCompany::new().await;
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        let provider = Arc::new(CodeProvider {
            key,
            codes: Mutex::default(),
            is_away: Mutex::default(),
            is_silent: AtomicBool::default(),
            asked: AtomicUsize::default(),
        });
        let providers = Self::providers(&company, &provider);
        company.service = company.service.clone().with_providers(providers);
        Self { company, provider, given: Mutex::default() }
    }

    /// What a server that has just begun knows of them: the configuration alone.
    fn providers(company: &TestCompany, provider: &Arc<CodeProvider>) -> IdentityProviders {
        IdentityProviders::new([IdentityProvider {
            tenant: company.installation.tenant.clone(),
            issuer: ISSUER.into(),
            audiences: Vec::new(),
            require: BTreeMap::new(),
            person_claim: "sub".into(),
            site_claim: Some("stores".into()),
            sign_in: Some(SignInClient {
                client_id: "tegata".into(),
                authentication: ProviderAuthentication::SecretPost(ClientSecret::new("secret".into())),
                scope: "openid".into(),
                acr_values: Vec::new(),
                max_age: None,
                mfa: MfaStatements { acr: Vec::new(), amr: vec!["mfa".into()] },
            }),
            transport: provider.clone(),
        }])
    }

    fn tenant(&self) -> &TenantId {
        &self.company.installation.tenant
    }

    /// Somebody who is known to the provider by this subject, and has nothing to sign in with here.
    async fn linked(&self, login: &str, subject: &str) -> PersonId {
        let (person, _) = self.company.add(login).await;
        let link = NewPersonLink {
            tenant: self.tenant().clone(),
            person: person.clone(),
            issuer: ISSUER.into(),
            subject: subject.into(),
        };
        let mut transaction = self.begin().await;
        transaction.link_person(&link, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        person
    }

    async fn begin(&self) -> tegata_storage::ScopedTransaction {
        let context = &self.company.installation.context;
        context.ledger.everything().begin(context.now()).await.unwrap()
    }

    async fn decide(&self, accounts: SignInAccounts, creates_people: CreatesPeople) {
        let mut transaction = self.begin().await;
        let policy = SignInPolicy { accounts, creates_people };
        transaction.set_sign_in_policy(self.tenant(), policy, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// A code for whoever the provider calls so.
    fn code(&self, subject: &str, sent: &SentToProvider, more: serde_json::Value) -> String {
        let now = self.company.installation.context.now().seconds();
        let mut claims = serde_json::json!({
            "iss": ISSUER, "sub": subject, "aud": "tegata", "iat": now, "exp": now + 300, "nonce": sent.nonce,
            "sid": format!("s-{subject}"),
        });
        if let (serde_json::Value::Object(more), Some(claims)) = (more, claims.as_object_mut()) {
            claims.extend(more);
        }
        let mut given = self.given.lock().unwrap();
        *given += 1;
        let code = format!("code-{given}");
        self.provider.codes.lock().unwrap().insert(code.clone(), self.provider.sign(&claims));
        code
    }

    async fn go_there(&self, browser: &TestBrowser<'_>, next: &str) -> SentToProvider {
        let response = browser.go(&format!("/sign-in/provider?next={next}&lang=en")).await;
        let address = goes_to(&response).to_owned();
        let of = |name: &str| {
            let (_, rest) = address.split_once(&format!("&{name}=")).unwrap();
            rest.split('&').next().unwrap().to_owned()
        };
        SentToProvider { state: of("state"), nonce: of("nonce"), address: address.clone() }
    }

    async fn come_back(&self, browser: &TestBrowser<'_>, state: &str, code: &str) -> TestResponse {
        browser.go(&format!("/sign-in/provider/callback?state={state}&code={code}")).await
    }

    /// There and back.
    async fn sign_in(
        &self,
        browser: &TestBrowser<'_>,
        subject: &str,
        more: serde_json::Value,
    ) -> TestResponse {
        let sent = self.go_there(browser, "/account").await;
        let code = self.code(subject, &sent, more);
        self.come_back(browser, &sent.state, &code).await
    }

    async fn session_of(&self, browser: &TestBrowser<'_>) -> LiveSession {
        let mut headers = HeaderMap::new();
        let session = browser.session().unwrap();
        headers.insert(COOKIE, format!("__Host-tegata-session={session}").parse().unwrap());
        let secret = BrowserSecret::of(&headers, CookieName::Session).unwrap();
        let context = &self.company.installation.context;
        let rows = context.ledger.everything();
        rows.session(&secret.hash(), &browser.device.id, context.now()).await.unwrap().unwrap()
    }

    async fn logout(&self, change: serde_json::Value) -> TestResponse {
        let now = self.company.installation.context.now().seconds();
        let mut claims = serde_json::json!({
            "iss": ISSUER, "aud": "tegata", "iat": now, "exp": now + 120, "jti": "j-1", "sid": "s-staff-1",
            "events": {EVENT: {}},
        });
        for (name, value) in change.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        self.logout_with(&self.provider.sign(&claims)).await
    }

    async fn logout_with(&self, token: &str) -> TestResponse {
        let routes = portal_routes(self.company.service.clone());
        send(routes, None, form("/backchannel-logout", &[("logout_token", token)])).await
    }
}

fn nothing() -> serde_json::Value {
    serde_json::json!({})
}

fn cookie(headers: &HeaderMap) -> String {
    headers[SET_COOKIE].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_linked_person_signs_in_at_the_provider_and_goes_on_where_they_wanted() {
    let federated = Federated::new().await;
    let person = federated.linked("tanaka", "staff-1").await;
    let browser = federated.company.browser().await;
    let page = browser.go("/sign-in?next=/authorize%3Fcontinue%3Dx&login_hint=tanaka&max_age=60").await;
    let start = "/sign-in/provider?next=%2Fauthorize%3Fcontinue%3Dx&#38;login_hint=tanaka&#38;max_age=60";
    assert!(page.text.contains(start) && page.text.contains("by-password"), "{}", page.text);
    let sent = federated.go_there(&browser, "/authorize%3Fcontinue%3Dx").await;
    let back = "redirect_uri=https%3A%2F%2Fdevice.example%2Fsign-in%2Fprovider%2Fcallback";
    assert!(sent.address.starts_with(&format!("{ISSUER}/authorize?response_type=code")), "{}", sent.address);
    assert!(sent.address.contains(back) && sent.address.contains("code_challenge_method=S256"));
    let code = federated.code("staff-1", &sent, serde_json::json!({"amr": ["pwd", "mfa"]}));
    let entered = federated.come_back(&browser, &sent.state, &code).await;
    assert_eq!(goes_to(&entered), "/authorize?continue=x&lang=en");
    assert!(!browser.cookies.borrow().contains_key("__Host-tegata-provider"), "used up");
    let account = browser.go("/account").await;
    assert_eq!(account.status, StatusCode::OK, "{}", account.text);
    let audit = federated.company.audit().await;
    let last = audit.iter().rev().find(|entry| entry.contains("session.started")).unwrap();
    assert!(last.contains("\"factor\":\"provider\"") && last.contains(person.as_str()), "{last}");
    assert!(!audit.iter().any(|entry| entry.contains("staff-1")), "subjects are hashed");

    let out = browser.post("/account/sign-out", &[("form_token", &form_token(&account))]).await;
    let onward = out.headers["refresh"].to_str().unwrap();
    assert!(onward.starts_with(&format!("0; url={ISSUER}/end?client_id=tegata")), "{onward}");
    assert!(onward.contains("post_logout_redirect_uri=https%3A%2F%2Fdevice.example%2Fsign-in&"), "{onward}");
    assert!(onward.contains("&id_token_hint=ey"), "{onward}");
    assert_eq!(browser.session(), None);
    assert_eq!(goes_to(&browser.go("/account").await), "/sign-in?lang=ja");
}

#[tokio::test]
async fn wrong_state_swapped_browser_and_other_device_get_nowhere() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    let (own, other) = (federated.company.browser().await, federated.company.browser().await);
    let sent = federated.go_there(&own, "/account").await;
    let code = federated.code("staff-1", &sent, nothing());
    assert!(shows(&federated.come_back(&own, "another-state", &code).await, "U-52"), "wrong state");
    assert!(shows(&own.go(&format!("/sign-in/provider/callback?code={code}")).await, "U-52"), "no state");
    assert!(shows(&federated.come_back(&other, &sent.state, &code).await, "U-52"), "swapped browser");
    let theirs = federated.go_there(&other, "/account").await;
    assert!(shows(&federated.come_back(&other, &sent.state, &code).await, "U-52"), "another's state");
    let kept = own.cookies.borrow().clone();
    other.cookies.borrow_mut().clone_from(&kept);
    assert!(
        shows(&federated.come_back(&other, &sent.state, &code).await, "U-52"),
        "cookie on another device"
    );
    assert!(federated.provider.codes.lock().unwrap().contains_key(&code), "no code went to the provider");
    assert_ne!(theirs.state, sent.state);
    let entered = federated.come_back(&own, &sent.state, &code).await;
    assert_eq!(goes_to(&entered), "/account?lang=en");
    assert!(federated.company.audit().await.iter().any(|entry| entry.contains("U-52")));
}

#[tokio::test]
async fn a_replayed_code_and_a_state_used_twice_let_nobody_in_again() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    let browser = federated.company.browser().await;
    let sent = federated.go_there(&browser, "/account").await;
    let kept = browser.cookies.borrow().clone();
    let code = federated.code("staff-1", &sent, nothing());
    assert_eq!(goes_to(&federated.come_back(&browser, &sent.state, &code).await), "/account?lang=en");
    browser.cookies.borrow_mut().clone_from(&kept);
    assert!(shows(&federated.come_back(&browser, &sent.state, &code).await, "U-51"), "the provider knows");
    browser.cookies.borrow_mut().clone_from(&kept);
    let fresh = federated.code("staff-1", &sent, nothing());
    assert!(shows(&federated.come_back(&browser, &sent.state, &fresh).await, "U-52"), "and so do we");
    let late = federated.go_there(&browser, "/account").await;
    let code = federated.code("staff-1", &late, nothing());
    federated.company.installation.advance(Duration::from_mins(10)).await;
    assert!(shows(&federated.come_back(&browser, &late.state, &code).await, "U-52"), "too late");
}

#[tokio::test]
async fn a_foreign_nonce_and_another_client_s_token_are_refused_with_a_page() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    let browser = federated.company.browser().await;
    for change in [
        serde_json::json!({"nonce": "another"}),
        serde_json::json!({"aud": "app"}),
        serde_json::json!({"iss": "https://evil.example"}),
    ] {
        let refused = federated.sign_in(&browser, "staff-1", change.clone()).await;
        assert!(shows(&refused, "U-51") && refused.status == StatusCode::FORBIDDEN, "{change}");
    }
    let sent = federated.go_there(&browser, "/account").await;
    let path = format!("/sign-in/provider/callback?state={}&error=access_denied", sent.state);
    assert!(shows(&browser.go(&path).await, "U-51"));
    let sent = federated.go_there(&browser, "/account").await;
    let path = format!("/sign-in/provider/callback?state={}&iss=https://evil.example&code=c", sent.state);
    assert!(shows(&browser.go(&path).await, "U-51"), "mix-up");
    let sent = federated.go_there(&browser, "//evil.example").await;
    let code = federated.code("staff-1", &sent, nothing());
    let entered = federated.come_back(&browser, &sent.state, &code).await;
    assert_eq!(goes_to(&entered), "/account?lang=en", "no open redirect");
}

#[tokio::test]
async fn only_a_link_makes_somebody_of_the_provider_somebody_here() {
    let federated = Federated::new().await;
    federated.company.add("sato@example.jp").await;
    let person = federated.linked("tanaka", "staff-1").await;
    let browser = federated.company.browser().await;
    let mail = serde_json::json!({"email": "sato@example.jp", "email_verified": true, "preferred_username": "tanaka"});
    let refused = federated.sign_in(&browser, "sato@example.jp", mail).await;
    assert!(shows(&refused, "U-53") && refused.status == StatusCode::FORBIDDEN, "{}", refused.text);
    let issuer = serde_json::json!({"iss": "https://login.example/"});
    assert!(shows(&federated.sign_in(&browser, "staff-1", issuer).await, "U-51"));

    assert_eq!(goes_to(&federated.sign_in(&browser, "staff-1", nothing()).await), "/account?lang=en");
    let mut transaction = federated.begin().await;
    assert_eq!(transaction.unlink_person(&person, ISSUER, &OPERATOR).await.unwrap(), 1, "the session ends");
    transaction.commit().await.unwrap();
    assert_eq!(goes_to(&browser.go("/account").await), "/sign-in?lang=ja");
    assert!(shows(&federated.sign_in(&browser, "staff-1", nothing()).await, "U-53"));
    let disabled = federated.linked("suzuki", "staff-2").await;
    let mut transaction = federated.begin().await;
    transaction.disable_person(&disabled, "", &OPERATOR).await.unwrap();
    assert!(transaction.unlink_person(&disabled, ISSUER, &OPERATOR).await.is_err());
    transaction.commit().await.unwrap();
    assert!(shows(&federated.sign_in(&browser, "staff-2", nothing()).await, "U-04"), "disabled stays out");
}

#[tokio::test]
async fn a_silo_leads_straight_there_and_keeps_local_accounts_for_emergencies() {
    let federated = Federated::new().await;
    let (own, kinkyu) = (federated.company.set_up("tanaka").await, federated.company.set_up("kinkyu").await);
    let mut transaction = federated.begin().await;
    transaction.set_break_glass(&kinkyu.id, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    federated.decide(SignInAccounts::Provider, CreatesPeople::Off).await;
    let browser = federated.company.browser().await;
    let straight = browser.go("/sign-in?next=/account/password").await;
    assert_eq!(goes_to(&straight), "/sign-in/provider?next=%2Faccount%2Fpassword&lang=ja");
    let page = browser.go("/sign-in").await;
    assert!(page.text.contains("to-provider") && page.text.contains("id=\"emergency\""), "{}", page.text);
    let digits = federated.company.digits(&own.code, 1).await;
    assert!(shows(&browser.sign_in("tanaka", "another password", &digits).await, "U-01"));
    let closed = browser.sign_in("tanaka", PASSWORD, &digits).await;
    assert!(shows(&closed, "U-54") && closed.status == StatusCode::FORBIDDEN, "{}", closed.text);
    let digits = federated.company.digits(&kinkyu.code, 1).await;
    assert_eq!(goes_to(&browser.sign_in("kinkyu", PASSWORD, &digits).await), "/account?lang=ja");
    let link = NewPersonLink {
        tenant: federated.tenant().clone(),
        person: kinkyu.id,
        issuer: ISSUER.into(),
        subject: "staff-9".into(),
    };
    assert!(federated.begin().await.link_person(&link, &OPERATOR).await.is_err(), "always local");

    federated.decide(SignInAccounts::Local, CreatesPeople::Off).await;
    assert!(!browser.go("/sign-in").await.text.contains("to-provider"));
    assert!(shows(&browser.go("/sign-in/provider?next=/account").await, "U-55"));
}

#[tokio::test]
async fn a_provider_makes_staff_of_named_sites_where_the_tenant_lets_it() {
    let federated = Federated::new().await;
    let browser = federated.company.browser().await;
    let stores = serde_json::json!({"stores": ["本店", "nowhere"], "name": "佐藤 花子"});
    assert!(shows(&federated.sign_in(&browser, "staff-7", stores.clone()).await, "U-53"));
    federated.decide(SignInAccounts::Both, CreatesPeople::On).await;
    let nowhere = serde_json::json!({"stores": ["nowhere"], "roles": ["operator"]});
    assert!(shows(&federated.sign_in(&browser, "staff-8", nowhere).await, "U-56"));
    for _ in 0..2 {
        let entered = federated.sign_in(&browser, "staff-7", stores.clone()).await;
        assert_eq!(goes_to(&entered), "/account?lang=en");
    }
    let context = &federated.company.installation.context;
    let people = context.ledger.everything().people().await.unwrap();
    let [made] = &people[..] else { panic!("{people:?}") };
    assert_eq!(
        (made.name.as_str(), made.roles.to_string().as_str(), made.sites.len()),
        ("佐藤 花子", "staff", 1)
    );
    assert!(made.login.starts_with("sso-") && !made.is_set_up, "{}", made.login);
    let added = federated.company.audit().await;
    assert!(
        added
            .iter()
            .any(|entry| entry.contains("person.added") && entry.contains(&format!("provider:{ISSUER}")))
    );
    let mut transaction = federated.begin().await;
    transaction.disable_person(&made.id, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(shows(&federated.sign_in(&browser, "staff-7", stores).await, "U-04"));
}

#[tokio::test]
async fn a_logout_token_ends_its_session_here_once_and_a_replayed_one_nothing() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    federated.linked("suzuki", "staff-2").await;
    let (own, other) = (federated.company.browser().await, federated.company.browser().await);
    federated.sign_in(&own, "staff-1", nothing()).await;
    federated.sign_in(&other, "staff-2", nothing()).await;
    let ended = federated.logout(nothing()).await;
    assert_eq!((ended.status, cookie_free(&ended)), (StatusCode::OK, true), "{}", ended.text);
    assert_eq!(ended.headers["cache-control"], "no-store");
    assert_eq!(goes_to(&own.go("/account").await), "/sign-in?lang=ja");
    assert_eq!(other.go("/account").await.status, StatusCode::OK, "another's goes on");
    federated.sign_in(&own, "staff-1", nothing()).await;
    let replayed = federated.logout(nothing()).await;
    assert_eq!(
        (replayed.status, replayed.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_request"))
    );
    assert!(replayed.text.contains("U-57") && own.go("/account").await.status == StatusCode::OK);
    let all = federated.logout(serde_json::json!({"jti": "j-2", "sid": null, "sub": "staff-1"})).await;
    assert_eq!(all.status, StatusCode::OK, "{}", all.text);
    assert_eq!(goes_to(&own.go("/account").await), "/sign-in?lang=ja", "by the subject");
    assert_eq!(
        federated.logout(serde_json::json!({"jti": "j-3"})).await.status,
        StatusCode::OK,
        "nothing left"
    );
    for token in ["", "a.b.c", "ey.ey.ey"] {
        assert_eq!(federated.logout_with(token).await.status, StatusCode::BAD_REQUEST, "{token}");
    }
    let foreign = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
    let now = federated.company.installation.context.now().seconds();
    let claims = serde_json::json!({
        "iss": ISSUER, "aud": "tegata", "iat": now, "exp": now + 120, "jti": "j-4", "sub": "staff-2", "events": {EVENT: {}},
    });
    let forged = foreign.sign("logout+jwt", claims.to_string().as_bytes()).unwrap();
    assert_eq!(federated.logout_with(&forged).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(other.go("/account").await.status, StatusCode::OK);
    let audit = federated.company.audit().await;
    assert_eq!(audit.iter().filter(|entry| entry.contains("session.ended_by_provider")).count(), 2);
}

#[tokio::test]
async fn a_logout_at_the_provider_stops_a_sign_in_that_is_under_way() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    federated.linked("suzuki", "staff-2").await;
    let (own, other) = (federated.company.browser().await, federated.company.browser().await);
    let (sent, theirs) =
        (federated.go_there(&own, "/account").await, federated.go_there(&other, "/account").await);
    federated.company.installation.advance(Duration::from_secs(1)).await;
    for (jti, change) in
        [("j-1", nothing()), ("j-2", serde_json::json!({"jti": "j-2", "sid": null, "sub": "staff-1"}))]
    {
        assert_eq!(federated.logout(change).await.status, StatusCode::OK, "{jti}: nothing to end");
    }
    let code = federated.code("staff-1", &sent, nothing());
    assert!(shows(&federated.come_back(&own, &sent.state, &code).await, "U-52"), "begun before");
    let code = federated.code("staff-2", &theirs, nothing());
    let entered = federated.come_back(&other, &theirs.state, &code).await;
    assert_eq!(goes_to(&entered), "/account?lang=en", "another's goes on");
    federated.company.installation.advance(Duration::from_secs(1)).await;
    let entered = federated.sign_in(&own, "staff-1", nothing()).await;
    assert_eq!(goes_to(&entered), "/account?lang=en", "begun since");
    let sent = federated.go_there(&own, "/account").await;
    let late = |jti: &str| {
        let made_at = federated.company.installation.context.now().seconds() - 60;
        serde_json::json!({"jti": jti, "sid": null, "sub": "staff-1", "iat": made_at})
    };
    assert_eq!(federated.logout(late("j-3")).await.status, StatusCode::OK);
    let code = federated.code("staff-1", &sent, nothing());
    let entered = federated.come_back(&own, &sent.state, &code).await;
    assert_eq!(goes_to(&entered), "/account?lang=en", "begun since a logout that is told late");
    let sent = federated.go_there(&own, "/account").await;
    federated.company.installation.advance(Duration::from_secs(1)).await;
    let everywhere = serde_json::json!({"jti": "j-4", "sid": null, "sub": "staff-1"});
    for said in [everywhere, late("j-5")] {
        assert_eq!(federated.logout(said).await.status, StatusCode::OK);
    }
    let code = federated.code("staff-1", &sent, nothing());
    let refused = federated.come_back(&own, &sent.state, &code).await;
    assert!(shows(&refused, "U-52"), "a late one takes nothing back");
    let replayed = federated.logout(nothing()).await;
    assert!(
        replayed.status == StatusCode::BAD_REQUEST && replayed.text.contains("U-57"),
        "{}",
        replayed.text
    );
}

#[tokio::test]
async fn whoever_leaves_a_product_by_the_provider_comes_back_to_it() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    let (browser, stranger) = (federated.company.browser().await, federated.company.browser().await);
    federated.sign_in(&browser, "staff-1", nothing()).await;
    let (service, context) = (&federated.company.service, &federated.company.installation.context);
    let session = federated.session_of(&browser).await;
    let onward = "https://stock.example/signed-out?state=a";
    let ending = crate::EndingSession {
        session: &session,
        device: &browser.device.id,
        onward: Some(onward),
        language: tegata_core::Language::Ja,
        at: context.now(),
    };
    let (_, at_provider) = service.end_session(&ending).await.unwrap();
    let address = at_provider.expect("a way to the provider");
    assert!(address.contains("&id_token_hint=ey") && !address.contains("stock"), "{address}");
    let (_, state) = address.split_once("&state=").unwrap();
    let back = format!("/sign-in?state={}", state.split('&').next().unwrap());
    assert_eq!(goes_to(&browser.go(&back).await), onward);
    assert!(browser.go("/sign-in?state=x").await.text.contains("to-provider"), "nobody's state");
    assert!(stranger.go(&back).await.text.contains("to-provider"), "on another device");
    federated.company.installation.advance(Duration::from_mins(10)).await;
    assert!(browser.go(&back).await.text.contains("to-provider"), "too late");
}

#[tokio::test]
async fn whoever_leaves_while_the_provider_is_asked_has_signed_out() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    let browser = federated.company.browser().await;
    federated.sign_in(&browser, "staff-1", nothing()).await;
    let session = federated.session_of(&browser).await;
    let provider = &federated.provider;
    let begun = Federated::providers(&federated.company, provider);
    let service = federated.company.service.clone().with_providers(begun);
    let ending = crate::EndingSession {
        session: &session,
        device: &browser.device.id,
        onward: None,
        language: tegata_core::Language::Ja,
        at: federated.company.installation.context.now(),
    };
    let before = provider.asked.load(Ordering::Relaxed);
    provider.is_silent.store(true, Ordering::Relaxed);
    let is_asked = tegata_testkit::until(|| provider.asked.load(Ordering::Relaxed) > before);
    match select(Box::pin(service.end_session(&ending)), Box::pin(is_asked)).await {
        Either::Left(_) => panic!("the provider has not answered"),
        Either::Right(((), request)) => drop(request),
    }
    assert_eq!(goes_to(&browser.go("/account").await), "/sign-in?lang=ja");
}

fn cookie_free(response: &TestResponse) -> bool {
    !response.headers.contains_key(SET_COOKIE)
}

#[tokio::test]
async fn a_provider_that_is_away_is_named_in_both_languages_and_nothing_is_kept() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    *federated.provider.is_away.lock().unwrap() = true;
    let browser = federated.company.browser().await;
    for (language, words) in [("ja", "応答がありません"), ("en", "does not answer")] {
        let page = browser.go(&format!("/sign-in/provider?next=/account&lang={language}")).await;
        assert!(
            page.status == StatusCode::SERVICE_UNAVAILABLE && page.text.contains("U-50"),
            "{}",
            page.text
        );
        assert!(page.text.contains(words) && page.text.contains("to-provider"), "the way back in is there");
        assert!(!cookie(&page.headers).contains("provider"));
    }
    *federated.provider.is_away.lock().unwrap() = false;
    federated.company.installation.advance(Duration::from_secs(6)).await;
    assert_eq!(goes_to(&federated.sign_in(&browser, "staff-1", nothing()).await), "/account?lang=en");
}

#[tokio::test]
async fn the_age_of_a_sign_in_is_the_provider_s_unless_it_was_made_anew() {
    let federated = Federated::new().await;
    federated.linked("tanaka", "staff-1").await;
    let browser = federated.company.browser().await;
    let context = &federated.company.installation.context;
    let hour_ago = context.now().minus(Duration::from_hours(1));
    federated.sign_in(&browser, "staff-1", serde_json::json!({"auth_time": hour_ago.seconds()})).await;
    let session = federated.session_of(&browser).await;
    assert_eq!(session.authenticated_at.seconds(), hour_ago.seconds());
    assert_eq!((session.created_at, session.amr.as_str()), (context.now(), ""));
    let now = serde_json::json!({"auth_time": context.now().seconds(), "amr": ["otp", "mfa"]});
    federated.sign_in(&browser, "staff-1", now).await;
    let session = federated.session_of(&browser).await;
    assert_eq!((session.authenticated_at, session.amr.as_str()), (context.now(), "otp mfa"));
    assert!(session.is_dated);
    federated.sign_in(&browser, "staff-1", nothing()).await;
    assert!(!federated.session_of(&browser).await.is_dated, "the provider does not say when it was");
}
