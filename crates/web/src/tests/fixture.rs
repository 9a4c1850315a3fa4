//! A certificate hierarchy, a device and a portal listener on loopback, and clients of them.

use crate::problem::WebResult;
use crate::proxy::{ProxyCertificate, ProxyConfigError, TrustedProxies};
use crate::tls::{DeviceTls, ServerIdentity, TlsVersions, portal_config, proxy_config};
use crate::{
    ConnectionControl, ConnectionRegistry, CrossOriginRules, Limits, ListenerKind, ListenerRules,
    PeerAddress, Presented, ProbeHosts, StrictJson, TrustVerdict, TrustedIssuers, serve,
};
use arc_swap::ArcSwap;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use tegata_core::proxied::HeaderSource;
use tegata_core::{Clock, Thumbprint, Timestamp};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000); // 2026-09-21
pub const ORIGIN: &str = "https://localhost";

/// A certificate with its key and what made it.
pub struct MadeCertificate {
    pub params: CertificateParams,
    pub key: KeyPair,
    pub der: CertificateDer<'static>,
}

impl MadeCertificate {
    pub fn identity(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![self.der.clone()], PrivateKeyDer::Pkcs8(self.key.serialize_der().into()))
    }
}

pub fn ca_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub fn leaf_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    params
}

pub fn rooted(params: CertificateParams) -> MadeCertificate {
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    MadeCertificate { params, key, der }
}

pub fn signed(params: CertificateParams, by: &MadeCertificate) -> MadeCertificate {
    let key = KeyPair::generate().unwrap();
    let der = params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)).unwrap().der().clone();
    MadeCertificate { params, key, der }
}

/// Root, issuing CA and a device of ours.
pub struct TestHierarchy {
    pub root: MadeCertificate,
    pub issuing: MadeCertificate,
    pub device: MadeCertificate,
}

impl TestHierarchy {
    pub fn new() -> Self {
        let root = rooted(ca_params("Root"));
        let issuing = signed(ca_params("Issuing"), &root);
        let device = signed(leaf_params("Device"), &issuing);
        Self { root, issuing, device }
    }

    pub fn issuers(&self) -> TrustedIssuers {
        TrustedIssuers::new([self.root.der.as_ref()], [self.issuing.der.as_ref()], []).unwrap()
    }
}

