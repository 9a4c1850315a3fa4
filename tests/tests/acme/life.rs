//! What an honest client may rely on, step by step.

use rcgen::KeyPair;
use serde_json::{Value, json};
use tegata_tests::acme::{AcmeClient, encoded, refusal};
use tegata_tests::installation::text_of;
use tegata_tests::{Curl, RunningInstallation, csr, run};

#[test]
fn an_account_is_found_again_given_another_key_and_closed() {
    let installation = RunningInstallation::start();
    let (mut client, binding) = AcmeClient::registered(&installation, "server");
    let account = client.account.clone().expect("an account");
    assert_eq!(client.register(None).expect(200).header("location"), account, "found again by its key");
    let shown = client.read(&account).expect(200).json();
    assert_eq!(shown["status"], "valid");
    let bound = &shown["externalAccountBinding"];
    assert_eq!(bound["payload"], encoded(client.jwk().to_string().as_bytes()), "as it was sent: {shown}");

    let mut successor = AcmeClient::new(&installation, &binding.directory);
    let url = client.url("keyChange");
    let inner = successor.sign(
        &json!({"alg": "ES256", "jwk": successor.jwk(), "url": url}),
        &json!({"account": account, "oldKey": client.jwk()}).to_string(),
    );
    client.post(&url, &inner).expect(200);
    assert_eq!(refusal(&client.read(&account)).1, "A-02", "the old key no longer signs for it");
    successor.account = Some(account.clone());
    let orders = text_of(&successor.read(&account).expect(200).json(), "orders");
    successor.order("dns", &binding.identifier).expect(201);
    assert_eq!(successor.read(&orders).expect(200).json()["orders"].as_array().map(Vec::len), Some(1));

    let closed = successor.post(&account, &json!({"status": "deactivated"})).expect(200);
    assert_eq!(closed.json()["status"], "deactivated");
    let refused = successor.order("dns", &binding.identifier);
    assert_eq!(refusal(&refused), ("unauthorized".into(), "A-05".into()));
}

#[test]
fn whatever_is_asked_in_any_way_is_answered_in_the_words_of_acme() {
    let installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "server");
    let device_directory = binding.directory.replace("/acme/", "/acme/device/");
    for directory in [&binding.directory, &device_directory] {
        let by_post = client.read(directory).expect(200);
        assert_eq!(by_post.json()["newNonce"], client.directory["newNonce"], "POST-as-GET");
    }
    assert!(!client.read(&client.url("newNonce")).expect(204).header("replay-nonce").is_empty());
    let saying = client.post(&binding.directory, &json!({}));
    assert_eq!(refusal(&saying), ("malformed".into(), "R-01".into()), "it must say nothing");

    let (order, account) = (client.url("newOrder"), client.account.clone().unwrap_or_default());
    let header = json!({"alg": "ES512", "nonce": client.nonce(), "url": order, "kid": account});
    let other = client.send(&order, &client.sign(&header, "{}"));
    assert_eq!(refusal(&other), ("badSignatureAlgorithm".into(), "A-02".into()));
    assert_eq!(other.json()["algorithms"], json!(["ES256", "ES384", "RS256", "EdDSA"]));

    let at = |path: &str| installation.at_portal(path);
    let jose = |body: Vec<u8>| at("/acme/new-order").body("application/jose+json", body);
    let not_found = ("malformed".to_owned(), "R-03".to_owned());
    for (answer, status, kind, code) in [
        (at("/acme/new-order").send(), 405, "malformed", "R-04"),
        (at("/acme/directory").method("PUT").send(), 405, "malformed", "R-04"),
        (at("/acme/nothing").send(), 404, "malformed", "R-03"),
        (at("/acme").send(), 404, "malformed", "R-03"),
        (at("/acme/order/1/2/3").method("POST").send(), 404, "malformed", "R-03"),
        (at("/acme/new-order").json(&json!({})).send(), 415, "malformed", "R-07"),
        (jose(vec![b'x'; 70_000]).send(), 413, "malformed", "R-02"),
        (jose(b"{".to_vec()).send(), 400, "malformed", "R-01"),
    ] {
        assert_eq!(answer.status, status, "{answer}");
        assert_eq!(refusal(&answer), (kind.into(), code.into()), "{answer}");
    }
    let json = at("/acme/new-order").json(&json!({})).send();
    assert!(json.text().contains("Send application/jose+json"), "{json}");
    let page = at("/acme/nothing").header("accept", "text/html").header("sec-fetch-mode", "navigate").send();
    assert_eq!(refusal(&page), not_found, "also to a browser");
    let foreign =
        at("/acme/new-order").header("origin", "https://evil.example").body("application/jose+json", "{}");
    let foreign = foreign.send().expect(403).json();
    assert_eq!(foreign["type"], "urn:ietf:params:acme:error:unauthorized", "before any of these routes");
}

