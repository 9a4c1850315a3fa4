//! The gate as a small HTTP service, for proxies that ask before they pass a request on (`auth_request`
//! of nginx, `forwardAuth` of Traefik, `forward_auth` of Caddy, `ext_authz` of Envoy), whatever language
//! the product is written in.
//!
//! `/check`, and every path below it, by any method, answers 200 with `Tegata-Device`, `Tegata-Tenant`,
//! `Tegata-Site`, `Tegata-Generation` and `Tegata-Subject`, or the refusal with `Tegata-Refusal: CODE` and
//! `Tegata-Help: URL`. `/refusal/CODE` is the answer for a certificate that the proxy itself refused. `GET /health`
//! answers `{"seq":N,"age_ms":N,"connected":true}`, with 200 as long as the gate decides and 503 when it
//! refuses everybody.

use crate::assertion::AssertedRequest;
use crate::certificate::{HeaderSource, told_by};
use crate::gate::Gate;
use crate::identity_headers::introduce;
use crate::verified_request::VerifiedRequest;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use serde_json::json;
use std::future::{pending, ready};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Refusal;
use tegata_net::{AcceptedConnection, ConnectionHandler, ConnectionService, Limits, Listener, Transport};
use tokio::net::TcpListener;
use tracing::warn;

/// Where proxies write the address their client asked for: a token in its query is refused. Envoy puts
/// it below `/check` instead. A client that writes one of these itself can only be refused for it.
const ORIGINAL_URI: [&str; 2] = ["x-original-uri", "x-forwarded-uri"];

/// Where they write its method.
const ORIGINAL_METHOD: [&str; 2] = ["x-original-method", "x-forwarded-method"];

/// Longer than nginx keeps an idle connection (60 s), so that it is never closed under a request.
const IDLE: Duration = Duration::from_secs(75);

/// How long open requests may take after the shutdown began.
const DRAIN: Duration = Duration::from_secs(5);

/// How the service finds certificates, and whom it answers.
#[derive(Clone, Debug)]
pub struct ForwardAuth {
    /// Where the proxy puts the certificate. Nobody but the proxies trusted there gets an answer from
    /// `/check`.
    pub certificates: HeaderSource,
}

/// Answers until `shutdown` completes, then ends the open requests.
pub async fn serve(tcp: TcpListener, gate: Gate, config: ForwardAuth, shutdown: impl Future<Output = ()>) {
    let service = ForwardAuthService { gate, config: Arc::new(config) };
    let limits = Limits { header: IDLE, idle: IDLE, drain: DRAIN, ..Limits::default() }.for_proxies();
    Listener { tcp, transport: Transport::Plain, service, limits, open: Arc::default() }
        .serve(shutdown)
        .await;
}

struct ForwardAuthService {
    gate: Gate,
    config: Arc<ForwardAuth>,
}

/// Who answers on one connection of a proxy.
struct ProxyAsking {
    gate: Gate,
    config: Arc<ForwardAuth>,
    peer: IpAddr,
}

impl ConnectionService for ForwardAuthService {
    type Handler = ProxyAsking;

    fn connected(&self, accepted: &AcceptedConnection<'_>) -> Option<ProxyAsking> {
        let (gate, config) = (self.gate.clone(), Arc::clone(&self.config));
        Some(ProxyAsking { gate, config, peer: accepted.peer.ip() })
    }
}

impl ConnectionHandler for ProxyAsking {
    type Body = Full<Bytes>;

    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send + 'static + use<> {
        ready(answer(&self.gate, &self.config, self.peer, &request))
    }

    fn refuse(&self, refusal: Refusal, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.gate.refuse(refusal, request.headers())
    }

    fn dismissed(&self) -> impl Future<Output = Duration> + Send {
        pending()
    }
}

