//! A product team copies a recipe of `docs/recipes/products`: their library and introspection keep what a gate promises.

use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use tegata_tests::forgery::{Spelling, posing_as};
use tegata_tests::tokens::{self, obtain};
use tegata_tests::{Answer, Identity, Installation, Recipe, clients};

const ANOTHER: &str = "https://another.example";

#[test]
fn a_product_in_typescript_lets_nobody_through_whom_a_gate_would_refuse() {
    keeps_its_promises(Recipe::typescript);
}

#[test]
fn a_product_in_python_lets_nobody_through_whom_a_gate_would_refuse() {
    keeps_its_promises(Recipe::python);
}

fn keeps_its_promises(start: fn(&Installation) -> Recipe) {
    let mut installation = with_two_products();
    let product = start(&installation);
    let (device, other) = (installation.enroll("register-1"), installation.enroll("register-2"));
    let token = obtain(&installation, &device);

    let told: Value = product.request("/").as_device(&device).bearer(&token).send().expect(200).json();
    assert_eq!((&told["device"], &told["generation"]), (&json!(device.device), &json!(1)), "{told}");
    everybody_else_is_refused(&installation, &product, &device, &other, &token);
    revocation_bites_on_a_connection_that_is_open(&installation, &product, &device, &token);

    let token = obtain(&installation, &other);
    let request = || product.request("/").as_device(&other).bearer(&token);
    request().send().expect(200);
    installation.kill();
    assert_eq!(request().send().status, 503, "nobody passes while the platform cannot be asked");
}

fn with_two_products() -> Installation {
    let mut installation = Installation::start();
    let config = installation.data().join("tegata.toml");
    let mut config = OpenOptions::new().append(true).open(config).expect("the configuration");
    writeln!(config, "\n[[product]]\naudience = \"{ANOTHER}\"").expect("one more product");
    installation.start_again();
    installation
}

fn everybody_else_is_refused(
    installation: &Installation,
    product: &Recipe,
    device: &Identity,
    other: &Identity,
    token: &str,
) {
    let request = || product.request("/");
    assert_eq!(challenge(&request().as_device(device).send()), "Bearer");
    let for_another = tokens::request_for(installation, device, ANOTHER).send().expect(200);
    let for_another = for_another.json()["access_token"].as_str().expect("a token").to_owned();
    for (refused, why) in [
        (request().bearer(token), "no certificate"),
        (request().as_device(other).bearer(token), "a stolen token"),
        (posing_as(device, request().bearer(token), Spelling::Usual), "a certificate in a header"),
        (request().as_device(device).bearer("nonsense"), "no token at all"),
        (request().as_device(device).bearer(&forged(token)), "a forged signature"),
        (request().as_device(device).bearer(&for_another), "a token for another product"),
    ] {
        let answer = refused.send();
        assert!(challenge(&answer).contains("invalid_token"), "{why}: {answer}");
    }
}

fn revocation_bites_on_a_connection_that_is_open(
    installation: &Installation,
    product: &Recipe,
    device: &Identity,
    token: &str,
) {
    let seen = clients::run(
        "kept-connection.mjs",
        &json!({
            "url": format!("{}/", product.origin),
            "headers": { "authorization": format!("Bearer {token}") },
            "cert": device.file("chain.pem"),
            "key": device.file("key.pem"),
            "ca": product.tls_ca,
            "act": installation.command_line(&["device", "revoke", "--yes", &device.device]),
        }),
    );
    assert_eq!(
        (&seen["before"], &seen["kept"], &seen["after"]),
        (&json!(200), &json!(true), &json!(401)),
        "{seen}"
    );
    assert_eq!(seen["resumed"], json!({"TLSv1.2": false, "TLSv1.3": false}), "nobody is let in unverified");
}

/// The same claims under a signature of nobody's.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let signature: String = signature.chars().rev().collect();
    format!("{signed}.{signature}")
}

fn challenge(answer: &Answer) -> &str {
    assert_eq!(answer.status, 401, "{answer}");
    answer.header("www-authenticate")
}
