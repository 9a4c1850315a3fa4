//! Somebody who signs in on a device, and clients that send them there.

use crate::tests::fixture::{CertificateHolderFixture, OauthFixture, PRODUCT, START, TestResponse};
use crate::{EndedSession, PersonSessions, SessionEnd, SessionLookup, SessionToEnd, device_router};
use axum::body::Body;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::encoding::{base64, base64url, percent_decoded, percent_encoded};
use tegata_core::entropy::bytes;
use tegata_core::{
    ClientSignIn, LoginId, Name, PersonId, PersonRole, Role, Roles, SessionId, SetupCode, Thumbprint,
    Timestamp,
};
use tegata_storage::{
    Actor, NewCredential, NewPerson, NewPersonLink, Principal, ProofTime, ProviderUse, SecondFactorUse,
    StartSession, UsedChallenge,
};
use tegata_testkit::TestInstallation;
use tegata_web::{
    CertificateKeys, ClientAuthentication, PeerCertificate, RegisteredClient, Registrant, ServerContext,
    TrustVerdict,
};

pub const SPA: &str = "stock-spa";
/// A page like the other, whose tokens are bound to a key.
pub const PAGE_BY_KEY: &str = "stock-page-by-key";
pub const BACKEND: &str = "stock-backend";
pub const SPA_CALLBACK: &str = "https://stock.example/app/callback";
pub const SPA_SIGNED_OUT: &str = "https://stock.example/app/signed-out";
pub const BACKEND_CALLBACK: &str = "https://backend.example/login/callback?from=tegata";
pub const GATE_CALLBACK: &str = "https://rezept.example/.tegata/callback";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const OPERATOR: Actor = Actor::System("test");

/// Whoever sits at the device has the session with this hash, where it has one.
pub struct SeatedPerson {
    context: ServerContext,
    token_hash: Mutex<Option<Vec<u8>>>,
    /// Where whoever signs out has to sign out, too.
    provider: Mutex<Option<&'static str>>,
}

impl PersonSessions for SeatedPerson {
    fn current<'a>(
        &'a self,
        certificate: Option<&'a PeerCertificate>,
        _headers: &'a HeaderMap,
        now: Timestamp,
    ) -> SessionLookup<'a> {
        let hash = self.token_hash.lock().unwrap().clone();
        async move {
            let Some(hash) = hash else { return Ok(None) };
            let holder = self.context.device(certificate, now).await?;
            let session = self
                .context
                .ledger
                .within(Principal::device(&holder).scope())
                .session(&hash, &holder.device, now)
                .await;
            session.map_err(|error| error.refusal())
        }
        .boxed()
    }

    fn end<'a>(&'a self, ending: SessionToEnd<'a>) -> SessionEnd<'a> {
        async move {
            let session = ending.session;
            let actor = Actor::Person(session.person.clone());
            let mut transaction = self.context.ledger.begin(ending.now).await.unwrap();
            transaction.end_session(&session.person, &session.id, &actor).await.unwrap();
            transaction.commit().await.unwrap();
            let cookie = HeaderValue::from_static("__Host-tegata-session=; Max-Age=0");
            let provider = *self.provider.lock().unwrap();
            let elsewhere =
                provider.map(|provider| format!("{provider}?{}", ending.onward.unwrap_or_default()));
            Ok(EndedSession { cookie, elsewhere })
        }
        .boxed()
    }
}

pub struct SignInFixture {
    pub fixture: OauthFixture,
    pub device: CertificateHolderFixture,
    pub gate: CertificateHolderFixture,
    pub backend: PeerCertificate,
    pub person: PersonId,
    seated: Arc<SeatedPerson>,
    step: Mutex<i64>,
}

impl SignInFixture {
    pub async fn new() -> Self {
        Self::with_backend(false).await
    }

    /// With a backend whose tokens are bound to a key.
    pub async fn with_backend_by_key() -> Self {
        Self::with_backend(true).await
    }

    async fn with_backend(dpop_bound_access_tokens: bool) -> Self {
        let backend = self_signed("backend");
        let by_key =
            RegisteredClient { client_id: PAGE_BY_KEY.into(), dpop_bound_access_tokens: true, ..spa() };
        let own = RegisteredClient { dpop_bound_access_tokens, ..backend_client(&backend) };
        let fixture = OauthFixture::with_clients([spa(), by_key, own]).await;
        let (device, gate) = (fixture.enroll(Role::Device).await, fixture.enroll(Role::Gate).await);
        let seated = SeatedPerson {
            context: fixture.context.clone(),
            token_hash: Mutex::default(),
            provider: Mutex::default(),
        };
        let person = set_up(&fixture).await;
        Self { fixture, device, gate, backend, person, seated: Arc::new(seated), step: Mutex::new(0) }
    }

