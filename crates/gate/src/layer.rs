//! The gate as a tower layer, for axum, hyper, tonic: every request of every connection is checked, so
//! kept-alive and HTTP/2 connections of a denied device are of no use to it. An answer that is still on its way when
//! the device is denied, its session is over or the gate is stale does not leave, or ends where it is.

use crate::certificate::{CertificateSource, ClientAddress, ClientCertificate, strip};
use crate::cookies;
use crate::dpop::line_of;
use crate::gate::Gate;
use crate::guarded_body::GuardedBody;
use crate::problem::RefusedReader;
use crate::renewal_due::RENEWAL_DUE;
use crate::request_outcome::{OwnAnswer, RequestOutcome};
use crate::session::BrowserSessions;
use crate::verified_request::VerifiedRequest;
use http::header::SET_COOKIE;
use http::{Extensions, HeaderValue, Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tegata_core::Refusal;
use tower_layer::Layer;
use tower_service::Service;
use tracing::warn;

/// Puts a [`Gate`] in front of a service. Handlers find an `Arc<Verified>` in the request's extensions.
#[derive(Clone)]
pub struct GateLayer {
    gate: Gate,
    source: Arc<CertificateSource>,
    peer: PeerAddressOf,
    sessions: Option<Arc<BrowserSessions>>,
}

/// How to find the address of the connection's peer.
type PeerAddressOf = fn(&Extensions) -> Option<IpAddr>;

impl GateLayer {
    /// A layer that looks for certificates in `source`.
    pub fn new(gate: Gate, source: CertificateSource) -> Self {
        let peer: PeerAddressOf = |extensions| extensions.get::<ClientAddress>().map(|peer| peer.0);
        Self { gate, source: Arc::new(source), peer, sessions: None }
    }

    /// Lets browsers in by a session, too. The paths below `/.tegata/` are the gate's own then.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Option<Arc<BrowserSessions>>) -> Self {
        self.sessions = sessions;
        self
    }

    /// Where the framework keeps the peer's address, if not in a [`ClientAddress`]; for axum
    /// `|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())`.
    #[must_use]
    pub fn with_peer(mut self, peer: PeerAddressOf) -> Self {
        self.peer = peer;
        self
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService { layer: self.clone(), inner }
    }
}

/// A service behind a gate.
#[derive(Clone)]
pub struct GateService<S> {
    layer: GateLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for GateService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Either<Full<Bytes>, GuardedBody<R>>>;
    type Error = S::Error;
    type Future = GateFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.layer.receive(&mut request) {
            RequestOutcome::Admitted { verified, renewed } => {
                let reader = RefusedReader::of(request.headers());
                let inner = Box::pin(self.inner.call(request));
                GateFuture::Admitted { inner, gate: self.layer.gate.clone(), verified, reader, renewed }
            }
            RequestOutcome::Refused(refusal) => {
                GateFuture::Refused(Some(Box::new(self.layer.gate.refuse(refusal, request.headers()))))
            }
            RequestOutcome::Answered(answer) => GateFuture::Answered(answer),
        }
    }
}

impl GateLayer {
    fn receive<B>(&self, request: &mut Request<B>) -> RequestOutcome {
        let presented = match self.presented(request) {
            Ok(presented) => presented,
            Err(refusal) => return RequestOutcome::Refused(refusal),
        };
        strip(request.headers_mut(), &self.source);
        if let Some(end) = self.gate.renewal_due(presented.as_ref()) {
            request.headers_mut().insert(RENEWAL_DUE, end);
        }
        cookies::join(request.headers_mut());
        let admission = match &self.sessions {
            Some(sessions) => sessions.admit(&self.gate, request, presented),
            None => self
                .gate
                .check_request(
                    request.headers(),
                    request.uri().query(),
                    presented.map(|one| one.thumbprint()),
                    Some(line_of(request)),
                )
                .into(),
        };
        if let RequestOutcome::Admitted { verified, .. } = &admission {
            request.extensions_mut().insert(Arc::clone(verified));
        }
        admission
    }

    fn presented<B>(&self, request: &Request<B>) -> Result<Option<ClientCertificate>, Refusal> {
        let peer = (self.peer)(request.extensions());
        let presented = self.source.presented(request.extensions(), request.headers(), peer);
        presented.map_err(|error| {
            warn!(%error, ?peer, "a trusted proxy is not configured as this gate expects");
            Refusal::NoCertificate
        })
    }
}

/// The answer of a service behind a gate.
pub enum GateFuture<F> {
    /// On to the service.
    Admitted {
        /// What it does. It is never broken off: it may be in the middle of something.
        inner: Pin<Box<F>>,
        /// Asked again when the answer is there.
        gate: Gate,
        /// The caller, as the gate verified it.
        verified: Arc<VerifiedRequest>,
        /// How a refusal would be shown to the caller.
        reader: RefusedReader,
        /// A `Set-Cookie` that keeps the caller's session going.
        renewed: Option<HeaderValue>,
    },
    /// The refusal, until it is taken.
    Refused(Option<Box<Response<Full<Bytes>>>>),
    /// What the gate itself answers a browser.
    Answered(OwnAnswer),
}

impl<F, R, E> Future for GateFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Either<Full<Bytes>, GuardedBody<R>>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Admitted { inner, gate, verified, reader, renewed } => {
                inner.as_mut().poll(context).map_ok(|response| {
                    let mut response = answer(response, gate, verified, *reader);
                    response.headers_mut().extend(renewed.take().map(|cookie| (SET_COOKIE, cookie)));
                    response
                })
            }
            Self::Refused(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(Either::Left))),
                None => Poll::Pending,
            },
            Self::Answered(answer) => {
                answer.as_mut().poll(context).map(|answer| Ok(answer.map(Either::Left)))
            }
        }
    }
}

/// The service's answer, or the refusal if whoever asked may not go on.
fn answer<R>(
    response: Response<R>,
    gate: &Gate,
    verified: &Arc<VerifiedRequest>,
    reader: RefusedReader,
) -> Response<Either<Full<Bytes>, GuardedBody<R>>> {
    match gate.recheck(verified) {
        Ok(()) => {
            response.map(|body| Either::Right(GuardedBody::new(body, gate.clone(), Arc::clone(verified))))
        }
        Err(refusal) => gate.refuse_reader(refusal, reader).map(Either::Left),
    }
}
