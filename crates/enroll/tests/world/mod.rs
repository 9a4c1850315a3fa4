//! The desk behind its doors, with a clock that stands until it is moved.

use crate::support::{CaFixture, LedgerPlace, NOW, OPERATOR, csr, request};
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_ca::{IssuerAssignment, IssuerSet};
use tegata_core::encoding::{base64, from_base64};
use tegata_core::id::InvitationCode;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{Clock, DeviceId, Language, Refusal, Role, Thumbprint, Timestamp};
use tegata_enroll::{
    BindingSecret, EnrollmentService, OpenBindingSecret, ProfileService, RenewalTokenFuture,
    RenewalTokenRequest, RenewalTokens, device_routes, portal_routes,
};
use tegata_storage::{DeviceAction, IssuanceRight, StatusCache};
use tegata_web::{
    InstallationAddresses, ListenerRules, PeerAddress, PeerCertificate, Presented, ProbeHosts, RuledRouter,
    ServerContext, TrustVerdict,
};

pub const PORTAL: &str = "https://portal.example";
pub const DEVICE: &str = "https://device.example";

pub struct EnrollFixture {
    pub house: CaFixture,
    pub clock: Arc<EnrollClock>,
    pub booth: Arc<Booth>,
    /// For the doors of the public listener.
    pub desk: EnrollmentService,
    status: Arc<StatusCache>,
    portal: RuledRouter,
    device: RuledRouter,
}

pub struct EnrollResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

pub struct EnrollClock(AtomicI64);

/// Gives tokens that say which certificate they are for, and remembers who wished for which.
#[derive(Default)]
pub struct Booth {
    pub wishes: Mutex<Vec<RenewalTokenRequest>>,
    pub is_closed: AtomicBool,
}

impl RenewalTokens for Booth {
    fn token_for<'a>(
        &'a self,
        certificate: &'a Thumbprint,
        wish: &'a RenewalTokenRequest,
    ) -> RenewalTokenFuture<'a> {
        self.wishes.lock().unwrap().push(wish.clone());
        let is_closed = self.is_closed.load(Ordering::SeqCst);
        let given = if is_closed {
            Err(json!({"error": "temporarily_unavailable"}))
        } else {
            Ok(json!({"access_token": certificate}))
        };
        Box::pin(std::future::ready(given))
    }
}

impl Clock for EnrollClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl EnrollClock {
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.millis(), Ordering::SeqCst);
    }
}

impl EnrollFixture {
    pub async fn new() -> Self {
        let house = CaFixture::found(LedgerPlace::sqlite()).await;
        let post = IssuerAssignment { authority: house.authority.clone(), tenant: None, at_work: true };
        Self::with(house, vec![post]).await
    }

    /// With CAs of one's own choice.
    pub async fn with(house: CaFixture, posts: Vec<IssuerAssignment>) -> Self {
        let clock = Arc::new(EnrollClock(AtomicI64::new(NOW.millis())));
        let status = StatusCache::load(house.ledger.clone(), NOW).await.unwrap();
        let context = ServerContext {
            clock: clock.clone(),
            entropy: house.entropy.clone(),
            ledger: house.ledger.clone(),
            status: status.clone(),
            installation: crate::support::installation(),
            addresses: Arc::new(InstallationAddresses {
                portal: PORTAL.into(),
                device: DEVICE.into(),
                public: "http://pki.example.jp".into(),
                probes: ProbeHosts::new("probe.example", 443),
            }),
            renewal: RenewalPolicy::default(),
        };
        let secret: OpenBindingSecret = Arc::new(|| Some(BindingSecret::new(b"a secret of sixteen")));
        let desk = EnrollmentService::new(context, Arc::new(IssuerSet::new(posts, HashSet::new())), secret);
        let booth = Arc::new(Booth::default());
        let desk = desk.with_tokens(booth.clone());
        let site = || ListenerRules {
            origins: vec![PORTAL.into(), DEVICE.into()],
            hsts: false,
            why: None,
            protocol_problem: None,
            contact: None,
        };
        let profiles = ProfileService { desk: desk.clone(), signer: Arc::default(), attest: false };
        let portal = portal_routes(desk.clone()).merge(profiles.clone().portal_routes());
        let device = device_routes(desk.clone()).merge(profiles.device_routes());
        let (portal, device) = (site().around(portal), site().around(device));
        Self { house, clock, booth, desk, status, portal, device }
    }

