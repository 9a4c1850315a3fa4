//! Somebody who knows the protocol and wants what is not theirs.

use rcgen::KeyPair;
use serde_json::{Value, json};
use tegata_tests::acme::{AcmeClient, Binding, encoded, mac, refusal, request};
use tegata_tests::installation::text_of;
use tegata_tests::{CurlAnswer, RunningInstallation, csr};

#[test]
fn nobody_registers_without_the_key_of_an_open_invitation() {
    let installation = RunningInstallation::start();
    let [mine, yours] = ["mine", "yours"].map(|label| Binding::invited(&installation, label));
    let attempt = |binding: &dyn Fn(&AcmeClient) -> Option<Value>| {
        let mut client = AcmeClient::new(&installation, &mine.directory);
        let binding = binding(&client);
        let answer = client.register(binding.as_ref());
        (answer.status, refusal(&answer).1)
    };
    let with = |binding: Binding| move |client: &AcmeClient| Some(client.binding(&binding));
    let guessed = Binding { hmac_key: encoded(&[0; 32]), ..yours.clone() };
    let crossed = Binding { hmac_key: mine.hmac_key.clone(), ..yours.clone() };
    let unknown = Binding { kid: "0".repeat(26), ..mine.clone() };
    assert_eq!(attempt(&|_| None), (403, "A-04".into()), "no binding");
    assert_eq!(attempt(&with(guessed)), (403, "A-04".into()), "a guessed key");
    assert_eq!(attempt(&with(crossed)), (403, "A-04".into()), "the key of another invitation");
    assert_eq!(attempt(&with(unknown)), (403, "A-04".into()), "an invitation that is none");
    let stolen = AcmeClient::new(&installation, &mine.directory).binding(&mine);
    assert_eq!(attempt(&|_| Some(stolen.clone())), (400, "R-01".into()), "a binding made for another key");
    let elsewhere = |client: &AcmeClient| {
        let header = json!({"alg": "HS256", "kid": mine.kid, "url": client.url("newOrder")});
        Some(mac(mine.hmac_key.as_bytes(), &header, &client.jwk()))
    };
    assert_eq!(attempt(&elsewhere), (400, "R-01".into()), "a binding made for another URL");

    let mut first = AcmeClient::new(&installation, &mine.directory);
    first.register(Some(&first.binding(&mine))).expect(201);
    assert_eq!(attempt(&with(mine.clone())), (403, "I-02".into()), "an invitation has one account");
    let body = json!({"code": yours.code, "csr": csr::honest()});
    installation.at_portal("/api/v1/enrollments").json(&body).send().expect(201);
    assert_eq!(attempt(&with(yours.clone())), (403, "I-02".into()), "an invitation that a page has used");
}

#[test]
fn a_request_is_good_once_and_for_its_own_url() {
    let installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "server");
    let url = client.url("newOrder");
    let payload = json!({"identifiers": [{"type": "dns", "value": binding.identifier}]}).to_string();
    let body = client.as_account(&url, &client.nonce(), &payload);
    client.send(&url, &body).expect(201);
    assert_eq!(refusal(&client.send(&url, &body)), ("badNonce".into(), "A-01".into()), "a replay");
    for nonce in ["", "AAAA", &encoded(&[0; 24])] {
        let body = client.as_account(&url, nonce, &payload);
        assert_eq!(refusal(&client.send(&url, &body)).0, "badNonce", "{nonce:?}");
    }
    let elsewhere = client.as_account(&client.url("keyChange"), &client.nonce(), &payload);
    assert_eq!(refusal(&client.send(&url, &elsewhere)), ("unauthorized".into(), "R-01".into()));

    let account = client.account.clone().unwrap_or_default();
    let header = |change: Value| {
        let mut header = json!({"alg": "ES256", "nonce": client.nonce(), "url": url, "kid": account});
        for (name, value) in change.as_object().into_iter().flatten() {
            header[name] = value.clone();
        }
        header
    };
    for (change, kind) in [
        (json!({"alg": "none"}), "badSignatureAlgorithm"),
        (json!({"alg": "HS256"}), "badSignatureAlgorithm"),
        (json!({"alg": "RS256"}), "badSignatureAlgorithm"),
        (json!({"crit": ["exp"]}), "malformed"),
        (json!({"jwk": client.jwk()}), "malformed"),
        (json!({"kid": format!("{account}x")}), "accountDoesNotExist"),
        (json!({"kid": "https://elsewhere.example/acme/account/1"}), "accountDoesNotExist"),
    ] {
        let answer = client.send(&url, &client.sign(&header(change.clone()), &payload));
        assert_eq!(refusal(&answer).0, kind, "{change}");
    }
    let mut forged = client.sign(&header(json!({})), &payload);
    forged["payload"] = encoded(br#"{"identifiers":[{"type":"dns","value":"x"}]}"#).into();
    assert_eq!(refusal(&client.send(&url, &forged)), ("malformed".into(), "A-02".into()));
}

