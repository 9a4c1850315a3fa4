//! Whoever copies a recipe of `docs/recipes` gets what the guide promises, behind the real proxy; and so does whoever
//! has no proxy.

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tegata_core::entropy::Seeded;
use tegata_gate::session::{CookieSealer, SessionFacts, SessionKeys};
use tegata_tests::forgery::{FORGED, Spelling, posing_as, pretending};
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::obtain;
use tegata_tests::{
    Curl, CurlAnswer, DeviceIdentity, GateProcess, Recipe, RunningInstallation, TestProductServer, clients,
    ports, self_signed_server,
};

#[test]
fn nginx_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (RunningInstallation::start(), TestProductServer::behind_a_proxy());
    let gate = installation.gate();
    let proxy = Recipe::nginx(&installation, gate.port, product.port);
    nginx_answers_wrong_certificates_in_our_words(&installation, &gate, &proxy);
    Checkpoint::at(installation, gate, proxy).keeps_its_promises(Some(503));
}

/// nginx itself refuses certificates of others (495), and where it demands one also to have none (496).
fn nginx_answers_wrong_certificates_in_our_words(
    installation: &RunningInstallation,
    gate: &GateProcess,
    nginx: &Recipe,
) {
    let folder = installation.folder("stranger");
    self_signed_server(&folder);
    let file = |name: &str| folder.join(name).display().to_string();
    let stranger = || nginx.request("/orders").presenting(&file("server.pem"), &file("server.key"));
    assert_eq!(stranger().send().expect(401).problem(), "C-02");
    assert_eq!(stranger().json(&json!({"a": 1})).send().expect(401).problem(), "C-02");
    let page = stranger().header("accept", "text/html").header("accept-language", "ja").send().expect(401);
    assert!(page.text().contains("<html lang=\"ja\">") && page.text().contains("C-02"), "{page}");
    let demanding = Recipe::nginx_demanding(installation, gate.port, 9);
    assert_eq!(demanding.request("/").send().expect(401).problem(), "C-01");
}

#[test]
fn haproxy_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (RunningInstallation::start(), TestProductServer::behind_a_proxy());
    let gate = installation.gate_before(product.port, "rfc9440");
    let proxy = Recipe::haproxy(&installation, gate.port);
    Checkpoint::at(installation, gate, proxy).keeps_its_promises(Some(503));
}

#[test]
fn traefik_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (RunningInstallation::start(), TestProductServer::behind_a_proxy());
    let gate = installation.gate_reading("traefik");
    let proxy = Recipe::traefik(&installation, gate.port, product.port);
    Checkpoint::at(installation, gate, proxy).keeps_its_promises(Some(500));
}

#[test]
fn caddy_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (RunningInstallation::start(), TestProductServer::behind_a_proxy());
    let gate = installation.gate_reading("rfc9440");
    let proxy = Recipe::caddy(&installation, gate.port, product.port);
    Checkpoint::at(installation, gate, proxy).keeps_its_promises(Some(502));
}

#[test]
fn envoy_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (RunningInstallation::start(), TestProductServer::behind_a_proxy());
    let gate = installation.gate_reading("envoy");
    let proxy = Recipe::envoy(&installation, gate.port, product.port);
    Checkpoint::at(installation, gate, proxy).keeps_its_promises(Some(503));
}

#[test]
fn a_gate_alone_before_a_product_lets_nobody_through_either() {
    let (installation, product) = (RunningInstallation::start(), TestProductServer::behind_a_proxy());
    let folder = installation.folder("front");
    let tls_ca = self_signed_server(&folder);
    let gate = installation.gate_alone(product.port, &folder);
    let origin = format!("https://localhost:{}", gate.port);
    Checkpoint { installation, gate, origin, tls_ca, proxy: None }.keeps_its_promises(None);
}

/// A product behind a gate, and mostly a proxy.
struct Checkpoint {
    installation: RunningInstallation,
    gate: GateProcess,
    origin: String,
    tls_ca: PathBuf,
    /// Where there is none, the gate terminates TLS.
    proxy: Option<Recipe>,
}

