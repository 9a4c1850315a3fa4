//! The accept loop: accepts connections, and ends them at shutdown.

use crate::admission::{Admission, AdmittedConnection, Eviction, NotAdmitted};
use crate::limits::Limits;
use hyper::body::{Body, Bytes, Incoming};
use rustls::{ServerConfig, ServerConnection};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tegata_core::Refusal;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A bound port and who answers there.
pub struct Listener<S> {
    /// The socket that accepts connections.
    pub tcp: TcpListener,
    /// The protocol that clients speak to it.
    pub transport: Transport,
    /// Answers the connections that are accepted.
    pub service: S,
    /// What no client may exceed.
    pub limits: Limits,
    /// Kept at the number of open connections.
    pub open: Arc<AtomicUsize>,
}

/// The protocol of a listener.
pub enum Transport {
    /// HTTP/1.1 without TLS, for probes and public documents.
    Plain,
    /// HTTP/2 or HTTP/1.1, as ALPN says, over TLS.
    Tls {
        /// The configuration for a connection to the name that the client asked for, in the form of [`normalized`].
        config: Box<ConfigFor>,
        /// Whether people choose a certificate in the middle of the handshake: they may take their time.
        people_choose: bool,
    },
}

/// Chooses the configuration of a connection.
pub type ConfigFor = dyn Fn(Option<&str>) -> Arc<ServerConfig> + Send + Sync;

/// A connection whose handshake is over.
pub struct AcceptedConnection<'a> {
    /// The address of the other end, be it a client or a proxy.
    pub peer: SocketAddr,
    /// What the handshake agreed on; nothing without TLS.
    pub tls: Option<&'a ServerConnection>,
}

/// Who answers at a listener.
pub trait ConnectionService: Send + Sync + 'static {
    /// Who answers on one connection.
    type Handler: ConnectionHandler;

    /// Called once for each connection. Without a handler it is closed at once.
    fn connected(&self, accepted: &AcceptedConnection<'_>) -> Option<Self::Handler>;
}

/// Who answers on one connection.
pub trait ConnectionHandler: Send + Sync {
    /// The body of its responses.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + Send + 'static;

    /// Whether the paths of requests may be written to a log. A product's paths may tell of people.
    const LOGS_PATHS: bool = false;

    /// The answer to a request.
    fn answer(
        &self,
        request: http::Request<Incoming>,
    ) -> impl Future<Output = http::Response<Self::Body>> + Send + 'static + use<Self>;

    /// The answer to a request that no listener takes.
    fn refuse(&self, refusal: Refusal, request: http::Request<Incoming>) -> http::Response<Self::Body>;

    /// Done when the connection is to end for a reason of its own. No further request is read then; those under way
    /// have the time that this gives.
    fn dismissed(&self) -> impl Future<Output = Duration> + Send;
}

/// What all connections of a listener share.
pub(crate) struct ListenerShared<S> {
    pub(crate) transport: Transport,
    pub(crate) service: S,
    pub(crate) limits: Limits,
    /// Room for readers who choose a certificate.
    pub(crate) choosing: Semaphore,
    pub(crate) closing: watch::Receiver<bool>,
}

impl<S: ConnectionService> Listener<S> {
    /// Serves until `shutdown` is done and the connections have ended or been cut. No failure of one
    /// connection, nor of accepting one, ends it.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { tcp, transport, service, limits, open } = self;
        let (closing, closing_seen) = watch::channel(false);
        let admission = Admission::new(limits);
        let choosing = Semaphore::new(limits.connections / 2);
        let shared = Arc::new(ListenerShared { transport, service, limits, choosing, closing: closing_seen });
        let mut entrance = ListenerEntrance { tcp: &tcp, admission: &admission, waiting: None };
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                (stream, peer, place, eviction) = entrance.next() => {
                    let (shared, open) = (Arc::clone(&shared), Arc::clone(&open));
                    connections.spawn(async move {
                        open.fetch_add(1, Ordering::Relaxed);
                        tokio::select! {
                            () = shared.connection(stream, peer, &place) => {}
                            Ok(()) = eviction => tracing::debug!(%peer, "a silent connection gave way"),
                        }
                        open.fetch_sub(1, Ordering::Relaxed);
                    });
                }
            }
        }
        drop(tcp);
        let _ = closing.send(true);
        let all = async { while connections.join_next().await.is_some() {} };
        // Each connection cuts itself after the drain time; a handshake may still be running.
        let _ = timeout(limits.drain + limits.handshake, all).await;
    }
}

/// The socket that accepts connections.
struct ListenerEntrance<'a> {
    tcp: &'a TcpListener,
    admission: &'a Arc<Admission>,
    /// Came when there was room, and there is none any more.
    waiting: Option<(TcpStream, SocketAddr)>,
}

impl ListenerEntrance<'_> {
    /// Cancel-safe: no connection is lost when this is dropped.
    async fn next(&mut self) -> (TcpStream, SocketAddr, AdmittedConnection, Eviction) {
        loop {
            self.admission.has_room().await;
            if self.waiting.is_none() {
                self.waiting = self.accept().await;
            }
            let Some((stream, peer)) = self.waiting.take() else { continue };
            match self.admission.admit(peer.ip()) {
                Ok((place, eviction)) => return (stream, peer, place, eviction),
                Err(NotAdmitted::ForItsNetwork) => {
                    tracing::debug!(%peer, "its network has as many connections as it may");
                }
                Err(NotAdmitted::ForAnybody) => self.waiting = Some((stream, peer)),
            }
        }
    }

    /// An error here belongs to a client that went away, or says that the process is out of file
    /// descriptors: then others must end first, so it waits a little instead of spinning.
    async fn accept(&self) -> Option<(TcpStream, SocketAddr)> {
        match self.tcp.accept().await {
            Ok(accepted) => return Some(accepted),
            Err(error) if of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                self.admission.evict();
                sleep(Duration::from_millis(250)).await;
            }
        }
        None
    }
}

fn of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The form in which names of hosts are compared: lower case, without the root's dot.
pub fn normalized(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}
