//! What passes through the gate: messages that are whole, and of every change of protocol only a `WebSocket`.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::time::Duration;
use support::client::{TestClient, tls};
use support::gated::GatedProduct;
use support::within;

const SOON: Duration = Duration::from_secs(2);

/// What separates the words of a name, to a program that keeps letters and digits alone.
const SEPARATORS: &str = "!#$%&'*+-.^_`|~";

impl GatedProduct {
    /// The beginning of the answer to a request in letters.
    async fn answer(&self, line: &str, more: &str, body: &str) -> String {
        let mut raw = self.raw().await;
        raw.say(&self.head(line, more)).await;
        raw.say(body).await;
        within(SOON, raw.until("\r\n\r\n")).await
    }
}

#[tokio::test]
async fn no_client_gets_a_tunnel_of_raw_http_2_to_the_product() {
    let gated = GatedProduct::build().await;
    let settings = "http2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    for upgrade in ["h2c", "websocket, h2c", "h2c\r\nupgrade: websocket", "TLS/1.3", "anything"] {
        let more = format!("connection: Upgrade, HTTP2-Settings\r\nupgrade: {upgrade}\r\n{settings}");
        let mut raw = gated.raw().await;
        raw.say(&gated.head("GET /headers", &more)).await;
        let answer = within(SOON, raw.until("tegata-device")).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 200"), "{upgrade}: {answer}");
        assert!(!answer.contains("upgrade") && !answer.contains("http2-settings"), "{upgrade}: {answer}");
    }
}

#[tokio::test]
async fn a_product_changes_to_the_protocol_it_was_asked_for_or_to_none() {
    let gated = GatedProduct::build().await;
    let asked = "connection: Upgrade\r\nupgrade: websocket\r\n";
    for (path, more) in [
        ("/socket/h2c", asked),
        ("/socket/list", asked),
        ("/socket/h2c", "upgrade: h2c\r\n"),
        ("/socket", ""),
    ] {
        let answer = gated.answer(&format!("GET {path}"), more, "").await;
        assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("G-06"), "{path} {more}: {answer}");
    }
}

#[tokio::test]
async fn a_cgi_program_behind_the_gate_is_told_no_story_in_any_spelling() {
    let gated = GatedProduct::build().await;
    for separator in SEPARATORS.chars() {
        let names =
            ["Tegata-Device", "Tegata-Subject", "tegata-anything", "X-Client-Cert", "Ssl-Client-Verify"];
        let lines = names.map(|name| format!("{}: forged\r\n", name.replace('-', &separator.to_string())));
        let mut raw = gated.raw().await;
        raw.say(&gated.head("GET /headers", &lines.concat())).await;
        let answer = within(SOON, raw.until("tegata-subject: device")).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("forged"), "{separator}: {answer}");
    }
}

#[tokio::test]
async fn a_name_that_is_no_token_goes_no_further() {
    let gated = GatedProduct::build().await;
    for name in
        ["tegata device", "tegata\"device", "tegata(device", "tegata/device", "tegata\u{e9}device", ""]
    {
        let answer = gated.answer("GET /headers", &format!("{name}: forged\r\n"), "").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
    }
    assert_eq!(gated.product.asked(), 0);
}

#[tokio::test]
async fn cookies_that_http_2_sends_one_by_one_reach_the_product_in_one_line() {
    let gated = GatedProduct::build().await;
    let config = tls(gated.platform.authority.roots(), Some(&gated.device));
    let mut client = TestClient::http2(gated.port, config).await;
    let headers = [("authorization", &*gated.bearer), ("cookie", "session=abc"), ("cookie", "lang=ja")];
    let answer = client.get("https://localhost/headers", &headers).await;
    assert!(answer.body.contains("cookie: session=abc; lang=ja\n"), "{}", answer.body);
    assert_eq!(answer.body.matches("cookie:").count(), 1, "{}", answer.body);
}

