use super::fixture::{NOW, WebFixture, connect, get_request, seen, send, send_h2, try_connect};
use crate::tls::TlsVersions;
use crate::{CertificateReselection, Limits};
use http::Request;
use hyper_util::rt::TokioIo;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, HandshakeKind, SignatureScheme};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tegata_core::Thumbprint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(10);

/// Short where a test waits for the end, long elsewhere.
fn limits() -> Limits {
    Limits { drain: SOON, ..Limits::default() }
}

#[tokio::test]
async fn no_session_is_resumed_on_any_listener() {
    for versions in [TlsVersions::Tls13, TlsVersions::Tls12And13] {
        let fixture = WebFixture::with(limits(), versions).await;
        let mut clients = vec![fixture.client(Some(&fixture.ours.device), &["http/1.1"])];
        if versions == TlsVersions::Tls12And13 {
            clients.push(tls12(&fixture));
        }
        for client in clients {
            for address in [fixture.device, fixture.portal, fixture.device, fixture.device] {
                let (kind, tickets) = handshake(address, &client).await;
                assert_eq!((kind, tickets), (HandshakeKind::Full, 0));
            }
        }
    }
}

/// Reads a whole response first, so that tickets sent after the handshake would have arrived.
async fn handshake(address: SocketAddr, client: &Arc<ClientConfig>) -> (HandshakeKind, u32) {
    let mut stream = connect(address, "localhost", client).await;
    let request = b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 404"));
    let tls = stream.get_ref().1;
    (tls.handshake_kind().unwrap(), tls.tls13_tickets_received())
}

fn tls12(fixture: &WebFixture) -> Arc<ClientConfig> {
    let (chain, key) = fixture.ours.device.identity();
    let with_any = fixture.client(None, &["http/1.1"]);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(fixture.server_ca().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::clone(with_any.crypto_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.alpn_protocols.clone_from(&with_any.alpn_protocols);
    Arc::new(config)
}

/// Where TLS 1.2 is spoken there are session identifiers as well as tickets, and openssl tries both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_can_resume_no_session_in_any_tls_version_at_any_listener() {
    let fixture = WebFixture::with(limits(), TlsVersions::Tls12And13).await;
    let folder = tempfile::tempdir().unwrap();
    let pem = |name: &str, label: &str, der: &[u8]| {
        let path = folder.path().join(name).display().to_string();
        std::fs::write(&path, pem_of(label, der)).unwrap();
        path
    };
    let certificate = pem("cert.pem", "CERTIFICATE", &fixture.ours.device.der);
    let key = pem("key.pem", "PRIVATE KEY", &fixture.ours.device.key.serialize_der());
    for version in ["-tls1_2", "-tls1_3"] {
        for (from, to) in [(fixture.portal, fixture.device), (fixture.device, fixture.device)] {
            let session = folder.path().join(format!("{version}{from}")).display().to_string();
            let kept = s_client(from, &[version, "-reconnect", "-sess_out", &session]);
            assert!(kept.contains("New, TLSv1") && kept.contains("HTTP/1.1 404"), "{kept}");
            assert!(!kept.contains("Reused"), "{version} {kept}");
            let has_something = std::path::Path::new(&session).exists();
            assert!(version == "-tls1_2" || !has_something, "TLS 1.3 gives tickets or nothing");
            // With TLS 1.2 openssl keeps what it has, a session without a ticket or an identifier to name it by.
            if has_something {
                let taken = ["-sess_in", &session, "-cert", &certificate, "-key", &key];
                let said = s_client(to, &[&[version][..], &taken].concat());
                assert!(said.contains("New, TLSv1") && !said.contains("Reused"), "{version} {said}");
            }
        }
    }
}

/// Asks for something first, so that tickets sent after the handshake are read.
fn s_client(to: SocketAddr, options: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-connect", &to.to_string(), "-servername", "localhost", "-ign_eof"])
        .args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl runs");
    let mut input = child.stdin.take().unwrap();
    let request = b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut input, request).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat()
}

