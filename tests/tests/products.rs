//! A product team copies a recipe of `docs/recipes/products`: their product keeps what a gate promises, or knows its gate,
//! and says why it refuses.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tegata_core::Thumbprint;
use tegata_tests::forgery::{Spelling, posing_as};
use tegata_tests::tokens::{self, obtain, signed};
use tegata_tests::{
    CurlAnswer, DeviceIdentity, ProductLanguage, Recipe, RunningInstallation, clients, openssl, run,
};

const ANOTHER: &str = "https://another.example";

#[test]
fn a_product_in_typescript_lets_nobody_through_whom_a_gate_would_refuse() {
    keeps_its_promises(ProductLanguage::TypeScript);
}

#[test]
fn a_product_in_python_lets_nobody_through_whom_a_gate_would_refuse() {
    keeps_its_promises(ProductLanguage::Python);
}

#[test]
fn a_product_in_go_lets_nobody_through_whom_a_gate_would_refuse() {
    keeps_its_promises(ProductLanguage::Go);
}

#[test]
fn a_product_in_java_lets_nobody_through_whom_a_gate_would_refuse() {
    keeps_its_promises(ProductLanguage::Java);
}

fn keeps_its_promises(language: ProductLanguage) {
    let mut installation = with_two_products();
    let product = Recipe::product(&installation, language);
    let (device, other) = (installation.enroll("register-1"), installation.enroll("register-2"));
    let token = obtain(&installation, &device);

    let told: Value = product.request("/").as_device(&device).bearer(&token).send().expect(200).json();
    assert_eq!((&told["device"], &told["generation"]), (&json!(device.device), &json!(1)), "{told}");
    everybody_else_is_refused(&installation, &product, &device, &other, &token);
    revocation_bites_on_a_connection_that_is_open(&installation, &product, &device, &token);
    let stopped = product.request("/").as_device(&device).bearer(&token).send();
    is_told(&product, &stopped, BAD_TOKEN, "the access token, its device or its certificate was stopped");

    let live = obtain(&installation, &other);
    let request = || product.request("/").as_device(&other).bearer(&live);
    request().send().expect(200);
    installation.kill();
    let unavailable = request().send();
    is_told(&product, &unavailable, UNAVAILABLE, "the platform cannot be asked");
    assert_eq!(unavailable.header("retry-after"), "1");
    for secret in [&token, &live] {
        let signature = secret.rsplit('.').next().expect("a signature");
        assert!(!product.log().contains(signature), "no token in the log");
    }
}

/// All four, one after the other: the platform is the same to each.
#[test]
fn a_product_behind_a_gate_knows_its_own_gates_assertion_and_no_other() {
    let installation = RunningInstallation::start();
    let (gate, another) = (installation.enroll_gate("before"), installation.enroll_gate("another"));
    for language in
        [ProductLanguage::TypeScript, ProductLanguage::Python, ProductLanguage::Go, ProductLanguage::Java]
    {
        let product = Recipe::product_behind(&installation, language, &uri(&gate));
        knows_its_gate(&installation, &product, &gate, &another);
    }
}

fn knows_its_gate(
    installation: &RunningInstallation,
    product: &Recipe,
    gate: &DeviceIdentity,
    another: &DeviceIdentity,
) {
    let with =
        |assertion: &str| product.request("/stock%2F1?from=2").header("Tegata-Assertion", assertion).send();
    let made = |change: &dyn Fn(&mut Value)| assertion(installation, gate, change);
    let good = made(&|_| ());
    assert_eq!(with(&good).expect(200).json()["device"], "register-1");
    let missing = product.request("/").header("Tegata-Device", "register-1").send();
    let why = "Tegata-Assertion is missing: the request did not pass the gate, or the proxy drops the header";
    is_told(product, &missing, BAD_ASSERTION, why);
    for (refused, why) in [
        (forged(&good), "is signed by no present key"),
        ("nonsense".to_owned(), "is malformed or of another type"),
        (assertion(installation, another, &|_| ()), "is of another issuer"),
        (made(&|claims| claims["aud"] = ANOTHER.into()), "is for another product"),
        (made(&|claims| between(claims, -120, -60)), "has expired"),
        (made(&|claims| claims["path"] = "/other".into()), "is for another request"),
        (made(&|claims| claims["htm"] = "POST".into()), "is for another request"),
    ] {
        is_told(product, &with(&refused), BAD_ASSERTION, &format!("Tegata-Assertion {why}"));
    }
}

/// What this gate would say about a request of a device, but for a change.
fn assertion(
    installation: &RunningInstallation,
    gate: &DeviceIdentity,
    change: &dyn Fn(&mut Value),
) -> String {
    let certificate = CertificateDer::from_pem_file(gate.file("cert.pem")).expect("a certificate");
    let header = json!({ "typ": "tegata-assertion+jwt", "alg": "ES256", "kid": Thumbprint::of(&certificate).to_string() });
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    let mut claims = json!({
        "iss": uri(gate), "aud": installation.product, "iat": now, "exp": now + 60, "jti": "once",
        "sub": "device:register-1", "device": "register-1", "tenant": "t", "site": "s", "generation": 1,
        "htm": "GET", "path": "/stock%2F1",
    });
    change(&mut claims);
    signed(Path::new(&gate.file("key.pem")), &header, &claims)
}