#[tokio::test]
async fn a_body_of_unknown_length_reaches_the_product_whatever_the_method() {
    let gated = GatedProduct::build().await;
    for method in ["GET", "DELETE", "POST"] {
        let mut raw = gated.raw().await;
        raw.say(&gated.head(&format!("{method} /echo"), "transfer-encoding: chunked\r\n")).await;
        raw.say("5\r\nfirst\r\n0\r\n\r\n").await;
        let answer = within(SOON, raw.until("0\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("first"), "{method}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_whole_request_is_refused_with_the_reason() {
    let gated = GatedProduct::build().await;
    let chunked = "transfer-encoding: chunked\r\n";
    for (line, more, body, status, code) in [
        ("CONNECT localhost:443", "", "", 501, "R-10"),
        ("TRACE /headers", "", "", 405, "R-04"),
        ("POST /swallow", "transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n", 501, "R-10"),
        (
            "POST /swallow",
            "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
            "0\r\n\r\n",
            501,
            "R-10",
        ),
        ("POST /swallow", "transfer-encoding: chunked, chunked\r\n", "0\r\n\r\n", 501, "R-10"),
        ("POST /swallow", chunked, "zz\r\nbody\r\n0\r\n\r\n", 400, "R-01"),
        ("POST /swallow", chunked, "4\r\nbodytoolong\r\n0\r\n\r\n", 400, "R-01"),
        ("POST /swallow", chunked, "fffffffffffffffff\r\nbody\r\n", 400, "R-01"),
        ("GET /swallow", chunked, "-1\r\nbody\r\n0\r\n\r\n", 400, "R-01"),
    ] {
        let answer = gated.answer(line, more, body).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected) && answer.contains(code), "{line} {more} {body}: {answer}");
    }
}

#[tokio::test]
async fn a_websocket_ends_with_its_token_and_the_stated_grace() {
    let gated = GatedProduct::with(|proxy| proxy.limits.tunnel_grace = Duration::from_secs(1)).await;
    let token = gated.platform.token_for(&support::device(), gated.device.thumbprint(), 2);
    let mut raw = gated.raw().await;
    raw.say(&format!(
        "GET /socket HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: Upgrade\r\n\
         upgrade: WebSocket\r\n\r\n"
    ))
    .await;
    let head = within(SOON, raw.until("\r\n\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    raw.say("still here").await;
    assert_eq!(within(SOON, raw.until("still here")).await, "still here");
    within(Duration::from_secs(5), raw.end()).await;
}

#[tokio::test]
async fn a_preflight_passes_where_the_operator_lets_it_and_nowhere_else() {
    let preflight = "OPTIONS /headers HTTP/1.1\r\nhost: localhost\r\norigin: https://a.example\r\n\
                     access-control-request-method: PUT\r\ntegata.device: forged\r\ncookie: a=b\r\n";
    for (allowed, expected) in [(false, "HTTP/1.1 401"), (true, "HTTP/1.1 200")] {
        let gated = GatedProduct::with(|proxy| proxy.preflights = allowed).await;
        let asked = async |more: &str| {
            let mut raw = gated.raw().await;
            raw.say(&format!("{preflight}{more}")).await;
            within(SOON, raw.until("\r\n\r\n")).await
        };
        let answer = asked("\r\n").await;
        assert!(answer.starts_with(expected), "{answer}");
        assert_eq!(gated.product.asked(), usize::from(allowed));
        // Neither a body nor another method comes along.
        assert!(asked("content-length: 1\r\n\r\nx").await.starts_with("HTTP/1.1 401"));
        let get = preflight.replace("OPTIONS", "GET") + "\r\n";
        let mut raw = gated.raw().await;
        raw.say(&get).await;
        assert!(within(SOON, raw.until("\r\n\r\n")).await.starts_with("HTTP/1.1 401"));
        assert_eq!(gated.product.asked(), usize::from(allowed));
    }
}
