//! The wire of the test's platform.

use super::{Authority, DeviceFacts, TestClock};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tegata_core::Clock;
use tegata_core::feed::{FeedMessage, Receipt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

const HEARTBEAT: Duration = Duration::from_millis(100);

#[derive(Clone)]
pub struct PlatformState {
    pub facts: Arc<Mutex<DeviceFacts>>,
    pub changed: watch::Receiver<u64>,
    pub clock: Arc<TestClock>,
    pub origin: String,
}

pub struct TestServer(tokio::task::JoinHandle<()>);

pub fn tls(authority: &Authority) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(authority.roots());
    let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let clients = clients.allow_unauthenticated().build().unwrap();
    let server = authority.server();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![server.certificate.clone()], server.key())
        .unwrap();
    Arc::new(config)
}

impl TestServer {
    pub fn open(listener: TcpListener, tls: Arc<rustls::ServerConfig>, platform: PlatformState) -> Self {
        Self(tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(tls);
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(converse(stream, acceptor.clone(), platform.clone()));
            }
        }))
    }

    pub async fn close(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, platform: PlatformState) {
    stream.set_nodelay(true).unwrap();
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let has_certificate = stream.get_ref().1.peer_certificates().is_some();
    let service = service_fn(move |request: Request<Incoming>| {
        let platform = platform.clone();
        async move { Ok::<_, Infallible>(answer(request, platform, has_certificate).await) }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type ServerAnswer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(request: Request<Incoming>, platform: PlatformState, has_certificate: bool) -> ServerAnswer {
    let path = request.uri().path().to_owned();
    match (request.method().clone(), path.as_str()) {
        (Method::GET, "/.well-known/oauth-authorization-server") => text(&platform.metadata()),
        (Method::GET, "/.well-known/openid-configuration") => {
            let after = {
                let provider = &mut platform.facts.lock().unwrap().provider;
                provider.metadata_asked += 1;
                provider.metadata_after
            };
            tokio::time::sleep(after).await;
            text(&platform.openid_metadata())
        }
        (Method::POST, "/oauth/token") if has_certificate => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mut facts = platform.facts.lock().unwrap();
            let facts = &mut *facts;
            let (code, body) = facts.provider.exchange(str::from_utf8(&body).unwrap(), &facts.key);
            let mut response = text(&body);
            *response.status_mut() = StatusCode::from_u16(code).unwrap();
            response
        }
        (Method::GET, "/jwks.json") => {
            let mut facts = platform.facts.lock().unwrap();
            facts.jwks_fetched += 1;
            text(&serde_json::to_string(&facts.published.jwks()).unwrap())
        }
        (Method::GET, "/feed") if has_certificate => {
            platform.facts.lock().unwrap().feeds_opened += 1;
            let mut response = Response::new(platform.feed().boxed());
            response.headers_mut().insert("content-type", "application/vnd.tegata.feed".parse().unwrap());
            response
        }
        (Method::POST, "/feed/receipts") if has_certificate => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let receipt: Receipt = serde_json::from_slice(&body).unwrap();
            platform.facts.lock().unwrap().receipts.push(receipt.seq);
            status(StatusCode::NO_CONTENT)
        }
        (_, "/feed" | "/feed/receipts") => status(StatusCode::UNAUTHORIZED),
        _ => status(StatusCode::NOT_FOUND),
    }
}

fn text(text: &str) -> ServerAnswer {
    Response::new(Full::from(text.to_owned()).boxed())
}

fn status(status: StatusCode) -> ServerAnswer {
    let mut response = text("");
    *response.status_mut() = status;
    response
}

impl PlatformState {
    fn metadata(&self) -> String {
        let origin = &self.origin;
        json!({
            "issuer": self.facts.lock().unwrap().claimed.0,
            "jwks_uri": format!("{origin}/jwks.json"),
            "tegata_feed_endpoint": format!("{origin}/feed"),
            "tegata_receipt_endpoint": format!("{origin}/feed/receipts"),
            "something": "else",
        })
        .to_string()
    }

    fn openid_metadata(&self) -> String {
        let origin = &self.origin;
        json!({
            "issuer": self.facts.lock().unwrap().claimed.0,
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/oauth/token"),
            "end_session_endpoint": format!("{origin}/end-session"),
        })
        .to_string()
    }

    /// A snapshot, then events as they happen, and heartbeats.
    fn feed(mut self) -> Pipe {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut sent = None;
            loop {
                for line in self.lines(&mut sent) {
                    if sender.send(Bytes::from(line)).is_err() {
                        return;
                    }
                }
                let _ = tokio::time::timeout(HEARTBEAT, self.changed.changed()).await;
            }
        });
        Pipe(receiver)
    }

    fn lines(&self, sent: &mut Option<u64>) -> Vec<String> {
        let facts = self.facts.lock().unwrap();
        if facts.silent {
            return Vec::new();
        }
        let (at, seq) = (self.clock.now(), facts.truth.seq());
        let lines = match *sent {
            None => vec![facts.line(FeedMessage::Snapshot(facts.truth.snapshot(at)))],
            Some(known) if known < seq => facts
                .events
                .iter()
                .filter(|event| event.seq > known)
                .map(|event| facts.line(FeedMessage::Event(event.clone())))
                .collect(),
            Some(_) => vec![facts.line(FeedMessage::Heartbeat { seq, at })],
        };
        *sent = Some(seq);
        lines
    }
}

struct Pipe(mpsc::UnboundedReceiver<Bytes>);

impl Body for Pipe {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|data| data.map(|data| Ok(Frame::data(data))))
    }
}
