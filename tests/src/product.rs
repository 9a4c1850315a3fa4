//! A sample product twice: behind a proxy, knowing nothing of certificates; and with the gate inside.

use crate::identity::DeviceIdentity;
use crate::installation::RunningInstallation;
use axum::extract::{Extension, Request};
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::RootCertStore;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Map, Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tegata_core::{Clock, Entropy, Timestamp};
use tegata_gate::{
    CertificateSource, ClientCertificate, Gate, GateConfig, GateLayer, GatePolicy, VerifiedRequest,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// A running product; gone when dropped.
#[derive(Debug)]
pub struct TestProductServer {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    _runtime: Runtime,
}

impl TestProductServer {
    /// A product that believes the headers of the proxy before it, tells which it received, and changes to whatever
    /// protocol it is asked for.
    #[must_use]
    pub fn behind_a_proxy() -> Self {
        let (runtime, listener, port) = foundation();
        let app = Router::new().fallback(credulous);
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { port, _runtime: runtime }
    }

    /// A product that terminates TLS itself, with the gate as a layer. `certificate` names the PEM files of its own
    /// server certificate and key.
    #[must_use]
    pub fn with_the_gate_inside(
        installation: &RunningInstallation,
        gate: &DeviceIdentity,
        audience: &str,
        certificate: [&Path; 2],
    ) -> Self {
        let (runtime, listener, port) = foundation();
        let policy = GatePolicy::new(&installation.issuer, audience);
        let trust = tegata_gate::trust_from_pem_file(&installation.tls_ca).expect("trust anchors");
        let config = GateConfig::new(policy, &gate.folder, trust).expect("an issuer");
        let tls = TlsAcceptor::from(Arc::new(tls(&installation.chain, certificate)));
        runtime.block_on(async {
            let gate = Gate::connect(config, Arc::new(ProductClock), Arc::new(SystemChance)).expect("a gate");
            gate.ready().await;
            let layer = GateLayer::new(gate, CertificateSource::Connection);
            let app = Router::new().route("/", get(who_is_there)).layer(layer);
            tokio::spawn(serve(listener, tls, app));
        });
        Self { port, _runtime: runtime }
    }
}

fn foundation() -> (Runtime, TcpListener, u16) {
    let runtime = Runtime::new().expect("a runtime");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = runtime.block_on(TcpListener::bind(address)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    (runtime, listener, port)
}

async fn credulous(request: Request) -> Response {
    match request.headers().get(UPGRADE).cloned() {
        Some(protocol) => {
            tokio::spawn(echo(request));
            let word = HeaderValue::from_static;
            // The answer to the sample key of RFC 6455 section 1.3.
            let accept = (SEC_WEBSOCKET_ACCEPT, word("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
            let headers = [(UPGRADE, protocol), (CONNECTION, word("Upgrade")), accept];
            (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
        }
        None => told_headers(request.headers()).into_response(),
    }
}

/// Sends back what comes.
async fn echo(request: Request) {
    let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
    let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

/// Values of one name are joined, so that a second one shows.
fn told_headers(headers: &HeaderMap) -> Json<Value> {
    let mut told = Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        told.insert(name.to_string(), values.collect::<Vec<_>>().join(", ").into());
    }
    Json(told.into())
}

async fn who_is_there(Extension(verified): Extension<Arc<VerifiedRequest>>) -> Json<Value> {
    Json(json!({ "device": verified.device(), "generation": verified.generation() }))
}

/// Serves as the guide says: the certificate of the handshake goes with every request of its connection.
async fn serve(listener: TcpListener, tls: TlsAcceptor, app: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, app) = (tls.clone(), app.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let leaf = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let presented = leaf.map(|leaf| ClientCertificate::from_der(leaf));
            let app = tower::util::MapRequest::new(app, move |mut request: Request<_>| {
                if let Some(presented) = presented.clone() {
                    request.extensions_mut().insert(presented);
                }
                request
            });
            let service = TowerToHyperService::new(app);
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn tls(chain: &Path, [certificate, key]: [&Path; 2]) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for anchor in CertificateDer::pem_file_iter(chain).expect("a chain") {
        roots.add(anchor.expect("a certificate")).expect("an anchor");
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let verifier = verifier.allow_unauthenticated().build().expect("a verifier");
    let own = CertificateDer::from_pem_file(certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_client_cert_verifier(verifier);
    let mut config = config.with_single_cert(vec![own], key).expect("a key pair");
    // A resumed session is not verified again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

struct ProductClock;

impl Clock for ProductClock {
    #[allow(clippy::disallowed_methods, reason = "a product hands the machine's clock to its gate")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(0).plus(since)
    }
}

struct SystemChance;

impl Entropy for SystemChance {
    fn fill(&self, buffer: &mut [u8]) {
        SystemRandom::new().fill(buffer).expect("the system's randomness");
    }
}
