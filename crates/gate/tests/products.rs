//! The gate as products meet it: as a layer, and as a service beside a proxy.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use support::client::{TestClient, escaped};
use support::{Party, TestPlatform, device};
use tegata_core::dpop::{DpopProof, hash_of, proof_by};
use tegata_core::encoding::from_base64url;
use tegata_core::feed::{Change, Denial, TokenHolder, TokensBefore};
use tegata_core::jws::SigningKey;
use tegata_core::{Clock, Timestamp};
use tegata_gate::forward_auth::{ForwardAuth, answer, serve};
use tegata_gate::{
    CertificateSource, ClientAddress, ClientCertificate, Gate, GateLayer, HeaderSource, Network,
    VerifiedRequest,
};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower_layer::Layer;
use tower_service::Service;

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

struct ProductsFixture {
    platform: TestPlatform,
    gate: Gate,
    party: Party,
    bearer: String,
}

impl ProductsFixture {
    async fn new() -> Self {
        let platform = TestPlatform::start().await;
        let gate = platform.gate().await;
        let party = platform.authority.client();
        let bearer = format!("Bearer {}", platform.token(&device(), party.thumbprint()));
        Self { platform, gate, party, bearer }
    }

    fn request(&self) -> Request<String> {
        Request::get("/orders").header("authorization", &self.bearer).body(String::new()).unwrap()
    }

    async fn revoke(&self) {
        self.deny(Change::DeviceDenied { device: device(), reason: Denial::Revoked }).await;
    }

    async fn deny(&self, change: Change) {
        self.platform.happen(change);
        let mut changes = self.gate.changes();
        let revoked = changes.wait_for(|seq| *seq == Some(1));
        support::within(Duration::from_secs(1), revoked).await.unwrap();
    }
}

/// Answers with the device the gate let through, and with the headers that came along.
#[derive(Clone)]
struct Product;

impl Service<Request<String>> for Product {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let verified = request.extensions().get::<Arc<VerifiedRequest>>().expect("the gate names the device");
        let mut response = Response::new(verified.device().to_string());
        *response.headers_mut() = request.headers().clone();
        ready(Ok(response))
    }
}

/// Streams for ever what it is handed.
#[derive(Clone)]
struct Streaming(Arc<Mutex<Option<mpsc::Receiver<&'static str>>>>);

impl Service<Request<String>> for Streaming {
    type Response = Response<StreamBody<BoxStream>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        let words = self.0.lock().unwrap().take().unwrap();
        let frames = futures_util::stream::unfold(words, async |mut words| {
            words.recv().await.map(|word| (Ok(Frame::data(Bytes::from(word))), words))
        });
        ready(Ok(Response::new(StreamBody::new(Box::pin(frames)))))
    }
}

type BoxStream = Pin<Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;

