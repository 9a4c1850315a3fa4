//! A product that lets browsers in, behind a gate that terminates TLS.

use super::browser::DeviceBrowser;
use super::client::{ClientAnswer, TestClient, tls};
use super::product::TestProduct;
use super::provider::Asked;
use super::raw::Raw;
use super::{AUDIENCE, Party, TestPlatform, device};
use rustls::RootCertStore;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::DeviceId;
use tegata_core::entropy::Seeded;
use tegata_gate::Gate;
use tegata_gate::reverse_proxy::{ProxyFront, ProxyLimits, ReverseProxy, serve, server_config};
use tegata_gate::session::{BrowserSessions, RequiredSignIn, SessionConfig, SessionKeys, SessionLimits};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A gate with sessions before a product, and a device that is enrolled.
pub struct SessionedProduct {
    pub platform: TestPlatform,
    pub gate: Gate,
    pub sessions: Arc<BrowserSessions>,
    pub device: Party,
    pub product: TestProduct,
    pub port: u16,
    folder: TempDir,
}

pub const KEYS: &str = "tegata-session-key-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n";

impl SessionedProduct {
    pub async fn build() -> Self {
        Self::asking_for(RequiredSignIn::Person).await
    }

    pub async fn asking_for(requires: RequiredSignIn) -> Self {
        let platform = TestPlatform::start().await;
        let gate = platform.gate().await;
        let sessions = sessions(&platform, &gate, requires);
        let product = TestProduct::start().await;
        let folder = tempfile::tempdir().unwrap();
        let device = platform.authority.device(&device());
        let mut built = Self { platform, gate, sessions, device, product, port: 0, folder };
        built.port = built.front(Arc::clone(&built.sessions)).await;
        built
    }

    /// Opens one more gate before the same product.
    pub async fn front(&self, sessions: Arc<BrowserSessions>) -> u16 {
        let server = self.platform.authority.server();
        let write = |name: &str, text: &str| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let certificate = write("server.pem", &server.certificate_pem);
        let key = write("server.key", &server.key_pem);
        let config =
            server_config(&certificate, &key, &write("ca.pem", &self.platform.authority.pem())).unwrap();
        let proxy = ReverseProxy {
            upstream: format!("127.0.0.1:{}", self.product.port).parse().unwrap(),
            front: ProxyFront::Tls(Arc::new(arc_swap::ArcSwap::from_pointee(config))),
            limits: ProxyLimits::default(),
            preflights: false,
            sessions: Some(sessions),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, self.gate.clone(), proxy, std::future::pending()));
        port
    }

    /// A certificate for another device.
    pub fn another_device(&self) -> (DeviceId, Party) {
        let id = DeviceId::random(&Seeded::new(99));
        let party = self.platform.authority.device(&id);
        (id, party)
    }

    /// A browser with this certificate.
    pub async fn browser(&self, party: &Party) -> DeviceBrowser {
        DeviceBrowser::new(self.client(Some(party)).await)
    }

    pub async fn client(&self, party: Option<&Party>) -> TestClient {
        TestClient::secure(self.port, tls(self.platform.authority.roots(), party)).await.0
    }

    pub async fn raw(&self) -> Raw {
        Raw::secure(self.port, tls(self.platform.authority.roots(), Some(&self.device))).await
    }

    /// A browser of the device that has signed in.
    pub async fn signed_in(&self) -> DeviceBrowser {
        let mut browser = self.browser(&self.device).await;
        let answer = self.sign_in(&mut browser, "/").await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "https://localhost/"));
        browser
    }

    /// Opens a page and goes the whole way to the sign-in and back: the answer of the callback.
    pub async fn sign_in(&self, browser: &mut DeviceBrowser, page: &str) -> ClientAnswer {
        let back = self.way_back(browser, page).await;
        browser.open(&back).await
    }

    /// Opens a page, and signs in at the platform: path and query of the way back.
    pub async fn way_back(&self, browser: &mut DeviceBrowser, page: &str) -> String {
        let answer = browser.open(page).await;
        assert_eq!(answer.status.as_u16(), 303, "{}", answer.body);
        let asked = Asked::of(answer.header("location"));
        asked.is_as_expected();
        self.platform.grant(&asked, &device(), self.device.thumbprint())
    }

    /// Moves the clock of everybody, and waits until the gate has heard of it.
    pub async fn later(&self, seconds: i64) {
        self.platform.clock.move_by(seconds);
        super::eventually("the gate decides again", || self.gate.status().deciding).await;
    }
}

/// Sessions with the keys of all tests.
pub fn sessions(platform: &TestPlatform, gate: &Gate, requires: RequiredSignIn) -> Arc<BrowserSessions> {
    sessions_with(gate, config(requires, platform.authority.roots(), KEYS))
}

pub fn sessions_with(gate: &Gate, config: SessionConfig) -> Arc<BrowserSessions> {
    BrowserSessions::new(gate.clone(), config).unwrap()
}

pub fn config(requires: RequiredSignIn, client_ca: RootCertStore, keys: &str) -> SessionConfig {
    SessionConfig {
        origin: "https://localhost".parse().unwrap(),
        requires,
        limits: SessionLimits::default(),
        client_ca,
        keys: SessionKeys::parse(keys).unwrap(),
    }
}

/// Long enough for a change of the denials to arrive.
pub const SOON: Duration = Duration::from_secs(1);

/// The product's name, for those who look at assertions.
pub const PRODUCT: &str = AUDIENCE;
