//! One connection of a client, or of the proxy before this one.

use super::request_facts::{FirstAdmitted, RequestTarget};
use super::upstream::Upstream;
use super::{ProxyFront, ProxyShared, host, method, preflight};
use crate::certificate::{ClientAddress, ClientCertificate};
use crate::gate::Gate;
use crate::guarded_body::GuardedBody;
use crate::layer::GateLayer;
use crate::verified_request::VerifiedRequest;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Refusal;
use tegata_net::{AcceptedConnection, ConnectionHandler, ConnectionService, DrainOnDrop};
use tokio::sync::watch;
use tower_layer::Layer;
use tower_service::Service;
use tracing::debug;

/// How long a connection may take to end after its device was denied.
const CUT: Duration = Duration::from_millis(250);

/// What a request knows about its connection.
#[derive(Clone)]
struct ConnectionFacts {
    peer: IpAddr,
    tls: Option<TlsFacts>,
}

#[derive(Clone)]
struct TlsFacts {
    presented: Option<ClientCertificate>,
    server_name: Option<String>,
    first: FirstAdmitted,
}

/// Who answers on one connection.
pub(super) struct ProxyConnection {
    layer: GateLayer,
    upstream: Upstream,
    gate: Gate,
    preflights: bool,
    facts: ConnectionFacts,
    /// The only client of the connection; none where a proxy is at the other end.
    admitted: Option<watch::Receiver<Option<Arc<VerifiedRequest>>>>,
}

type ProxyResponse = Response<AnswerBody>;

type AnswerBody = Either<Full<Bytes>, GuardedBody<Either<Full<Bytes>, Incoming>>>;

impl ConnectionService for ProxyShared {
    type Handler = ProxyConnection;

    fn connected(&self, accepted: &AcceptedConnection<'_>) -> Option<ProxyConnection> {
        let peer = accepted.peer.ip();
        if let ProxyFront::Proxy(source) = &self.front
            && !source.trusts(peer)
        {
            debug!(%peer, "somebody who is no trusted proxy was hung up on");
            return None;
        }
        let (tls, admitted) = accepted.tls.map(TlsFacts::of).unzip();
        Some(ProxyConnection {
            layer: self.layer.clone(),
            upstream: self.upstream.clone(),
            gate: self.gate.clone(),
            preflights: self.preflights,
            facts: ConnectionFacts { peer, tls },
            admitted,
        })
    }
}

impl ConnectionHandler for ProxyConnection {
    type Body = AnswerBody;

    /// One request: whole, to the right host, then through the gate.
    fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = ProxyResponse> + Send + 'static + use<> {
        let entered = match self.facts.enter(&mut request) {
            Ok(()) => Ok(request),
            Err(refusal) => Err(self.refuse(refusal, request)),
        };
        let preflights = self.preflights;
        let (upstream, layer) = (self.upstream.clone(), self.layer.clone());
        async move {
            match entered {
                Err(answer) => answer,
                Ok(request) if preflights && preflight::is_preflight(&request) => {
                    upstream.preflight(request).await.map(Either::Left)
                }
                Ok(request) => {
                    let Ok(answer) = layer.layer(upstream).call(request).await;
                    answer
                }
            }
        }
    }

    fn refuse(&self, refusal: Refusal, request: Request<Incoming>) -> ProxyResponse {
        let mut answer = self.gate.refuse(refusal, request.headers()).map(Either::Left);
        answer.headers_mut().extend(method::more_about(refusal));
        drop(DrainOnDrop::new(request.into_body()));
        answer
    }

    /// When its only client may not go on.
    async fn dismissed(&self) -> Duration {
        let Some(mut admitted) = self.admitted.clone() else { return std::future::pending().await };
        let first = admitted.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
        let Some(verified) = first else { return std::future::pending().await };
        self.gate.until_denied(&verified).await;
        CUT
    }
}

impl TlsFacts {
    fn of(tls: &rustls::ServerConnection) -> (Self, watch::Receiver<Option<Arc<VerifiedRequest>>>) {
        let leaf = tls.peer_certificates().and_then(<[_]>::first);
        let (first, admitted) = watch::channel(None);
        let tls = Self {
            presented: leaf.map(|leaf| ClientCertificate::from_der(leaf)),
            server_name: tls.server_name().map(str::to_owned),
            first: FirstAdmitted(Arc::new(first)),
        };
        (tls, admitted)
    }
}

impl ConnectionFacts {
    fn enter(&self, request: &mut Request<Incoming>) -> Result<(), Refusal> {
        method::check(request.method())?;
        let host = host::host(request.uri(), request.headers())?;
        let extensions = request.extensions_mut();
        extensions.insert(ClientAddress(self.peer));
        if let Some(tls) = &self.tls {
            host::must_match(&host, tls.server_name.as_deref())?;
            extensions.insert(tls.first.clone());
            if let Some(presented) = tls.presented.clone() {
                extensions.insert(presented);
            }
        }
        extensions.insert(RequestTarget(host));
        Ok(())
    }
}
