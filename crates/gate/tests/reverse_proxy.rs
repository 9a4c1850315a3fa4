//! The gate as a proxy of its own, between real sockets.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;
use support::client::{TestClient, escaped, hesitant, tls};
use support::gated::GatedProduct;
use support::raw::Raw;
use support::{device, within};
use tegata_core::feed::{Change, Denial};
use tegata_gate::reverse_proxy::ProxyFront;
use tegata_gate::{HeaderSource, Network};

const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_product_learns_who_asks_from_the_gate_alone() {
    let gated = GatedProduct::build().await;
    let mut client = gated.client(Some(&gated.device)).await;
    let forged = [
        ("authorization", &*gated.bearer),
        ("tegata-device", "forged"),
        ("Tegata_Device", "forged"),
        ("tegata-renewal-due", "forged"),
        ("client-cert", "forged"),
        ("x-forwarded-client-cert", "forged"),
        ("x-amzn-mtls-clientcert", "forged"),
        ("ssl_client_verify", "forged"),
        ("x-forwarded-for", "forged"),
        ("forwarded", "for=forged"),
        ("connection", "keep-alive, tegata-device, tegata-tenant, x-own"),
        ("x-own", "forged"),
        ("te", "trailers"),
        ("accept", "text/plain"),
    ];
    let answer = client.get("/headers?page=1&x=%2F", &forged).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    for line in [
        "GET /headers?page=1&x=%2F\n".to_owned(),
        format!("tegata-device: {}\n", device()),
        "tegata-generation: 3\n".into(),
        "host: localhost\n".into(),
        "x-forwarded-for: 127.0.0.1\n".into(),
        "x-forwarded-proto: https\n".into(),
        "accept: text/plain\n".into(),
    ] {
        assert!(answer.body.contains(&line), "{line}: {}", answer.body);
    }
    for gone in ["forged", "connection:", "\nte:", "x-own"] {
        assert!(!answer.body.contains(gone), "{gone}: {}", answer.body);
    }
    assert!(answer.body.contains("tegata-tenant: ") && answer.body.contains("tegata-site: "));
}

#[tokio::test]
async fn nobody_else_reaches_the_product_and_everybody_reads_the_code() {
    let gated = GatedProduct::build().await;
    let other = gated.platform.authority.client();
    let certificate = escaped(&gated.device.certificate_pem);
    let with_header = [("authorization", &*gated.bearer), ("x-client-cert", &certificate)];
    for (party, path, headers, expected) in [
        (Some(&gated.device), "/", &[][..], (401, "G-02")),
        (None, "/", &with_header[..], (401, "C-01")),
        (Some(&other), "/", &with_header[..], (401, "G-04")),
        (Some(&gated.device), "/?access_token=x", &with_header[..1], (401, "G-13")),
    ] {
        let answer = gated.client(party).await.get(path, headers).await;
        assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), expected);
    }
    assert_eq!(gated.product.asked(), 0);
}

#[tokio::test]
async fn bodies_stream_both_ways_and_trailers_do_not_become_headers() {
    let gated = GatedProduct::build().await;
    let mut raw = gated.raw().await;
    raw.say(&gated.head("POST /echo", "transfer-encoding: chunked\r\ntrailer: tegata-device\r\n")).await;
    raw.say("5\r\nfirst\r\n").await;
    let head = within(SOON, raw.until("first")).await;
    assert!(head.starts_with("HTTP/1.1 200"), "the answer begins before the question ends: {head}");
    raw.say("6\r\nsecond\r\n0\r\ntegata-device: forged\r\n\r\n").await;
    let rest = within(SOON, raw.until("0\r\n\r\n")).await;
    assert!(rest.contains("second") && !rest.contains("forged"), "{rest}");
}

#[tokio::test]
async fn http_2_clients_reach_an_http_1_product_over_connections_that_are_kept() {
    let gated = GatedProduct::build().await;
    let mut client =
        TestClient::http2(gated.port, tls(gated.platform.authority.roots(), Some(&gated.device))).await;
    for _ in 0..5 {
        let answer = client.get("https://localhost/headers", &[("authorization", &gated.bearer)]).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.body.contains("host: localhost\n") && answer.body.contains("tegata-device: "),
            "{}",
            answer.body
        );
    }
    assert_eq!(gated.product.connections(), 1, "one connection carried all of them");
    let strayed = client.get("https://elsewhere/headers", &[("authorization", &gated.bearer)]).await;
    assert_eq!((strayed.status.as_u16(), strayed.header("tegata-refusal")), (421, "R-05"), "coalescing");
}

