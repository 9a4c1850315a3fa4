//! Pharmacists work in browsers: a device is enrolled, a person signs in, and products behind a gate with sessions know both.

use serde_json::{Value, json};
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{
    Browser, Curl, DeviceIdentity, GateProcess, Recipe, RunningInstallation, WebApplication, clients, ports,
    totp,
};

const PASSWORD: &str = "むかしむかし、あるところに";

/// An installation whose product is at these ports, with one person, and her setup link.
fn open(ports: &[u16]) -> (RunningInstallation, String) {
    let mut installation = RunningInstallation::start();
    installation.serve_product_at(ports);
    let added = installation.tell(&[
        "person",
        "add",
        "--login",
        "sato",
        "--name",
        "佐藤 花子",
        "--role",
        "staff",
        "--site",
        "本店",
    ]);
    let setup = added["setup"].as_str().expect("a setup link").to_owned();
    (installation, setup)
}

/// Enrolls the device and sets the account up: recovery codes.
fn prepare(browser: &mut Browser, installation: &RunningInstallation, setup: &str) -> Vec<String> {
    browser.enroll(&installation.invitation);
    set_up(browser, setup)
}

fn set_up(browser: &mut Browser, setup: &str) -> Vec<String> {
    browser.go(setup);
    browser.see("#setup");
    let secret = browser.text("#totp-secret");
    browser.type_in("#password", PASSWORD);
    browser.type_in("#again", PASSWORD);
    browser.type_in("#totp-code", &totp::code(&secret, 0));
    browser.click("#setup button[type=submit]");
    browser.see("#recovery");
    browser.text("#recovery .codes").split_whitespace().map(str::to_owned).collect()
}

fn sign_in(browser: &mut Browser, code: &str) {
    browser.see("#sign-in");
    browser.type_in("#login", "sato");
    browser.type_in("#password", PASSWORD);
    browser.type_in("#totp-code", code);
    browser.click("#sign-in button[type=submit]");
}

#[test]
fn a_person_signs_in_reaches_the_product_and_is_out_with_the_device() {
    let [application, port] = [ports::free(), ports::free()];
    let (installation, setup) = open(&[port]);
    let gate = installation.gate_for_browsers(application, port);
    let product = Recipe::web_application(&installation, WebApplication::Express, &gate.uri, application);
    let mut browser = Browser::open_for_gate(&installation, port);
    let codes = prepare(&mut browser, &installation, &setup);

    let page = format!("https://localhost:{port}/stock?page=2&q=%E8%96%AC");
    browser.go(&page);
    sign_in(&mut browser, &codes[0]);
    browser.see("#person");
    assert_eq!(browser.address(), page, "the very page that was asked for");
    let person = browser.text("#person");
    assert!(person.starts_with("person:") && person.len() == 50, "{person}");
    browser.picture("product-through-the-gate");
    signing_out(&mut browser, &page, &codes[1]);
    let device = browser.text("#device");
    installation.tell(&["device", "revoke", "--yes", &device]);
    eventually("the product is out of reach", Duration::from_secs(1), || {
        browser.go(&page);
        browser.text("main").contains("C-06")
    });
    browser.picture("product-refused");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    for log in [installation.log(), gate.log(), product.log()] {
        assert!(!log.contains("佐藤") && !log.contains("__Host-") && !log.contains("?code="), "{log}");
    }
}