impl Checkpoint {
    fn at(installation: RunningInstallation, gate: GateProcess, proxy: Recipe) -> Self {
        let (origin, tls_ca) = (proxy.origin.clone(), proxy.tls_ca.clone());
        Self { installation, gate, origin, tls_ca, proxy: Some(proxy) }
    }

    /// `without_gate` is how the proxy answers when the gate is gone.
    fn keeps_its_promises(mut self, without_gate: Option<u16>) {
        let (device, other) =
            (self.installation.enroll("register-1"), self.installation.enroll("register-2"));
        let token = obtain(&self.installation, &device);
        self.product_learns_who_is_there(&device, &token);
        self.everybody_else_reads_why(&device, &other, &token);
        self.no_header_stands_for_a_certificate(&device, &other, &token);
        self.nothing_but_a_websocket_is_a_tunnel_to_the_product(&device, &token);
        self.revocation_bites_on_a_connection_that_is_open(&device, &token);
        self.gate_that_is_away_lets_nobody_through(&other, without_gate);
    }

    fn request(&self, path: &str) -> Curl {
        Curl::to(&format!("{}{path}", self.origin)).trusting(&self.tls_ca)
    }

    fn product_learns_who_is_there(&self, device: &DeviceIdentity, token: &str) {
        let request = || self.request("/orders?page=1").as_device(device).bearer(token);
        let told: Value = request().send().expect(200).json();
        assert_eq!(told["tegata-device"], *device.device, "{told}");
        assert_eq!(told["tegata-generation"], "1");
        assert_eq!(told["tegata-subject"], format!("device:{}", device.device));
        self.product_can_verify_that_it_was_the_gate(device, &told, &request().send().expect(200).json());
        for spelling in Spelling::ALL {
            let told: Value = pretending(request(), spelling).send().expect(200).json();
            assert_eq!(told["tegata-device"], *device.device, "only the gate's word counts: {told}");
            assert!(!told.to_string().contains(FORGED), "{spelling:?}: {told}");
        }
        let posted = self.request("/orders").as_device(device).bearer(token).json(&json!({"a": 1}));
        posted.send().expect(200);
    }

    fn product_can_verify_that_it_was_the_gate(&self, device: &DeviceIdentity, told: &Value, again: &Value) {
        let installation = &self.installation;
        let verified = |assertion: &str, method: &str, product: &str| {
            let question = json!({
                "assertion": assertion,
                "platform": installation.issuer,
                "ca": installation.tls_ca,
                "gate": self.gate.uri,
                "product": product,
                "method": method,
                "path": "/orders",
            });
            clients::run("assertion.mjs", &question)
        };
        let assertion = told["tegata-assertion"].as_str().unwrap_or_else(|| panic!("no assertion: {told}"));
        let claims = verified(assertion, "GET", &installation.product);
        for name in ["device", "tenant", "site"] {
            assert_eq!(claims[name], told[format!("tegata-{name}")], "{name}: {claims}");
        }
        assert_eq!(claims["sub"], format!("device:{}", device.device), "{claims}");
        assert_ne!(again["tegata-assertion"], told["tegata-assertion"], "each request has its own");
        let other = verified(assertion, "GET", "https://another.example");
        assert_eq!(other["refused"], "ERR_JWT_CLAIM_VALIDATION_FAILED", "{other}");
        assert_eq!(
            verified(assertion, "POST", &installation.product)["refused"],
            "it is about another request"
        );
    }

    fn everybody_else_reads_why(&self, device: &DeviceIdentity, other: &DeviceIdentity, token: &str) {
        let request = || self.request("/");
        assert_eq!(refused(&request().as_device(device).send()), "G-02");
        assert_eq!(refused(&request().bearer(token).send()), "C-01");
        assert_eq!(refused(&request().as_device(other).bearer(token).send()), "G-04");
        assert_eq!(refused(&request().as_device(device).bearer("nonsense").send()), "G-03");
        let in_query = self.request("/?access_token=x").as_device(device).bearer(token);
        assert_eq!(refused(&in_query.send()), "G-13");
        let challenge = request().as_device(other).bearer(token).send();
        assert!(challenge.header("www-authenticate").contains("invalid_token"), "{challenge}");
    }