struct SeenRequest {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn ask(layer: &GateLayer, request: Request<String>) -> SeenRequest {
    let response = layer.layer(Product).call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    SeenRequest { status: parts.status.as_u16(), headers: parts.headers, body }
}

#[tokio::test]
async fn a_handler_behind_the_layer_knows_the_device_and_sees_no_forged_headers() {
    let fixture = ProductsFixture::new().await;
    let layer = GateLayer::new(fixture.gate.clone(), CertificateSource::Connection);
    let mut request = fixture.request();
    request.extensions_mut().insert(ClientCertificate::from_der(&fixture.party.certificate));
    request.headers_mut().insert("client-cert", ":forged:".parse().unwrap());
    request.headers_mut().insert("tegata-device", "forged".parse().unwrap());
    let seen = ask(&layer, request).await;
    assert_eq!((seen.status, seen.body), (200, device().to_string()));
    assert!(!seen.headers.contains_key("client-cert") && !seen.headers.contains_key("tegata-device"));
}

#[tokio::test]
async fn a_refused_person_reads_why_in_their_language_and_no_handler_runs() {
    let fixture = ProductsFixture::new().await;
    let layer = GateLayer::new(fixture.gate.clone(), CertificateSource::Connection);
    let mut request = fixture.request();
    request.headers_mut().insert("accept-language", "en".parse().unwrap());
    let seen = ask(&layer, request).await;
    assert_eq!(
        (seen.status, &seen.headers["content-type"]),
        (401, &"application/problem+json".parse().unwrap())
    );
    let problem: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(
        (&problem["code"], &problem["lang"], &problem["status"]),
        (&"C-01".into(), &"en".into(), &401.into())
    );

    let bare = Request::get("/").body(String::new()).unwrap();
    let seen = ask(&layer, bare).await;
    assert_eq!((seen.status, &seen.headers["www-authenticate"]), (401, &"Bearer".parse().unwrap()));
    let problem: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(problem["lang"], "ja");
}

#[tokio::test]
async fn every_request_is_checked_again_also_on_one_connection() {
    let fixture = ProductsFixture::new().await;
    let layer = GateLayer::new(fixture.gate.clone(), CertificateSource::Connection);
    let request = || {
        let mut request = fixture.request();
        request.extensions_mut().insert(ClientCertificate::from_thumbprint(fixture.party.thumbprint()));
        request
    };
    let mut service = layer.layer(Product);
    assert_eq!(service.call(request()).await.unwrap().status(), 200);
    fixture.revoke().await;
    assert_eq!(service.call(request()).await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_certificate_header_counts_only_from_the_proxy() {
    let fixture = ProductsFixture::new().await;
    let source = CertificateSource::Header(HeaderSource::nginx(Network::loopback()));
    let layer = GateLayer::new(fixture.gate.clone(), source);
    let ask_from = async |peer: Option<&str>, certificate: &str| {
        let mut request = fixture.request();
        request.headers_mut().insert("x-client-cert", certificate.parse().unwrap());
        if let Some(peer) = peer {
            request.extensions_mut().insert(ClientAddress(peer.parse().unwrap()));
        }
        // An extension that this source does not read.
        request.extensions_mut().insert(ClientCertificate::from_thumbprint(fixture.party.thumbprint()));
        ask(&layer, request).await.status
    };
    let certificate = escaped(&fixture.party.certificate_pem);
    assert_eq!(ask_from(Some("127.0.0.1"), &certificate).await, 200);
    assert_eq!(ask_from(Some("192.0.2.1"), &certificate).await, 401);
    assert_eq!(ask_from(None, &certificate).await, 401);
    assert_eq!(ask_from(Some("127.0.0.1"), "garbage").await, 401);
    assert_eq!(ask_from(Some("127.0.0.1"), "").await, 401);
}

#[tokio::test]
async fn a_framework_may_keep_the_address_where_it_likes() {
    #[derive(Clone)]
    struct ConnectInfo(IpAddr);
    let fixture = ProductsFixture::new().await;
    let source = CertificateSource::Header(HeaderSource::nginx(Network::loopback()));
    let layer = GateLayer::new(fixture.gate.clone(), source)
        .with_peer(|extensions| extensions.get::<ConnectInfo>().map(|info| info.0));
    let mut request = fixture.request();
    let certificate = escaped(&fixture.party.certificate_pem);
    request.headers_mut().insert("x-client-cert", certificate.parse().unwrap());
    request.extensions_mut().insert(ConnectInfo(PROXY));
    assert_eq!(ask(&layer, request).await.status, 200);
}

/// Certificates of a year, by the day on which they end after the tests' now; the token is bound to it.
fn of_a_year(fixture: &ProductsFixture, days_left: i64) -> (Party, String, Timestamp) {
    let end = fixture.platform.clock.now().seconds() + days_left * 86_400;
    let party = fixture.platform.authority.device_with(&device(), |params| {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        (params.not_before, params.not_after) = (at(end - 365 * 86_400), at(end));
    });
    let bearer = format!("Bearer {}", fixture.platform.token(&device(), party.thumbprint()));
    (party, bearer, Timestamp::from_seconds(end))
}

#[tokio::test]
async fn a_product_learns_when_the_certificate_ends_that_is_due() {
    let fixture = ProductsFixture::new().await;
    let forward = |source: HeaderSource| ForwardAuth { certificates: source, sessions: None };
    let trusted = || vec!["127.0.0.1".parse().unwrap()];
    let nginx = forward(HeaderSource::nginx(trusted()));
    let layer = GateLayer::new(fixture.gate.clone(), CertificateSource::Connection);
    for (days_left, is_due) in [(31, false), (29, true), (1, true)] {
        let (party, bearer, end) = of_a_year(&fixture, days_left);
        let expected = is_due.then(|| end.to_string());

        let mut request = Request::get("/check").header("authorization", &bearer).body(()).unwrap();
        let certificate = escaped(&party.certificate_pem).parse().unwrap();
        request.headers_mut().insert("x-client-cert", certificate);
        request.headers_mut().insert("tegata-renewal-due", "forged".parse().unwrap());
        let admitted = answer(&fixture.gate, &nginx, PROXY, &request);
        assert_eq!((admitted.status().as_u16(), due(admitted.headers())), (200, expected.clone()));

        let mut request = Request::get("/").header("authorization", &bearer).body(String::new()).unwrap();
        request.headers_mut().insert("tegata-renewal-due", "forged".parse().unwrap());
        request.extensions_mut().insert(ClientCertificate::from_der(&party.certificate));
        let seen = ask(&layer, request).await;
        assert_eq!((seen.status, due(&seen.headers)), (200, expected), "{days_left} days before the end");

        // A hash alone has no end.
        let mut request = Request::get("/").header("authorization", &bearer).body(String::new()).unwrap();
        request.extensions_mut().insert(ClientCertificate::from_thumbprint(party.thumbprint()));
        let seen = ask(&layer, request).await;
        assert_eq!((seen.status, due(&seen.headers)), (200, None));
    }
}

fn due(headers: &HeaderMap) -> Option<String> {
    headers.get("tegata-renewal-due").map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn only_a_trusted_proxy_gets_an_answer_from_the_service() {
    let fixture = ProductsFixture::new().await;
    let config = ForwardAuth {
        certificates: HeaderSource::nginx(vec!["10.0.0.0/8".parse().unwrap()]),
        sessions: None,
    };
    let ask = |peer: &str, path: &str, method: Method| {
        let mut request = Request::builder().method(method).uri(path).body(()).unwrap();
        let certificate = escaped(&fixture.party.certificate_pem).parse().unwrap();
        request.headers_mut().insert("authorization", fixture.bearer.parse().unwrap());
        request.headers_mut().insert("x-client-cert", certificate);
        answer(&fixture.gate, &config, peer.parse().unwrap(), &request)
    };
    let admitted = ask("10.0.0.7", "/check", Method::GET);
    assert_eq!(admitted.status(), 200);
    assert_eq!(admitted.headers()["tegata-device"], device().as_str());
    assert_eq!(admitted.headers()["tegata-generation"], "3");
    assert!(
        admitted.headers().contains_key("tegata-tenant") && admitted.headers().contains_key("tegata-site")
    );
    for stranger in ["127.0.0.1", "192.0.2.1"] {
        let refused = ask(stranger, "/check", Method::GET);
        assert_eq!(
            (refused.status().as_u16(), refused.headers().contains_key("tegata-device")),
            (403, false)
        );
    }
    assert_eq!(ask("192.0.2.1", "/health", Method::GET).status(), 403);
    assert_eq!(ask("127.0.0.1", "/health", Method::GET).status(), 200);
    assert_eq!(ask("10.0.0.7", "/health", Method::POST).status(), 405);
    for elsewhere in ["/elsewhere", "/checked", "/", "/Check"] {
        assert_eq!(ask("10.0.0.7", elsewhere, Method::GET).status(), 404, "{elsewhere}");
    }
}

#[tokio::test]
async fn a_proxy_may_ask_with_the_original_method_and_path() {
    let fixture = ProductsFixture::new().await;
    let config = ForwardAuth { certificates: HeaderSource::nginx(Network::loopback()), sessions: None };
    let ask = |method: Method, path: &str, told: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri(path).body(()).unwrap();
        let certificate = escaped(&fixture.party.certificate_pem).parse().unwrap();
        request.headers_mut().insert("authorization", fixture.bearer.parse().unwrap());
        request.headers_mut().insert("x-client-cert", certificate);
        for (name, value) in told {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        answer(&fixture.gate, &config, "127.0.0.1".parse().unwrap(), &request).status().as_u16()
    };
    for method in
        [Method::GET, Method::POST, Method::OPTIONS, Method::DELETE, Method::from_bytes(b"PROPFIND").unwrap()]
    {
        assert_eq!(ask(method.clone(), "/check/orders/7?page=2", &[]), 200, "{method}");
        assert_eq!(ask(method, "/check/orders?access_token=x", &[]), 401, "a token in the address");
    }
    for name in ["x-original-uri", "x-forwarded-uri"] {
        assert_eq!(ask(Method::GET, "/check", &[(name, "/orders?page=2")]), 200);
        assert_eq!(ask(Method::GET, "/check", &[(name, "/orders?a=b&access_token=x")]), 401, "{name}");
        assert_eq!(
            ask(Method::GET, "/check", &[(name, "/"), (name, "/?access_token=x")]),
            401,
            "the second one too"
        );
    }
}

/// A gate that takes tokens of keys, a client's key, and its token with a proof for `GET /orders`.
struct ByKey {
    gate: Gate,
    authorization: String,
    key: SigningKey,
    platform: TestPlatform,
}

impl ByKey {
    async fn new() -> Self {
        let platform = TestPlatform::start().await;
        let mut config = platform.config();
        config.policy.dpop_origins = vec!["https://rezept.example".parse().unwrap()];
        let gate = platform.gate_with(config);
        support::within(Duration::from_secs(5), gate.ready()).await;
        let key = support::new_key();
        let of_key = *DpopProof::verify(&proof_by(&key, PROBE).unwrap()).unwrap().key();
        let certificate = platform.authority.client().thumbprint();
        let authorization = format!("DPoP {}", platform.token_by_key(&device(), certificate, of_key));
        Self { gate, authorization, key, platform }
    }

    fn proof(&self, name: &str) -> String {
        let claims = serde_json::json!({
            "jti": name, "htm": "GET", "htu": "https://rezept.example/orders",
            "iat": self.platform.clock.now().seconds(),
            "ath": hash_of(self.authorization.strip_prefix("DPoP ").unwrap()),
        });
        proof_by(&self.key, claims.to_string().as_bytes()).unwrap()
    }
}

const PROBE: &[u8] = br#"{"jti":"1","htm":"GET","htu":"https://a.example","iat":1}"#;

#[tokio::test]
async fn a_request_with_a_proof_for_it_needs_no_certificate() {
    let fixture = ByKey::new().await;
    let layer = GateLayer::new(fixture.gate.clone(), CertificateSource::Connection);
    let ask_for = async |target: &str, proof: &str| {
        let request = Request::get(target).header("authorization", &fixture.authorization);
        ask(&layer, request.header("dpop", proof).body(String::new()).unwrap()).await
    };
    let seen = ask_for("/orders?page=2", &fixture.proof("1")).await;
    assert_eq!((seen.status, seen.body), (200, device().to_string()), "without any certificate");
    let seen = ask_for("/orders/7", &fixture.proof("2")).await;
    let challenge = seen.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\""), "{challenge}");
    let bare = ask(&layer, Request::get("/orders").body(String::new()).unwrap()).await;
    assert_eq!((bare.status, bare.headers.get_all("www-authenticate").iter().count()), (401, 2));
}

/// Forged headers about the original request are the attack: a proof for one request, sent with another.
#[tokio::test]
async fn a_proof_behind_a_proxy_counts_for_the_request_that_every_header_tells() {
    let fixture = ByKey::new().await;
    let config = ForwardAuth { certificates: HeaderSource::nginx(Network::loopback()), sessions: None };
    let number = std::cell::Cell::new(0);
    let ask = |method: &str, path: &str, told: &[(&str, &str)]| {
        number.set(number.get() + 1);
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", &fixture.authorization);
        request = request.header("dpop", fixture.proof(&number.get().to_string()));
        for (name, value) in told {
            request = request.header(*name, *value);
        }
        answer(&fixture.gate, &config, PROXY, &request.body(()).unwrap())
    };
    let nginx = [("x-original-uri", "/orders?page=2"), ("x-original-method", "GET")];
    let traefik = [("x-forwarded-uri", "/orders"), ("x-forwarded-method", "GET")];
    for (path, told) in [
        ("/check", &nginx[..]),
        ("/check", &traefik),
        ("/check/orders?page=2", &[]),
        ("/check/orders", &nginx),
    ] {
        let admitted = ask("GET", path, told);
        assert_eq!(admitted.status(), 200, "{path} {told:?}");
        let assertion = admitted.headers()["tegata-assertion"].to_str().unwrap();
        let payload = from_base64url(assertion.split('.').nth(1).unwrap()).unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        let of_key = DpopProof::verify(&fixture.proof("any")).unwrap();
        assert_eq!(payload["jkt"], of_key.key().to_string());
        assert_eq!((&payload["sub"], &payload["acr"]), (&"person:hash".into(), &"urn:tegata:acr:mfa".into()));
        assert_eq!(payload["amr"], serde_json::json!(["pwd", "otp", "mfa"]), "how they signed in");
        assert!(payload["auth_time"].as_i64() < payload["iat"].as_i64(), "{payload}");
    }
    for (method, path, told) in [
        ("GET", "/check", &[][..]),
        ("GET", "/check", &nginx[..1]),
        ("GET", "/check", &[("x-original-uri", "/admin"), ("x-original-method", "GET")]),
        ("GET", "/check", &[("x-original-uri", "/orders"), ("x-original-method", "DELETE")]),
        ("GET", "/check", &[nginx[0], nginx[1], ("x-forwarded-uri", "/admin")]),
        ("GET", "/check", &[nginx[0], nginx[1], ("x-forwarded-method", "DELETE")]),
        ("GET", "/check", &[nginx[0], ("x-original-uri", "/admin"), nginx[1]]),
        ("GET", "/check/admin", &nginx),
        ("DELETE", "/check/orders", &[]),
        ("DELETE", "/check/orders", &nginx),
    ] {
        let refused = ask(method, path, told);
        let code = refused.headers()["tegata-refusal"].to_str().unwrap();
        assert_eq!((refused.status().as_u16(), code), (401, "T-20"), "{method} {path} {told:?}");
    }
}

#[tokio::test]
async fn an_operator_sees_how_the_gate_is_and_can_stop_it() {
    let fixture = ProductsFixture::new().await;
    let config = ForwardAuth { certificates: HeaderSource::nginx(Network::loopback()), sessions: None };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let service = tokio::spawn(serve(listener, fixture.gate.clone(), config, shutdown));
    let mut client = TestClient::plain(port).await;

    let health = client.get("/health", &[]).await;
    let told: serde_json::Value = serde_json::from_str(&health.body).unwrap();
    assert_eq!((health.status.as_u16(), &told["seq"], &told["connected"]), (200, &0.into(), &true.into()));
    assert!(told["age_ms"].as_u64().unwrap() < 2500);

    fixture.platform.go_away().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let health = client.get("/health", &[]).await;
    let told: serde_json::Value = serde_json::from_str(&health.body).unwrap();
    assert_eq!((health.status.as_u16(), &told["connected"]), (503, &false.into()));
    let certificate = escaped(&fixture.party.certificate_pem);
    let headers = [("authorization", &*fixture.bearer), ("x-client-cert", &certificate)];
    let check = client.get("/check", &headers).await;
    assert_eq!((check.status.as_u16(), check.header("tegata-refusal")), (503, "G-01"));

    drop(stop);
    support::within(Duration::from_secs(1), service).await.unwrap();
}

#[tokio::test]
async fn a_silent_stream_ends_when_its_device_is_denied() {
    let fixture = ProductsFixture::new().await;
    let (say, words) = mpsc::channel(4);
    let service = GateLayer::new(fixture.gate.clone(), CertificateSource::Connection)
        .layer(Streaming(Arc::new(Mutex::new(Some(words)))));
    let mut request = fixture.request();
    request.extensions_mut().insert(ClientCertificate::from_der(&fixture.party.certificate));
    let mut body = { service }.call(request).await.unwrap().into_body();
    say.send("before").await.unwrap();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "before");

    let waiting = tokio::spawn(async move { (body.frame().await.unwrap().is_err(), body) });
    tokio::task::yield_now().await;
    fixture.revoke().await;
    let (cut, mut body) = support::within(Duration::from_secs(1), waiting).await.unwrap();
    assert!(cut, "the reader that waits is woken and hung up on");
    say.send("after").await.unwrap();
    assert!(body.frame().await.unwrap().is_err(), "what was said since does not leave");
}

#[tokio::test]
async fn a_stream_ends_when_its_tenant_is_suspended_or_its_device_signed_out() {
    let now = Timestamp::from_seconds(i64::from(u32::MAX));
    let signed_out = |of| Change::TokensDenied(TokensBefore { of, issued_before: now, until: now });
    for change in [
        Change::TenantDenied { tenant: support::tenant(), reason: Denial::Suspended },
        signed_out(TokenHolder::Device(device())),
        signed_out(TokenHolder::Tenant(support::tenant())),
    ] {
        let fixture = ProductsFixture::new().await;
        let (say, words) = mpsc::channel(4);
        let service = GateLayer::new(fixture.gate.clone(), CertificateSource::Connection)
            .layer(Streaming(Arc::new(Mutex::new(Some(words)))));
        let mut request = fixture.request();
        request.extensions_mut().insert(ClientCertificate::from_der(&fixture.party.certificate));
        let mut body = { service }.call(request).await.unwrap().into_body();
        say.send("before").await.unwrap();
        body.frame().await.unwrap().unwrap();
        let waiting = tokio::spawn(async move { body.frame().await.unwrap().is_err() });
        tokio::task::yield_now().await;
        fixture.deny(change.clone()).await;
        let cut = support::within(Duration::from_secs(1), waiting).await.unwrap();
        assert!(cut, "{change:?}");
    }
}

#[tokio::test]
async fn an_answer_does_not_leave_when_its_device_was_denied_while_it_was_made() {
    let fixture = ProductsFixture::new().await;
    let layer = GateLayer::new(fixture.gate.clone(), CertificateSource::Connection);
    let mut request = fixture.request();
    request.extensions_mut().insert(ClientCertificate::from_der(&fixture.party.certificate));
    let answer = layer.layer(Product).call(request);
    fixture.revoke().await;
    let answer = answer.await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["tegata-refusal"]),
        (401, &"C-06".parse().unwrap())
    );
}