#[tokio::test]
async fn a_request_with_two_lengths_or_hosts_never_becomes_two_requests() {
    let gated = GatedProduct::build().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let length = smuggled.len() + 5;
    for (more, body) in [
        ("content-length: 4\r\ncontent-length: 5\r\n".to_owned(), "abcd".to_owned()),
        ("content-length: 4, 5\r\n".into(), "abcd".into()),
        ("content-length: +4\r\n".into(), "abcd".into()),
        ("transfer-encoding: chunked, identity\r\n".into(), "0\r\n\r\n".into()),
        ("transfer-encoding: xchunked\r\n".into(), "0\r\n\r\n".into()),
        ("transfer-encoding : chunked\r\n".into(), "0\r\n\r\n".into()),
        ("host: elsewhere\r\n".into(), String::new()),
        (
            format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
            format!("0\r\n\r\n{smuggled}"),
        ),
    ] {
        let mut raw = gated.raw().await;
        raw.say(&gated.head("POST /echo", &more)).await;
        raw.say(&body).await;
        // Whether refused or read one way, the product sees no request of which the gate knew nothing.
        let _ = within(SOON, raw.until("\r\n\r\n")).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!gated.product.saw("/smuggled"), "{more}");
        assert!(!more.contains("elsewhere") || gated.product.asked() == 0, "{more}");
    }
}

#[tokio::test]
async fn a_websocket_passes_and_is_cut_when_its_device_is_denied() {
    let gated = GatedProduct::build().await;
    let mut raw = gated.raw().await;
    let upgrade = "connection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n";
    raw.say(&gated.head("GET /socket", upgrade)).await;
    let head = within(SOON, raw.until("\r\n\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101") && head.to_lowercase().contains("upgrade: websocket"), "{head}");
    raw.say("ping").await;
    assert_eq!(within(SOON, raw.until("ping")).await, "ping", "bytes come back");
    gated.revoke();
    within(SOON, raw.end()).await;
}