    /// The person signs in, by password and app.
    pub async fn sign_in(&self) -> SessionId {
        let step = {
            let mut step = self.step.lock().unwrap();
            *step += 1;
            *step
        };
        self.begin_session(SecondFactorUse::Totp(step)).await
    }

    async fn begin_session(&self, factor: SecondFactorUse) -> SessionId {
        let (context, entropy) = (&self.fixture.context, &*self.fixture.context.entropy);
        let (hash, now) = (bytes::<32>(entropy).to_vec(), context.now());
        let new = StartSession {
            id: SessionId::random(entropy),
            token_hash: hash.clone(),
            replaces: None,
            tenant: self.fixture.tenant.clone(),
            person: self.person.clone(),
            device: self.device.id.clone(),
            factor,
            idle_until: now.plus(Duration::from_mins(15)),
            expires_at: now.plus(Duration::from_hours(12)),
        };
        let mut transaction = context.ledger.begin(now).await.unwrap();
        transaction.start_session(&new).await.unwrap();
        transaction.commit().await.unwrap();
        *self.seated.token_hash.lock().unwrap() = Some(hash);
        new.id
    }

    /// Whoever signs out from now on is sent to a provider.
    pub fn signed_in_at(&self, provider: &'static str) {
        *self.seated.provider.lock().unwrap() = Some(provider);
    }

