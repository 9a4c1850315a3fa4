//! A product team puts a checkpoint in front of a product. The proxies of the guide are in `recipes.rs`.

use std::process::Command;
use std::time::Duration;
use tegata_tests::installation::text_of;
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::obtain;
use tegata_tests::{
    Browser, CommandOutcome, Curl, CurlAnswer, DeviceIdentity, Recipe, RunningInstallation,
    TestProductServer, self_signed_server, tegata,
};

#[test]
fn a_gate_without_its_platform_goes_on_for_ten_seconds_then_refuses_all() {
    let mut installation = RunningInstallation::start();
    let gate = installation.gate();
    let product = TestProductServer::behind_a_proxy();
    let nginx = Recipe::nginx(&installation, gate.port, product.port);
    let device = installation.enroll("register-1");
    let token = obtain(&installation, &device);
    let request = || nginx.request("/").as_device(&device).bearer(&token);

    installation.kill();
    request().send().expect(200);
    eventually("the gate goes stale without the platform", Duration::from_secs(20), || !gate.is_deciding());
    let closed = request().send().expect(503);
    assert_eq!(closed.header("tegata-refusal"), "G-01", "it fails closed");
    installation.start_again();
    eventually("the gate decides again", Duration::from_secs(20), || gate.is_deciding());
    request().send().expect(200);
}

#[test]
fn embedded_in_a_rust_product_the_gate_keeps_the_same_promises() {
    let installation = RunningInstallation::start();
    let folder = installation.folder("product");
    let tls_ca = self_signed_server(&folder);
    let certificate = [&*folder.join("server.pem"), &*folder.join("server.key")];
    let gate = installation.enroll_gate("embedded");
    let product =
        TestProductServer::with_the_gate_inside(&installation, &gate, &installation.product, certificate);
    let (device, other) = (installation.enroll("register-1"), installation.enroll("register-2"));
    let token = obtain(&installation, &device);
    let request = || Curl::to(&format!("https://localhost:{}/", product.port)).trusting(&tls_ca);

    let admitted = request().as_device(&device).bearer(&token).send().expect(200);
    assert_eq!(admitted.json()["device"], *device.device);
    let refused = |answer: CurlAnswer| answer.expect(401).problem();
    assert_eq!(refused(request().as_device(&device).send()), "G-02");
    assert_eq!(refused(request().bearer(&token).send()), "C-01");
    assert_eq!(refused(request().as_device(&other).bearer(&token).send()), "G-04");

    installation.tell(&["device", "revoke", "--yes", &device.device]);
    eventually("the product refuses", Duration::from_secs(1), || {
        request().as_device(&device).bearer(&token).send().status == 401
    });
    assert_eq!(refused(request().as_device(&device).bearer(&token).send()), "C-06");

    // The shop is handed over: what the device has is over within a second, and its old certificate brings the new one.
    let token = obtain(&installation, &other);
    request().as_device(&other).bearer(&token).send().expect(200);
    let transfer = tegata_tests::transfer::approved(&|arguments| installation.tell(arguments), 12);
    let state = || installation.tell(&["transfer", "show", &transfer])["state"].clone();
    eventually("its minute has come", Duration::from_secs(40), || state() == "done");
    eventually("the product refuses", Duration::from_secs(1), || {
        request().as_device(&other).bearer(&token).send().status == 401
    });
    let renew = |folder: &std::path::Path| {
        let folder = folder.display().to_string();
        let trust = installation.tls_ca.display().to_string();
        CommandOutcome::of(Command::new(tegata()).args(["renew", &folder, "--json", "--tls-ca", &trust]))
    };
    let renewed = renew(&other.folder).good().json();
    assert_eq!(renewed["generation"], 1);
    let other_device = other.device.clone();
    let moved = DeviceIdentity { device: text_of(&renewed, "device"), ..other };
    assert_ne!(moved.device, other_device, "nothing of the past hangs on it");
    let token = obtain(&installation, &moved);
    let admitted = request().as_device(&moved).bearer(&token).send().expect(200);
    assert_eq!(admitted.json()["device"], *moved.device);
    let old = |name: &str| moved.folder.join("previous").join(name).display().to_string();
    let probe = installation.at_device("/probe").presenting(&old("chain.pem"), &old("key.pem"));
    assert_eq!(refused(probe.send()), "C-06", "the old certificate opens nothing any more");
    let again = renew(&moved.folder.join("previous"));
    assert!(again.code != 0, "nor does it bring another one: {}", again.said());
    let report = installation.tell(&["transfer", "report", &transfer]);
    assert!(report["devices"].as_array().expect("devices").iter().any(|one| one["is_at_work"] == true));
}

