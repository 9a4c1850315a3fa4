//! A product team puts a checkpoint in front of a product, in either of the two ways of the guide.

use serde_json::Value;
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::obtain;
use tegata_tests::{Answer, Curl, Installation, Nginx, Product, self_signed_server};

#[test]
fn behind_nginx_a_product_in_any_language_learns_who_is_there_and_nobody_else_comes_through() {
    let mut installation = Installation::start();
    let mut gate = installation.gate();
    let product = Product::behind_a_proxy();
    let nginx = Nginx::with_the_recipe(&installation, gate.port, product.port);
    let (device, other) = (installation.enroll("register-1"), installation.enroll("register-2"));
    let token = obtain(&installation, &device);

    let admitted = nginx.request("/orders?page=1").as_device(&device).bearer(&token).send().expect(200);
    let told: Value = admitted.json();
    assert_eq!(told["tegata-device"], *device.device, "{told}");
    assert_eq!(told["tegata-generation"], "1");
    let forged = nginx.request("/").as_device(&device).bearer(&token).header("tegata-device", &other.device);
    assert_eq!(
        forged.send().expect(200).json()["tegata-device"],
        *device.device,
        "only the gate's word counts"
    );

    let refused = |answer: Answer| answer.expect(401).header("tegata-refusal").to_owned();
    assert_eq!(refused(nginx.request("/").as_device(&device).send()), "G-02");
    assert_eq!(refused(nginx.request("/").bearer(&token).send()), "C-01");
    assert_eq!(refused(nginx.request("/").as_device(&other).bearer(&token).send()), "G-04");
    assert_eq!(refused(nginx.request("/").as_device(&device).bearer("nonsense").send()), "G-03");

    installation.kill();
    nginx.request("/").as_device(&device).bearer(&token).send().expect(200);
    eventually("the gate goes stale without the platform", Duration::from_secs(20), || !gate.is_deciding());
    let closed = nginx.request("/").as_device(&device).bearer(&token).send().expect(503);
    assert_eq!(closed.header("tegata-refusal"), "G-01", "it fails closed");
    installation.start_again();
    eventually("the gate decides again", Duration::from_secs(20), || gate.is_deciding());
    nginx.request("/").as_device(&device).bearer(&token).send().expect(200);

    gate.kill();
    let closed = nginx.request("/").as_device(&device).bearer(&token).send();
    assert_eq!(closed.status, 503, "a gate that is away lets nobody through");
}

#[test]
fn embedded_in_a_rust_product_the_gate_keeps_the_same_promises() {
    let installation = Installation::start();
    let folder = installation.folder("product");
    let tls_ca = self_signed_server(&folder);
    let certificate = [&*folder.join("server.pem"), &*folder.join("server.key")];
    let gate = installation.enroll_gate("embedded");
    let product = Product::with_the_gate_inside(&installation, &gate, &installation.product, certificate);
    let (device, other) = (installation.enroll("register-1"), installation.enroll("register-2"));
    let token = obtain(&installation, &device);
    let request = || Curl::to(&format!("https://localhost:{}/", product.port)).trusting(&tls_ca);

    let admitted = request().as_device(&device).bearer(&token).send().expect(200);
    assert_eq!(admitted.json()["device"], *device.device);
    let refused = |answer: Answer| answer.expect(401).problem();
    assert_eq!(refused(request().as_device(&device).send()), "G-02");
    assert_eq!(refused(request().bearer(&token).send()), "C-01");
    assert_eq!(refused(request().as_device(&other).bearer(&token).send()), "G-04");

    installation.tell(&["device", "revoke", &device.device]);
    eventually("the product refuses", Duration::from_secs(1), || {
        request().as_device(&device).bearer(&token).send().status == 401
    });
    assert_eq!(refused(request().as_device(&device).bearer(&token).send()), "C-06");
}

#[test]
fn a_token_for_another_product_is_of_no_use() {
    let installation = Installation::start();
    let gate = installation.gate_for("https://another.example");
    let product = Product::behind_a_proxy();
    let nginx = Nginx::with_the_recipe(&installation, gate.port, product.port);
    let device = installation.enroll("register-1");
    let token = obtain(&installation, &device);
    let refused = nginx.request("/").as_device(&device).bearer(&token).send().expect(401);
    assert_eq!(refused.header("tegata-refusal"), "G-03");
}
