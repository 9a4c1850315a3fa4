//! One connection: its handshake, its requests, its end.

use crate::activity::{ConnectionActivity, ResponseBody};
use crate::admission::AdmittedConnection;
use crate::linger;
use crate::listener::{
    AcceptedConnection, ConnectionHandler, ConnectionService, ListenerShared, Transport, normalized,
};
use crate::request;
use crate::request_id::{REQUEST_ID, RequestId};
use crate::request_log::RequestLog;
use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::server::Acceptor;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{Instrument, Span, field};

/// Bytes of a request's header in HTTP/1.1.
const MAX_HEADER: usize = 32 * 1024;

/// Bytes of a request's header in HTTP/2.
const MAX_HEADER_LIST: u32 = 16 * 1024;

impl<S: ConnectionService> ListenerShared<S> {
    pub(crate) async fn connection(&self, stream: TcpStream, peer: SocketAddr, place: &AdmittedConnection) {
        let _ = stream.set_nodelay(true);
        let Transport::Tls { people_choose, .. } = &self.transport else {
            let handler = self.service.connected(&AcceptedConnection { peer, tls: None });
            return self.converse(stream, false, handler, place).await;
        };
        match self.handshake(stream, *people_choose).await {
            Ok(stream) => {
                let tls = stream.get_ref().1;
                let h2 = tls.alpn_protocol() == Some(b"h2");
                let handler = self.service.connected(&AcceptedConnection { peer, tls: Some(tls) });
                self.converse(stream, h2, handler, place).await;
            }
            Err(error) => tracing::debug!(%peer, %error, "handshake failed"),
        }
    }

    async fn handshake(&self, stream: TcpStream, people_choose: bool) -> io::Result<TlsStream<TcpStream>> {
        let end = Instant::now() + self.limits.handshake;
        let start = timeout_at(end, LazyConfigAcceptor::new(Acceptor::default(), stream)).await??;
        let config = match &self.transport {
            Transport::Plain => return Err(io::ErrorKind::Unsupported.into()),
            Transport::Tls { config, .. } => {
                let name = start.client_hello().server_name().map(normalized);
                config(name.as_deref())
            }
        };
        let choice = people_choose.then(|| self.choosing.try_acquire().ok()).flatten();
        let end = if choice.is_some() { Instant::now() + self.limits.choice } else { end };
        let shaken = tokio::select! {
            shaken = timeout_at(end, start.into_stream(config).into_fallible()) => shaken?,
            () = self.closed_to_newcomers() => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        drop(choice);
        match shaken {
            Ok(stream) => Ok(stream),
            Err((error, stream)) => {
                linger::let_arrive(stream).await;
                Err(error)
            }
        }
    }

    /// A reader who still chooses does not keep the server from closing.
    async fn closed_to_newcomers(&self) {
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
        sleep(self.limits.handshake).await;
    }

    /// The protocol is the one that the handshake agreed on, never guessed from the first bytes: a listener may
    /// have names that must not be served over HTTP/2.
    async fn converse<IO>(
        &self,
        stream: IO,
        h2: bool,
        handler: Option<S::Handler>,
        place: &AdmittedConnection,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(handler) = handler else { return };
        let activity = ConnectionActivity::default();
        let service = service_fn(|request| {
            place.speaks();
            answer(&handler, &activity, request)
        });
        let builder = self.builder(h2);
        let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let mut closing = self.closing.clone();
        let drain = self.limits.drain;
        let patience = tokio::select! {
            result = connection.as_mut() => return ended(result),
            patience = handler.dismissed() => patience,
            _ = closing.wait_for(|closing| *closing) => drain,
            () = activity.idle(&self.limits) => drain,
        };
        connection.as_mut().graceful_shutdown();
        if let Ok(result) = timeout(patience, connection).await {
            ended(result);
        }
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
            .max_header_list_size(MAX_HEADER_LIST)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        if h2 { builder.http2_only() } else { builder.http1_only() }
    }
}

fn answer<H: ConnectionHandler>(
    handler: &H,
    activity: &ConnectionActivity,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<ResponseBody<H::Body>>, Infallible>> + Send + use<H> {
    let exchange = activity.begin();
    let is_http1 = request.version() < Version::HTTP_2;
    let id = RequestId::next();
    let log = RequestLog::begin(id, &request, H::LOGS_PATHS);
    let span = request_span(id, request.method());
    let answer = id.within(|| match request::check(&request) {
        Ok(()) => Ok(handler.answer(request)),
        Err(refusal) => Err(handler.refuse(refusal, request)),
    });
    let answered = async move {
        let mut response = match answer {
            Ok(answer) => answer.await,
            // What such a request is followed by may have been meant as part of it.
            Err(mut refused) => {
                if is_http1 {
                    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                refused
            }
        };
        log.end(&response);
        Span::current().record(STATUS, response.status().as_u16());
        if let Ok(id) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Ok(response.map(|body| ResponseBody::new(body, exchange)))
    };
    id.scope(answered.instrument(span))
}

/// Named by the semantic conventions of OpenTelemetry. Whoever routes the request records its route: a path may hold what
/// somebody typed, a route never does.
fn request_span(id: RequestId, method: &Method) -> Span {
    tracing::debug_span!(
        "request",
        otel.kind = "server",
        request_id = id.as_str(),
        http.request.method = %method,
        http.route = field::Empty,
        http.response.status_code = field::Empty,
    )
}

/// The field of a request's span that holds the status of its response.
const STATUS: &str = "http.response.status_code";

fn ended(result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended badly");
    }
}
