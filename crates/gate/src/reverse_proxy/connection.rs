//! One connection of a client, or of the proxy before this one.

use super::{Front, House, host};
use crate::certificate::{PeerAddress, PeerCertificate};
use crate::check::Verified;
use crate::guarded::Guarded;
use http::uri::Authority;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Refusal;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tower_layer::Layer;
use tower_service::Service;
use tracing::debug;

/// How long a connection may take to end after its device was denied.
const CUT: Duration = Duration::from_millis(250);

/// Bytes of a request's header in HTTP/1.1, and about as many in HTTP/2.
const MAX_HEADER: usize = 32 * 1024;

/// The host and port a request is for.
#[derive(Clone)]
pub(super) struct Target(pub(super) Authority);

/// Who was admitted first on a connection whose requests all come from one device.
#[derive(Clone)]
pub(super) struct FirstAdmitted(Arc<watch::Sender<Option<Arc<Verified>>>>);

impl FirstAdmitted {
    pub(super) fn note(&self, verified: &Arc<Verified>) {
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert_with(|| Arc::clone(verified));
            is_first
        });
    }
}

/// What a request knows about its connection.
#[derive(Clone)]
struct Facts {
    peer: IpAddr,
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Tls {
    presented: Option<PeerCertificate>,
    server_name: Option<String>,
    first: FirstAdmitted,
}

type Answer = Response<Either<Full<Bytes>, Guarded<Either<Full<Bytes>, Incoming>>>>;

impl House {
    pub(super) async fn connection(&self, stream: TcpStream) {
        let Ok(peer) = stream.peer_addr().map(|peer| peer.ip()) else { return };
        let _ = stream.set_nodelay(true);
        let result = match &self.front {
            Front::Proxy(source) if !source.trusts(peer) => {
                debug!(%peer, "somebody who is no trusted proxy was hung up on");
                return;
            }
            Front::Proxy(_) => self.speak(stream, false, Facts { peer, tls: None }).await,
            Front::Tls(config) => match self.handshake(stream, config.load_full()).await {
                Ok(stream) => self.speak_securely(stream, peer).await,
                Err(error) => Err(error.into()),
            },
        };
        if let Err(error) = result {
            debug!(%peer, %error, "a connection ended badly");
        }
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        config: Arc<ServerConfig>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let end = Instant::now() + self.limits.handshake;
        let start = timeout_at(end, LazyConfigAcceptor::new(Acceptor::default(), stream)).await??;
        let choice = self.choosing.try_acquire().ok();
        let end = if choice.is_some() { Instant::now() + self.limits.choice } else { end };
        tokio::select! {
            shaken = timeout_at(end, start.into_stream(config)) => shaken?,
            () = self.closed_to_newcomers() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// A reader who still chooses does not keep the proxy from closing.
    async fn closed_to_newcomers(&self) {
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
        sleep(self.limits.handshake).await;
    }

    async fn speak_securely(&self, stream: TlsStream<TcpStream>, peer: IpAddr) -> Result<(), Failure> {
        let tls = stream.get_ref().1;
        let leaf = tls.peer_certificates().and_then(<[_]>::first);
        let first = watch::Sender::new(None);
        let mut admitted = first.subscribe();
        let facts = Tls {
            presented: leaf.map(|leaf| PeerCertificate::from_der(leaf)),
            server_name: tls.server_name().map(str::to_owned),
            first: FirstAdmitted(Arc::new(first)),
        };
        let h2 = tls.alpn_protocol() == Some(b"h2");
        let denied = async {
            let first = admitted.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
            match first {
                Some(verified) => drop(self.gate.until_denied(&verified).await),
                None => std::future::pending().await,
            }
        };
        let facts = Facts { peer, tls: Some(facts) };
        self.speak_until(stream, h2, facts, denied).await
    }

    async fn speak<S: Stream>(&self, stream: S, h2: bool, facts: Facts) -> Result<(), Failure> {
        self.speak_until(stream, h2, facts, std::future::pending()).await
    }

    /// Until the client goes, the proxy closes, or `denied` says that its only client may not go on.
    async fn speak_until<S: Stream>(
        &self,
        stream: S,
        h2: bool,
        facts: Facts,
        denied: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let service = service_fn(|request| self.answer(request, &facts));
        let builder = self.builder(h2);
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let mut closing = self.closing.clone();
        let farewell = tokio::select! {
            ended = connection.as_mut() => return ended,
            () = denied => CUT,
            _ = closing.wait_for(|closing| *closing) => self.limits.farewell,
        };
        connection.as_mut().graceful_shutdown();
        timeout(farewell, connection).await.unwrap_or(Ok(()))
    }

    fn builder(&self, h2: bool) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header)
            .max_buf_size(MAX_HEADER)
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(100)
            .max_header_list_size(16 * 1024)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        if h2 { builder.http2_only() } else { builder.http1_only() }
    }

    /// One request: to the right host, then through the gate.
    fn answer(
        &self,
        mut request: Request<Incoming>,
        facts: &Facts,
    ) -> impl Future<Output = Result<Answer, Infallible>> + Send + use<> {
        let refused =
            facts.enter(&mut request).err().map(|refusal| self.gate.refuse(refusal, request.headers()));
        let mut service = self.layer.layer(self.upstream.clone());
        async move {
            match refused {
                Some(answer) => Ok(answer.map(Either::Left)),
                None => service.call(request).await,
            }
        }
    }
}

impl Facts {
    fn enter(&self, request: &mut Request<Incoming>) -> Result<(), Refusal> {
        let host = host::host(request.uri(), request.headers())?;
        let extensions = request.extensions_mut();
        extensions.insert(PeerAddress(self.peer));
        if let Some(tls) = &self.tls {
            host::must_match(&host, tls.server_name.as_deref())?;
            extensions.insert(tls.first.clone());
            if let Some(presented) = tls.presented {
                extensions.insert(presented);
            }
        }
        extensions.insert(Target(host));
        Ok(())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}
