//! The product, as a service behind the gate's layer.

use super::request_facts::{FirstAdmitted, RequestTarget};
use super::settings::{ProxyFront, ProxyLimits, ReverseProxy};
use super::{headers, preflight, tunnel};
use crate::assertion::AssertedRequest;
use crate::certificate::{CertificateSource, ClientAddress, strip};
use crate::gate::Gate;
use crate::guarded_body::{CutReason, GuardedBody};
use crate::identity_headers::{RequestNotes, introduce};
use crate::problem::RefusedReader;
use crate::renewal_due::RENEWAL_DUE;
use crate::verified_request::VerifiedRequest;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Empty, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tegata_core::Refusal;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower_service::Service;
use tracing::{debug, warn};

/// How long a connection to the product may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an idle connection to the product is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Requests that passed, on their way to the product.
#[derive(Clone)]
pub(super) struct Upstream {
    client: Client<HttpConnector, UpstreamConnections>,
    authority: Authority,
    gate: Gate,
    limits: ProxyLimits,
    tunnels: Arc<Semaphore>,
    /// Where the proxy before this one puts certificates.
    source: CertificateSource,
    /// Whether this proxy is the first, and says where requests came from.
    is_edge: bool,
}

/// Of a request that was not checked, only the head is passed on.
type UpstreamConnections = Limited<Either<GuardedBody<Incoming>, Empty<Bytes>>>;

pub(super) type UpstreamResponse = Response<Either<Full<Bytes>, Incoming>>;