    /// The person signs in at a provider that does not say when they have proved themselves to it.
    pub async fn sign_in_undated(&self) -> SessionId {
        let (context, tenant) = (&self.fixture.context, &self.fixture.tenant);
        let (now, issuer, subject) = (context.now(), "https://login.example", "staff-1");
        let link = NewPersonLink {
            tenant: tenant.clone(),
            person: self.person.clone(),
            issuer: issuer.into(),
            subject: subject.into(),
        };
        let mut transaction = context.ledger.begin(now).await.unwrap();
        transaction.link_person(&link, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        let used = ProviderUse {
            answered: UsedChallenge {
                hash: b"state".to_vec(),
                expires_at: now.plus(Duration::from_mins(10)),
            },
            issuer: issuer.into(),
            person: subject.into(),
            subject: "hashed".into(),
            session: None,
            amr: "pwd mfa".into(),
            begun_at: now,
            proof: ProofTime::Unknown,
            id_token: None,
        };
        self.begin_session(SecondFactorUse::Provider(used)).await
    }

    pub async fn sign_out(&self, session: &SessionId) {
        let actor = Actor::Person(self.person.clone());
        let mut transaction = self.fixture.context.ledger.begin(self.fixture.context.now()).await.unwrap();
        transaction.end_session(&self.person, session, &actor).await.unwrap();
        let seq = transaction.feed_seq();
        transaction.commit().await.unwrap();
        tegata_testkit::until(|| self.fixture.context.status.freshness().seq >= seq).await;
    }

    pub async fn session_is_over(&self, session: &SessionId) -> bool {
        let (context, device) = (&self.fixture.context, &self.device.id);
        let found = context.ledger.session_named(session, device, context.now()).await.unwrap();
        let seq = context.ledger.begin(context.now()).await.unwrap().feed_seq();
        tegata_testkit::until(|| context.status.freshness().seq >= seq).await;
        found.is_none()
    }

    /// What the browser on a device gets.
    pub async fn browse(&self, holder: &CertificateHolderFixture, path: &str) -> TestResponse {
        let door = device_router(self.fixture.tokens.clone(), self.seated.clone());
        let request = Request::get(path).body(Body::empty()).unwrap();
        tegata_testkit::send(door, Some(&holder.certificate), request).await
    }

    /// The address that a form leads to, which a page of any site has the browser send.
    pub async fn send_form(&self, path: &str, form: &str) -> String {
        let answer = self.post_form(path, form, &[]).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        let refresh = answer.headers["refresh"].to_str().unwrap();
        refresh.strip_prefix("0; url=").expect("an address").to_owned()
    }

    pub async fn post_form(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> TestResponse {
        let router = device_router(self.fixture.tokens.clone(), self.seated.clone());
        let mut request = Request::post(path).header("origin", "https://stock.example");
        if headers.is_empty() {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        tegata_testkit::send(router, Some(&self.device.certificate), request).await
    }

    /// What a page of any site has the browser ask for, a picture or a frame.
    pub async fn authorize_within_a_page(&self, destination: &str, others: &[(&str, &str)]) -> TestResponse {
        self.ask_within_a_page(&path(&spa_request(), others), destination).await
    }

    pub async fn ask_within_a_page(&self, path: &str, destination: &str) -> TestResponse {
        let router = device_router(self.fixture.tokens.clone(), self.seated.clone());
        let request = Request::get(path).header("sec-fetch-dest", destination).body(Body::empty()).unwrap();
        tegata_testkit::send(router, Some(&self.device.certificate), request).await
    }

    /// What the authorization endpoint answers to a request of the single-page application, with other parameters.
    pub async fn authorize(&self, others: &[(&str, &str)]) -> TestResponse {
        self.browse(&self.device, &path(&spa_request(), others)).await
    }

    pub async fn authorize_for_gate(&self, others: &[(&str, &str)]) -> TestResponse {
        self.browse(&self.device, &path(&self.gate_request(), others)).await
    }

    fn gate_request(&self) -> Vec<(String, String)> {
        let gate = self.gate.id.to_string();
        request(&[("client_id", &gate), ("redirect_uri", GATE_CALLBACK), ("resource", PRODUCT)])
    }

    pub async fn authorize_for_backend(&self, others: &[(&str, &str)]) -> TestResponse {
        self.browse(&self.device, &path(&backend_request(), others)).await
    }

    /// A token request of the single-page application on a device.
    pub async fn redeem(
        &self,
        holder: &CertificateHolderFixture,
        code: &str,
        others: &[(&str, &str)],
    ) -> TestResponse {
        let own = [("client_id", SPA), ("redirect_uri", SPA_CALLBACK)];
        self.redeem_as(&holder.certificate, code, &[&own, others].concat()).await
    }

    pub async fn redeem_as(
        &self,
        certificate: &PeerCertificate,
        code: &str,
        parameters: &[(&str, &str)],
    ) -> TestResponse {
        let own = [("grant_type", "authorization_code"), ("code", code), ("code_verifier", VERIFIER)];
        let body = encoded(&merged(&owned(&own), parameters));
        self.fixture.post("/oauth/token", Some(certificate), body).await
    }

    /// Signs in, and redeems the code of the single-page application.
    pub async fn signed_in(&self) -> (SessionId, Value) {
        let session = self.sign_in().await;
        let code = code_of(&self.authorize(&[]).await);
        let answer = self.redeem(&self.device, &code, &[]).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        (session, answer.json())
    }

    pub async fn refresh(&self, holder: &CertificateHolderFixture, value: &Value) -> TestResponse {
        let value = value.as_str().unwrap();
        let body = format!("grant_type=refresh_token&client_id={SPA}&refresh_token={value}");
        self.fixture.post("/oauth/token", Some(&holder.certificate), body).await
    }
}

/// The claims of a token of ours, whose signature holds.
pub fn claims(fixture: &OauthFixture, typ: &str, token: &Value) -> Value {
    let payload = fixture.published().verify(token.as_str().expect("a token"), typ).expect("a signature");
    serde_json::from_slice(&payload).unwrap()
}

/// The parameters that the client gets, at the address where it expects them.
pub fn returned(answer: &TestResponse, to: &str) -> Vec<(String, String)> {
    assert_eq!(answer.status.as_u16(), 303, "{}", answer.text);
    let location = answer.headers["location"].to_str().unwrap();
    let rest = location.strip_prefix(to).unwrap_or_else(|| panic!("{location} begins with {to}"));
    let decoded = |text: &str| String::from_utf8(percent_decoded(text).unwrap()).unwrap();
    let pairs = rest[1..].split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

pub fn parameter(returned: &[(String, String)], name: &str) -> Option<String> {
    returned.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

pub fn code_of(answer: &TestResponse) -> String {
    parameter(&returned(answer, SPA_CALLBACK), "code").expect("a code")
}

/// The error that the client is told, and the short code in its description.
pub fn error_of(answer: &TestResponse, to: &str) -> (String, String) {
    let told = returned(answer, to);
    assert_eq!(parameter(&told, "code"), None, "{told:?}");
    let description = parameter(&told, "error_description").expect("a description");
    (parameter(&told, "error").expect("an error"), description.split(':').next().unwrap().to_owned())
}

pub fn backend_request() -> Vec<(String, String)> {
    request(&[("client_id", BACKEND), ("redirect_uri", BACKEND_CALLBACK)])
}

/// The request of the single-page application as a form.
pub fn spa_form() -> String {
    encoded(&spa_request())
}

fn spa_request() -> Vec<(String, String)> {
    request(&[("client_id", SPA), ("redirect_uri", SPA_CALLBACK)])
}

fn request(own: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = [
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "af0ifj&sldkj ü"),
        ("nonce", "n-0S6_WzA2Mj"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    merged(&owned(&all), own)
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An empty value takes a parameter away.
fn merged(all: &[(String, String)], others: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all = all.to_vec();
    for (name, value) in others {
        all.retain(|(known, _)| known != name);
        if !value.is_empty() {
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    all
}

fn path(all: &[(String, String)], others: &[(&str, &str)]) -> String {
    format!("/authorize?{}", encoded(&merged(all, others)))
}

fn encoded(pairs: &[(String, String)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

pub fn spa() -> RegisteredClient {
    RegisteredClient {
        by: Registrant::Configuration,
        client_id: SPA.into(),
        method: ClientAuthentication::Public,
        client_credentials: false,
        audiences: vec![PRODUCT.into()],
        scope: "profile stock.read".into(),
        introspects: vec![],
        dpop_bound_access_tokens: false,
        sign_in: ClientSignIn {
            redirect_uris: vec![SPA_CALLBACK.into()],
            post_logout_redirect_uris: vec![SPA_SIGNED_OUT.into()],
            origins: vec!["https://stock.example".into()],
            ..ClientSignIn::default()
        },
    }
}

fn backend_client(own: &PeerCertificate) -> RegisteredClient {
    let jwks = serde_json::json!({"keys": [{"kty": "EC", "x5c": [base64(&own.der)]}]}).to_string();
    RegisteredClient {
        by: Registrant::Configuration,
        client_id: BACKEND.into(),
        method: ClientAuthentication::self_signed(CertificateKeys::from_jwks(&jwks).unwrap()),
        client_credentials: false,
        audiences: vec![PRODUCT.into()],
        scope: String::new(),
        introspects: vec![PRODUCT.into()],
        dpop_bound_access_tokens: false,
        sign_in: ClientSignIn { redirect_uris: vec![BACKEND_CALLBACK.into()], ..ClientSignIn::default() },
    }
}

fn self_signed(name: &str) -> PeerCertificate {
    let mut params = CertificateParams::new(vec![format!("{name}.example")]).unwrap();
    params.not_before = date_time_ymd(2026, 9, 1);
    params.not_after = date_time_ymd(2027, 9, 1);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    PeerCertificate { thumbprint: Thumbprint::of(&der), der: der.into(), path: TrustVerdict::Foreign }
}

async fn set_up(installation: &TestInstallation) -> PersonId {
    let entropy = &*installation.context.entropy;
    let person = PersonId::random(entropy);
    let new = NewPerson {
        id: person.clone(),
        tenant: installation.tenant.clone(),
        login: LoginId::parse("sato").unwrap(),
        name: Name::of_place("佐藤 花子").unwrap(),
        roles: Roles::new([PersonRole::Staff]),
        sites: vec![installation.site.clone()],
        external_key: None,
        awaits_sites: false,
    };
    let chosen = NewCredential {
        password: Some("a PHC string".into()),
        totp: b"sealed".to_vec(),
        totp_step: 0,
        recovery: vec![],
    };
    let code = SetupCode::random(entropy);
    let until = START.plus(Duration::from_hours(1));
    let mut transaction = installation.context.ledger.begin(START).await.unwrap();
    transaction.add_person(&new, &OPERATOR).await.unwrap();
    transaction.make_setup_link(&person, &code, until, &OPERATOR).await.unwrap();
    transaction.set_up_person(&code, &chosen).await.unwrap();
    transaction.commit().await.unwrap();
    person
}

/// What an ID token says of an access token (OpenID Connect Core section 3.1.3.6).
pub fn at_hash(access_token: &Value) -> String {
    base64url(&Thumbprint::of(access_token.as_str().unwrap().as_bytes()).as_bytes()[..16])
}