    /// Somebody has stolen a token, knows the certificate it is bound to, and writes it into every header there is.
    fn no_header_stands_for_a_certificate(
        &self,
        device: &DeviceIdentity,
        other: &DeviceIdentity,
        token: &str,
    ) {
        for spelling in Spelling::ALL {
            let forged = |request| posing_as(device, request, spelling).send();
            let anonymous = forged(self.request("/").bearer(token));
            let stranger = forged(self.request("/").as_device(other).bearer(token));
            assert_eq!(refused(&anonymous), "C-01", "{spelling:?}");
            assert_eq!(refused(&stranger), "G-04", "{spelling:?}");
        }
    }

    /// The product would change to any protocol. With `h2c` a device could send requests past every check.
    fn nothing_but_a_websocket_is_a_tunnel_to_the_product(&self, device: &DeviceIdentity, token: &str) {
        let asked = |protocol: Value| {
            let question = json!({
                "url": format!("{}/", self.origin),
                "headers": { "authorization": format!("Bearer {token}") },
                "cert": device.file("chain.pem"),
                "key": device.file("key.pem"),
                "ca": self.tls_ca,
                "protocol": protocol,
            });
            clients::run("upgrade.mjs", &question)
        };
        let socket = asked(json!("websocket"));
        assert_eq!((&socket["status"], &socket["protocol"]), (&json!(101), &json!("websocket")), "{socket}");
        assert_eq!(socket["heard"], "ping");
        for other in
            [json!("h2c"), json!("anything"), json!(["h2c", "websocket"]), json!(["websocket", "h2c"])]
        {
            let answer = asked(other.clone());
            let became = answer["protocol"].as_str().unwrap_or("websocket");
            assert_eq!(became, "websocket", "{other}: {answer}");
            // What the product was told, where the request came as far: its headers. A token may have any letters in it.
            let told: Value =
                serde_json::from_str(answer["body"].as_str().unwrap_or("{}")).unwrap_or_default();
            let upgrade = told["upgrade"].as_str().unwrap_or_default();
            assert!(!upgrade.contains("h2c") && told["http2-settings"].is_null(), "{other}: {answer}");
        }
        for method in ["CONNECT", "TRACE"] {
            let request = self.request("/").as_device(device).bearer(token).method(method).flag("--http1.1");
            let refused = request.option("--request-target", "localhost:443").attempt();
            assert!(refused.is_ok_and(|answer| (400..502).contains(&answer.status)), "{method}");
        }
    }

    fn revocation_bites_on_a_connection_that_is_open(&self, device: &DeviceIdentity, token: &str) {
        let seen = clients::run(
            "kept-connection.mjs",
            &json!({
                "url": format!("{}/", self.origin),
                "headers": { "authorization": format!("Bearer {token}") },
                "cert": device.file("chain.pem"),
                "key": device.file("key.pem"),
                "ca": self.tls_ca,
                "act": self.installation.command_line(&["device", "revoke", "--yes", &device.device]),
            }),
        );
        // A gate that terminates TLS closes the connections of a denied device; the others refuse on them.
        let kept = self.proxy.is_some();
        assert_eq!((&seen["before"], &seen["kept"]), (&json!(200), &json!(kept)), "{seen}");
        assert_eq!((&seen["after"], &seen["refusal"]), (&json!(401), &json!("C-06")), "{seen}");
        let tls12 = if kept { json!(false) } else { Value::Null };
        assert_eq!(
            seen["resumed"],
            json!({"TLSv1.2": tls12, "TLSv1.3": false}),
            "nobody is let in unverified"
        );
    }

