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

use crate::certificate::{CertificateSource, HeaderSource};
use crate::gate::Gate;
use crate::layer::GateLayer;
use arc_swap::ArcSwap;
use http::uri::Authority;
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;
use tegata_net::{Listener, Transport};
use tokio::net::TcpListener;
use upstream::Upstream;

mod connection;
mod headers;
mod host;
mod method;
mod preflight;
mod tls;
mod tunnel;
mod upstream;

pub use tls::server_config;

/// What stands before the product.
#[derive(Clone)]
pub struct ReverseProxy {
    /// Host and port of the product, spoken to in plain HTTP/1.1.
    pub upstream: Authority,
    /// How clients reach the proxy.
    pub front: ProxyFront,
    /// What no client, and no product, may exceed.
    pub limits: ProxyLimits,
    /// Whether questions of browsers before requests to other origins (`OPTIONS` with
    /// `Access-Control-Request-Method`) reach the product although nobody proved who asks.
    pub preflights: bool,
}

/// How clients reach the proxy, and who terminates their TLS.
#[derive(Clone)]
pub enum ProxyFront {
    /// Over TLS, by [`server_config`]. What is swapped in holds for connections made afterwards.
    Tls(Arc<ArcSwap<ServerConfig>>),
    /// Through a proxy that terminates TLS and speaks HTTP/1.1. Nobody else gets an answer.
    Proxy(HeaderSource),
}

/// The limits of the proxy, for clients and product.
#[derive(Clone, Copy, Debug)]
pub struct ProxyLimits {
    /// Of clients. There may be as many `WebSockets` as connections.
    pub listener: tegata_net::Limits,
    /// Until the product begins to answer.
    pub answer: Duration,
    /// Bytes of a request's body.
    pub body: usize,
    /// How long a `WebSocket` may go on after the end of the token it was opened with.
    pub tunnel_grace: Duration,
}

impl Default for ProxyLimits {
    fn default() -> Self {
        // Longer than nginx keeps an idle connection (60 s), so that it is never closed under a request.
        let listener =
            tegata_net::Limits { header: Duration::from_secs(75), ..tegata_net::Limits::default() };
        Self {
            listener,
            answer: Duration::from_mins(1),
            body: 100 * 1024 * 1024,
            tunnel_grace: Duration::from_mins(1),
        }
    }
}

/// Serves until `shutdown` completes and what was under way has ended or been cut.
pub async fn serve(tcp: TcpListener, gate: Gate, proxy: ReverseProxy, shutdown: impl Future<Output = ()>) {
    let source = match &proxy.front {
        ProxyFront::Tls(_) => CertificateSource::Connection,
        ProxyFront::Proxy(source) => CertificateSource::Header(source.clone()),
    };
    let service = ProxyShared {
        upstream: Upstream::new(&proxy, gate.clone(), source.clone()),
        layer: GateLayer::new(gate.clone(), source),
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
