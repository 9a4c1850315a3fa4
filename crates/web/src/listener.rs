//! The listeners: what each asks of a connection, and what its requests learn about it.

use crate::connection::{ConnectionControl, PeerAddress, Presented, ServerName};
use crate::connection_registry::{ConnectionRegistry, RegisteredUntilDrop};
use crate::proxy::ProxyCertificate;
use crate::reselection::CertificateReselection;
use crate::site::RuledRouter;
use crate::tls::DeviceTls;
use crate::trust_verdict::TrustVerdict;
use arc_swap::ArcSwap;
use axum::body::Body;
use http::{Extensions, Request, Response};
use hyper::body::Incoming;
use rustls::{ServerConfig, ServerConnection};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tegata_core::{Clock, Refusal, Thumbprint};
use tegata_net::{
    AcceptedConnection, ConnectionHandler, ConnectionService, DrainOnDrop, Limits, Listener, Transport,
    normalized,
};
use tokio::net::TcpListener;

/// The protocol of a listener. What is swapped in holds for connections made afterwards.
#[derive(Clone)]
pub enum ListenerKind {
    /// HTTP without TLS, for probes and public documents.
    Plain,
    /// HTTPS that never asks for a certificate.
    Portal(Arc<ArcSwap<ServerConfig>>),
    /// HTTPS for proxies, which are known by address or certificate: the names that they ask for say nothing.
    Proxy(Arc<ServerConfig>),
    /// HTTPS that asks for a certificate. Connections made with one of ours are registered.
    Device(Arc<ArcSwap<DeviceTls>>, Arc<dyn Clock>, Arc<ConnectionRegistry>),
}

/// Serves until `shutdown` is done and the connections have ended or been cut. No failure of one
/// connection, nor of accepting one, ends it.
pub async fn serve(
    tcp: TcpListener,
    kind: ListenerKind,
    kept: impl Into<RuledRouter>,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    serve_counting(tcp, kind, kept, limits, Arc::default(), shutdown).await;
}

/// Serves as [`serve`] does, and keeps the number of open connections in `open`.
pub async fn serve_counting(
    tcp: TcpListener,
    kind: ListenerKind,
    kept: impl Into<RuledRouter>,
    limits: Limits,
    open: Arc<AtomicUsize>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let transport = kind.transport();
    let service = WebListenerShared { kind, kept: kept.into(), drain: limits.drain };
    Listener { tcp, transport, service, limits, open }.serve(shutdown).await;
}

impl ListenerKind {
    fn transport(&self) -> Transport {
        match self.clone() {
            Self::Plain => Transport::Plain,
            Self::Portal(config) => {
                Transport::Tls { config: Box::new(move |_| config.load_full()), people_choose: false }
            }
            // Proxies are programs: nobody chooses.
            Self::Proxy(config) => {
                Transport::Tls { config: Box::new(move |_| Arc::clone(&config)), people_choose: false }
            }
            Self::Device(device_tls, ..) => Transport::Tls {
                config: Box::new(move |name| device_tls.load().config_for(name)),
                people_choose: true,
            },
        }
    }
}

/// What all connections of a listener share.
struct WebListenerShared {
    kind: ListenerKind,
    kept: RuledRouter,
    drain: Duration,
}

/// Who answers on one connection.
struct WebConnection {
    kept: RuledRouter,
    facts: Extensions,
    control: ConnectionControl,
    drain: Duration,
    _registration: Option<RegisteredUntilDrop>,
}

impl ConnectionService for WebListenerShared {
    type Handler = WebConnection;

    fn connected(&self, accepted: &AcceptedConnection<'_>) -> Option<WebConnection> {
        let mut facts = Extensions::new();
        facts.insert(PeerAddress(accepted.peer));
        if let Some(tls) = accepted.tls {
            self.learn(tls, &mut facts);
        }
        let control = ConnectionControl::default();
        facts.insert(control.clone());
        let registration = self.register(&facts, &control);
        Some(WebConnection {
            kept: self.kept.clone(),
            facts,
            control,
            drain: self.drain,
            _registration: registration,
        })
    }
}

impl WebListenerShared {
    fn learn(&self, tls: &ServerConnection, facts: &mut Extensions) {
        let leaf = tls.peer_certificates().and_then(<[_]>::first);
        if let ListenerKind::Proxy(_) = &self.kind {
            facts.insert(ProxyCertificate(leaf.map(|der| Thumbprint::of(der))));
            return;
        }
        facts.insert(ServerName(tls.server_name().map(normalized)));
        if let ListenerKind::Device(device_tls, clock, registry) = &self.kind {
            let device_tls = device_tls.load();
            let certificate = leaf.map(|der| device_tls.judged(der, clock.now()));
            if let Some(certificate) = &certificate {
                let thumbprint = certificate.thumbprint;
                facts.insert(CertificateReselection::new(
                    device_tls.reselections.clone(),
                    registry.clone(),
                    thumbprint,
                ));
            }
            facts.insert(Presented(certificate));
        }
    }

    fn register(&self, facts: &Extensions, connection: &ConnectionControl) -> Option<RegisteredUntilDrop> {
        let ListenerKind::Device(_, clock, registry) = &self.kind else { return None };
        let certificate = facts.get::<Presented>()?.0.as_ref()?;
        let ours = certificate.path == TrustVerdict::Trusted;
        let registration = ours.then(|| registry.register(certificate.thumbprint, connection.clone()));
        // After registering, so that whoever lets go of the certificate now either finds this connection or is seen here.
        if facts.get().is_some_and(|choice: &CertificateReselection| choice.is_under_way(clock.now())) {
            connection.close();
        }
        registration
    }
}

impl ConnectionHandler for WebConnection {
    type Body = Body;

    const LOGS_PATHS: bool = true;

    fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static + use<> {
        request.extensions_mut().extend(self.facts.clone());
        self.kept.clone().answer(request.map(drained))
    }

    fn refuse(&self, refusal: Refusal, request: Request<Incoming>) -> Response<Body> {
        self.kept.refuse(refusal, &request.map(drained))
    }

    async fn dismissed(&self) -> Duration {
        self.control.closed().await;
        self.drain
    }
}

fn drained(body: Incoming) -> Body {
    Body::new(DrainOnDrop::new(body))
}
