//! Support stops a lost terminal, and every endpoint refuses it within the second.

use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use tegata_tests::openssl::{ocsp, ocsp_status, verify_with_crl};
use tegata_tests::stopwatch::{Stopwatch, eventually, report};
use tegata_tests::tokens::{introspect, obtain, request};
use tegata_tests::{
    CommandOutcome, CurlAnswer, DeviceIdentity, GateProcess, Recipe, RunningInstallation, TestProductServer,
    clients, tegata,
};

const PROMISE: Duration = Duration::from_secs(1);

/// A device that works everywhere, and everything it works with.
struct RevocationShop {
    installation: RunningInstallation,
    device: DeviceIdentity,
    token: String,
    /// Somebody else's device, to ask about tokens with.
    other: DeviceIdentity,
    nginx: Recipe,
    _gate: GateProcess,
    _product: TestProductServer,
}

impl RevocationShop {
    fn open() -> Self {
        let installation = RunningInstallation::start();
        let gate = installation.gate();
        let product = TestProductServer::behind_a_proxy();
        let nginx = Recipe::nginx(&installation, gate.port, product.port);
        let (device, other) = (installation.enroll("lost"), installation.enroll("other"));
        let token = obtain(&installation, &device);
        Self { installation, device, token, other, nginx, _gate: gate, _product: product }
    }

    fn at_product(&self) -> CurlAnswer {
        self.nginx.request("/").as_device(&self.device).bearer(&self.token).send()
    }

    fn probe(&self) -> CurlAnswer {
        self.installation.at_device("/probe").as_device(&self.device).send()
    }

    fn is_refused_at_the_product(&self) -> bool {
        self.at_product().status == 401
    }

    fn works(&self) {
        self.at_product().expect(200);
        self.probe().expect(200);
        request(&self.installation, &self.device).send().expect(200);
        assert_eq!(introspect(&self.installation, &self.device, &self.token).json()["active"], true);
        let verified = verify_with_crl(&self.installation, &self.device);
        assert_eq!(verified.code, 0, "{}", verified.said());
        assert_eq!(ocsp_status(&ocsp(&self.installation, &self.device)), "good");
    }

    /// Everywhere, with the reason of `code` where there is room for one.
    fn is_refused_everywhere(&self, code: &str) {
        let at_product = self.at_product().expect(401);
        assert_eq!(at_product.header("tegata-refusal"), code);
        let probe = self.probe().expect(401);
        assert_eq!(probe.problem(), code);
        let refused = request(&self.installation, &self.device).send().expect(401);
        assert_eq!(refused.json()["error"], "invalid_client", "RFC 6749 section 5.2");
        let other = introspect(&self.installation, &self.other, &self.token).expect(200);
        assert_eq!(other.json(), json!({ "active": false }));
        let verified = verify_with_crl(&self.installation, &self.device);
        assert!(verified.said().contains("certificate revoked"), "{}", verified.said());
        assert_eq!(ocsp_status(&ocsp(&self.installation, &self.device)), "revoked");
    }

    fn command(&self, verb: &str) -> Value {
        self.installation.act_on(&self.device.device, verb)
    }
}

#[test]
fn a_revoked_device_is_refused_everywhere_within_a_second_of_the_answer() {
    let shop = RevocationShop::open();
    shop.works();

    let clicked = Stopwatch::start();
    let receipts = shop.command("revoke");
    let answered = Stopwatch::start();
    let command = clicked.millis();
    eventually("the gate refuses", PROMISE, || shop.is_refused_at_the_product());
    let refused = answered.millis();
    report(&format!(
        "token → gate 200 → revoke, answered after {command:.0} ms → gate 401 {refused:.0} ms later"
    ));
    report(&format!("receipts of the revocation: {receipts}"));
    shop.is_refused_everywhere("C-06");

    let again = shop.installation.command(&["device", "resume", &shop.device.device]);
    assert_ne!(again.code, 0, "a revocation is for ever: {}", again.said());
    shop.is_refused_everywhere("C-06");
}

#[test]
fn a_suspended_device_is_refused_everywhere_and_can_be_resumed() {
    let shop = RevocationShop::open();
    shop.command("suspend");
    eventually("the gate refuses", PROMISE, || shop.is_refused_at_the_product());
    shop.is_refused_everywhere("C-07");

    shop.command("resume");
    eventually("the gate admits again", PROMISE, || shop.at_product().status == 200);
    shop.works();
}

