//! What clients that behave badly get, and what others may rely on meanwhile.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Bytes;
use std::time::Duration;
use support::{EchoServer, PATIENCE, SOON, certificate, connect, http2};
use tegata_net::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const HOME: [u8; 4] = [127, 0, 0, 1];
const FLOOD: [u8; 4] = [127, 0, 0, 2];

#[tokio::test]
async fn whoever_connects_and_says_nothing_is_let_go_in_every_protocol() {
    let limits =
        Limits { handshake: SOON, choice: SOON, first_request: SOON, drain: SOON, ..Limits::default() };
    let server = EchoServer::start(limits).await;
    let _tcp =
        [TcpStream::connect(server.plain).await.unwrap(), TcpStream::connect(server.secure).await.unwrap()];
    let _http1 = server.connect(HOME, "http/1.1").await;
    let (_sender, _http2) = http2(server.connect(HOME, "h2").await).await;
    assert_eq!(server.open(), 4);
    assert!(server.empties().await);
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed_and_one_with_an_open_answer_not() {
    let limits = Limits { idle: SOON, stalled: SOON, drain: SOON, ..Limits::default() };
    let server = EchoServer::start(limits).await;
    let (mut idle, ended) = http2(server.connect(HOME, "h2").await).await;
    assert_eq!(idle.send_request(get("/")).await.unwrap().status(), 200);
    let (mut busy, still) = http2(server.connect(HOME, "h2").await).await;
    let answer = busy.send_request(get("/silence")).await.unwrap();
    timeout(PATIENCE, ended).await.unwrap().unwrap();
    sleep(3 * SOON).await;
    assert!(!still.is_finished());
    drop(answer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_silent_connections_delays_nobody_and_is_bounded() {
    let limits = Limits { connections: 200, per_network: 60, silent: 100, ..Limits::default() };
    let server = EchoServer::start(limits).await;
    let (mut kept, still) = http2(server.connect(HOME, "h2").await).await;
    assert_eq!(kept.send_request(get("/")).await.unwrap().status(), 200);
    let mut flood = Vec::new();
    for number in 0..=250_u8 {
        // Half of them from one address, the others each from its own.
        let from = if number % 2 == 0 { FLOOD } else { [127, 1, number / 200, number % 200 + 1] };
        flood.push(connect(from, server.secure).await);
    }
    for from in [HOME, FLOOD, [127, 2, 0, 1]] {
        let answered = timeout(Duration::from_secs(2), server.ask(from)).await;
        assert_eq!(answered.expect("an answer in time"), StatusCode::OK, "{from:?}");
    }
    assert!(server.open() <= 105, "{}", server.open());
    assert_eq!(kept.send_request(get("/")).await.unwrap().status(), 200);
    assert!(!still.is_finished(), "whoever has spoken is not cut for newcomers");
}

#[tokio::test]
async fn a_network_gets_its_share_of_connections_and_no_more() {
    let server = EchoServer::start(Limits { per_network: 3, ..Limits::default() }).await;
    let mut speaking = Vec::new();
    for _ in 0..3 {
        let (mut sender, connection) = http2(server.connect(FLOOD, "h2").await).await;
        assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
        speaking.push((sender, connection));
    }
    let mut further = connect(FLOOD, server.secure).await;
    assert!(matches!(timeout(PATIENCE, further.read(&mut [0])).await.unwrap(), Ok(0) | Err(_)));
    assert_eq!(server.ask(HOME).await, StatusCode::OK);
    drop(speaking);
    assert!(server.empties().await);
    assert_eq!(server.ask(FLOOD).await, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_is_not_taken_ends_in_either_protocol() {
    let limits = Limits { stalled: SOON, drain: SOON, ..Limits::default() };
    let server = EchoServer::start(limits).await;
    let mut http1 = connect(HOME, server.plain).await;
    http1.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let (mut sender, _connection) = http2(server.connect(HOME, "h2").await).await;
    let answer = sender.send_request(get("/large")).await.unwrap();
    assert!(server.empties().await);
    drop((http1, answer));
}

#[tokio::test]
async fn whoever_reads_slowly_but_steadily_gets_the_whole_answer() {
    let limits = Limits { stalled: SOON, header: SOON, idle: SOON, drain: SOON, ..Limits::default() };
    let server = EchoServer::start(limits).await;
    let mut stream = TcpStream::connect(server.plain).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let (mut heard, mut part) = (0, vec![0; 1024 * 1024]);
    loop {
        let count = stream.read(&mut part).await.unwrap();
        if count == 0 {
            break;
        }
        heard += count;
        // Slower than every limit as a whole, faster than they are from part to part.
        sleep(Duration::from_millis(10)).await;
    }
    assert!(heard > 32 * 1024 * 1024, "{heard}");
}

#[tokio::test]
async fn what_http_1_1_does_not_allow_is_refused_with_its_own_status() {
    let server = EchoServer::start(Limits::default()).await;
    let chunked = "POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    for (letters, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", "400"),
        ("GET http://a/ HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.0\r\n\r\n", "200"),
        ("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", "501"),
        ("POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"),
        ("POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", "400"),
        ("POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n", "400"),
        (&format!("{chunked}4\r\nbody\r\n0\r\n\r\n"), "200"),
        (&format!("{chunked}x\r\nbody\r\n0\r\n\r\n"), "400"),
        (&format!("{chunked}4\r\nbodybody\r\n0\r\n\r\n"), "400"),
        (&format!("{chunked}ffffffffffffffffff\r\nbody"), "400"),
    ] {
        let heard = server.hears(letters).await;
        assert!(
            heard.starts_with("HTTP/1.") && heard[8..].starts_with(&format!(" {status} ")),
            "{letters}{heard}"
        );
    }
}

#[tokio::test]
async fn a_replaced_certificate_serves_the_next_connection_a_wrong_one_never() {
    let server = EchoServer::start(Limits::default()).await;
    let (mut kept, _connection) = http2(server.connect(HOME, "h2").await).await;
    let (old, old_key) = certificate();
    let (new, new_key) = certificate();
    server.identity.replace((vec![old], new_key.clone_key())).expect_err("another's key");
    server.identity.replace((vec![], new_key.clone_key())).expect_err("no certificate");
    server.identity.replace((vec![b"no certificate".to_vec().into()], old_key)).expect_err("not DER");
    assert_eq!(server.ask(HOME).await, StatusCode::OK);
    server.identity.replace((vec![new.clone()], new_key)).unwrap();
    assert_eq!(server.identity.current().cert, [new]);
    let stream = TcpStream::connect(server.secure).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(server.client("h2"));
    connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .expect_err("not the one that is trusted");
    assert_eq!(kept.send_request(get("/")).await.unwrap().status(), 200, "connections that stand go on");
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://localhost{path}")).body(Empty::new()).unwrap()
}
