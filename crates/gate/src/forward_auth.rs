//! The gate as a small HTTP service, for proxies that ask before they pass a request on (`auth_request`
//! of nginx, `forwardAuth` of Traefik, `forward_auth` of Caddy, `ext_authz` of Envoy), whatever language
//! the product is written in.
//!
//! `/check`, and every path below it, by any method, answers 200 with `Tegata-Device`, `Tegata-Tenant`,
//! `Tegata-Site`, `Tegata-Generation` and `Tegata-Subject`, `Tegata-Renewal-Due` where a certificate is due, or the refusal with `Tegata-Refusal: CODE` and
//! `Tegata-Help: URL`. `/refusal/CODE` is the answer for a certificate that the proxy itself refused. `GET /health`
//! answers `{"seq":N,"age_ms":N,"connected":true}`, with 200 as long as the gate decides and 503 when it
//! refuses everybody.
//!
//! With sessions, `/check` takes a browser's session as well, and answers with the `Cookie` that is meant for the product.
//! `/enter` is the same for proxies that pass any answer on: a browser that opens a page without a session gets the way to
//! the sign-in. nginx knows 401 alone, so it asks `/check` first and, when that refuses, `/refused` for the answer. What is
//! below `/.tegata/` at the product goes to the same paths here.

use crate::assertion::AssertedRequest;
use crate::certificate::{ClientCertificate, HeaderSource, proxied_certificate};
use crate::dpop::RequestLine;
use crate::gate::Gate;
use crate::identity_headers::{RequestNotes, introduce};
use crate::request_outcome::OwnAnswer;
use crate::session::{
    AdmittedSession, BrowserRequest, BrowserSessions, OwnRequest, comes_with_a_token, may_sign_in,
    without_own_cookies,
};
use crate::verified_request::VerifiedRequest;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use serde_json::json;
use std::future::pending;
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

/// Where a proxy asks for the answer to whom `/check` refused.
const REFUSED: &str = "/refused";

/// Longer than nginx keeps an idle connection (60 s), so that it is never closed under a request.
const IDLE: Duration = Duration::from_secs(75);

/// How long open requests may take after the shutdown began.
const DRAIN: Duration = Duration::from_secs(5);

/// How the service finds certificates, and whom it answers.
#[derive(Clone)]
pub struct ForwardAuth {
    /// Where the proxy puts the certificate. Nobody but the proxies trusted there gets an answer from
    /// `/check`.
    pub certificates: HeaderSource,
    /// Lets browsers in by a session, too.
    pub sessions: Option<Arc<BrowserSessions>>,
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
        let own = own_answer(&self.gate, &self.config, self.peer, &request);
        let other = own.is_none().then(|| answer(&self.gate, &self.config, self.peer, &request));
        async move {
            match (own, other) {
                (Some(own), _) => own.await,
                (None, other) => other.unwrap_or_else(stranger),
            }
        }
    }

    fn refuse(&self, refusal: Refusal, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.gate.refuse(refusal, request.headers())
    }

    fn dismissed(&self) -> impl Future<Output = Duration> + Send {
        pending()
    }
}

/// What sessions answer a browser through its proxy, perhaps after asking the platform; `None` where it is not for them.
fn own_answer<B>(gate: &Gate, config: &ForwardAuth, peer: IpAddr, request: &Request<B>) -> Option<OwnAnswer> {
    let sessions = config.sessions.as_ref().filter(|_| config.certificates.trusts(peer))?;
    let (path, is_own) = (request.uri().path(), BrowserSessions::owns(request.uri().path()));
    let is_refused_before = path == REFUSED;
    if !(is_own || is_refused_before || path == "/enter" || path.starts_with("/enter/")) {
        return None;
    }
    let presented = presented(config, peer, request).ok()?;
    let own = match original(request) {
        _ if is_own => (request.method().clone(), request.uri().path_and_query()?.as_str().to_owned()),
        (method, target) => (method, target),
    };
    let own = OwnRequest { method: own.0, target: own.1, headers: request.headers().clone(), presented };
    let sessions = Arc::clone(sessions);
    if is_own {
        return Some(Box::pin(async move { sessions.serve(own).await }));
    }
    match check(gate, config, peer, request) {
        // The proxy was told otherwise a moment ago: once more, then.
        Ok(_) if is_refused_before && own.method == Method::GET => {
            Some(Box::pin(async move { sessions.again(&own) }))
        }
        Err(refusal) if may_sign_in(refusal, &own.as_browser()) => {
            Some(Box::pin(async move { sessions.sign_in(own).await }))
        }
        _ => None,
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
            // What the proxy was told a moment ago does not hold any more, and this answer would reach the client.
            Ok(_) if request.uri().path() == REFUSED => refuse(Refusal::Unavailable),
            Ok(ForwardAdmission { session: AdmittedSession { verified, renewed }, renewal_due }) => {
                let assertion = gate.assertion(&verified, asked(request));
                let mut response = admitted(&verified, RequestNotes { assertion, renewal_due });
                if config.sessions.is_some() {
                    let headers = response.headers_mut();
                    // Empty rather than missing: some proxies replace only what they are given.
                    let left = without_own_cookies(request.headers());
                    headers.insert(COOKIE, left.unwrap_or(HeaderValue::from_static("")));
                    headers.extend(renewed.map(|cookie| (SET_COOKIE, cookie)));
                }
                response
            }
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
        "/enter" | REFUSED => Some(ForwardAuthRoute::Check),
        below if below.starts_with("/enter/") => Some(ForwardAuthRoute::Check),
        other => about_certificates(other.strip_prefix("/refusal/")?).map(ForwardAuthRoute::Refusal),
    }
}