#[test]
fn a_suspended_tenants_devices_are_refused_everywhere_and_no_others() {
    let shop = RevocationShop::open();
    let installation = &shop.installation;
    installation.tell(&["tenant", "add", "みどり薬局"]);
    let site = installation.tell(&["site", "add", "駅前店", "--tenant", "みどり薬局"]);
    let site = site["site"].as_str().expect("its identifier");
    let invitation = installation.tell(&["invite", "--site", site]);
    let neighbor =
        DeviceIdentity::enroll(installation, invitation["url"].as_str().expect("a link"), "neighbor");
    let neighbors = obtain(installation, &neighbor);
    let neighbor_passes = || {
        let passed = shop.nginx.request("/").as_device(&neighbor).bearer(&neighbors).send().status == 200;
        passed && request(installation, &neighbor).send().status == 200
    };
    assert!(neighbor_passes());
    let waiting = installation.tell(&["invite", "--site", "本店"]);

    let receipts = installation.tell(&["tenant", "suspend", "あおば薬局グループ"]);
    report(&format!("receipts of the tenant's suspension: {receipts}"));
    assert!(receipts["receipts"].as_array().is_some_and(|receipts| receipts.len() >= 2), "{receipts}");
    eventually("the gate refuses", PROMISE, || shop.is_refused_at_the_product());
    assert_eq!(shop.at_product().expect(401).header("tegata-refusal"), "C-07");
    assert_eq!(shop.probe().expect(401).problem(), "C-07");
    request(installation, &shop.device).send().expect(401);
    introspect(installation, &shop.other, &shop.token).expect(401);
    let of_others = introspect(installation, &neighbor, &shop.token).expect(200);
    assert_eq!(of_others.json(), json!({ "active": false }));
    eventually("the list has it", PROMISE, || {
        verify_with_crl(installation, &shop.device).said().contains("certificate revoked")
    });
    assert_eq!(ocsp_status(&ocsp(installation, &shop.device)), "revoked");
    let mut enrolling = Command::new(tegata());
    enrolling
        .args(["enroll", waiting["url"].as_str().expect("a link"), "--tls-ca"])
        .arg(&installation.tls_ca);
    enrolling.arg("--out").arg(installation.folder("late"));
    let refused = CommandOutcome::of(&mut enrolling);
    assert!(refused.said().contains("C-13"), "{}", refused.said());
    let shown = installation.tell(&["device", "show", &shop.device.device]);
    assert_eq!((&shown["state"], &shown["tenant_state"]), (&json!("active"), &json!("suspended")));
    assert!(neighbor_passes());
    let sound = installation.command(&["check"]);
    assert_eq!(sound.code, 0, "{}", sound.said());

    installation.tell(&["tenant", "resume", "あおば薬局グループ"]);
    eventually("the gate admits again", PROMISE, || shop.at_product().status == 200);
    eventually("the list has let go", PROMISE, || verify_with_crl(installation, &shop.device).code == 0);
    shop.works();
    assert_ne!(installation.command(&["tenant", "resume", "あおば薬局グループ"]).code, 0, "it is at work");
}

#[test]
fn a_signed_out_device_loses_its_tokens_everywhere_not_its_certificate() {
    let shop = RevocationShop::open();
    let others = obtain(&shop.installation, &shop.other);
    let passes =
        |device: &DeviceIdentity, token: &str| shop.nginx.request("/").as_device(device).bearer(token).send();
    let receipts = shop.command("revoke-tokens");
    report(&format!("receipts of signing out: {receipts}"));
    eventually("the gate refuses", PROMISE, || shop.is_refused_at_the_product());
    assert_eq!(shop.at_product().expect(401).header("tegata-refusal"), "G-05");
    assert_eq!(introspect(&shop.installation, &shop.device, &shop.token).json(), json!({ "active": false }));
    shop.probe().expect(200);
    passes(&shop.other, &others).expect(200);
    let again = obtain(&shop.installation, &shop.device);
    passes(&shop.device, &again).expect(200);

    shop.installation.tell(&["tenant", "revoke-tokens", "あおば薬局グループ"]);
    eventually("the gate refuses", PROMISE, || passes(&shop.other, &others).status == 401);
    passes(&shop.device, &again).expect(401);
    let shown = shop.installation.tell(&["device", "show", &shop.device.device]);
    assert!(shown["tokens_denied_before"].is_string(), "{shown}");
    for before in ["2099-01-01T00:00:00Z", "yesterday"] {
        let refused =
            shop.installation.command(&["device", "revoke-tokens", &shop.device.device, "--before", before]);
        assert_eq!(refused.code, 2, "{}", refused.said());
    }
    let sound = shop.installation.command(&["check"]);
    assert_eq!(sound.code, 0, "{}", sound.said());
}

#[test]
fn a_connection_held_open_over_the_revocation_ends_within_the_second() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("held");
    let seen = clients::run(
        "held-connection.mjs",
        &json!({
            "origin": installation.device,
            "cert": device.file("chain.pem"),
            "key": device.file("key.pem"),
            "ca": installation.tls_ca,
            "revoke": installation.command_line(&["device", "revoke", "--yes", &device.device]),
        }),
    );
    assert_eq!(seen["before"], 200, "{seen}");
    assert_eq!((&seen["http2"], &seen["http1"]), (&json!("closed"), &json!("closed")), "{seen}");
    assert_eq!(seen["resumed"], false, "no TLS session outlives its handshake: {seen}");
    assert_eq!(seen["resuming"], 401, "{seen}");
}
