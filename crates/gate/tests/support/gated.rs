//! A product behind a gate that terminates TLS, and a device that may enter.

use super::client::{TestClient, tls};
use super::product::TestProduct;
use super::raw::Raw;
use super::{Party, TestPlatform};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::feed::{Change, Denial};
use tegata_gate::reverse_proxy::{ProxyFront, ProxyLimits, ReverseProxy, serve, server_config};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A device, a gate with TLS of its own, and a product.
pub struct GatedProduct {
    pub platform: TestPlatform,
    pub device: Party,
    pub bearer: String,
    pub product: TestProduct,
    pub port: u16,
    pub stop: oneshot::Sender<()>,
    pub served: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl GatedProduct {
    pub async fn build() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut ReverseProxy)) -> Self {
        let platform = TestPlatform::start().await;
        let gate = platform.gate().await;
        let product = TestProduct::start().await;
        let folder = tempfile::tempdir().unwrap();
        let [certificate, key, client_ca] = files(&platform, &folder);
        let config = server_config(&certificate, &key, &client_ca).unwrap();
        let mut proxy = ReverseProxy {
            upstream: format!("127.0.0.1:{}", product.port).parse().unwrap(),
            front: ProxyFront::Tls(Arc::new(arc_swap::ArcSwap::from_pointee(config))),
            limits: ProxyLimits::default(),
            preflights: false,
            sessions: None,
        };
        proxy.limits.listener.drain = Duration::from_millis(500);
        change(&mut proxy);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(listener, gate, proxy, async { drop(stopped.await) }));
        let device = platform.authority.client();
        let bearer = format!("Bearer {}", platform.token(&super::device(), device.thumbprint()));
        Self { platform, device, bearer, product, port, stop, served, _folder: folder }
    }

    pub async fn client(&self, party: Option<&Party>) -> TestClient {
        TestClient::secure(self.port, tls(self.platform.authority.roots(), party)).await.0
    }

    pub async fn raw(&self) -> Raw {
        Raw::secure(self.port, tls(self.platform.authority.roots(), Some(&self.device))).await
    }

    pub fn revoke(&self) {
        self.platform.happen(Change::DeviceDenied { device: super::device(), reason: Denial::Revoked });
    }

    /// A request's head in letters.
    pub fn head(&self, line: &str, more: &str) -> String {
        format!("{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n{more}\r\n", self.bearer)
    }
}

fn files(platform: &TestPlatform, folder: &TempDir) -> [PathBuf; 3] {
    let server = platform.authority.server();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = write("server.pem", &server.certificate_pem);
    [certificate, write("server.key", &server.key_pem), write("chain.pem", &platform.authority.pem())]
}