pub struct At(pub Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// The two HTTPS listeners.
pub struct WebFixture {
    pub ours: TestHierarchy,
    pub device: SocketAddr,
    pub portal: SocketAddr,
    server_ca: MadeCertificate,
    pub device_tls: Arc<ArcSwap<DeviceTls>>,
    pub registry: Arc<ConnectionRegistry>,
    stop: Vec<oneshot::Sender<()>>,
    pub served: Vec<tokio::task::JoinHandle<()>>,
}

impl WebFixture {
    pub async fn start() -> Self {
        Self::with(Limits::default(), TlsVersions::Tls13).await
    }

    pub async fn with(limits: Limits, versions: TlsVersions) -> Self {
        let ours = TestHierarchy::new();
        let server_ca = rooted(ca_params("Servers"));
        let identity = server_identity(&server_ca);
        let probes = ProbeHosts::new("probe.localhost", 9443);
        let device_tls = DeviceTls::new(&identity, versions, ours.issuers(), probes).unwrap();
        let device_tls = Arc::new(ArcSwap::from_pointee(device_tls));
        let registry = Arc::new(ConnectionRegistry::default());
        let device = ListenerKind::Device(device_tls.clone(), Arc::new(At(NOW)), registry.clone());
        let portal = ListenerKind::Portal(Arc::new(ArcSwap::from_pointee(
            portal_config(&identity, versions).unwrap(),
        )));
        let mut fixture = Self {
            ours,
            device: ([127, 0, 0, 1], 0).into(),
            portal: ([127, 0, 0, 1], 0).into(),
            server_ca,
            device_tls,
            registry,
            stop: vec![],
            served: vec![],
        };
        fixture.device = fixture.open(device, limits).await;
        fixture.portal = fixture.open(portal, limits).await;
        fixture
    }

    /// Other issuers, as after a rollover.
    pub fn trust(&self, issuers: TrustedIssuers) {
        let probes = ProbeHosts::new("probe.localhost", 9443);
        let device_tls =
            DeviceTls::new(&server_identity(&self.server_ca), TlsVersions::Tls13, issuers, probes).unwrap();
        self.device_tls.store(Arc::new(device_tls));
    }

    /// Proxies in front of the device listener.
    pub fn proxies(
        &self,
        source: HeaderSource,
        certificates: &[CertificateDer<'static>],
    ) -> Result<TrustedProxies, ProxyConfigError> {
        TrustedProxies::new(source, certificates, self.device_tls.clone(), Arc::new(At(NOW)))
    }

    /// A listener for them, over TLS.
    pub async fn open_for_proxies(
        &mut self,
        source: HeaderSource,
        certificates: &[CertificateDer<'static>],
    ) -> SocketAddr {
        let config = proxy_config(&server_identity(&self.server_ca), TlsVersions::Tls13).unwrap();
        let router = self.proxies(source, certificates).unwrap().before(routes());
        self.serve(ListenerKind::Proxy(Arc::new(config)), router, Limits::default()).await
    }

    async fn open(&mut self, port: ListenerKind, limits: Limits) -> SocketAddr {
        self.serve(port, routes(), limits).await
    }

    async fn serve(&mut self, port: ListenerKind, router: Router, limits: Limits) -> SocketAddr {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = ListenerRules {
            origins: vec![ORIGIN.into()],
            cross_origin: CrossOriginRules::default(),
            hsts: true,
            why: None,
            protocol_problem: None,
            contact: None,
        }
        .around(router);
        let shutdown = async { drop(stopped.await) };
        self.served.push(tokio::spawn(serve(tcp, port, router, limits, shutdown)));
        self.stop.push(stop);
        address
    }

    pub fn server_ca(&self) -> &CertificateDer<'static> {
        &self.server_ca.der
    }

    pub fn shut_down(&mut self) {
        self.stop.clear();
    }

    /// A client that remembers sessions and would resume if it could.
    pub fn client(&self, presented: Option<&MadeCertificate>, protocols: &[&str]) -> Arc<ClientConfig> {
        self.client_with(presented.map(MadeCertificate::identity), protocols)
    }

    pub fn client_with(
        &self,
        presented: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
        protocols: &[&str],
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.server_ca.der.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match presented {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    pub async fn ask(&self, presented: Option<&MadeCertificate>) -> SeenAnswer {
        let stream = connect(self.device, "localhost", &self.client(presented, &["http/1.1"])).await;
        seen(send(stream, get_request("localhost", "/seen")).await).await
    }
}

pub fn server_identity(ca: &MadeCertificate) -> Arc<ServerIdentity> {
    let mut params = CertificateParams::new(vec![
        "localhost".to_owned(),
        "*.probe.localhost".to_owned(),
        "127.0.0.1".to_owned(),
    ])
    .unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Arc::new(ServerIdentity::new(signed(params, ca).identity()).unwrap())
}

/// What a handler saw of its peer.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
pub struct SeenAnswer {
    pub thumbprint: Option<String>,
    pub trusted: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    code: String,
    count: Option<u8>,
}

fn routes() -> Router {
    Router::new()
        .route(
            "/seen",
            get(async |Presented(peer): Presented| -> WebResult<Json<SeenAnswer>> {
                let thumbprint = peer.as_ref().map(|peer| peer.thumbprint.to_string());
                Ok(Json(SeenAnswer {
                    thumbprint,
                    trusted: peer.map(|peer| peer.path == TrustVerdict::Trusted),
                }))
            }),
        )
        .route(
            "/sent",
            post(async |StrictJson(sent): StrictJson<Sent>| {
                format!("{} {}", sent.code, sent.count.unwrap_or(0))
            }),
        )
        .route("/close", get(async |control: ConnectionControl| control.close()))
}

pub async fn connect(to: SocketAddr, host: &str, config: &Arc<ClientConfig>) -> TlsStream<TcpStream> {
    try_connect(to, host, config).await.unwrap()
}

pub async fn try_connect(
    to: SocketAddr,
    host: &str,
    config: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

pub fn get_request(host: &str, path: &str) -> Request<String> {
    Request::get(path).header("host", host).body(String::new()).unwrap()
}

/// One HTTP/1.1 request over a fresh connection, with the body read to its end.
pub async fn send(stream: TlsStream<TcpStream>, request: Request<String>) -> Response<Bytes> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = whole(sender.send_request(request.map(Full::<Bytes>::from)).await.unwrap()).await;
    connection.abort();
    response
}

pub async fn send_h2(stream: TlsStream<TcpStream>, request: Request<String>) -> Response<Bytes> {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    whole(sender.send_request(request.map(Full::<Bytes>::from)).await.unwrap()).await
}

pub async fn seen(response: Response<Bytes>) -> SeenAnswer {
    assert_eq!(response.status(), 200);
    serde_json::from_slice(response.body()).unwrap()
}

/// The routes behind their layers, without a connection.
pub async fn call(request: Request<Body>) -> Response<Bytes> {
    let site = ListenerRules {
        origins: vec![ORIGIN.into()],
        cross_origin: CrossOriginRules::default(),
        hsts: false,
        why: None,
        protocol_problem: None,
        contact: None,
    };
    whole(site.around(routes()).answer(request).await).await
}

/// Sends a request through a proxy with this address and this certificate.
pub async fn call_through(
    proxies: TrustedProxies,
    address: &str,
    shown: Option<&MadeCertificate>,
    headers: http::HeaderMap,
) -> Response<Bytes> {
    let mut request = Request::get("/seen").header("host", "localhost").body(Body::empty()).unwrap();
    request.headers_mut().extend(headers);
    request.extensions_mut().insert(PeerAddress(address.parse().unwrap()));
    request.extensions_mut().insert(ProxyCertificate(shown.map(|made| Thumbprint::of(&made.der))));
    let site = ListenerRules {
        origins: vec![ORIGIN.into()],
        cross_origin: CrossOriginRules::default(),
        hsts: false,
        why: None,
        protocol_problem: None,
        contact: None,
    };
    whole(site.around(proxies.before(routes())).answer(request).await).await
}

async fn whole<B>(response: Response<B>) -> Response<Bytes>
where
    B: axum::body::HttpBody<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}