#[test]
fn a_person_with_firefox_reaches_the_product_and_is_out_with_the_device() {
    let [application, port] = [ports::free(), ports::free()];
    let (installation, setup) = open(&[port]);
    let gate = installation.gate_for_browsers(application, port);
    let _product = Recipe::web_application(&installation, WebApplication::Express, &gate.uri, application);
    let mut browser = Browser::open_firefox_for_gate(&installation);
    browser.go(&installation.invitation);
    browser.reach("ready");
    browser.click("#start");
    let file = browser.download();
    browser.reach("install");
    let password = browser.text("#password");
    browser.import(&file.path, &password);
    let serial = only_serial(&installation);
    browser.present(&serial);
    browser.reach("done");
    let codes = set_up(&mut browser, &setup);

    let page = format!("https://localhost:{port}/stock");
    browser.go(&page);
    // At the gate. Firefox keeps the choice for a host, whatever the port, so it does not ask where people sign in.
    browser.present(&serial);
    sign_in(&mut browser, &codes[0]);
    browser.see("#person");
    assert_eq!(browser.address(), page);
    let device = browser.text("#device");
    installation.tell(&["device", "revoke", "--yes", &device]);
    eventually("the product is out of reach", Duration::from_secs(1), || {
        browser.go(&page);
        browser.text("main").contains("C-06")
    });
    browser.picture("firefox-product-refused");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The serial number of the certificate of the only device.
fn only_serial(installation: &RunningInstallation) -> String {
    let listed = installation.listed(&["device", "list"]);
    let devices = listed.as_array().expect("devices").iter();
    let devices = devices.map(|device| device["device"].as_str().expect("a device"));
    let mut shown = devices.map(|device| installation.tell(&["device", "show", device]));
    let device = shown.find(|shown| shown["role"] == "device").expect("a device");
    device["certificates"][0]["serial"].as_str().expect("a serial number").to_owned()
}

/// At the product, at the platform, and at every other product; in both languages.
fn signing_out(browser: &mut Browser, page: &str, code: &str) {
    browser.click("#sign-out");
    browser.see("form button");
    browser.picture("gate-sign-out");
    let sign_out = browser.address();
    browser.go(&format!("{sign_out}?lang=en"));
    browser.picture("gate-sign-out-english");
    browser.go(&sign_out);
    browser.click("form button");
    eventually("the person has signed out", Duration::from_secs(10), || {
        browser.address().ends_with("/.tegata/signed-out")
    });
    browser.picture("gate-signed-out");
    let signed_out = browser.address();
    browser.go(&format!("{signed_out}?lang=en"));
    browser.picture("gate-signed-out-english");
    browser.go(page);
    sign_in(browser, code);
    browser.see("#person");
}

#[test]
fn nginx_asks_a_gate_with_sessions_before_a_web_application() {
    let [application, port] = [ports::free(), ports::free()];
    let (installation, setup) = open(&[port]);
    let gate = installation.gate_asked_for_browsers(port);
    let _product = Recipe::web_application(&installation, WebApplication::MovingOver, &gate.uri, application);
    let nginx = Recipe::nginx_with_sessions(&installation, gate.port, application, port);
    let mut browser = Browser::open_for_gate(&installation, port);
    let codes = prepare(&mut browser, &installation, &setup);

    // An application that moves over: signed in at the platform, and once more as before.
    browser.go(&format!("{}/stock", nginx.origin));
    sign_in(&mut browser, &codes[0]);
    browser.see("#login");
    assert_eq!(browser.address(), format!("{}/stock", nginx.origin));
    for (password, known) in [("wrong", false), ("old-password", true)] {
        browser.type_in("#login", "hanako");
        browser.type_in("#password", password);
        browser.click("form button");
        browser.see(if known { "#welcome" } else { "#problem" });
    }
    browser.go(&format!("{}/", nginx.origin));
    browser.see("#welcome");
    assert_eq!(browser.text("#welcome"), "佐藤 花子さん");

    let shown = installation.tell(&["person", "show", "sato"]);
    assert_eq!(shown["sessions"].as_array().map(Vec::len), Some(1));
    installation.tell(&["person", "sign-out", "sato"]);
    eventually("she is signed out at the product", Duration::from_secs(1), || {
        browser.go(&format!("{}/", nginx.origin));
        browser.shows("#sign-in")
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
    programs_behind_nginx_read_codes(&installation, &nginx);
}

/// Whoever is no browser that opens a page is led nowhere.
fn programs_behind_nginx_read_codes(installation: &RunningInstallation, nginx: &Recipe) {
    let device = installation.enroll("register-2");
    let fetched = nginx.request("/api").as_device(&device).send().expect(401);
    assert_eq!(fetched.problem(), "G-20");
    assert_eq!(nginx.request("/api").send().expect(401).problem(), "C-01");
    let navigated =
        nginx.request("/a?b=c").as_device(&device).header("accept", "text/html").send().expect(303);
    assert!(navigated.header("location").starts_with(&format!("{}/authorize?", installation.device)));
    assert!(navigated.header("set-cookie").starts_with("__Host-tegata-sign-in-"));
    let long = format!("/?q={}", "x".repeat(1900));
    nginx.request(&long).as_device(&device).header("accept", "text/html").send().expect(303);
}

#[test]
fn fastapi_and_express_know_the_person_whom_a_standard_client_signed_in() {
    let [application, port] = [ports::free(), ports::free()];
    let (installation, setup) = open(&[port]);
    let device = installation.enroll("register-1");
    let gate = installation.gate_for_browsers(application, port);
    let mut told = Vec::new();
    for kind in [WebApplication::FastApi, WebApplication::Express] {
        let product = Recipe::web_application(&installation, kind, &gate.uri, application);
        let setup = if told.is_empty() { setup.as_str() } else { "" };
        let claims = visit(&installation, &device, port, setup);
        assert!(claims["sub"].as_str().is_some_and(|sub| sub.starts_with("person:")), "{claims}");
        assert_eq!(
            (&claims["device"], &claims["acr"]),
            (&json!(device.device), &json!("urn:tegata:acr:mfa"))
        );
        assert!(claims["auth_time"].is_number() && claims["amr"].is_array(), "{claims}");
        Curl::to(&format!("{}/api/me", product.origin)).send().expect(401);
        let forged = Curl::to(&format!("{}/api/me", product.origin)).header("tegata-assertion", "x.y.z");
        forged.send().expect(401);
        told.push(claims["sub"].clone());
    }
    assert_eq!(told[0], told[1], "one person has one name");
}

/// What `/api/me` tells a person who comes by the whole way, without a browser's help.
fn visit(installation: &RunningInstallation, device: &DeviceIdentity, port: u16, setup: &str) -> Value {
    let servers = [&installation.tls_ca, &installation.front().join("ca.pem")]
        .map(|ca| std::fs::read(ca).expect("a CA"));
    let ca = installation.folder("servers").join("ca.pem");
    std::fs::write(&ca, servers.concat()).expect("a file");
    let question = json!({
        "device": { "cert": device.file("chain.pem"), "key": device.file("key.pem"), "ca": ca },
        "product": format!("https://localhost:{port}/api/me"),
        "setup": setup,
        "login": "sato",
        "password": PASSWORD,
        "codes": installation.folder("codes").join("left"),
    });
    clients::run("product-visitor.mjs", &question)
}

#[test]
fn a_page_without_a_backend_asks_the_token_endpoint_from_its_own_origin() {
    let port = ports::free();
    let (installation, setup) = open(&[]);
    let origin = format!("http://localhost:{port}");
    let product = installation.product.clone();
    let redirect = format!("{origin}/");
    let page = [
        "client",
        "add",
        "stock-page",
        "--auth",
        "none",
        "--grant",
        "authorization_code",
        "--scope",
        "profile",
    ];
    let where_ = ["--audience", &product, "--redirect-uri", &redirect, "--origin", &origin];
    installation.tell(&[&page[..], &where_].concat());
    let page = Recipe::page(&installation, port);
    let mut browser = Browser::open(&installation);
    let codes = prepare(&mut browser, &installation, &setup);
    browser.go(&format!("{}/", page.origin));
    sign_in(&mut browser, &codes[0]);
    eventually("the page knows her", Duration::from_secs(10), || browser.text("#told") == "佐藤 花子");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    only_registered_origins_may_ask(&installation, &origin);
}

/// Browsers ask beforehand, without the certificate; strangers are told nothing.
fn only_registered_origins_may_ask(installation: &RunningInstallation, origin: &str) {
    let preflight = |path: &str, origin: &str| {
        let asked = installation.at_device(path).method("OPTIONS").header("origin", origin);
        asked.header("access-control-request-method", "POST").send()
    };
    for path in ["/oauth/token", "/oauth/userinfo", "/oauth/revoke"] {
        let allowed = preflight(path, origin).expect(204);
        assert_eq!(allowed.header("access-control-allow-origin"), origin);
        assert_eq!(allowed.header("access-control-allow-credentials"), "true");
        assert!(allowed.header("vary").to_lowercase().contains("origin"));
        for stranger in ["https://evil.example", "null", &format!("{origin}.evil.example")] {
            let refused = preflight(path, stranger).expect(403);
            assert_eq!(refused.header("access-control-allow-origin"), "", "{path} {stranger}");
        }
    }
    assert_eq!(preflight("/oauth/introspect", origin).header("access-control-allow-origin"), "");
    assert_eq!(preflight("/account", origin).header("access-control-allow-origin"), "");

    let device = installation.enroll("register-2");
    let ask = |origin: &str, client: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", client)];
        let request = installation.at_device("/oauth/token").as_device(&device).form(&form);
        if origin.is_empty() { request.send() } else { request.header("origin", origin).send() }
    };
    ask("", &device.device).expect(200);
    assert_eq!(
        ask(origin, &device.device).json()["code"],
        "R-06",
        "a page never asks in the name of its device"
    );
    assert_eq!(ask("https://evil.example", "stock-page").problem(), "R-06");
    let metadata = format!("{}/.well-known/openid-configuration", installation.issuer);
    let found =
        Curl::to(&metadata).trusting(&installation.tls_ca).header("origin", "https://any.example").send();
    assert_eq!(found.header("access-control-allow-origin"), "*");
    assert_eq!(found.header("access-control-allow-credentials"), "");
}

#[test]
fn whoever_starts_a_gate_with_sessions_wrongly_reads_what_to_do() {
    let (installation, _) = open(&[]);
    let gate = installation.enroll_gate("gate");
    let keys = installation.folder("keys").join("session.keys");
    std::fs::write(&keys, "tegata-session-key-1:short\n").expect("a file");
    let (keys, chain) = (keys.display().to_string(), installation.chain.display().to_string());
    let start = |audience: &str, more: &[&str]| GateProcess::misused(&installation, &gate, audience, more);
    for (audience, more, why) in [
        (&*installation.product, &["--session"][..], "--session-key"),
        (&*installation.product, &["--session", "--session-key", &keys], "--client-ca"),
        ("rezept", &["--session", "--session-key", &keys, "--client-ca", &chain], "--origin"),
        (&*installation.product, &["--session", "--session-key", &keys, "--client-ca", &chain], "chmod 600"),
        (&*installation.product, &["--session", "--scope", "a", "--session-key", &keys], "--scope"),
        (&*installation.product, &["--client-ca", &chain], "--session"),
    ] {
        let outcome = start(audience, more);
        assert_eq!(outcome.code, 2, "{why}: {}", outcome.said());
        assert!(
            outcome.stderr.contains(why) && !outcome.stderr.contains("short"),
            "{why}: {}",
            outcome.said()
        );
    }
}