    /// The code of a new invitation.
    pub async fn invite(&self, role: Role) -> String {
        self.house.invite(role, self.clock.now()).await.0.reveal().to_owned()
    }

    pub async fn withdraw(&self, code: &str) {
        let invitation = self.house.invitation(&InvitationCode::parse(code).unwrap()).await;
        let mut transaction = self.house.ledger.begin(NOW).await.unwrap();
        transaction.withdraw_invitation(&invitation.id, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
    }

    pub async fn act(&self, certificate: &PeerCertificate, action: DeviceAction) {
        let holding = self.house.ledger.holding(&certificate.thumbprint).await.unwrap().unwrap();
        self.act_on(&holding.device, action).await;
    }

    pub async fn act_on(&self, device: &DeviceId, action: DeviceAction) {
        let mut transaction = self.house.ledger.begin(self.clock.now()).await.unwrap();
        transaction.act_on_device(device, action, "", &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        self.status.catch_up(self.clock.now()).await.unwrap();
    }

    /// A next generation takes over, and the grace is over.
    pub async fn supersede(&self, certificate: &PeerCertificate) {
        let ledger = &self.house.ledger;
        let holding = ledger.holding(&certificate.thumbprint).await.unwrap().unwrap();
        let origin = IssuanceRight::Renewal(certificate.thumbprint);
        let next = self.house.issue(&holding.device, origin, &request(), NOW).await.unwrap();
        self.house.present(&next, NOW, NOW).await;
        let mut transaction = ledger.begin(NOW).await.unwrap();
        assert_eq!(transaction.retire_due().await.unwrap(), 1);
        transaction.commit().await.unwrap();
        self.status.catch_up(self.clock.now()).await.unwrap();
    }

    pub async fn pass_time(&self, by: Duration) {
        self.clock.set(self.clock.now().plus(by));
        self.status.catch_up(self.clock.now()).await.unwrap();
    }

    pub async fn portal(&self, path: &str, body: &Value) -> EnrollResponse {
        self.send(post(path, body.to_string())).await
    }

    pub async fn enroll(&self, code: &str, csr: &str) -> EnrollResponse {
        self.send(enrolling(code, csr)).await
    }

    pub async fn renew(&self, old: &PeerCertificate, csr: &str) -> EnrollResponse {
        self.send(renewing(old, csr)).await
    }

    pub async fn probe(&self, certificate: Option<&PeerCertificate>, origin: Option<&str>) -> EnrollResponse {
        self.send(probing(certificate, origin)).await
    }

    /// Sends it through the device's door if it says something about a certificate, else through the portal's.
    pub async fn send(&self, request: Request<Body>) -> EnrollResponse {
        answer(self.door(&request), request).await
    }

    /// As [`EnrollFixture::send`], on a task of its own.
    pub async fn spawn(&self, request: Request<Body>) -> EnrollResponse {
        tokio::spawn(answer(self.door(&request), request)).await.unwrap()
    }

    fn door(&self, request: &Request<Body>) -> RuledRouter {
        let presents = request.extensions().get::<Presented>().is_some();
        if presents { self.device.clone() } else { self.portal.clone() }
    }

    /// The request is refused with this code in both languages, and the ledger is as before but for the audit log.
    pub async fn refuses(&self, refusal: Refusal, request: Request<Body>) -> EnrollResponse {
        let before = self.house.place.content().await;
        let lines = self.lines().await;
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut last = None;
        for tag in ["ja", "en"] {
            parts.headers.insert("accept-language", tag.parse().unwrap());
            let answer = self.send(Request::from_parts(parts.clone(), Body::from(body.clone()))).await;
            is_problem(&answer, refusal);
            assert_eq!(answer.json["lang"], tag);
            last = Some(answer);
        }
        assert_eq!(self.house.place.content().await, before, "{refusal:?} changed the ledger");
        assert!(self.lines().await <= lines + 2, "{refusal:?}: one line each at most");
        last.unwrap()
    }

    /// How many audit lines tell of this action.
    pub async fn audited(&self, action: &str) -> usize {
        let entries = self.house.ledger.audit_entries(0, 100_000).await.unwrap();
        let wanted = json!(action);
        let entries = entries.iter().map(|line| serde_json::from_str::<Value>(&line.entry).unwrap());
        entries.filter(|entry| entry["action"] == wanted).count()
    }

    /// How many refusals stand in the log of a certificate's device.
    pub async fn refusals_of(&self, certificate: &PeerCertificate) -> usize {
        let holding = self.house.ledger.holding(&certificate.thumbprint).await.unwrap().unwrap();
        let entries = self.house.ledger.audit_of(&holding.device, 1000).await.unwrap();
        entries.iter().filter(|line| line.entry.contains("certificate.refused")).count()
    }

    pub async fn certificates(&self) -> usize {
        self.house.ledger.certificates_after("", 0, 1000).await.unwrap().len()
    }

    async fn lines(&self) -> u64 {
        self.house.ledger.verify_audit().await.unwrap().expect("the audit chain is whole")
    }
}

/// The certificate of an answer, as the listener hands it on.
pub fn certificate(answer: &EnrollResponse) -> PeerCertificate {
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let der = from_base64(answer.json["certificate"].as_str().unwrap()).unwrap();
    let thumbprint = Thumbprint::of(&der);
    assert_eq!(answer.json["thumbprint"], thumbprint.to_string());
    PeerCertificate { der: der.into(), thumbprint, path: TrustVerdict::Trusted }
}

/// A whole problem: status, code, and the text in the language it names.
pub fn is_problem(answer: &EnrollResponse, refusal: Refusal) {
    let expected = (refusal.status(), json!(refusal.code()));
    assert_eq!((answer.status.as_u16(), answer.json["code"].clone()), expected, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.json["status"], refusal.status());
    let language = Language::parse(answer.json["lang"].as_str().unwrap()).unwrap();
    assert_eq!(answer.json["title"], refusal.title(language));
    let advice = match refusal {
        Refusal::MediaType => Refusal::media_type_advice("application/json", language),
        refusal => refusal.advice(language).to_owned(),
    };
    assert!(answer.json["detail"].as_str().unwrap().starts_with(&advice), "{}", answer.text);
}

pub fn post(path: &str, body: String) -> Request<Body> {
    Request::post(path).header("content-type", "application/json").body(body.into()).unwrap()
}

pub fn enrolling(code: &str, csr: &str) -> Request<Body> {
    post("/api/v1/enrollments", json!({"code": code, "csr": csr}).to_string())
}

pub fn renewing(old: &PeerCertificate, csr: &str) -> Request<Body> {
    presenting(post("/api/v1/renewals", json!({"csr": csr}).to_string()), old)
}

pub fn probing(certificate: Option<&PeerCertificate>, origin: Option<&str>) -> Request<Body> {
    let mut request = Request::get("/probe");
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(Presented(certificate.cloned()));
    request
}

pub fn presenting(mut request: Request<Body>, certificate: &PeerCertificate) -> Request<Body> {
    request.extensions_mut().insert(Presented(Some(certificate.clone())));
    request
}

/// A request for a new P-256 key, as the API takes it.
pub fn fresh_csr() -> String {
    base64(&csr(&rcgen::PKCS_ECDSA_P256_SHA256))
}

/// A sound request of a key that the profile does not allow; ring makes no RSA keys.
pub fn rsa_csr() -> Vec<u8> {
    let arguments =
        ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x"];
    let output = Command::new("openssl").args(arguments).args(["-outform", "DER"]).output();
    let output = output.expect("apt-get install openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

async fn answer(door: RuledRouter, mut request: Request<Body>) -> EnrollResponse {
    let somebody = PeerAddress(([192, 0, 2, 1], 50_000).into());
    let known = request.extensions().get().copied().unwrap_or(somebody);
    request.extensions_mut().insert(known);
    let response = door.answer(request).await;
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let json = serde_json::from_str(&text).unwrap_or_default();
    EnrollResponse { status: parts.status, headers: parts.headers, text, json }
}
