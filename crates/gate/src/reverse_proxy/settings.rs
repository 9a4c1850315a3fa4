//! What stands before the product, and what nobody may exceed there.

use crate::certificate::HeaderSource;
use crate::session::BrowserSessions;
use arc_swap::ArcSwap;
use http::uri::Authority;
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;

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
    /// Lets browsers in by a session, too.
    pub sessions: Option<Arc<BrowserSessions>>,
}

/// Whether clients come by TLS or from a proxy that has ended it.
#[derive(Clone)]
pub enum ProxyFront {
    /// Over TLS, by [`server_config`](super::server_config). What is swapped in holds for connections made afterwards.
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