/// The name of a gate.
fn uri(gate: &DeviceIdentity) -> String {
    let text = openssl::text(&gate.file("cert.pem"));
    let (_, names) = text.split_once("Subject Alternative Name").expect("names");
    openssl::url_after(names, "URI:")
}

fn with_two_products() -> RunningInstallation {
    let mut installation = RunningInstallation::start();
    let config = installation.data().join("tegata.toml");
    let mut config = OpenOptions::new().append(true).open(config).expect("the configuration");
    writeln!(config, "\n[[product]]\naudience = \"{ANOTHER}\"").expect("one more product");
    installation.start_again();
    installation
}

fn everybody_else_is_refused(
    installation: &RunningInstallation,
    product: &Recipe,
    device: &DeviceIdentity,
    other: &DeviceIdentity,
    token: &str,
) {
    let request = || product.request("/");
    let nothing = request().as_device(device).send();
    is_told(product, &nothing, (401, ""), "no access token");
    assert_eq!(nothing.header("www-authenticate"), "Bearer");
    let for_another = tokens::request_for(installation, device, ANOTHER).send().expect(200);
    let for_another = for_another.json()["access_token"].as_str().expect("a token").to_owned();
    let key = token_key(installation);
    let made = |change: &dyn Fn(&mut Value, &mut Value)| {
        let (mut header, mut claims) = (tokens::header(token), tokens::payload(token));
        change(&mut header, &mut claims);
        signed(&key, &header, &claims)
    };
    let malformed = "the access token is malformed or of another type";
    let none = "no client certificate on the connection: does a proxy before the product end TLS?";
    let with = |token: &str| request().as_device(device).bearer(token);
    for (refused, why) in [
        (request().bearer(token), none),
        (posing_as(device, request().bearer(token), Spelling::Usual), none),
        (
            request().as_device(other).bearer(token),
            "the access token is bound to another certificate than the connection's",
        ),
        (with(&made(&|_, claims| claims["cnf"] = json!({}))), "the access token is bound to no certificate"),
        (with("nonsense"), malformed),
        (with("e30.e30."), malformed),
        (with("W1tbW1tbW1tbW1tbW1tbW1tb.e30.AAAA"), malformed),
        (with(&made(&|header, _| header["typ"] = "JWT".into())), malformed),
        (with(&forged(token)), "the access token is signed by no present key"),
        (
            with(&made(&|header, _| header["kid"] = "x".into())),
            "the access token is signed by no present key",
        ),
        (with(&for_another), "the access token is for another product"),
        (with(&made(&|_, claims| claims["iss"] = ANOTHER.into())), "the access token is of another issuer"),
        (with(&made(&|_, claims| between(claims, -600, -60))), "the access token has expired"),
        (
            with(&made(&|_, claims| between(claims, 60, 300))),
            "the access token is not valid yet: compare the clocks",
        ),
    ] {
        is_told(product, &refused.send(), BAD_TOKEN, why);
    }
    with(&made(&|_, _| ())).send().expect(200);
}

fn revocation_bites_on_a_connection_that_is_open(
    installation: &RunningInstallation,
    product: &Recipe,
    device: &DeviceIdentity,
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

/// The key that the installation signs tokens with, opened by openssl.
fn token_key(installation: &RunningInstallation) -> PathBuf {
    let path = |name: &str| installation.data().join(name).display().to_string();
    let opened = installation.folder("opened").join("token.pem");
    let unlock = format!("file:{}", path("unlock.key"));
    let out = opened.display().to_string();
    let sealed = installation.folder("sealed").join("token.pem").display().to_string();
    let script = "import sqlite3, sys
(key,) = sqlite3.connect(sys.argv[1]).execute('SELECT sealed_key FROM token_key').fetchone()
open(sys.argv[2], 'w').write(key)";
    run("python3", &["-c", script, &path("ledger.db"), &sealed]);
    run("openssl", &["pkey", "-in", &sealed, "-passin", &unlock, "-out", &out]);
    opened
}

/// A token with these claims and a signature that no known key made.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{first}{}", &signature[1..])
}

/// Issued and ended so many seconds after it really was issued, a moment ago.
fn between(claims: &mut Value, issued: i64, ends: i64) {
    let now = claims["iat"].as_i64().expect("a time");
    claims["iat"] = (now + issued).into();
    claims["exp"] = (now + ends).into();
}

/// Status and `error`.
type ProductKind = (u16, &'static str);
const BAD_TOKEN: ProductKind = (401, "invalid_token");
const BAD_ASSERTION: ProductKind = (400, "invalid_request");
const UNAVAILABLE: ProductKind = (503, "temporarily_unavailable");

/// In the body, in the challenge where there is one with a code, and in one line of the log.
fn is_told(product: &Recipe, answer: &CurlAnswer, (status, error): ProductKind, why: &str) {
    assert_eq!(answer.status, status, "{why}: {answer}");
    let told: Value = answer.json();
    assert_eq!(told["error_description"], why);
    assert_eq!(told["error"].as_str().unwrap_or_default(), error, "{told}");
    if status != 503 && !error.is_empty() {
        let challenge = format!("Bearer error=\"{error}\", error_description=\"{why}\"");
        assert_eq!(answer.header("www-authenticate"), challenge);
    }
    let log = product.log();
    let line = log.lines().last().unwrap_or_default();
    assert!(line.contains(&format!("refused status={status} ")) && line.contains(why), "{line}");
}
