//! The product, as a service behind the gate's layer.

use super::connection::{FirstAdmitted, Target};
use super::{Limits, ReverseProxy, headers, tunnel};
use crate::certificate::PeerAddress;
use crate::check::Verified;
use crate::gate::Gate;
use crate::guarded::Guarded;
use crate::problem::Reader;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::{Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
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
    client: Client<HttpConnector, Outgoing>,
    authority: Authority,
    gate: Gate,
    limits: Limits,
    tunnels: Arc<Semaphore>,
    /// Whether this proxy is the first, and says where requests came from.
    is_edge: bool,
}

type Outgoing = Limited<Guarded<Incoming>>;

pub(super) type Answer = Response<Either<Full<Bytes>, Incoming>>;

impl Upstream {
    pub(super) fn new(proxy: &ReverseProxy, gate: Gate) -> Self {
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
            tunnels: Arc::new(Semaphore::new(proxy.limits.listener.connections)),
            is_edge: matches!(proxy.front, super::Front::Tls(_)),
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Answer {
        let (gate, reader) = (self.gate.clone(), Reader::of(request.headers()));
        let answer = self.forward(request).await;
        answer.unwrap_or_else(|refusal| gate.refuse_reader(refusal, reader).map(Either::Left))
    }

    async fn forward(&self, mut request: Request<Incoming>) -> Result<Answer, Refusal> {
        let verified = request.extensions().get::<Arc<Verified>>().cloned().ok_or(Refusal::Internal)?;
        if let Some(first) = request.extensions().get::<FirstAdmitted>() {
            first.note(&verified);
        }
        if request.size_hint().lower() > self.limits.body as u64 {
            return Err(Refusal::RequestTooLarge);
        }
        let protocol = headers::wanted_protocol(request.version(), request.method(), request.headers());
        let client = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        let outgoing = self.outgoing(request, &verified, protocol.clone())?;
        let mut response = self.ask(outgoing, &verified).await?;
        headers::end_to_end(response.headers_mut());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response.map(Either::Right));
        }
        let (Some(client), Some(protocol)) = (client, protocol) else { return Err(Refusal::ProductAway) };
        let permit = Arc::clone(&self.tunnels).try_acquire_owned().map_err(|_| Refusal::Unavailable)?;
        let product = hyper::upgrade::on(&mut response);
        let gate = self.gate.clone();
        tokio::spawn(async move {
            tunnel::run(client, product, gate, verified).await;
            drop(permit);
        });
        headers::ask_for(protocol, response.headers_mut());
        Ok(response.map(Either::Right))
    }

    /// The request as the product receives it: framed anew, so that its length has one meaning.
    fn outgoing(
        &self,
        request: Request<Incoming>,
        verified: &Arc<Verified>,
        protocol: Option<HeaderValue>,
    ) -> Result<Request<Outgoing>, Refusal> {
        let (mut parts, body) = request.into_parts();
        let Target(host) = parts.extensions.get::<Target>().cloned().ok_or(Refusal::Internal)?;
        let client = parts.extensions.get::<PeerAddress>().filter(|_| self.is_edge).map(|peer| peer.0);
        headers::towards_the_product(&mut parts.headers, verified, &host, client);
        if let Some(protocol) = protocol {
            headers::ask_for(protocol, &mut parts.headers);
        }
        let mut uri = Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone());
        uri =
            uri.path_and_query(parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        let body = Guarded::new(body, self.gate.clone(), Arc::clone(verified));
        let mut outgoing = Request::new(Limited::new(body, self.limits.body));
        *outgoing.method_mut() = parts.method;
        *outgoing.uri_mut() = uri.build().map_err(|_| Refusal::RequestMalformed)?;
        *outgoing.version_mut() = Version::HTTP_11;
        *outgoing.headers_mut() = parts.headers;
        Ok(outgoing)
    }

    /// Breaks off when the device is denied before the product begins to answer.
    async fn ask(
        &self,
        outgoing: Request<Outgoing>,
        verified: &Verified,
    ) -> Result<Response<Incoming>, Refusal> {
        let answer = timeout(self.limits.answer, self.client.request(outgoing));
        tokio::select! {
            answer = answer => match answer {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => Err(self.why(&error, verified)),
                Err(_) => Err(Refusal::ProductSlow),
            },
            refusal = self.gate.until_denied(verified) => Err(refusal),
        }
    }

    fn why(&self, error: &ClientError, verified: &Verified) -> Refusal {
        if let Err(refusal) = self.gate.standing(verified) {
            return refusal;
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if error.is::<LengthLimitError>() {
                return Refusal::RequestTooLarge;
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

impl Service<Request<Incoming>> for Upstream {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let upstream = self.clone();
        Box::pin(async move { Ok(upstream.answer(request).await) })
    }
}