#[test]
fn an_account_orders_its_own_name_and_nothing_else() {
    let installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "mine");
    let other = Binding::invited(&installation, "yours");
    let device = installation.enroll("a device").device;
    for (kind, name) in [
        ("dns", &*other.identifier),
        ("dns", "tegata.localhost"),
        ("dns", &format!("{device}.device.tegata.localhost")),
        ("dns", &format!("*.{}", binding.identifier)),
        ("permanent-identifier", &other.kid),
        ("permanent-identifier", &other.code),
        ("permanent-identifier", &device),
    ] {
        let refused = refusal(&client.order(kind, name));
        assert_eq!(refused, ("rejectedIdentifier".into(), "A-06".into()), "{kind} {name}");
    }
    assert_eq!(refusal(&client.order("ip", "127.0.0.1")).0, "unsupportedIdentifier");
    let both = json!({"identifiers": [
        {"type": "dns", "value": binding.identifier}, {"type": "dns", "value": other.identifier},
    ]});
    assert_eq!(refusal(&client.post(&client.url("newOrder"), &both)).1, "A-06");
    let longer = json!({
        "identifiers": [{"type": "dns", "value": binding.identifier}], "notAfter": "2099-01-01T00:00:00Z",
    });
    assert_eq!(refusal(&client.post(&client.url("newOrder"), &longer)).0, "malformed");

    let mut stranger =
        AcmeClient::new(&installation, &format!("{}/acme/device/directory", installation.portal));
    stranger.register(None).expect(201);
    for (kind, name, code) in [
        ("dns", &*other.identifier, "A-06"),
        ("permanent-identifier", &other.kid, "A-06"),
        ("permanent-identifier", &"0".repeat(32), "I-01"),
    ] {
        assert_eq!(refusal(&stranger.order(kind, name)).1, code, "{kind} {name}");
    }
}

#[test]
fn what_belongs_to_another_account_is_not_there() {
    let installation = RunningInstallation::start();
    let (owner, binding) = AcmeClient::registered(&installation, "owner");
    let (thief, _) = AcmeClient::registered(&installation, "thief");
    let order = owner.order("dns", &binding.identifier).expect(201);
    let shown = order.json();
    let location = order.header("location").to_owned();
    let authorization = text_of(&json!({"url": shown["authorizations"][0]}), "url");
    let nothing_there = |answer: &CurlAnswer| assert_eq!((answer.status, &*refusal(answer).1), (404, "R-03"));
    nothing_there(&thief.read(&location));
    nothing_there(&thief.read(&authorization));
    nothing_there(&thief.post(&authorization, &json!({"status": "deactivated"})));
    nothing_there(&thief.post(&authorization.replace("authorization", "challenge"), &json!({})));
    nothing_there(&thief.finalize(&order, &key()));
    nothing_there(&thief.read(&owner.account.clone().unwrap_or_default()));
    nothing_there(&thief.post(&owner.account.clone().unwrap_or_default(), &json!({"status": "deactivated"})));

    let own_key = key();
    let done = owner.finalize(&order, &own_key).expect(200).json();
    let certificate = text_of(&done, "certificate");
    nothing_there(&thief.read(&certificate));
    let chain = owner.read(&certificate).expect(200).text();
    let der = encoded(&leaf(&chain));
    for wrong in [der.clone(), encoded(b"no certificate")] {
        let answer = thief.post(&thief.url("revokeCert"), &json!({"certificate": wrong}));
        assert_eq!(refusal(&answer).0, "unauthorized");
        let answer = thief.post_as_key(&thief.url("revokeCert"), &json!({"certificate": wrong}));
        assert_eq!(refusal(&answer).0, "unauthorized", "nor by a key that is not the certificate's");
    }
    let reserved = owner.post(&owner.url("revokeCert"), &json!({"certificate": der, "reason": 6}));
    assert_eq!(refusal(&reserved).0, "badRevocationReason");
    owner.post(&owner.url("revokeCert"), &json!({"certificate": der, "reason": 1})).expect(200);
}