    fn gate_that_is_away_lets_nobody_through(&mut self, other: &DeviceIdentity, expected: Option<u16>) {
        let token = obtain(&self.installation, other);
        let attempt = |of: &Self| of.request("/").as_device(other).bearer(&token).attempt();
        assert_eq!(attempt(self).map(|answer| answer.status), Ok(200));
        self.gate.kill();
        eventually("nobody passes", Duration::from_secs(5), || {
            attempt(self).ok().map(|answer| answer.status) == expected
        });
    }
}

/// The gates let the device in by itself, so that curl can be the browser.
#[test]
fn browsers_come_through_every_proxy_by_a_session() {
    let [traefik, caddy, envoy, haproxy] = [(); 4].map(|()| ports::free());
    let mut installation = RunningInstallation::start();
    installation.serve_product_at(&[traefik, caddy, envoy, haproxy]);
    let (installation, server) = (&installation, TestProductServer::behind_a_proxy());
    let product = server.port;
    let asked = |format, origin| installation.gate_asked_for_devices(format, origin);
    let gate = asked("traefik", traefik);
    let proxy = Recipe::traefik_with_sessions(installation, gate.port, product, traefik);
    SessionedProduct { installation, proxy }.keeps_its_promises("traefik");
    let gate = asked("rfc9440", caddy);
    let proxy = Recipe::caddy_with_sessions(installation, gate.port, product, caddy);
    SessionedProduct { installation, proxy }.keeps_its_promises("caddy");
    let gate = asked("envoy", envoy);
    let proxy = Recipe::envoy_with_sessions(installation, gate.port, product, envoy);
    SessionedProduct { installation, proxy }.keeps_its_promises("envoy");
    let gate = installation.gate_before_for_devices(product, "rfc9440", haproxy);
    let proxy = Recipe::haproxy_with_sessions(installation, gate.port, haproxy);
    SessionedProduct { installation, proxy }.keeps_its_promises("haproxy");
}

/// A product behind a proxy and a gate with sessions.
struct SessionedProduct<'a> {
    installation: &'a RunningInstallation,
    proxy: Recipe,
}

