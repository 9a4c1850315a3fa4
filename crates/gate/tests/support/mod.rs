//! A platform small enough to be told to lie, fall silent and go away.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod browser;
pub mod client;
pub mod gated;
pub mod product;
pub mod provider;
pub mod raw;
mod server;
pub mod sessioned;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::claims::ACCESS_TOKEN;
use tegata_core::entropy::Seeded;
use tegata_core::feed::{Change, Denials, Event, FEED, FeedClaims, FeedMessage};
use tegata_core::jws::{KeySet, SigningKey};
use tegata_core::{Clock, DeviceId, JwkThumbprint, SiteId, TenantId, Thumbprint, Timestamp};
use tegata_gate::{Gate, GateConfig, GatePolicy};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::Instant;

pub const AUDIENCE: &str = "rezept";

/// A clock that runs like any other, from a day in 2027, and can be moved.
pub struct TestClock {
    started: Instant,
    offset: AtomicI64,
}

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { started: Instant::now(), offset: AtomicI64::new(0) })
    }

    pub fn move_by(&self, seconds: i64) {
        self.offset.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let start = Timestamp::from_seconds(1_800_000_000 + self.offset.load(Ordering::Relaxed));
        start.plus(self.started.elapsed())
    }
}

/// A certificate with its key.
pub struct Party {
    pub certificate: CertificateDer<'static>,
    pub certificate_pem: String,
    pub key_pem: String,
}

impl Party {
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.certificate)
    }

    pub fn key(&self) -> PrivateKeyDer<'static> {
        use rustls_pki_types::pem::PemObject;
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).unwrap()
    }
}

/// One CA for everybody.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test CA");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Party {
        self.issue_for(name, &format!("https://test.example/gate/{name}"), usage, |_| {})
    }

    fn issue_for(
        &self,
        name: &str,
        uri: &str,
        usage: ExtendedKeyUsagePurpose,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Party {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.into()]).unwrap();
        params.subject_alt_names.push(SanType::URI(uri.to_owned().try_into().unwrap()));
        params.extended_key_usages = vec![usage];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Party {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// A certificate of a device; each call renews it.
    pub fn device(&self, device: &DeviceId) -> Party {
        self.device_with(device, |_| {})
    }

    pub fn device_with(&self, device: &DeviceId, change: impl FnOnce(&mut CertificateParams)) -> Party {
        let uri = format!("https://test.example/device/{device}");
        self.issue_for("register", &uri, ExtendedKeyUsagePurpose::ClientAuth, change)
    }

    pub fn client(&self) -> Party {
        self.issue("client", ExtendedKeyUsagePurpose::ClientAuth)
    }

    pub fn server(&self) -> Party {
        self.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth)
    }
}

/// What the platform says, and what it was told.
pub struct DeviceFacts {
    pub truth: Denials,
    pub events: Vec<Event>,
    pub key: SigningKey,
    /// The keys of the JWK Set.
    pub published: KeySet,
    /// The issuer named in the metadata and in the lines.
    pub claimed: (String, String),
    pub silent: bool,
    pub receipts: Vec<u64>,
    pub jwks_fetched: u32,
    pub feeds_opened: u32,
    pub provider: provider::ProviderFacts,
}

pub struct TestPlatform {
    pub authority: Authority,
    pub clock: Arc<TestClock>,
    pub issuer: String,
    facts: Arc<Mutex<DeviceFacts>>,
    changed: watch::Sender<u64>,
    server: Mutex<Option<server::TestServer>>,
    port: u16,
    identity: TempDir,
    tls: Arc<rustls::ServerConfig>,
}

pub fn new_key() -> SigningKey {
    SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap()
}

impl TestPlatform {
    pub async fn start() -> Self {
        let authority = Authority::new();
        let identity = tempfile::tempdir().unwrap();
        let gate = authority.client();
        std::fs::write(identity.path().join("key.pem"), &gate.key_pem).unwrap();
        std::fs::write(identity.path().join("chain.pem"), &gate.certificate_pem).unwrap();
        let tls = server::tls(&authority);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let issuer = format!("https://localhost:{port}");
        let key = new_key();
        let facts = DeviceFacts {
            truth: Denials::default(),
            events: Vec::new(),
            published: KeySet::new([key.public().clone()]),
            key,
            claimed: (issuer.clone(), issuer.clone()),
            silent: false,
            receipts: Vec::new(),
            jwks_fetched: 0,
            feeds_opened: 0,
            provider: provider::ProviderFacts::default(),
        };
        let platform = Self {
            authority,
            clock: TestClock::new(),
            issuer,
            facts: Arc::new(Mutex::new(facts)),
            changed: watch::Sender::new(0),
            server: Mutex::new(None),
            port,
            identity,
            tls,
        };
        platform.open(listener);
        platform
    }

