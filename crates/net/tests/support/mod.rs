//! A listener on loopback that answers a few paths, and clients that behave badly.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tegata_core::Refusal;
use tegata_net::tls::{BOTH_PROTOCOLS, PossessionVerifier, ServerIdentity, TlsVersions, server_config};
use tegata_net::{
    AcceptedConnection, ConnectionHandler, ConnectionService, Limits, Listener, Transport, is_malformed_body,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where a test waits for the end.
pub const SOON: Duration = Duration::from_millis(300);

/// Where it must not.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// More than the kernel keeps for a client that does not read.
const LARGE: usize = 32 * 1024 * 1024;

pub struct EchoServer {
    pub plain: SocketAddr,
    pub secure: SocketAddr,
    pub identity: Arc<ServerIdentity>,
    /// Open connections of both.
    pub open: Arc<AtomicUsize>,
    certificate: CertificateDer<'static>,
}

impl EchoServer {
    pub async fn start(limits: Limits) -> Self {
        let (certificate, key) = certificate();
        let identity = Arc::new(ServerIdentity::new((vec![certificate.clone()], key)).unwrap());
        let clients = Arc::new(PossessionVerifier::new(vec![]));
        let config = Arc::new(server_config(&identity, TlsVersions::Tls13, clients, BOTH_PROTOCOLS).unwrap());
        let tls = Transport::Tls { config: Box::new(move |_| Arc::clone(&config)), people_choose: true };
        let open = Arc::<AtomicUsize>::default();
        let plain = serve(Transport::Plain, limits, &open).await;
        let secure = serve(tls, limits, &open).await;
        Self { plain, secure, identity, open, certificate }
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub async fn empties(&self) -> bool {
        let emptied = async {
            while self.open() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, emptied).await.is_ok()
    }

    pub fn client(&self, protocol: &str) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        Arc::new(config)
    }

    /// Over TLS, from this address of loopback.
    pub async fn connect(&self, from: [u8; 4], protocol: &str) -> TlsStream<TcpStream> {
        let stream = connect(from, self.secure).await;
        let connector = TlsConnector::from(self.client(protocol));
        connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    /// A whole request by a client of its own.
    pub async fn ask(&self, from: [u8; 4]) -> StatusCode {
        let stream = self.connect(from, "http/1.1").await;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
        sender.send_request(request).await.unwrap().status()
    }

    /// What plain HTTP answers to these letters, until the end of the connection.
    pub async fn hears(&self, letters: &str) -> String {
        let mut stream = TcpStream::connect(self.plain).await.unwrap();
        stream.write_all(letters.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("an end");
        String::from_utf8_lossy(&heard).into_owned()
    }
}

pub type Http2 = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;

pub async fn http2(stream: TlsStream<TcpStream>) -> (Http2, tokio::task::JoinHandle<()>) {
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(async { drop(connection.await) }))
}

/// With as little room for what it does not read as the kernel allows.
pub async fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

pub fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    (certificate, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
}

async fn serve(transport: Transport, limits: Limits, open: &Arc<AtomicUsize>) -> SocketAddr {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let listener = Listener { tcp, transport, service: Answering, limits, open: open.clone() };
    tokio::spawn(listener.serve(pending()));
    address
}

struct Answering;

impl ConnectionService for Answering {
    type Handler = Self;

    fn connected(&self, _accepted: &AcceptedConnection<'_>) -> Option<Self> {
        Some(Self)
    }
}

impl ConnectionHandler for Answering {
    type Body = BoxBody<Bytes, Infallible>;

    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static + use<> {
        answer(request)
    }

    fn refuse(&self, refusal: Refusal, _request: Request<Incoming>) -> Response<Self::Body> {
        let mut response = Response::new(text(refusal.code()));
        *response.status_mut() = StatusCode::from_u16(refusal.status()).unwrap();
        response
    }

    async fn dismissed(&self) -> Duration {
        pending().await
    }
}

async fn answer(request: Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
    match request.uri().path() {
        "/large" => Response::new(Full::from(vec![b'x'; LARGE]).boxed()),
        "/elsewhere" => {
            let response = Response::builder().status(StatusCode::FOUND).header("location", "/");
            response.body(text("")).unwrap()
        }
        "/silence" => Response::new(Silence.boxed()),
        "/read" => match request.into_body().collect().await {
            Ok(body) => Response::new(Full::from(body.to_bytes()).boxed()),
            Err(error) => {
                let mut response = Response::new(text(""));
                let client = is_malformed_body(&error);
                *response.status_mut() =
                    if client { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
                response
            }
        },
        _ => Response::new(text("hello")),
    }
}

fn text(text: &'static str) -> BoxBody<Bytes, Infallible> {
    Full::from(text).boxed()
}

/// A body that has nothing to say.
struct Silence;

impl Body for Silence {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}