/// What a proxy may find wrong with a certificate before it asks about anything else.
fn about_certificates(code: &str) -> Option<Refusal> {
    Refusal::from_code(code).filter(|refusal| refusal.code().starts_with("C-"))
}

/// A request that passed, and what its product is told about the renewal of its certificate.
struct ForwardAdmission {
    session: AdmittedSession,
    renewal_due: Option<HeaderValue>,
}

fn check<B>(
    gate: &Gate,
    config: &ForwardAuth,
    peer: IpAddr,
    request: &Request<B>,
) -> Result<ForwardAdmission, Refusal> {
    let headers = request.headers();
    let (presented, queries) = (presented(config, peer, request)?, queries(request));
    let renewal_due = gate.renewal_due(presented.as_ref());
    if let Some(sessions) = &config.sessions
        && !comes_with_a_token(headers, Some(&queries))
    {
        let (method, target) = original(request);
        let presented = presented.as_ref();
        let asked = BrowserRequest { method: &method, target: &target, headers, presented };
        return Ok(ForwardAdmission { session: sessions.check(&asked)?, renewal_due });
    }
    let presented = presented.map(|certificate| certificate.thumbprint());
    let verified = gate.check_request(headers, Some(&queries), presented, proven_line(request))?;
    Ok(ForwardAdmission { session: AdmittedSession { verified, renewed: None }, renewal_due })
}

fn presented<B>(
    config: &ForwardAuth,
    peer: IpAddr,
    request: &Request<B>,
) -> Result<Option<ClientCertificate>, Refusal> {
    proxied_certificate(&config.certificates, request.headers(), Some(peer)).map_err(|error| {
        warn!(%error, %peer, "the proxy is not configured as this gate expects");
        Refusal::NoCertificate
    })
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
    let without_query = |uri: &'_ str| uri.find('?').unwrap_or(uri.len());
    match (first_header(request, ORIGINAL_URI), below(request.uri().path())) {
        (Some(uri), _) => AssertedRequest {
            method: first_header(request, ORIGINAL_METHOD),
            path: Some(&uri[..without_query(uri)]),
        },
        (None, Some(path)) => AssertedRequest { method: Some(request.method().as_str()), path: Some(path) },
        (None, None) => AssertedRequest::default(),
    }
}

/// What a proof has to name, where there is no doubt: every header that tells path or method of the original request says the
/// same, and so does the path below `/check`. A client that writes one of these headers itself, which its proxy passes on beside
/// its own, proves nothing by a proof for another request.
fn proven_line<B>(request: &Request<B>) -> Option<RequestLine<'_>> {
    let below = below(request.uri().path());
    let paths = all_headers(request, ORIGINAL_URI)?.map(|uri| &uri[..uri.find('?').unwrap_or(uri.len())]);
    let methods = all_headers(request, ORIGINAL_METHOD)?.chain(below.map(|_| request.method().as_str()));
    Some(RequestLine { method: one_of(methods)?, path: one_of(paths.chain(below))? })
}

/// Every value of these headers; `None` where one is no text.
fn all_headers<'a, B>(request: &'a Request<B>, names: [&str; 2]) -> Option<impl Iterator<Item = &'a str>> {
    let values = names.into_iter().flat_map(|name| request.headers().get_all(name));
    let texts: Option<Vec<_>> = values.map(|value| value.to_str().ok()).collect();
    texts.map(IntoIterator::into_iter)
}

/// What all of them say.
fn one_of<'a>(mut all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// Method, path and query of the original request; where the proxy does not tell them, a page of the product's front.
fn original<B>(request: &Request<B>) -> (Method, String) {
    let method = first_header(request, ORIGINAL_METHOD).and_then(|method| method.parse().ok());
    let query = || request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = match (first_header(request, ORIGINAL_URI), below(request.uri().path())) {
        (Some(uri), _) => uri.to_owned(),
        (None, Some(path)) => format!("{path}{}", query()),
        (None, None) => "/".to_owned(),
    };
    (method.unwrap_or_else(|| request.method().clone()), target)
}

fn first_header<'a, B>(request: &'a Request<B>, names: [&str; 2]) -> Option<&'a str> {
    names.into_iter().find_map(|name| request.headers().get(name)).and_then(|value| value.to_str().ok())
}

/// What stands below the path that is asked, as Envoy does.
fn below(path: &str) -> Option<&str> {
    let below = path.strip_prefix("/check").or_else(|| path.strip_prefix("/enter"))?;
    Some(below).filter(|below| !below.is_empty())
}

/// With 200: Envoy takes no other status for a yes.
fn admitted(verified: &VerifiedRequest, notes: RequestNotes) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::OK);
    introduce(verified, notes, response.headers_mut());
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
