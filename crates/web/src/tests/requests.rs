use super::fixture::{ORIGIN, call};
use crate::assets::{LAYOUT, routes};
use crate::{HtmlPage, ProbeHosts};
use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use http::{Request, Response};
use serde_json::Value;
use tegata_core::Language;

fn post() -> http::request::Builder {
    Request::post("/sent").header("content-type", "application/json")
}

async fn sent(body: &str) -> Response<Bytes> {
    call(post().body(body.to_owned().into()).unwrap()).await
}

fn json(response: &Response<Bytes>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    serde_json::from_slice(response.body()).unwrap()
}

async fn code_of(body: &str) -> (u16, String) {
    let response = sent(body).await;
    (response.status().as_u16(), json(&response)["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_body_is_read_only_if_it_is_exactly_what_the_route_describes() {
    assert_eq!(sent(r#"{"code":"abc","count":3}"#).await.body(), "abc 3");
    for body in [
        r#"{"code":"a","extra":1}"#,
        r#"{"code":"a","code":"b"}"#,
        r#"{"code":"a"} x"#,
        r#"{"code":"a","count":300}"#,
        r"{}",
        r"[]",
        "",
    ] {
        assert_eq!(code_of(body).await, (400, "R-01".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_developer_learns_which_key_and_where_but_no_value_comes_back() {
    let detail = async |body: &str| json(&sent(body).await)["detail"].as_str().unwrap().to_owned();
    assert!(detail(r#"{"code":"a","extra":1}"#).await.ends_with("(line 1 column 19: unknown field extra)"));
    assert!(detail(r#"{"code":"a","code":1}"#).await.ends_with(": duplicate field code)"));
    assert!(detail("{}").await.ends_with(": missing field code)"));
    let wrong = detail(r#"{"code":"a","count":"SECRET"}"#).await;
    assert!(wrong.contains("line 1 column") && !wrong.contains("SECRET"), "{wrong}");
}

#[tokio::test]
async fn a_body_over_64_kib_is_too_large_whether_or_not_it_says_so() {
    let body = |length: usize| format!(r#"{{"code":"{}"}}"#, "a".repeat(length));
    assert_eq!(code_of(&body(70_000)).await, (413, "R-02".to_owned()));
    assert_eq!(sent(&body(65_536 - 11)).await.status(), 200);
    let chunks = unsized_body(70);
    let response = call(post().body(chunks).unwrap()).await;
    assert_eq!(response.status(), 413);
}

/// A body of unknown length.
fn unsized_body(kib: usize) -> Body {
    struct Chunks(usize);
    impl axum::body::HttpBody for Chunks {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            let next = self.0.checked_sub(1).map(|rest| {
                self.0 = rest;
                Ok(hyper::body::Frame::data(Bytes::from(vec![b' '; 1024])))
            });
            std::task::Poll::Ready(next)
        }
    }
    Body::new(Chunks(kib))
}

#[tokio::test]
async fn only_json_is_read_as_json() {
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/json-patch"] {
        let request = Request::post("/sent").header("content-type", media).body(r#"{"code":"a"}"#.into());
        let response = call(request.unwrap()).await;
        assert_eq!((response.status().as_u16(), &json(&response)["code"]), (415, &"R-07".into()));
    }
    let request = Request::post("/sent").header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(call(request.body(r#"{"code":"a"}"#.into()).unwrap()).await.status(), 200);
}

#[tokio::test]
async fn a_reader_gets_the_language_they_ask_for_and_japanese_otherwise() {
    for (query, header, expected) in [
        ("", None, "ja"),
        ("", Some("fr, de"), "ja"),
        ("", Some("en-GB,en;q=0.9"), "en"),
        ("", Some("en;q=0.5, ja;q=0.9"), "ja"),
        ("", Some("ja;q=0.1, en;q=0.2, *"), "en"),
        ("", Some("en;q=0"), "ja"),
        ("?lang=ja", Some("en"), "ja"),
        ("?x=1&lang=en", Some("ja"), "en"),
        ("?lang=xx", Some("en"), "en"),
    ] {
        let mut request = Request::get(format!("/nowhere{query}"));
        if let Some(header) = header {
            request = request.header("accept-language", header);
        }
        let response = call(request.body(Body::empty()).unwrap()).await;
        assert_eq!(json(&response)["lang"], expected, "{query} {header:?}");
        assert_eq!(response.headers()["content-language"], expected);
    }
}

#[tokio::test]
async fn a_program_reads_a_problem_as_json_and_a_person_as_a_page() {
    let nowhere = || Request::get("/nowhere?lang=en");
    let program = call(nowhere().header("accept", "*/*").body(Body::empty()).unwrap()).await;
    let said = json(&program);
    assert_eq!(said["type"], "about:blank");
    assert_eq!((&said["status"], &said["code"]), (&404.into(), &"R-03".into()));
    assert_eq!(said["title"], "There is no such page");
    assert_eq!(program.headers()["cache-control"], "no-store");

    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    let person = call(nowhere().header("accept", html).body(Body::empty()).unwrap()).await;
    assert_eq!(person.status(), 404);
    assert_eq!(person.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(person.headers()["cache-control"], "no-store");
    let text = String::from_utf8(person.body().to_vec()).unwrap();
    assert!(text.contains("R-03") && text.contains("There is no such page") && text.contains("lang=\"en\""));

    let script = nowhere().header("accept", html).header("sec-fetch-mode", "cors");
    json(&call(script.body(Body::empty()).unwrap()).await);
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let response = call(Request::get("/sent").body(Body::empty()).unwrap()).await;
    assert_eq!((response.status().as_u16(), &json(&response)["code"]), (405, &"R-04".into()));
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(response.headers()["content-length"], response.body().len().to_string());
}

#[tokio::test]
async fn a_page_of_another_site_cannot_act_here() {
    let status = async |headers: &[(&str, &str)]| {
        let request = headers.iter().fold(post(), |request, (name, value)| request.header(*name, *value));
        call(request.body(r#"{"code":"a"}"#.into()).unwrap()).await.status().as_u16()
    };
    assert_eq!(status(&[]).await, 200);
    assert_eq!(status(&[("origin", ORIGIN), ("sec-fetch-site", "same-origin")]).await, 200);
    assert_eq!(status(&[("origin", ORIGIN), ("sec-fetch-site", "same-site")]).await, 200);
    assert_eq!(status(&[("sec-fetch-site", "cross-site")]).await, 403);
    assert_eq!(status(&[("sec-fetch-site", "same-site")]).await, 403);
    assert_eq!(status(&[("origin", "https://evil.example")]).await, 403);
    assert_eq!(status(&[("origin", "https://localhost.evil.example")]).await, 403);
    assert_eq!(status(&[("origin", "null")]).await, 403);
    let link = Request::get("/nowhere").header("sec-fetch-site", "cross-site").body(Body::empty());
    assert_eq!(call(link.unwrap()).await.status(), 404);
}

#[tokio::test]
async fn every_response_is_guarded() {
    for path in ["/nowhere", "/close"] {
        let headers = call(Request::get(path).body(Body::empty()).unwrap()).await.headers().clone();
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(!headers.contains_key("strict-transport-security"));
    }
}

#[test]
fn a_page_runs_only_our_scripts_and_asks_only_our_probe_hosts() {
    #[derive(askama::Template)]
    #[template(source = "<p>{{ text }}</p>", ext = "html")]
    struct Text {
        text: &'static str,
    }
    let probes = ProbeHosts::new(".probe.localhost", 9443);
    assert_eq!(probes.pattern(), "https://{nonce}.probe.localhost:9443/probe");
    assert!(probes.contains("0a.probe.localhost") && !probes.contains("probe.localhost"));
    assert!(!probes.contains("a.b.probe.localhost") && !probes.contains("evilprobe.localhost"));

    let page = HtmlPage::new(Language::Ja, "<題>", &Text { text: "<b>" })
        .script("/assets/enroll.js")
        .asking(&probes);
    let response = page.into_response();
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert_eq!(
        policy,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' \
         https://*.probe.localhost:9443; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_browser_keeps_an_asset_until_it_changes() {
    use tower::ServiceExt;
    let router = routes::<()>(LAYOUT);
    let get = |tag: &str| {
        Request::get("/assets/style.css").header("if-none-match", tag).body(Body::empty()).unwrap()
    };
    let first = router.clone().oneshot(get("\"other\"")).await.unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()["content-type"]),
        (200, &"text/css; charset=utf-8".parse().unwrap())
    );
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(router.clone().oneshot(get(&format!("\"x\", W/{tag}"))).await.unwrap().status(), 304);
    assert_eq!(router.oneshot(get("")).await.unwrap().status(), 200);
}