impl Upstream {
    pub(super) fn new(proxy: &ReverseProxy, gate: Gate, source: CertificateSource) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self {
            client,
            authority: proxy.upstream.clone(),
            gate,
            limits: proxy.limits,
            source,
            tunnels: Arc::new(Semaphore::new(proxy.limits.listener.connections)),
            is_edge: matches!(proxy.front, ProxyFront::Tls(_)),
        }
    }

    async fn answer(self, request: Request<Incoming>) -> UpstreamResponse {
        let (gate, reader) = (self.gate.clone(), RefusedReader::of(request.headers()));
        let answer = self.forward(request).await;
        answer.unwrap_or_else(|refusal| gate.refuse_reader(refusal, reader).map(Either::Left))
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Result<UpstreamResponse, Refusal> {
        let verified =
            request.extensions().get::<Arc<VerifiedRequest>>().cloned().ok_or(Refusal::Internal)?;
        if let Some(first) = request.extensions().get::<FirstAdmitted>() {
            first.note(&verified);
        }
        if request.size_hint().lower() > self.limits.body as u64 {
            return Err(Refusal::RequestTooLarge);
        }
        let asks = headers::wants_websocket(request.version(), request.method(), request.headers());
        let client = asks.then(|| hyper::upgrade::on(&mut request));
        let outgoing = self.outgoing(request, &verified, asks)?;
        let response = self.ask(outgoing, &verified).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let client = client.ok_or(Refusal::ProductAway)?;
            return self.switch(client, response, verified);
        }
        Ok(passed_on(response).map(Either::Right))
    }

    /// A tunnel, provided that the product changes to the very protocol that it was asked for (RFC 9110 section 7.8).
    fn switch(
        &self,
        client: OnUpgrade,
        mut response: Response<Incoming>,
        verified: Arc<VerifiedRequest>,
    ) -> Result<UpstreamResponse, Refusal> {
        if !headers::names_websocket(response.headers()) {
            warn!(product = %self.authority, "the product changed to a protocol that it was not asked for");
            return Err(Refusal::ProductAway);
        }
        let permit = Arc::clone(&self.tunnels).try_acquire_owned().map_err(|_| Refusal::Unavailable)?;
        let product = hyper::upgrade::on(&mut response);
        let (gate, grace) = (self.gate.clone(), self.limits.tunnel_grace);
        tokio::spawn(async move {
            tunnel::run(client, product, gate, verified, grace).await;
            drop(permit);
        });
        let mut response = passed_on(response);
        headers::name_websocket(response.headers_mut());
        Ok(response.map(Either::Right))
    }

    /// A CORS preflight. It is passed on without identity headers, and no body comes back.
    pub(super) async fn preflight(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let reader = RefusedReader::of(request.headers());
        let answer = self.ask_beforehand(request).await;
        answer.unwrap_or_else(|refusal| self.gate.refuse_reader(refusal, reader))
    }

    async fn ask_beforehand(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Refusal> {
        self.gate.require_fresh()?;
        let (mut parts, _) = request.into_parts();
        strip(&mut parts.headers, &self.source);
        preflight::clean(&mut parts.headers);
        let outgoing = self.request(parts, Either::Right(Empty::new()))?;
        let answer = timeout(self.limits.answer, self.client.request(outgoing)).await;
        let response = answer.map_err(|_| Refusal::ProductSlow)?.map_err(|error| self.broken_off(&error))?;
        if response.status().is_informational() {
            return Err(Refusal::ProductAway);
        }
        let mut response = passed_on(response).map(|_| Full::default());
        response.headers_mut().remove(CONTENT_LENGTH);
        Ok(response)
    }

    /// The request as the product receives it.
    fn outgoing(
        &self,
        request: Request<Incoming>,
        verified: &Arc<VerifiedRequest>,
        asks_for_websocket: bool,
    ) -> Result<Request<UpstreamConnections>, Refusal> {
        let (mut parts, body) = request.into_parts();
        // The layer's own word: it has removed everybody else's.
        let renewal_due = parts.headers.remove(RENEWAL_DUE);
        let asked = AssertedRequest { method: Some(parts.method.as_str()), path: Some(parts.uri.path()) };
        let assertion = self.gate.assertion(verified, asked);
        let body = GuardedBody::new(body, self.gate.clone(), Arc::clone(verified));
        let mut outgoing = self.request(parts, Either::Left(body))?;
        introduce(verified, RequestNotes { assertion, renewal_due }, outgoing.headers_mut());
        if asks_for_websocket {
            headers::name_websocket(outgoing.headers_mut());
        }
        Ok(outgoing)
    }

    /// Framed anew, so that its length has one meaning. What the client said of itself is gone.
    fn request(
        &self,
        mut parts: Parts,
        body: Either<GuardedBody<Incoming>, Empty<Bytes>>,
    ) -> Result<Request<UpstreamConnections>, Refusal> {
        let RequestTarget(host) =
            parts.extensions.get::<RequestTarget>().cloned().ok_or(Refusal::Internal)?;
        let client = parts.extensions.get::<ClientAddress>().filter(|_| self.is_edge).map(|peer| peer.0);
        headers::towards_the_product(&mut parts.headers, &host, client);
        frame(&parts.method, &mut parts.headers, &body);
        let path = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(path);
        let mut outgoing = Request::new(Limited::new(body, self.limits.body));
        *outgoing.method_mut() = parts.method;
        *outgoing.uri_mut() = uri.build().map_err(|_| Refusal::RequestMalformed)?;
        *outgoing.version_mut() = Version::HTTP_11;
        *outgoing.headers_mut() = parts.headers;
        Ok(outgoing)
    }

    /// Breaks off when whoever asks may not go on before the product begins to answer.
    async fn ask(
        &self,
        outgoing: Request<UpstreamConnections>,
        verified: &VerifiedRequest,
    ) -> Result<Response<Incoming>, Refusal> {
        let answer = timeout(self.limits.answer, self.client.request(outgoing));
        tokio::select! {
            answer = answer => match answer {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(self.why(&error, verified)),
                Err(_) => Err(Refusal::ProductSlow),
            },
            refusal = self.gate.until_over(verified) => Err(refusal),
        }
    }

    fn why(&self, error: &ClientError, verified: &VerifiedRequest) -> Refusal {
        self.gate.recheck(verified).err().unwrap_or_else(|| self.broken_off(error))
    }

    /// Whose fault it is that there is no answer.
    fn broken_off(&self, error: &ClientError) -> Refusal {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if error.is::<LengthLimitError>() {
                return Refusal::RequestTooLarge;
            }
            // The client's own body broke: chunks that are none, or fewer octets than it promised.
            if let Some(CutReason::Body(_)) = error.downcast_ref() {
                return Refusal::RequestMalformed;
            }
            cause = error.source();
        }
        if error.is_connect() {
            warn!(%error, product = %self.authority, "the product cannot be reached");
        } else {
            debug!(%error, product = %self.authority, "the product broke off, or the client did");
        }
        Refusal::ProductAway
    }
}

/// What of an answer is meant for the client.
fn passed_on(mut response: Response<Incoming>) -> Response<Incoming> {
    headers::end_to_end(response.headers_mut());
    response
}

/// A body of unknown length goes on in chunks, whatever the method: without a word about it, a body of GET would be
/// left out (RFC 9112 section 6.3).
fn frame(method: &Method, headers: &mut HeaderMap, body: &impl Body) {
    let is_unknown = body.size_hint().exact().is_none() && !headers.contains_key(CONTENT_LENGTH);
    if is_unknown && matches!(*method, Method::GET | Method::HEAD) {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

impl Service<Request<Incoming>> for Upstream {
    type Response = UpstreamResponse;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<UpstreamResponse, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let upstream = self.clone();
        Box::pin(async move { Ok(upstream.answer(request).await) })
    }
}
