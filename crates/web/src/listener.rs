//! Accepting connections, and ending them.

use crate::choice::Choice;
use crate::connection::{ConnectionControl, PeerAddress, Presented, ServerName};
use crate::host::plain;
use crate::leftover::Leftover;
use crate::listener::activity::{Activity, Counted};
use crate::path::Path;
use crate::proxy::ProxyCertificate;
use crate::site::Kept;
use crate::tls::DeviceDoor;
use crate::visitors::{Visit, Visitors};
use arc_swap::ArcSwap;
use axum::body::Body;
use http::{Extensions, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tegata_core::{Clock, Thumbprint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

mod activity;
mod farewell;

/// How a port is spoken with. What is swapped in holds for connections made afterwards.
#[derive(Clone)]
pub enum Port {
    /// HTTP without TLS.
    Plain,
    /// HTTPS that never asks for a certificate.
    Portal(Arc<ArcSwap<ServerConfig>>),
    /// HTTPS for proxies, which are known by address or certificate: the names that they ask for say nothing.
    Proxy(Arc<ServerConfig>),
    /// HTTPS that asks for a certificate. Whoever shows one of ours is among the visitors.
    Device(Arc<ArcSwap<DeviceDoor>>, Arc<dyn Clock>, Arc<Visitors>),
}

/// What no client may exceed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the TCP connection to the end of the TLS handshake; where a certificate is asked for, to that question.
    pub handshake: Duration,
    /// From that question to the end of the handshake. Firefox asks its reader in the middle of it. Only half of the
    /// connections may take this time at once; the others have `handshake`.
    pub choice: Duration,
    /// From the moment a request may be sent to the end of its header. hyper's clock runs between two
    /// requests as well, so an HTTP/1.1 connection that waits longer than this for its next one is closed.
    pub header: Duration,
    /// Without any request, once there was one: the shorter of this and `header` in HTTP/1.1.
    pub idle: Duration,
    /// From the wish to close to the cut.
    pub drain: Duration,
    /// Connections at one time; others wait in the kernel's queue.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            choice: Duration::from_mins(2),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            drain: Duration::from_secs(10),
            connections: 4096,
        }
    }
}

/// Serves until `shutdown` is done and the connections have ended or been cut. No failure of one
/// connection, nor of accepting one, ends it.
pub async fn serve(
    tcp: TcpListener,
    port: Port,
    kept: impl Into<Kept>,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    serve_counting(tcp, port, kept, limits, Arc::default(), shutdown).await;
}