#[test]
fn a_devices_certificate_starts_no_gate_and_the_operator_reads_why() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let file = |path: &std::path::Path| path.display().to_string();
    let outcome = CommandOutcome::of(
        Command::new(tegata())
            .args(["gate", "--issuer", &format!("{}/", installation.issuer), "--audience", "rezept"])
            .args(["--identity", &file(&device.folder), "--tls-ca", &file(&installation.tls_ca)])
            .args(["--listen", "127.0.0.1:0"]),
    );
    assert_eq!(outcome.code, 2, "{}", outcome.said());
    assert!(
        outcome.stderr.contains("C-10") && outcome.stderr.contains("certificate of a device"),
        "{}",
        outcome.said()
    );
}

#[test]
fn a_product_finds_the_keys_of_living_gates_and_of_nobody_else() {
    let installation = RunningInstallation::start();
    installation.enroll("register-1");
    let gate = installation.enroll_gate("g-1");
    let metadata = format!("{}/.well-known/oauth-authorization-server", installation.issuer);
    let metadata = Curl::to(&metadata).trusting(&installation.tls_ca).send().expect(200).json();
    let uri = metadata["tegata_gate_jwks_uri"].as_str().expect("where the keys are").to_owned();
    let keys = || {
        let answer = Curl::to(&uri).trusting(&installation.tls_ca).send().expect(200);
        answer.json()["keys"].as_array().expect("keys").clone()
    };
    eventually("the gate is known", Duration::from_secs(5), || keys().len() == 1);
    assert_eq!((&keys()[0]["kty"], &keys()[0]["crv"]), (&"EC".into(), &"P-256".into()));
    installation.tell(&["device", "revoke", &gate.device, "--yes"]);
    eventually("it is not believed any more", Duration::from_secs(1), || keys().is_empty());
}

#[test]
fn a_token_for_another_product_is_of_no_use() {
    let installation = RunningInstallation::start();
    let gate = installation.gate_for("https://another.example");
    let product = TestProductServer::behind_a_proxy();
    let nginx = Recipe::nginx(&installation, gate.port, product.port);
    let device = installation.enroll("register-1");
    let token = obtain(&installation, &device);
    let refused = nginx.request("/").as_device(&device).bearer(&token).send().expect(401);
    assert_eq!(refused.header("tegata-refusal"), "G-11");
}

#[test]
fn a_person_refused_at_a_product_is_led_to_the_device_page() {
    let installation = RunningInstallation::start();
    let gate = installation.gate();
    let product = TestProductServer::behind_a_proxy();
    let nginx = Recipe::nginx(&installation, gate.port, product.port);
    let device = installation.enroll("register-1");
    let asked = || Curl::to(&format!("http://127.0.0.1:{}/check", gate.port)).header("accept-language", "en");

    let program = asked().send().expect(401).json();
    let help = format!("{}/?code=G-02&lang=en", installation.device);
    assert_eq!((&program["code"], &program["help"]), (&"G-02".into(), &help.as_str().into()), "{program}");
    let person = asked().header("accept", "text/html").send().expect(401);
    assert_eq!((person.header("tegata-refusal"), person.header("tegata-help")), ("G-02", &*help));
    assert!(person.text().contains(&help.replace('&', "&amp;")), "{person}");

    let behind = nginx.request("/").as_device(&device).header("accept-language", "en").send().expect(401);
    assert_eq!((behind.header("tegata-refusal"), behind.header("tegata-help")), ("G-02", &*help));
    assert_eq!(behind.header("www-authenticate"), "Bearer");
    assert!(behind.text().contains(&format!("href=\"{help}\"")), "{behind}");

    let at = |query: &str| installation.at_device(query).header("accept", "text/html");
    let page = at("/?code=G-02&lang=en").as_device(&device).send().expect(200).text();
    assert!(page.contains("id=\"told\"") && page.contains("You are not signed in to the app"), "{page}");
    let made_up = at("/?code=%3Cb%3E&lang=en").as_device(&device).send().expect(200).text();
    assert!(!made_up.contains("id=\"told\""), "no text of a link is shown");
}

#[test]
fn a_refused_person_reads_a_page_and_one_click_away_the_device_state() {
    let installation = RunningInstallation::start();
    let gate = installation.gate();
    let refusing = format!("http://127.0.0.1:{}/check", gate.port);
    let mut browser = Browser::open(&installation);
    browser.go(&refusing);
    browser.see("h1");
    browser.picture("gate-refusal");
    browser.click("a");
    browser.see(".problem");
    assert!(browser.text(".problem").contains("C-01"), "without a certificate that is what is told");
    browser.picture("why-without-certificate");

    browser.enroll(&installation.invitation);
    // Until it is closed, a browser keeps its choice of no certificate for a host where it had none.
    browser.reopen();
    browser.go(&refusing);
    browser.click("a");
    browser.see("#told");
    assert!(browser.text("#told").contains("G-02"), "{}", browser.text("#told"));
    browser.picture("why-told");
    browser.go(&format!("{}/?code=G-02&lang=en", installation.device));
    browser.see("#told");
    browser.picture("why-told-english");
    browser.go(&format!("{}/?code=G-04&lang=ja", installation.device));
    browser.see("#told");
    browser.picture("why-told-another");
}