#[tokio::test]
async fn a_product_that_changes_protocols_unasked_is_not_followed() {
    let gated = GatedProduct::build().await;
    let answer =
        gated.client(Some(&gated.device)).await.get("/socket", &[("authorization", &gated.bearer)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (502, "G-06"));
}

#[tokio::test]
async fn connections_of_a_denied_device_end_within_a_second_whatever_they_do() {
    let gated = GatedProduct::build().await;
    let mut idle = gated.raw().await;
    idle.say(&gated.head("GET /headers", "")).await;
    within(SOON, idle.until("tegata-device")).await;
    let mut downloading = gated.raw().await;
    downloading.say(&gated.head("GET /drip", "")).await;
    within(SOON, downloading.until("drop")).await;
    let mut uploading = gated.raw().await;
    uploading.say(&gated.head("POST /swallow", "transfer-encoding: chunked\r\n")).await;
    uploading.say("4\r\nbody\r\n").await;
    let mut waiting = gated.raw().await;
    waiting.say(&gated.head("GET /never", "")).await;
    support::eventually("the product was asked", || gated.product.asked() == 4).await;

    gated.revoke();
    within(SOON, async {
        idle.end().await;
        downloading.end().await;
        uploading.end().await;
        let last = waiting.until("C-06").await;
        assert!(last.starts_with("HTTP/1.1 401"), "{last}");
        waiting.end().await;
    })
    .await;
    let answer = gated.client(Some(&gated.device)).await.get("/", &[("authorization", &gated.bearer)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (401, "C-06"), "and reads why");
    assert!(gated.product.hung_up_on(), "what the product was doing for the device it need not finish");
}

#[tokio::test]
async fn another_device_notices_nothing() {
    let gated = GatedProduct::build().await;
    let mut client = gated.client(Some(&gated.device)).await;
    assert_eq!(client.get("/headers", &[("authorization", &gated.bearer)]).await.status, 200);
    let other = tegata_core::DeviceId::random(&tegata_core::entropy::Seeded::new(77));
    gated.platform.happen(Change::DeviceDenied { device: other, reason: Denial::Revoked });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.get("/headers", &[("authorization", &gated.bearer)]).await.status, 200);
}

#[tokio::test]
async fn no_session_is_resumed_and_older_tls_is_not_spoken() {
    let gated = GatedProduct::build().await;
    let config = tls(gated.platform.authority.roots(), Some(&gated.device));
    for _ in 0..3 {
        let (mut client, resumed) = TestClient::secure(gated.port, config.clone()).await;
        assert_eq!(client.get("/headers", &[("authorization", &gated.bearer)]).await.status, 200);
        assert!(!resumed);
    }
    let mut old = (*config).clone();
    old.alpn_protocols = vec![];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let old = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(gated.platform.authority.roots())
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", gated.port)).await.unwrap();
    let refused =
        tokio_rustls::TlsConnector::from(Arc::new(old)).connect("localhost".try_into().unwrap(), tcp).await;
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_may_take_longer_than_a_handshake_to_choose_a_certificate() {
    let moment = Duration::from_millis(300);
    let gated = GatedProduct::with(|proxy| proxy.limits.listener.handshake = moment).await;
    let config = tls(gated.platform.authority.roots(), Some(&gated.device));
    let (mut client, _) = TestClient::secure(gated.port, hesitant(&config, 3 * moment)).await;
    assert_eq!(client.get("/", &[("authorization", &gated.bearer)]).await.status, 200);
}

#[tokio::test]
async fn a_stale_gate_closes_and_cuts_tunnels_and_downloads() {
    let gated = GatedProduct::build().await;
    let (mut raw, mut download) = (gated.raw().await, gated.raw().await);
    download.say(&gated.head("GET /drip", "")).await;
    within(SOON, download.until("drop")).await;
    raw.say(&gated.head("GET /socket", "connection: Upgrade\r\nupgrade: websocket\r\n")).await;
    within(SOON, raw.until("\r\n\r\n")).await;
    gated.platform.go_away().await;
    within(Duration::from_secs(5), async { tokio::join!(raw.end(), download.end()) }).await;
    let answer = gated.client(Some(&gated.device)).await.get("/", &[("authorization", &gated.bearer)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (503, "G-01"));
}

#[tokio::test]
async fn nobody_waits_for_ever_and_nobody_sends_without_end() {
    let gated = GatedProduct::with(|proxy| {
        proxy.limits.answer = Duration::from_millis(300);
        proxy.limits.listener.header = Duration::from_millis(300);
        proxy.limits.listener.first_request = Duration::from_millis(300);
        proxy.limits.body = 1000;
    })
    .await;
    let slow =
        gated.client(Some(&gated.device)).await.get("/never", &[("authorization", &gated.bearer)]).await;
    assert_eq!((slow.status.as_u16(), slow.header("tegata-refusal")), (504, "G-07"));

    let mut raw = gated.raw().await;
    raw.say(&gated.head("POST /echo", "content-length: 1001\r\n")).await;
    assert!(within(SOON, raw.until("R-02")).await.starts_with("HTTP/1.1 413"), "by its word");
    let mut raw = gated.raw().await;
    raw.say(&gated.head("POST /swallow", "transfer-encoding: chunked\r\n")).await;
    raw.say(&format!("400\r\n{}\r\n", "x".repeat(1024))).await;
    assert!(within(SOON, raw.until("R-02")).await.starts_with("HTTP/1.1 413"), "by its deed");

    let mut raw = gated.raw().await;
    raw.say("GET / HTTP/1.1\r\nhost: local").await;
    within(SOON, raw.end()).await;
    let config = tls(gated.platform.authority.roots(), Some(&gated.device));
    within(2 * SOON, TestClient::http2(gated.port, config).await.end()).await;
    let mut raw = gated.raw().await;
    raw.say(&gated.head("GET /", &format!("x-long: {}\r\n", "x".repeat(40_000)))).await;
    assert!(within(SOON, raw.until("\r\n\r\n")).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_product_that_is_away_is_not_the_clients_fault() {
    let gated = GatedProduct::with(|proxy| proxy.upstream = "127.0.0.1:1".parse().unwrap()).await;
    let answer = gated.client(Some(&gated.device)).await.get("/", &[("authorization", &gated.bearer)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (502, "G-06"));
}

#[tokio::test]
async fn behind_another_proxy_only_its_word_counts() {
    let trusted = HeaderSource::rfc9440(Network::loopback());
    let gated = GatedProduct::with(|proxy| proxy.front = ProxyFront::Proxy(trusted)).await;
    let value = format!(":{}:", tegata_core::encoding::base64(&gated.device.certificate));
    let headers =
        [("authorization", &*gated.bearer), ("client-cert", &value), ("x-forwarded-for", "192.0.2.7")];
    let answer = TestClient::plain(gated.port).await.get("/headers", &headers).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("x-forwarded-for: 192.0.2.7\n") && !answer.body.contains("client-cert"));
    let answer = TestClient::plain(gated.port).await.get("/headers", &headers[..1]).await;
    assert_eq!((answer.status.as_u16(), answer.header("tegata-refusal")), (401, "C-01"));

    let elsewhere = HeaderSource::rfc9440(vec!["192.0.2.1".parse().unwrap()]);
    let gated = GatedProduct::with(|proxy| proxy.front = ProxyFront::Proxy(elsewhere)).await;
    let mut stranger = Raw::plain(gated.port).await;
    within(SOON, stranger.end()).await;
}

#[tokio::test]
async fn an_operator_can_stop_it_while_requests_are_under_way() {
    let gated = GatedProduct::build().await;
    let mut raw = gated.raw().await;
    raw.say(&gated.head("GET /drip", "")).await;
    within(SOON, raw.until("drop")).await;
    drop(gated.stop);
    within(Duration::from_secs(2), gated.served).await.unwrap();
    within(SOON, raw.end()).await;
}
