//! A product that tells what it received.

use futures_util::StreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Default)]
struct ProductFacts {
    connections: AtomicUsize,
    paths: Mutex<Vec<String>>,
    hung_up_on: AtomicBool,
}

/// `/headers` (and whatever is not named here) tells the request's head, one header a line; `/echo` sends
/// the body back as it comes, `/swallow` reads it and then says so; `/drip` says a word every 20 ms,
/// `/never` does not answer, `/socket` changes to a WebSocket and echoes, `/socket/h2c` and `/socket/list` change to
/// something else.
pub struct TestProduct {
    pub port: u16,
    facts: Arc<ProductFacts>,
}

type ProductAnswer = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

impl TestProduct {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let facts = Arc::<ProductFacts>::default();
        let shared = Arc::clone(&facts);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let facts = Arc::clone(&shared);
                let service = service_fn(move |request| answer(request, Arc::clone(&facts)));
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service).with_upgrades());
            }
        });
        Self { port, facts }
    }

    /// How many requests came.
    pub fn asked(&self) -> usize {
        self.facts.paths.lock().unwrap().len()
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        self.facts.connections.load(Ordering::Relaxed)
    }

    pub fn saw(&self, path: &str) -> bool {
        self.facts.paths.lock().unwrap().iter().any(|seen| seen == path)
    }

    /// Whether a question of `/never` was withdrawn.
    pub fn hung_up_on(&self) -> bool {
        self.facts.hung_up_on.load(Ordering::Relaxed)
    }
}

async fn answer(request: Request<Incoming>, facts: Arc<ProductFacts>) -> Result<ProductAnswer, hyper::Error> {
    let path = request.uri().path().to_owned();
    facts.paths.lock().unwrap().push(path.clone());
    match path.as_str() {
        "/echo" => Ok(Response::new(request.into_body().boxed_unsync())),
        "/swallow" => {
            request.into_body().collect().await?;
            Ok(text("swallowed".into()))
        }
        "/drip" => {
            let drops = futures_util::stream::repeat(()).then(|()| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(Frame::data(Bytes::from_static(b"drop")))
            });
            Ok(Response::new(StreamBody::new(drops).boxed_unsync()))
        }
        "/never" => {
            let _noted = NoteDrop(facts);
            std::future::pending().await
        }
        "/socket" => Ok(socket(request, "websocket")),
        "/socket/h2c" => Ok(socket(request, "h2c")),
        "/socket/list" => Ok(socket(request, "websocket, h2c")),
        _ => Ok(text(told(&request))),
    }
}

fn told(request: &Request<Incoming>) -> String {
    let line = |(name, value): (_, &http::HeaderValue)| format!("{name}: {}\n", value.to_str().unwrap());
    let head = format!("{} {}\n", request.method(), request.uri());
    head + &request.headers().iter().map(line).collect::<String>()
}

fn text(text: String) -> ProductAnswer {
    Response::new(Full::from(text).map_err(|never: Infallible| match never {}).boxed_unsync())
}

fn socket(request: Request<Incoming>, protocol: &str) -> ProductAnswer {
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
        let (mut socket, mut buffer) = (TokioIo::new(upgraded), [0; 1024]);
        while let Ok(count @ 1..) = socket.read(&mut buffer).await {
            socket.write_all(&buffer[..count]).await.unwrap();
        }
    });
    let mut response = text(String::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert("connection", "Upgrade".parse().unwrap());
    response.headers_mut().insert("upgrade", protocol.parse().unwrap());
    response
}

struct NoteDrop(Arc<ProductFacts>);

impl Drop for NoteDrop {
    fn drop(&mut self) {
        self.0.hung_up_on.store(true, Ordering::Relaxed);
    }
}
