//! Whoever copies a recipe of `docs/recipes` gets what the guide promises, behind the real proxy.

use serde_json::{Value, json};
use std::time::Duration;
use tegata_tests::forgery::{FORGED, Spelling, posing_as, pretending};
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::obtain;
use tegata_tests::{Answer, GateProcess, Identity, Installation, Product, Recipe, clients};

#[test]
fn nginx_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (Installation::start(), Product::behind_a_proxy());
    let gate = installation.gate();
    let proxy = Recipe::nginx(&installation, gate.port, product.port);
    Checkpoint { installation, gate, proxy, without_gate: 503 }.keeps_its_promises();
}

#[test]
fn haproxy_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (Installation::start(), Product::behind_a_proxy());
    let gate = installation.gate_before(product.port, "rfc9440");
    let proxy = Recipe::haproxy(&installation, gate.port);
    Checkpoint { installation, gate, proxy, without_gate: 503 }.keeps_its_promises();
}

#[test]
fn traefik_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (Installation::start(), Product::behind_a_proxy());
    let gate = installation.gate_reading("traefik");
    let proxy = Recipe::traefik(&installation, gate.port, product.port);
    Checkpoint { installation, gate, proxy, without_gate: 500 }.keeps_its_promises();
}

#[test]
fn caddy_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (Installation::start(), Product::behind_a_proxy());
    let gate = installation.gate_reading("rfc9440");
    let proxy = Recipe::caddy(&installation, gate.port, product.port);
    Checkpoint { installation, gate, proxy, without_gate: 502 }.keeps_its_promises();
}

#[test]
fn envoy_lets_nobody_through_whom_the_gate_refuses() {
    let (installation, product) = (Installation::start(), Product::behind_a_proxy());
    let gate = installation.gate_reading("envoy");
    let proxy = Recipe::envoy(&installation, gate.port, product.port);
    Checkpoint { installation, gate, proxy, without_gate: 503 }.keeps_its_promises();
}

/// A product behind a proxy and a gate.
struct Checkpoint {
    installation: Installation,
    gate: GateProcess,
    proxy: Recipe,
    /// How the proxy answers when the gate is gone.
    without_gate: u16,
}

impl Checkpoint {
    fn keeps_its_promises(mut self) {
        let (device, other) =
            (self.installation.enroll("register-1"), self.installation.enroll("register-2"));
        let token = obtain(&self.installation, &device);
        self.product_learns_who_is_there(&device, &token);
        self.everybody_else_reads_why(&device, &other, &token);
        self.no_header_stands_for_a_certificate(&device, &other, &token);
        self.revocation_bites_on_a_connection_that_is_open(&device, &token);
        self.gate_that_is_away_lets_nobody_through(&other);
    }

    fn product_learns_who_is_there(&self, device: &Identity, token: &str) {
        let request = || self.proxy.request("/orders?page=1").as_device(device).bearer(token);
        let told: Value = request().send().expect(200).json();
        assert_eq!(told["tegata-device"], *device.device, "{told}");
        assert_eq!(told["tegata-generation"], "1");
        for spelling in Spelling::ALL {
            let told: Value = pretending(request(), spelling).send().expect(200).json();
            assert_eq!(told["tegata-device"], *device.device, "only the gate's word counts: {told}");
            assert!(!told.to_string().contains(FORGED), "{spelling:?}: {told}");
        }
        let posted = self.proxy.request("/orders").as_device(device).bearer(token).json(&json!({"a": 1}));
        posted.send().expect(200);
    }

    fn everybody_else_reads_why(&self, device: &Identity, other: &Identity, token: &str) {
        let request = || self.proxy.request("/");
        assert_eq!(refused(&request().as_device(device).send()), "G-02");
        assert_eq!(refused(&request().bearer(token).send()), "C-01");
        assert_eq!(refused(&request().as_device(other).bearer(token).send()), "G-04");
        assert_eq!(refused(&request().as_device(device).bearer("nonsense").send()), "G-03");
        let in_query = self.proxy.request("/?access_token=x").as_device(device).bearer(token);
        assert_eq!(refused(&in_query.send()), "G-03");
        let challenge = request().as_device(other).bearer(token).send();
        assert!(challenge.header("www-authenticate").contains("invalid_token"), "{challenge}");
    }

    /// Somebody has stolen a token, knows the certificate it is bound to, and writes it into every header there is.
    fn no_header_stands_for_a_certificate(&self, device: &Identity, other: &Identity, token: &str) {
        for spelling in Spelling::ALL {
            let forged = |request| posing_as(device, request, spelling).send();
            let anonymous = forged(self.proxy.request("/").bearer(token));
            let stranger = forged(self.proxy.request("/").as_device(other).bearer(token));
            assert_eq!(refused(&anonymous), "C-01", "{spelling:?}");
            assert_eq!(refused(&stranger), "G-04", "{spelling:?}");
        }
    }

    fn revocation_bites_on_a_connection_that_is_open(&self, device: &Identity, token: &str) {
        let seen = clients::run(
            "kept-connection.mjs",
            &json!({
                "url": format!("{}/", self.proxy.origin),
                "headers": { "authorization": format!("Bearer {token}") },
                "cert": device.file("chain.pem"),
                "key": device.file("key.pem"),
                "ca": self.proxy.tls_ca,
                "act": self.installation.command_line(&["device", "revoke", &device.device]),
            }),
        );
        assert_eq!((&seen["before"], &seen["kept"]), (&json!(200), &json!(true)), "{seen}");
        assert_eq!((&seen["after"], &seen["refusal"]), (&json!(401), &json!("C-06")), "{seen}");
        assert_eq!(
            seen["resumed"],
            json!({"TLSv1.2": false, "TLSv1.3": false}),
            "nobody is let in unverified"
        );
    }

    fn gate_that_is_away_lets_nobody_through(&mut self, other: &Identity) {
        let token = obtain(&self.installation, other);
        let request = || self.proxy.request("/").as_device(other).bearer(&token);
        request().send().expect(200);
        self.gate.kill();
        eventually("nobody passes", Duration::from_secs(5), || request().send().status == self.without_gate);
    }
}

fn refused(answer: &Answer) -> &str {
    assert_eq!(answer.status, 401, "{answer}");
    answer.header("tegata-refusal")
}