#[test]
fn an_order_is_ready_at_once_and_its_certificate_names_the_device() {
    let installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "server");
    let order = client.order("dns", &binding.identifier.to_uppercase()).expect(201);
    let shown = order.json();
    assert_eq!(shown["status"], "ready");
    assert_eq!(shown["identifiers"], json!([{"type": "dns", "value": binding.identifier}]));
    assert!(
        order.headers.iter().any(|(name, value)| name == "link" && value.contains("rel=\"index\"")),
        "{order}"
    );
    let authorization = text_of(&json!({"url": shown["authorizations"][0]}), "url");
    assert_eq!(client.read(&authorization).expect(200).json()["status"], "valid");

    let version_2 = base64_decoded(&csr::of_version_2());
    let done = client.finalize_with(&order, &version_2).expect(200).json();
    assert_eq!(done["status"], "valid");
    let chain = client.read(&text_of(&done, "certificate")).expect(200);
    assert_eq!(chain.header("content-type"), "application/pem-certificate-chain");
    let file = installation.folder("acme").join("chain.pem");
    std::fs::write(&file, chain.text()).expect("a file");
    super::verified(&installation, &file);
    let device = installation.listed(&["device", "list"])[0]["device"].as_str().expect("a device").to_owned();
    assert!(super::identity(&file).ends_with(&device));
    let text = tegata_tests::openssl::text(&file.display().to_string());
    assert!(!text.contains("somebody else") && !text.contains("example.com"), "{text}");

    let given_up = client.order("permanent-identifier", &binding.kid).expect(201).json();
    let authorization = text_of(&json!({"url": given_up["authorizations"][0]}), "url");
    let ended = client.post(&authorization, &json!({"status": "deactivated"})).expect(200);
    assert_eq!(ended.json()["status"], "deactivated");
    assert_eq!(refusal(&client.post(&text_of(&given_up, "finalize"), &json!({"csr": ""}))).1, "A-07");
}

fn now_of(hurry: &Value) -> String {
    hurry["since"].as_str().expect("a time").to_owned()
}

#[test]
fn renewal_is_suggested_when_it_is_due_and_at_once_after_a_revocation() {
    let installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "server");
    let certificate_key = key();
    let chain = client.obtain("dns", &binding.identifier, &certificate_key);
    let (id, der) = certificate_id(&installation, &chain);
    let info =
        || Curl::to(&format!("{}/{id}", client.url("renewalInfo"))).trusting(&installation.tls_ca).send();
    let window = info().expect(200);
    assert_eq!(window.header("retry-after"), "21600");
    let start = window.json()["suggestedWindow"]["start"].as_str().expect("a time").to_owned();
    let now = enrolled_at(&installation);
    assert!(start > now, "a new certificate is not due");
    let planned =
        || info().expect(200).json()["suggestedWindow"]["start"].as_str().expect("a time").to_owned();
    installation.tell(&[
        "renewals",
        "set",
        "--hours",
        "mon-fri 09:00-18:00",
        "--closed",
        "2026-12-29..2027-01-03",
    ]);
    let plan = installation.tell(&["renewals", "plan", "--until", "2100-01-01"]);
    let found =
        plan.as_array().expect("a list").iter().find(|one| one["from"] == *planned()).expect("in the plan");
    assert_eq!((&found["basis"], &found["state"]), (&json!("open"), &json!("planned")));
    let hour: u8 = planned()[11..13].parse().expect("an hour");
    assert!(hour < 9 && planned().ends_with(":00:00Z"), "from nine to six in Japan: {}", planned());
    let hurry = installation.tell(&["renewals", "now", "--reason", "T-31"]);
    let left = hurry["left"].as_u64().expect("a number");
    assert!(left > 0 && planned() <= now_of(&hurry), "{hurry}");
    assert_eq!(installation.tell(&["renewals", "list"])[0]["basis"], "urgent");

    let payload = json!({"identifiers": [{"type": "dns", "value": binding.identifier}], "replaces": id});
    let order = client.post(&client.url("newOrder"), &payload).expect(201);
    assert_eq!(order.json()["replaces"], *id);
    client.finalize(&order, &key()).expect(200);
    let hurry = installation.tell(&["renewals", "now"]);
    assert_eq!((&hurry["left"], &hurry["renewed"]), (&json!(left - 1), &json!(1)), "{hurry}");
    assert_eq!(installation.tell(&["renewals", "now", "--stop"])["active"], false);
    let twice = client.post(&client.url("newOrder"), &payload);
    assert_eq!(refusal(&twice), ("alreadyReplaced".into(), "A-10".into()));

    let revoke = json!({"certificate": encoded(&der), "reason": 4});
    client.post(&client.url("revokeCert"), &revoke).expect(200);
    let end = info().expect(200).json()["suggestedWindow"]["end"].as_str().expect("a time").to_owned();
    assert!(end < now, "{end}: now");
    assert_eq!(refusal(&client.post(&client.url("revokeCert"), &revoke)).0, "alreadyRevoked");
    for wrong in ["AAAA.AAAA", "AAAA", "%3F.%3F", &id[1..]] {
        let answer =
            Curl::to(&format!("{}/{wrong}", client.url("renewalInfo"))).trusting(&installation.tls_ca).send();
        assert_eq!(refusal(&answer).0, "malformed", "{wrong}");
    }
}