    fn open(&self, listener: tokio::net::TcpListener) {
        let platform = server::PlatformState {
            facts: Arc::clone(&self.facts),
            changed: self.changed.subscribe(),
            clock: self.clock.clone(),
            origin: format!("https://localhost:{}", self.port),
        };
        *self.server.lock().unwrap() =
            Some(server::TestServer::open(listener, Arc::clone(&self.tls), platform));
    }

    /// Every connection breaks, and nobody answers any more.
    pub async fn go_away(&self) {
        let server = self.server.lock().unwrap().take();
        if let Some(server) = server {
            server.close().await;
        }
    }

    pub async fn come_back(&self) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.open(listener);
    }

    pub fn facts(&self) -> std::sync::MutexGuard<'_, DeviceFacts> {
        self.facts.lock().unwrap()
    }

    pub fn config(&self) -> GateConfig {
        let mut policy = GatePolicy::new(&self.issuer, AUDIENCE);
        policy.max_staleness = Duration::from_millis(2500);
        GateConfig::new(policy, self.identity.path(), self.authority.roots()).unwrap()
    }

    pub fn gate_with(&self, config: GateConfig) -> Gate {
        Gate::connect(config, self.clock.clone(), Arc::new(Seeded::new(1))).unwrap()
    }

    pub async fn gate(&self) -> Gate {
        let gate = self.gate_with(self.config());
        within(Duration::from_secs(5), gate.ready()).await;
        gate
    }

    pub fn identity(&self) -> &Path {
        self.identity.path()
    }

    pub fn happen(&self, change: Change) {
        let mut facts = self.facts();
        let event = Event { seq: facts.truth.seq() + 1, at: self.clock.now(), change };
        facts.truth.apply(&event).unwrap();
        facts.events.push(event);
        let seq = facts.truth.seq();
        drop(facts);
        self.changed.send_replace(seq);
    }

    pub fn token(&self, device: &DeviceId, certificate: Thumbprint) -> String {
        self.token_for(device, certificate, 300)
    }

    /// A token of a person on the device that is bound to a key in place of this certificate.
    pub fn token_by_key(&self, device: &DeviceId, certificate: Thumbprint, jkt: JwkThumbprint) -> String {
        let now = self.clock.now().seconds();
        let claims = json!({
            "iss": self.issuer, "sub": "person:hash", "act": {"sub": format!("device:{device}")}, "aud": AUDIENCE,
            "client_id": "page", "acr": "urn:tegata:acr:mfa", "amr": ["pwd", "otp", "mfa"], "auth_time": now - 60,
            "iat": now, "exp": now + 300, "jti": "token by key", "cnf": { "jkt": jkt }, "x5t#S256": certificate, "device": device,
            "generation": 3, "tenant": tenant(), "site": site(),
        });
        self.facts().key.sign(ACCESS_TOKEN, claims.to_string().as_bytes()).unwrap()
    }

    /// For so many seconds.
    pub fn token_for(&self, device: &DeviceId, certificate: Thumbprint, seconds: i64) -> String {
        let now = self.clock.now().seconds();
        let claims = json!({
            "iss": self.issuer, "sub": format!("device:{device}"), "aud": AUDIENCE,
            "client_id": device, "iat": now, "exp": now + seconds, "jti": "token",
            "cnf": { "x5t#S256": certificate }, "device": device, "generation": 3,
            "tenant": tenant(), "site": site(),
        });
        self.facts().key.sign(ACCESS_TOKEN, claims.to_string().as_bytes()).unwrap()
    }
}

impl DeviceFacts {
    pub fn line(&self, message: FeedMessage) -> String {
        let claims = FeedClaims { iss: self.claimed.1.clone(), message };
        self.key.sign(FEED, &serde_json::to_vec(&claims).unwrap()).unwrap() + "\n"
    }
}

/// Whose device it is.
pub fn tenant() -> TenantId {
    TenantId::random(&Seeded::new(43))
}

/// Where it stands.
pub fn site() -> SiteId {
    SiteId::random(&Seeded::new(7))
}

pub fn device() -> DeviceId {
    DeviceId::random(&Seeded::new(42))
}

pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, future).await.expect("it takes too long")
}

/// Waits until something holds, at most five seconds.
pub async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..250 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}