impl SessionedProduct<'_> {
    fn keeps_its_promises(&self, name: &str) {
        let [device, other] = ["a", "b"].map(|number| self.installation.enroll(&format!("{name}-{number}")));
        let session = self.sign_in(&device);
        self.product_learns_who_is_there(&device, &session);
        self.use_is_written_down(&device, &session);
        self.everybody_else_reads_why(&device, &other, &session);
        self.pages_of_others_change_nothing(&device, &session);
        let sign_out = self.proxy.request("/.tegata/sign-out").as_device(&device).send().expect(200);
        assert!(sign_out.text().contains("method=\"post\""), "{name}: {sign_out}");
        self.installation.tell(&["device", "revoke", "--yes", &device.device]);
        eventually("the session is over", Duration::from_secs(1), || {
            refused(&self.request("/", &device, &session).attempt().expect("an answer")) == "C-06"
        });
    }

    fn request(&self, path: &str, device: &DeviceIdentity, cookies: &str) -> Curl {
        self.proxy.request(path).as_device(device).header("cookie", cookies)
    }

    /// The whole way, as a browser goes it: the cookie of the session.
    fn sign_in(&self, device: &DeviceIdentity) -> String {
        let page = |path: &str| self.proxy.request(path).as_device(device).header("accept", "text/html");
        let asked = page("/orders?page=2").send().expect(303);
        let location = asked.header("location");
        assert!(location.starts_with(&format!("{}/authorize?", self.installation.device)), "{asked}");
        let platform = Curl::to(location).trusting(&self.installation.tls_ca).as_device(device);
        let back = platform.send().expect(303);
        let back = back.header("location").strip_prefix(&self.proxy.origin).expect("the way back");
        let done = page(back).header("cookie", &given(&asked, "__Host-tegata-sign-in-")).send().expect(303);
        assert_eq!(done.header("location"), format!("{}/orders?page=2", self.proxy.origin));
        given(&done, "__Host-tegata-session=")
    }

    fn product_learns_who_is_there(&self, device: &DeviceIdentity, session: &str) {
        let cookies = format!("lang=ja; {session}");
        for spelling in Spelling::ALL {
            let request = self.request("/orders", device, &cookies);
            let told: Value = pretending(request, spelling).send().expect(200).json();
            assert_eq!(told["tegata-subject"], format!("device:{}", device.device), "{told}");
            assert!(told["tegata-assertion"].is_string() && !told.to_string().contains(FORGED), "{told}");
            assert_eq!(told["cookie"], "lang=ja", "the gate's cookie stays there");
        }
        let told: Value = self.request("/", device, session).send().expect(200).json();
        assert_eq!(told["cookie"].as_str().unwrap_or_default(), "", "{told}");
    }

    /// Otherwise a session would end after fifteen minutes, however much it is used.
    fn use_is_written_down(&self, device: &DeviceIdentity, session: &str) {
        let keys = fs::read_to_string(self.installation.gate_keys()).expect("keys");
        let keys = SessionKeys::parse(&keys).expect("keys");
        let origin = self.proxy.origin.parse().expect("an origin");
        let sealer = CookieSealer::new(keys, &self.installation.product, &origin);
        let (name, sealed) = session.split_once('=').expect("a cookie");
        let facts = sealer.open_session(sealed).expect("a session");
        let facts = SessionFacts { used: facts.used.minus(Duration::from_mins(2)), ..facts };
        let older = sealer.seal_session(&facts, &Seeded::new(1)).expect("a cookie");
        let answer = self.request("/", device, &format!("{name}={older}")).send().expect(200);
        assert_ne!(given(&answer, "__Host-tegata-session="), format!("{name}={older}"));
        assert_eq!(self.request("/", device, session).send().expect(200).header("set-cookie"), "");
    }

    fn everybody_else_reads_why(&self, device: &DeviceIdentity, other: &DeviceIdentity, session: &str) {
        let api = self.proxy.request("/api").as_device(device).send();
        assert_eq!((refused(&api), api.header("location")), ("G-20", ""), "a program is led nowhere");
        let nobody = || self.proxy.request("/").header("cookie", session);
        assert_eq!(refused(&nobody().send()), "C-01");
        assert_eq!(refused(&posing_as(device, nobody(), Spelling::Usual).send()), "C-01");
        assert_eq!(refused(&self.request("/", other, session).send()), "G-23");
        let with_token = self.request("/", device, session).bearer("nonsense").send();
        assert_eq!(refused(&with_token), "G-03", "a token decides alone");
    }

    /// What the proxy has to tell the gate: method, `Origin`, and that a WebSocket is asked for.
    fn pages_of_others_change_nothing(&self, device: &DeviceIdentity, session: &str) {
        let evil = "https://evil.example";
        let posted =
            |origin| self.request("/orders", device, session).header("origin", origin).json(&json!({}));
        posted(&self.proxy.origin).send().expect(200);
        let socket = |origin: &str| {
            let question = json!({
                "url": format!("{}/", self.proxy.origin),
                "headers": { "cookie": session, "origin": origin },
                "cert": device.file("chain.pem"),
                "key": device.file("key.pem"),
                "ca": self.proxy.tls_ca,
                "protocol": "websocket",
            });
            clients::run("upgrade.mjs", &question)
        };
        assert_eq!(socket(&self.proxy.origin)["heard"], "ping");
        assert_eq!(posted(evil).send().expect(403).header("tegata-refusal"), "R-06");
        assert_eq!(socket(evil)["status"], 403);
    }
}

/// The cookie whose name begins so, as a browser sends it back.
fn given(answer: &CurlAnswer, beginning: &str) -> String {
    let mut cookies = answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value);
    let cookie = cookies.find(|cookie| cookie.starts_with(beginning));
    let cookie = cookie.unwrap_or_else(|| panic!("no {beginning}: {answer}"));
    cookie.split(';').next().expect("a pair").to_owned()
}

fn refused(answer: &CurlAnswer) -> &str {
    assert_eq!(answer.status, 401, "{answer}");
    answer.header("tegata-refusal")
}
