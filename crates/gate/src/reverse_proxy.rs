//! The gate as a proxy of its own, for products that have none, or one that cannot ask a gate.
//!
//! Clients come over TLS 1.3, with the certificate their token is bound to; or another proxy terminates
//! TLS and passes the certificate on in a header. Every request is checked; what passes goes to the
//! product over HTTP/1.1, with `Tegata-Device`, `Tegata-Tenant`, `Tegata-Site`, `Tegata-Generation` and `Tegata-Subject`
//! in place of everything a client may have said about certificates. Bodies are streamed both ways.
//!
//! When a device is denied, what it has under way ends: bodies, answers not yet given, `WebSockets` and,
//! with TLS, its connections.

use crate::certificate::{HeaderSource, Source};
use crate::gate::Gate;
use crate::layer::GateLayer;
use arc_swap::ArcSwap;
use http::uri::Authority;
use rustls::ServerConfig;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};
use upstream::Upstream;

mod connection;
mod headers;
mod host;
mod tls;
mod tunnel;
mod upstream;

pub use tls::server_config;

/// What stands before the product.
#[derive(Clone)]
pub struct ReverseProxy {
    /// Host and port of the product, spoken to in plain HTTP/1.1.
    pub upstream: Authority,
    /// How clients come.
    pub front: Front,
    /// What no client, and no product, may exceed.
    pub limits: Limits,
}

/// How clients come.
#[derive(Clone)]
pub enum Front {
    /// Over TLS, by [`server_config`]. What is swapped in holds for connections made afterwards.
    Tls(Arc<ArcSwap<ServerConfig>>),
    /// Through a proxy that terminates TLS and speaks HTTP/1.1. Nobody else gets an answer.
    Proxy(HeaderSource),
}

/// What nobody may exceed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the TCP connection to the question for a certificate.
    pub handshake: Duration,
    /// From that question to the end of the TLS handshake. Firefox asks its reader in the middle of it. Only half of the
    /// connections may take this time at once; the others have `handshake`.
    pub choice: Duration,
    /// Waiting for a request and its header.
    pub header: Duration,
    /// Until the product begins to answer.
    pub answer: Duration,
    /// Bytes of a request's body.
    pub body: usize,
    /// Connections at one time, and as many `WebSockets`; further ones wait, or are refused.
    pub connections: usize,
    /// How long what is under way may take after the shutdown began.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            choice: Duration::from_mins(2),
            header: Duration::from_secs(75),
            answer: Duration::from_mins(1),
            body: 100 * 1024 * 1024,
            connections: 4096,
            farewell: Duration::from_secs(10),
        }
    }
}

/// Serves until `shutdown` completes and what was under way has ended or been cut.
///
/// # Errors
/// Never for a single connection; when the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    gate: Gate,
    proxy: ReverseProxy,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let source = match &proxy.front {
        Front::Tls(_) => Source::Connection,
        Front::Proxy(source) => Source::Header(source.clone()),
    };
    let room = Arc::new(Semaphore::new(proxy.limits.connections));
    let (closing, closing_seen) = watch::channel(false);
    let house = Arc::new(House {
        upstream: Upstream::new(&proxy, gate.clone()),
        layer: GateLayer::new(gate.clone(), source),
        gate,
        front: proxy.front,
        limits: proxy.limits,
        choosing: Semaphore::new(proxy.limits.connections / 2),
        closing: closing_seen,
    });
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            (permit, stream) = accept(&listener, &room) => {
                let house = Arc::clone(&house);
                connections.spawn(async move {
                    house.connection(stream).await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    closing.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(house.limits.farewell + house.limits.handshake, all).await;
    Ok(())
}

/// What all connections share.
struct House {
    upstream: Upstream,
    layer: GateLayer,
    gate: Gate,
    front: Front,
    limits: Limits,
    /// Room for readers who choose a certificate.
    choosing: Semaphore,
    closing: watch::Receiver<bool>,
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (Option<OwnedSemaphorePermit>, TcpStream) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (permit, stream),
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) => {
                debug!(%error, "a connection was not accepted");
            }
            Err(error) => {
                warn!(%error, "no connection can be accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