/// The same, with the number of open connections kept in `open`.
pub async fn serve_counting(
    tcp: TcpListener,
    port: Port,
    kept: impl Into<Kept>,
    limits: Limits,
    open: Arc<AtomicUsize>,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (closing, closing_seen) = watch::channel(false);
    let room = Arc::new(Semaphore::new(limits.connections));
    let choosing = Semaphore::new(limits.connections / 2);
    let house = Arc::new(House { port, kept: kept.into(), limits, choosing, closing: closing_seen });
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            (permit, stream, peer) = accept(&tcp, &room) => {
                let (house, open) = (Arc::clone(&house), Arc::clone(&open));
                connections.spawn(async move {
                    open.fetch_add(1, Ordering::Relaxed);
                    house.connection(stream, peer).await;
                    open.fetch_sub(1, Ordering::Relaxed);
                    drop(permit);
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

struct House {
    port: Port,
    kept: Kept,
    limits: Limits,
    /// Room for readers who choose a certificate.
    choosing: Semaphore,
    closing: watch::Receiver<bool>,
}

/// An error here belongs to a client that went away, or says that the process is out of file
/// descriptors: then others must end first, so it waits a little instead of spinning.
async fn accept(
    tcp: &TcpListener,
    room: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, TcpStream, SocketAddr) {
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match tcp.accept().await {
            Ok((stream, peer)) => return (permit, stream, peer),
            Err(error) if of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(Duration::from_millis(250)).await;
            }
        }
    }
}

fn of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl House {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let mut facts = Extensions::new();
        facts.insert(PeerAddress(peer));
        if matches!(self.port, Port::Plain) {
            return self.speak(stream, false, facts).await;
        }
        match self.handshake(stream).await {
            Ok(stream) => {
                self.learn(&stream, &mut facts);
                let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.speak(stream, h2, facts).await;
            }
            Err(error) => tracing::debug!(%peer, %error, "handshake failed"),
        }
    }

    async fn handshake(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let end = Instant::now() + self.limits.handshake;
        let start = timeout_at(end, LazyConfigAcceptor::new(Acceptor::default(), stream)).await??;
        let config = match &self.port {
            Port::Plain => return Err(io::ErrorKind::Unsupported.into()),
            Port::Portal(config) => config.load_full(),
            Port::Proxy(config) => Arc::clone(config),
            Port::Device(door, ..) => {
                let name = start.client_hello().server_name().map(plain);
                door.load().config_for(name.as_deref())
            }
        };
        let choice =
            matches!(self.port, Port::Device(..)).then(|| self.choosing.try_acquire().ok()).flatten();
        let end = if choice.is_some() { Instant::now() + self.limits.choice } else { end };
        let shaken = tokio::select! {
            shaken = timeout_at(end, start.into_stream(config).into_fallible()) => shaken?,
            () = self.closed_to_newcomers() => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        drop(choice);
        match shaken {
            Ok(stream) => Ok(stream),
            Err((error, stream)) => {
                farewell::let_arrive(stream).await;
                Err(error)
            }
        }
    }

    /// A reader who still chooses does not keep the server from closing.
    async fn closed_to_newcomers(&self) {
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
        sleep(self.limits.handshake).await;
    }

    fn learn(&self, stream: &TlsStream<TcpStream>, facts: &mut Extensions) {
        let tls = stream.get_ref().1;
        let leaf = tls.peer_certificates().and_then(<[_]>::first);
        if let Port::Proxy(_) = &self.port {
            facts.insert(ProxyCertificate(leaf.map(|der| Thumbprint::of(der))));
            return;
        }
        facts.insert(ServerName(tls.server_name().map(plain)));
        if let Port::Device(door, clock, visitors) = &self.port {
            let door = door.load();
            let certificate = leaf.map(|der| door.judged(der, clock.now()));
            if let Some(certificate) = &certificate {
                let thumbprint = certificate.thumbprint;
                facts.insert(Choice::new(door.releases.clone(), visitors.clone(), thumbprint));
            }
            facts.insert(Presented(certificate));
        }
    }

    /// The protocol is the one that the handshake agreed on, never guessed from the first bytes: the
    /// probe hosts must not be spoken to in HTTP/2.
    async fn speak<IO>(&self, stream: IO, h2: bool, mut facts: Extensions)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let control = ConnectionControl::default();
        facts.insert(control.clone());
        let _visit = self.welcome(&facts, &control);
        let activity = Activity::default();
        let service = service_fn(|request| answer(self.kept.clone(), &facts, &activity, request));
        let builder = self.builder(h2);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut closing = self.closing.clone();
        let ended = tokio::select! {
            result = connection.as_mut() => Some(result),
            () = control.closed() => None,
            _ = closing.wait_for(|closing| *closing) => None,
            () = activity.idle(self.limits.header, self.limits.idle) => None,
        };
        let ended = if ended.is_some() {
            ended
        } else {
            connection.as_mut().graceful_shutdown();
            timeout(self.limits.drain, connection).await.ok()
        };
        if let Some(Err(error)) = ended {
            tracing::debug!(%error, "a connection ended badly");
        }
    }

    fn welcome(&self, facts: &Extensions, connection: &ConnectionControl) -> Option<Visit> {
        let Port::Device(_, clock, visitors) = &self.port else { return None };
        let certificate = facts.get::<Presented>()?.0.as_ref()?;
        let ours = certificate.path == Path::Trusted;
        let visit = ours.then(|| visitors.enter(certificate.thumbprint, connection.clone()));
        // After entering, so that whoever lets go of the certificate now either sees this visitor or is seen here.
        if facts.get::<Choice>().is_some_and(|choice| choice.is_released(clock.now())) {
            connection.close();
        }
        visit
    }

    fn builder(&self, h2: bool) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header)
            .max_buf_size(32 * 1024)
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(100)
            .max_header_list_size(16 * 1024)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        if h2 { builder.http2_only() } else { builder.http1_only() }
    }
}

fn answer(
    kept: Kept,
    facts: &Extensions,
    activity: &Activity,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<http::Response<Body>, std::convert::Infallible>> + Send + use<> {
    request.extensions_mut().extend(facts.clone());
    let busy = activity.begin();
    async move {
        let response = kept.answer(request.map(|body| Body::new(Leftover::new(body)))).await;
        Ok(response.map(|body| Body::new(Counted::new(body, busy))))
    }
}
