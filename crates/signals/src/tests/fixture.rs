//! The signals of an installation for tests, with a feed that runs.

use crate::{FeedHub, SignalIssuer, Signals, SigningKeys, device_router};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tegata_core::jws::{KeySet, SigningKey};
use tegata_testkit::TestInstallation;
use tegata_web::PeerCertificate;
use tokio::task::JoinHandle;

pub use tegata_testkit::{CertificateHolderFixture, PORTAL, START, TestResponse, YEAR, act, until};

pub struct SignalsFixture {
    installation: TestInstallation,
    pub signals: Arc<Signals>,
    hub: JoinHandle<()>,
}

impl Deref for SignalsFixture {
    type Target = TestInstallation;

    fn deref(&self) -> &TestInstallation {
        &self.installation
    }
}

impl DerefMut for SignalsFixture {
    fn deref_mut(&mut self) -> &mut TestInstallation {
        &mut self.installation
    }
}

impl SignalsFixture {
    pub async fn new() -> Self {
        let installation = TestInstallation::new().await;
        let issuer = SignalIssuer::new(installation.context.clone(), keys());
        let signals = Signals::new(issuer, Arc::default(), vec![]).unwrap();
        let hub = tokio::spawn(FeedHub::run(signals.clone()));
        while signals.feed().listen().is_none() {
            tokio::task::yield_now().await;
        }
        Self { installation, signals, hub }
    }

    pub async fn stop_hub(&self) {
        self.hub.abort();
        until(|| self.hub.is_finished()).await;
    }

    pub async fn send(&self, certificate: Option<&PeerCertificate>, request: Request<Body>) -> TestResponse {
        tegata_testkit::send(self.device_door(), certificate, request).await
    }

    pub async fn open(
        &self,
        certificate: Option<&PeerCertificate>,
        request: Request<Body>,
    ) -> (StatusCode, HeaderMap, Body) {
        tegata_testkit::open(self.device_door(), certificate, request).await
    }

    pub fn device_door(&self) -> Router {
        device_router(self.signals.clone())
    }

    pub fn published(&self) -> KeySet {
        self.signals.issuer().published().keys.published().clone()
    }
}

impl Drop for SignalsFixture {
    fn drop(&mut self) {
        self.hub.abort();
    }
}

pub fn keys() -> SigningKeys {
    SigningKeys::new(SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap(), [])
}
