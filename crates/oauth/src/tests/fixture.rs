//! An authorization server over an installation for tests.

use crate::{AuthorizationServer, NoSessions, ProductAudience, TokenRules, device_router, portal_router};
use axum::Router;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use serde_json::Value;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::jws::{KeySet, SigningKey};
use tegata_signals::{SignalIssuer, Signals, SigningKeys};
use tegata_testkit::TestInstallation;
use tegata_web::{
    ClientRegistry, InstallationSecret, OpenInstallationSecret, PeerCertificate, RegisteredClient,
    SharedPlaces, TenantShares,
};

pub use tegata_testkit::{CertificateHolderFixture, DEVICE, PORTAL, START, TestResponse, YEAR, act, until};

pub const PRODUCT: &str = "https://rezept.example";
/// What the default product has; the other one has none.
pub const SCOPES: [&str; 2] = ["stock.read", "stock.write"];
pub const OTHER_PRODUCT: &str = "https://stock.example";
pub const LIFETIME: Duration = Duration::from_mins(5);

pub struct OauthFixture {
    installation: TestInstallation,
    pub signals: Arc<Signals>,
    pub tokens: Arc<AuthorizationServer>,
}

impl Deref for OauthFixture {
    type Target = TestInstallation;

    fn deref(&self) -> &TestInstallation {
        &self.installation
    }
}

impl DerefMut for OauthFixture {
    fn deref_mut(&mut self) -> &mut TestInstallation {
        &mut self.installation
    }
}

impl OauthFixture {
    pub async fn new() -> Self {
        Self::with_clients([]).await
    }

    /// With so many places for requests under way.
    pub async fn with_places(places: SharedPlaces) -> Self {
        let mut installation = TestInstallation::new().await;
        installation.context.shares = TenantShares::new(places);
        Self::over(installation, [])
    }

    /// With registered clients.
    pub async fn with_clients(clients: impl IntoIterator<Item = RegisteredClient>) -> Self {
        Self::over(TestInstallation::new().await, clients)
    }

    fn over(installation: TestInstallation, clients: impl IntoIterator<Item = RegisteredClient>) -> Self {
        let clients =
            Arc::new(ClientRegistry::new(clients, |name| [PRODUCT, OTHER_PRODUCT].contains(&name)).unwrap());
        let issuer = SignalIssuer::new(installation.context.clone(), keys());
        let signals = Signals::new(issuer, clients.clone(), vec![]).unwrap();
        let tokens = AuthorizationServer::new(&signals, clients, products(), LIFETIME, secret()).unwrap();
        Self { installation, signals, tokens }
    }

    /// Serves the installation with other products and rules.
    pub fn serve(&mut self, products: Vec<ProductAudience>, rules: impl Into<TokenRules>) {
        self.tokens =
            AuthorizationServer::new(&self.signals, Arc::default(), products, rules, secret()).unwrap();
    }

    pub async fn send(&self, certificate: Option<&PeerCertificate>, request: Request<Body>) -> TestResponse {
        tegata_testkit::send(self.device_door(), certificate, request).await
    }

    pub async fn post(
        &self,
        path: &str,
        certificate: Option<&PeerCertificate>,
        body: impl Into<Body>,
    ) -> TestResponse {
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(certificate, request.body(body.into()).unwrap()).await
    }

    pub async fn ask_token(&self, holder: &CertificateHolderFixture, more: &str) -> TestResponse {
        let body = format!("grant_type=client_credentials&client_id={}{more}", holder.id);
        self.post("/oauth/token", Some(&holder.certificate), body).await
    }

    pub async fn obtain(&self, holder: &CertificateHolderFixture) -> String {
        let answer = self.ask_token(holder, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn about(&self, path: &str, asking: &CertificateHolderFixture, token: &str) -> TestResponse {
        let body = format!("client_id={}&token={token}", asking.id);
        self.post(path, Some(&asking.certificate), body).await
    }

    pub async fn introspect(&self, asking: &CertificateHolderFixture, token: &str) -> Value {
        let answer = self.about("/oauth/introspect", asking, token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    pub fn device_door(&self) -> Router {
        device_router(self.tokens.clone(), Arc::new(NoSessions))
            .merge(tegata_signals::device_router(self.signals.clone()))
    }

    pub fn portal(&self) -> Router {
        portal_router(self.tokens.clone()).merge(tegata_signals::portal_router(self.signals.clone()))
    }

    pub fn published(&self) -> KeySet {
        self.signals.issuer().published().keys.published().clone()
    }
}

/// What nonces are made from.
pub fn secret() -> OpenInstallationSecret {
    Arc::new(|| Some(InstallationSecret::new(b"the secret of all servers")))
}

pub fn keys() -> SigningKeys {
    SigningKeys::new(SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap(), [])
}

pub fn products() -> Vec<ProductAudience> {
    let scopes = || SCOPES.map(str::to_owned).to_vec();
    let product = |audience: &str, default| ProductAudience {
        audience: audience.into(),
        default,
        licensed: false,
        scopes: if default { scopes() } else { vec![] },
        origins: vec![],
    };
    vec![product(PRODUCT, true), product(OTHER_PRODUCT, false)]
}