/// The answer to one request from this peer.
pub fn answer<B>(
    gate: &Gate,
    config: &ForwardAuth,
    peer: IpAddr,
    request: &Request<B>,
) -> Response<Full<Bytes>> {
    let refuse = |refusal| gate.refuse(refusal, request.headers());
    let is_trusted = config.certificates.trusts(peer);
    match (route(request.uri().path()), request.method()) {
        (Some(ForwardAuthRoute::Check), _) if is_trusted => match check(gate, config, peer, request) {
            Ok(verified) => admitted(&verified, gate.assertion(&verified, asked(request))),
            Err(refusal) => refuse(refusal),
        },
        (Some(ForwardAuthRoute::Refusal(refusal)), _) if is_trusted => refuse(refusal),
        (Some(ForwardAuthRoute::Health), method) if !matches!(*method, Method::GET | Method::HEAD) => {
            let mut response = refuse(Refusal::MethodNotAllowed);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        (Some(ForwardAuthRoute::Health), _) if is_trusted || peer.to_canonical().is_loopback() => {
            health(gate)
        }
        (Some(_), _) => stranger(),
        (None, _) => refuse(Refusal::NotFound),
    }
}

enum ForwardAuthRoute {
    Check,
    Health,
    Refusal(Refusal),
}

fn route(path: &str) -> Option<ForwardAuthRoute> {
    match path {
        "/health" => Some(ForwardAuthRoute::Health),
        "/check" => Some(ForwardAuthRoute::Check),
        below if below.starts_with("/check/") => Some(ForwardAuthRoute::Check),
        other => about_certificates(other.strip_prefix("/refusal/")?).map(ForwardAuthRoute::Refusal),
    }
}

/// What a proxy may find wrong with a certificate before it asks about anything else.
fn about_certificates(code: &str) -> Option<Refusal> {
    Refusal::from_code(code).filter(|refusal| refusal.code().starts_with("C-"))
}

fn check<B>(
    gate: &Gate,
    config: &ForwardAuth,
    peer: IpAddr,
    request: &Request<B>,
) -> Result<Arc<VerifiedRequest>, Refusal> {
    let headers = request.headers();
    let presented = told_by(&config.certificates, headers, Some(peer)).map_err(|error| {
        warn!(%error, %peer, "the proxy is not configured as this gate expects");
        Refusal::NoCertificate
    })?;
    gate.check(headers, Some(&queries(request)), presented)
}

/// Everything that may be the query of the original request, as one query.
fn queries<B>(request: &Request<B>) -> String {
    let named = ORIGINAL_URI.iter().flat_map(|name| request.headers().get_all(*name));
    let named = named.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let named = named.filter_map(|uri| uri.split_once('?').map(|(_, query)| query.to_owned()));
    let own = request.uri().query().map(str::to_owned);
    own.into_iter().chain(named).collect::<Vec<_>>().join("&")
}

/// The original request, as the proxy tells it: in headers, or like Envoy by asking with its method for its path below
/// `/check`. A client that writes one of these headers itself gets an assertion that fits no request of its own.
fn asked<B>(request: &Request<B>) -> AssertedRequest<'_> {
    let told = |names: [&str; 2]| {
        names.into_iter().find_map(|name| request.headers().get(name)).and_then(|value| value.to_str().ok())
    };
    let without_query = |uri: &'_ str| uri.find('?').unwrap_or(uri.len());
    match (told(ORIGINAL_URI), request.uri().path().strip_prefix("/check")) {
        (Some(uri), _) => {
            AssertedRequest { method: told(ORIGINAL_METHOD), path: Some(&uri[..without_query(uri)]) }
        }
        (None, Some(path)) if !path.is_empty() => {
            AssertedRequest { method: Some(request.method().as_str()), path: Some(path) }
        }
        (None, _) => AssertedRequest::default(),
    }
}

/// With 200: Envoy takes no other status for a yes.
fn admitted(verified: &VerifiedRequest, assertion: Option<HeaderValue>) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::OK);
    introduce(verified, assertion, response.headers_mut());
    response
}

fn health(gate: &Gate) -> Response<Full<Bytes>> {
    let status = gate.status();
    let body = json!({
        "seq": status.seq,
        "age_ms": status.age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        "connected": status.connected,
    });
    let mut response = empty(if status.deciding { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE });
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Full::from(body.to_string());
    response
}

/// Nothing to learn here.
fn stranger() -> Response<Full<Bytes>> {
    empty(StatusCode::FORBIDDEN)
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
