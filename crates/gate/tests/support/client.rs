//! A client of a product: one connection, many requests.

use super::Party;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub struct TestClient(Sender);

enum Sender {
    Http1(SendRequest<Empty<Bytes>>),
    Http2(hyper::client::conn::http2::SendRequest<Empty<Bytes>>),
}

pub struct ClientAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

pub fn tls(roots: RootCertStore, party: Option<&Party>) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match party {
        Some(party) => config.with_client_auth_cert(vec![party.certificate.clone()], party.key()).unwrap(),
        None => config.with_no_client_auth(),
    })
}

/// A client that takes so long to choose its certificate, like a browser whose reader thinks about it.
pub fn hesitant(tls: &ClientConfig, pause: Duration) -> Arc<ClientConfig> {
    let mut config = tls.clone();
    config.client_auth_cert_resolver =
        Arc::new(SlowReader { chosen: config.client_auth_cert_resolver, pause });
    Arc::new(config)
}

#[derive(Debug)]
struct SlowReader {
    chosen: Arc<dyn ResolvesClientCert>,
    pause: Duration,
}

impl ResolvesClientCert for SlowReader {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        std::thread::sleep(self.pause);
        self.chosen.resolve(hints, schemes)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl TestClient {
    /// Plain HTTP.
    pub async fn plain(port: u16) -> Self {
        Self::speak(TcpStream::connect(("127.0.0.1", port)).await.unwrap()).await
    }

    /// HTTPS; also says whether the session was resumed.
    pub async fn secure(port: u16, tls: Arc<ClientConfig>) -> (Self, bool) {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let stream = TlsConnector::from(tls).connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        let resumed = stream.get_ref().1.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        (Self::speak(stream).await, resumed)
    }

    async fn speak<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static>(
        stream: S,
    ) -> Self {
        let (sender, driver) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move {
            let _ = driver.await;
        });
        Self(Sender::Http1(sender))
    }

    /// HTTP/2 over TLS: requests name their host in the target.
    pub async fn http2(port: u16, tls: Arc<ClientConfig>) -> Self {
        let mut tls = ClientConfig::clone(&tls);
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let stream =
            TlsConnector::from(Arc::new(tls)).connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        let executor = hyper_util::rt::TokioExecutor::new();
        let (sender, driver) =
            hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move {
            let _ = driver.await;
        });
        Self(Sender::Http2(sender))
    }

    /// Waits until the other side hangs up.
    pub async fn end(&mut self) {
        match &mut self.0 {
            Sender::Http1(sender) => {
                while sender.ready().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Sender::Http2(sender) => {
                while sender.ready().await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    pub async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> ClientAnswer {
        self.request(Method::GET, path, headers).await
    }

    pub async fn request(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> ClientAnswer {
        let mut request = Request::builder().method(method).uri(path);
        if matches!(self.0, Sender::Http1(_)) {
            request = request.header("host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).unwrap();
        let response = match &mut self.0 {
            Sender::Http1(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
            Sender::Http2(sender) => sender.send_request(request).await.unwrap(),
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        ClientAnswer { status: parts.status, headers: parts.headers, body }
    }
}

impl ClientAnswer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A certificate as `$ssl_client_escaped_cert` writes it.
pub fn escaped(pem: &str) -> String {
    use std::fmt::Write;
    pem.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").unwrap();
        }
        escaped
    })
}
