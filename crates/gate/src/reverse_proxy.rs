//! The gate as a proxy of its own, for products that have none, or one that cannot ask a gate.
//!
//! Clients come over TLS 1.3, with the certificate their token is bound to; or another proxy terminates
//! TLS and passes the certificate on in a header. Every request is checked; what passes goes to the
//! product over HTTP/1.1, with `Tegata-Device`, `Tegata-Tenant`, `Tegata-Site`, `Tegata-Generation` and `Tegata-Subject`
//! in place of everything a client may have said about certificates. Bodies are streamed both ways.
//! Of all changes of protocol only `websocket` passes, and neither `CONNECT` nor a strange transfer coding does.
//!
//! When a device is denied, what it has under way ends: bodies, answers not yet given, `WebSockets` and,
//! with TLS, its connections.

use crate::certificate::CertificateSource;
use crate::gate::Gate;
use crate::layer::GateLayer;
use std::sync::Arc;
use tegata_net::{Listener, Transport};
use tokio::net::TcpListener;
use upstream::Upstream;

mod connection;
mod headers;
mod host;
mod method;
mod preflight;
mod request_facts;
mod settings;
mod tls;
mod tunnel;
mod upstream;

pub use settings::{ProxyFront, ProxyLimits, ReverseProxy};
pub use tls::server_config;

/// Serves until `shutdown` completes and what was under way has ended or been cut.
pub async fn serve(tcp: TcpListener, gate: Gate, proxy: ReverseProxy, shutdown: impl Future<Output = ()>) {
    let source = match &proxy.front {
        ProxyFront::Tls(_) => CertificateSource::Connection,
        ProxyFront::Proxy(source) => CertificateSource::Header(source.clone()),
    };
    let service = ProxyShared {
        upstream: Upstream::new(&proxy, gate.clone(), source.clone()),
        layer: GateLayer::new(gate.clone(), source).with_sessions(proxy.sessions.clone()),
        gate,
        front: proxy.front.clone(),
        preflights: proxy.preflights,
    };
    let transport = match proxy.front {
        ProxyFront::Tls(config) => {
            Transport::Tls { config: Box::new(move |_| config.load_full()), people_choose: true }
        }
        ProxyFront::Proxy(_) => Transport::Plain,
    };
    let mut limits = proxy.limits.listener;
    if matches!(transport, Transport::Plain) {
        limits = limits.for_proxies();
    }
    Listener { tcp, transport, service, limits, open: Arc::default() }.serve(shutdown).await;
}

/// What all connections share.
struct ProxyShared {
    upstream: Upstream,
    layer: GateLayer,
    gate: Gate,
    front: ProxyFront,
    preflights: bool,
}