#[test]
fn an_order_is_finalized_once_for_one_sound_key() {
    let installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "server");
    let order = client.order("dns", &binding.identifier).expect(201);
    let mut unsigned = request(&key(), "x");
    *unsigned.last_mut().expect("a request") ^= 1;
    for (csr, code) in [(b"nonsense".to_vec(), "K-01"), (vec![0x30; 9000], "K-02"), (unsigned, "K-04")] {
        assert_eq!(refusal(&client.finalize_with(&order, &csr)), ("badCSR".into(), code.into()));
    }
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    assert_eq!(refusal(&client.finalize(&order, &p384)).1, "K-03");

    let (mine, another) = (key(), key());
    client.finalize(&order, &mine).expect(200);
    for key in [&mine, &another] {
        assert_eq!(refusal(&client.finalize(&order, key)), ("orderNotReady".into(), "A-07".into()));
    }
    let next = client.order("dns", &binding.identifier).expect(201);
    client.finalize(&next, &another).expect(200);
    let third = client.order("dns", &binding.identifier).expect(201);
    let reused = refusal(
        &client.finalize(&third, &KeyPair::try_from(other_devices_key(&installation)).expect("a key")),
    );
    assert_eq!(reused, ("badCSR".into(), "K-05".into()), "the key of another device");
    assert_eq!(installation.listed(&["device", "list"]).as_array().map(Vec::len), Some(2));
}

#[test]
fn an_invitation_that_a_page_used_meanwhile_gives_no_second_certificate() {
    let installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "server");
    let order = client.order("dns", &binding.identifier).expect(201);
    let body = json!({"code": binding.code, "csr": csr::honest()});
    installation.at_portal("/api/v1/enrollments").json(&body).send().expect(201);
    assert_eq!(refusal(&client.finalize(&order, &key())).1, "I-02");
    assert_eq!(refusal(&client.order("dns", &binding.identifier)).1, "I-02");
    assert_eq!(installation.listed(&["device", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn whoever_orders_without_end_is_asked_to_wait() {
    let installation = RunningInstallation::start();
    let (client, binding) = AcmeClient::registered(&installation, "server");
    for _ in 0..20 {
        client.order("dns", &binding.identifier).expect(201);
    }
    let refused = client.order("dns", &binding.identifier);
    assert_eq!(refusal(&refused), ("rateLimited".into(), "A-09".into()));
    assert_eq!((refused.status, refused.header("retry-after")), (429, "600"));
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn other_devices_key(installation: &RunningInstallation) -> Vec<u8> {
    let device = installation.enroll("another");
    let der = device.file("key.der");
    tegata_tests::run(
        "openssl",
        &["pkcs8", "-topk8", "-nocrypt", "-in", &device.file("key.pem"), "-outform", "DER", "-out", &der],
    );
    std::fs::read(der).expect("a key")
}

fn leaf(chain: &str) -> Vec<u8> {
    use base64::Engine;
    let body: String = chain.lines().skip(1).take_while(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).expect("a certificate")
}