fn pem_of(label: &str, der: &[u8]) -> String {
    let text = tegata_core::encoding::base64(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[tokio::test]
async fn tls_1_2_is_spoken_only_where_it_is_wanted() {
    let modern = WebFixture::with(limits(), TlsVersions::Tls13).await;
    assert!(try_connect(modern.device, "localhost", &tls12(&modern)).await.is_err());
    let old = WebFixture::with(limits(), TlsVersions::Tls12And13).await;
    assert!(try_connect(old.device, "localhost", &tls12(&old)).await.is_ok());
}

#[tokio::test]
async fn http_2_carries_the_certificate_too() {
    let fixture = WebFixture::start().await;
    let client = fixture.client(Some(&fixture.ours.device), &["h2", "http/1.1"]);
    let stream = connect(fixture.device, "localhost", &client).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let request = Request::get("https://localhost/seen").body(String::new()).unwrap();
    assert_eq!(seen(send_h2(stream, request).await).await.trusted, Some(true));
}

#[tokio::test]
async fn a_probe_host_speaks_http_1_alone() {
    let fixture = WebFixture::start().await;
    let client = fixture.client(Some(&fixture.ours.device), &["h2", "http/1.1"]);
    let host = "0123456789abcdef.probe.localhost";
    let stream = connect(fixture.device, host, &client).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(seen(send(stream, get_request(host, "/seen")).await).await.trusted, Some(true));
}

#[tokio::test]
async fn a_route_for_devices_never_answers_on_the_portal() {
    let fixture = WebFixture::start().await;
    let client = fixture.client(Some(&fixture.ours.device), &["http/1.1"]);
    let stream = connect(fixture.portal, "localhost", &client).await;
    assert_eq!(send(stream, get_request("localhost", "/seen")).await.status(), 500);
}

#[tokio::test]
async fn a_request_for_another_host_than_the_connections_is_misdirected() {
    let fixture = WebFixture::start().await;
    let client = fixture.client(None, &["http/1.1"]);
    let status = async |sni: &'static str, host: &'static str| {
        send(connect(fixture.device, sni, &client).await, get_request(host, "/seen")).await.status().as_u16()
    };
    assert_eq!(status("localhost", "a.probe.localhost").await, 421);
    assert_eq!(status("localhost", "LOCALHOST.:1234").await, 200);
    assert_eq!(status("localhost", "localhost@evil").await, 400);
    assert_eq!(status("a.probe.localhost", "localhost").await, 421);
    assert_eq!(status("127.0.0.1", "127.0.0.1:9443").await, 200);
    assert_eq!(status("127.0.0.1", "localhost").await, 421);
    let h2 = fixture.client(None, &["h2"]);
    let request = Request::get("https://a.probe.localhost/seen").body(String::new()).unwrap();
    assert_eq!(send_h2(connect(fixture.device, "localhost", &h2).await, request).await.status(), 421);
}

#[tokio::test]
async fn a_client_that_never_finishes_its_handshake_is_cut_off() {
    let fixture = WebFixture::with(Limits { handshake: SOON, ..limits() }, TlsVersions::Tls13).await;
    let mut stream = TcpStream::connect(fixture.device).await.unwrap();
    stream.write_all(&[22, 3, 1]).await.unwrap();
    assert!(ends(&mut stream).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_may_take_longer_than_a_handshake_to_choose_a_certificate() {
    for (choice, connections, welcome) in [(PATIENCE, 2, true), (SOON, 2, false), (PATIENCE, 1, false)] {
        let limits = Limits { handshake: SOON, choice, connections, ..limits() };
        let fixture = WebFixture::with(limits, TlsVersions::Tls13).await;
        let client = hesitant(&fixture, 3 * SOON);
        let mut stream = connect(fixture.device, "localhost", &client).await;
        if welcome {
            let seen = seen(send(stream, get_request("localhost", "/seen")).await).await;
            assert!(seen.thumbprint.is_some());
        } else {
            assert!(ends(&mut stream).await, "{choice:?}, {connections} connections");
        }
    }
}

#[tokio::test]
async fn a_client_that_drips_its_header_is_cut_off() {
    let fixture =
        WebFixture::with(Limits { first_request: SOON, header: SOON, ..limits() }, TlsVersions::Tls13).await;
    let client = fixture.client(None, &["http/1.1"]);
    let mut silent = connect(fixture.device, "localhost", &client).await;
    assert!(ends(&mut silent).await);
    let mut slow = connect(fixture.device, "localhost", &client).await;
    slow.write_all(b"GET /seen HTTP/1.1\r\nhost:").await.unwrap();
    assert!(ends(&mut slow).await);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_used_one_is_kept() {
    let limits = Limits { idle: SOON, header: 6 * PATIENCE, ..limits() };
    let fixture = WebFixture::with(limits, TlsVersions::Tls13).await;
    let client = fixture.client(None, &["http/1.1"]);
    let stream = connect(fixture.device, "localhost", &client).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..4 {
        let response = sender.send_request(get_request("localhost", "/seen")).await.unwrap();
        assert_eq!(response.status(), 200);
        drop(http_body_util::BodyExt::collect(response).await.unwrap());
        tokio::time::sleep(SOON / 2).await;
    }
    assert!(timeout(PATIENCE, connection).await.is_ok());
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_another_to_end() {
    let fixture = WebFixture::with(Limits { connections: 1, ..limits() }, TlsVersions::Tls13).await;
    let client = fixture.client(None, &["http/1.1"]);
    let stream = connect(fixture.device, "localhost", &client).await;
    let (mut first, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = first.send_request(get_request("localhost", "/seen")).await.unwrap();
    drop(http_body_util::BodyExt::collect(response).await.unwrap());
    assert!(timeout(SOON, try_connect(fixture.device, "localhost", &client)).await.is_err());
    drop(first);
    connection.abort();
    let second = timeout(PATIENCE, try_connect(fixture.device, "localhost", &client)).await;
    assert!(second.unwrap().is_ok());
}

#[tokio::test]
async fn a_handler_can_end_its_connection() {
    let fixture = WebFixture::start().await;
    let client = fixture.client(None, &["h2"]);
    let stream = connect(fixture.device, "localhost", &client).await;
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("https://localhost/close").body(String::new()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
    assert!(timeout(PATIENCE, connection).await.is_ok());
}

#[tokio::test]
async fn shutting_down_ends_connections_and_the_listener() {
    let mut fixture = WebFixture::with(limits(), TlsVersions::Tls13).await;
    let mut stream = connect(fixture.device, "localhost", &fixture.client(None, &["http/1.1"])).await;
    fixture.shut_down();
    assert!(ends(&mut stream).await);
    for served in std::mem::take(&mut fixture.served) {
        timeout(PATIENCE, served).await.unwrap().unwrap();
    }
    assert!(TcpStream::connect(fixture.device).await.is_err());
}

/// A browser sends its request right behind its certificate, and forgets a certificate by the alert alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_refused_in_the_handshake_hears_why_though_it_goes_on_sending() {
    const LATER: Duration = Duration::from_hours(24 * 365 * 100);
    let fixture = WebFixture::with(limits(), TlsVersions::Tls13).await;
    let client = fixture.client(Some(&fixture.ours.device), &["http/1.1"]);
    let presented = Thumbprint::of(&fixture.ours.device.der);
    for _ in 0..40 {
        let choice = CertificateReselection::new(
            fixture.device_tls.load().reselections.clone(),
            fixture.registry.clone(),
            presented,
        );
        choice.release(Thumbprint::of(b"newer"), NOW.plus(LATER));
        let mut stream = connect(fixture.device, "localhost", &client).await;
        stream.write_all(&vec![b'x'; 32 * 1024]).await.unwrap();
        let error = stream.read_u8().await.expect_err("a refusal");
        let alert = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let revoked = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRevoked);
        assert_eq!(alert, Some(&revoked), "{error}");
        let (mut tcp, _) = stream.into_inner();
        assert_eq!(tcp.read(&mut [0; 1]).await.expect("an end, not a reset"), 0);
    }
}

#[tokio::test]
async fn a_request_that_http_does_not_allow_is_told_so_in_the_readers_form() {
    let fixture = WebFixture::start().await;
    let client = fixture.client(None, &["http/1.1"]);
    let json = "host: localhost\r\ncontent-type: application/json\r\n";
    for (letters, status, said) in [
        ("GET /seen HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), "400", "R-01"),
        ("CONNECT localhost:443 HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), "501", "R-10"),
        (
            format!("POST /sent HTTP/1.1\r\n{json}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            "501",
            "R-10",
        ),
        (
            format!("POST /sent HTTP/1.1\r\n{json}transfer-encoding: chunked\r\n\r\nx\r\n\r\n"),
            "400",
            "the chunks of the body cannot be read",
        ),
    ] {
        let mut stream = connect(fixture.device, "localhost", &client).await;
        stream.write_all(letters.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(said),
            "{letters}{answer}"
        );
    }
}

/// Whether the other end closes, cleanly or not, without an answer of HTTP 200.
async fn ends(stream: &mut (impl AsyncReadExt + Unpin)) -> bool {
    let mut answer = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    ended.is_ok() && !answer.starts_with(b"HTTP/1.1 200")
}

/// A client that takes so long to choose its certificate, like a browser whose reader thinks about it.
fn hesitant(fixture: &WebFixture, pause: Duration) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&fixture.client(Some(&fixture.ours.device), &["http/1.1"]));
    config.client_auth_cert_resolver =
        Arc::new(SlowClient { chosen: config.client_auth_cert_resolver, pause });
    Arc::new(config)
}

#[derive(Debug)]
struct SlowClient {
    chosen: Arc<dyn ResolvesClientCert>,
    pause: Duration,
}

impl ResolvesClientCert for SlowClient {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        thread::sleep(self.pause);
        self.chosen.resolve(hints, schemes)
    }

    fn has_certs(&self) -> bool {
        true
    }
}