#[test]
fn whoever_has_an_invitation_in_a_browser_can_hand_it_to_an_acme_client() {
    let installation = RunningInstallation::start();
    let invitation = installation.invite("server");
    let (_, code) = invitation.split_once('#').expect("a code");
    let told =
        installation.at_portal("/api/v1/invitations/acme").json(&json!({"code": code})).send().expect(200);
    let told = told.json();
    let directory = text_of(&told, "directory");
    let mut client = AcmeClient::new(&installation, &directory);
    let binding = tegata_tests::acme::Binding {
        kid: text_of(&told, "kid"),
        hmac_key: text_of(&told, "hmac_key"),
        identifier: text_of(&told, "identifier"),
        directory,
        code: code.to_owned(),
    };
    client.register(Some(&client.binding(&binding))).expect(201);
    client.obtain("dns", &binding.identifier, &key());
    let used = json!({"code": code, "csr": csr::honest()});
    let page = installation.at_portal("/api/v1/enrollments").json(&used).send().expect(409);
    assert_eq!(page.problem(), "I-02");
    let unknown = installation.at_portal("/api/v1/invitations/acme").json(&json!({"code": "0".repeat(32)}));
    assert_eq!(unknown.send().expect(404).problem(), "I-01");
}

#[test]
fn a_client_goes_on_after_the_server_was_started_again() {
    let mut installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "server");
    let nonce = client.nonce();
    let order = client.order("dns", &binding.identifier).expect(201);
    installation.start_again();
    let url = order.header("location");
    let request = client.as_account(url, &nonce, "");
    client.send(url, &request).expect(200);
    installation.start_again();
    let replayed = client.send(url, &request);
    assert_eq!(refusal(&replayed), ("badNonce".into(), "A-01".into()), "good at any server, and once");
    client.finalize(&order, &key()).expect(200);
    assert_eq!(client.read(url).expect(200).json()["status"], "valid");
    let stranger = AcmeClient::new(&installation, &binding.directory);
    let impostor = AcmeClient { account: client.account.clone(), ..stranger };
    assert_eq!(refusal(&impostor.read(url)).1, "A-02", "the account is known, and this is not its key");
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn enrolled_at(installation: &RunningInstallation) -> String {
    installation.listed(&["device", "list"])[0]["created_at"].as_str().expect("a time").to_owned()
}

/// RFC 9773 section 4.1, by openssl's reading of the certificate.
fn certificate_id(installation: &RunningInstallation, chain: &str) -> (String, Vec<u8>) {
    let file = installation.folder("ari").join("chain.pem");
    std::fs::write(&file, chain).expect("a file");
    let (file, der) = (file.display().to_string(), installation.folder("ari").join("leaf.der"));
    run("openssl", &["x509", "-in", &file, "-outform", "DER", "-out", &der.display().to_string()]);
    let octets = |text: &str| -> Vec<u8> {
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
        (0..digits.len()).step_by(2).map(pair).collect()
    };
    let extension = run("openssl", &["x509", "-in", &file, "-noout", "-ext", "authorityKeyIdentifier"]);
    let authority = extension.lines().last().expect("a key identifier").trim().trim_start_matches("keyid:");
    let serial = run("openssl", &["x509", "-in", &file, "-noout", "-serial"]);
    let (_, serial) = serial.split_once('=').expect("a serial");
    let id = format!("{}.{}", encoded(&octets(authority)), encoded(&octets(serial)));
    (id, std::fs::read(der).expect("a certificate"))
}

fn base64_decoded(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}
