//! A proxy terminates TLS for devices: everything works as without it, and nobody else is believed.

use std::path::Path;
use std::time::Duration;
use tegata_core::encoding::{base64, hex};
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::{introspect, obtain};
use tegata_tests::{
    Curl, DeviceIdentity, Proxied, RunningInstallation, configure_proxy, curl, openssl, ports,
};

#[test]
fn a_device_behind_nginx_enrolls_asks_for_tokens_and_renews_as_without_it() {
    let proxied = Proxied::by_nginx();
    let installation = &proxied.installation;
    let metadata = Curl::to(&format!("{}/.well-known/oauth-authorization-server", installation.issuer));
    let metadata = metadata.trusting(&installation.tls_ca).send().expect(200).json();
    let alias = metadata["mtls_endpoint_aliases"]["token_endpoint"].as_str().expect("an alias").to_owned();
    assert!(alias.starts_with(proxied.origin()), "{alias}");

    let device = installation.enroll("register-1");
    let first = obtain(installation, &device);
    assert_eq!(introspect(installation, &device, &first).expect(200).json()["active"], true);
    let old = device.kept_aside();
    let device = device.renew(installation);
    assert_eq!(device.generation, 2);
    let second = obtain(installation, &device);
    let told = introspect(installation, &device, &second).expect(200).json();
    assert_eq!(told["cnf"]["x5t#S256"], device.thumbprint.as_str(), "{told}");
    assert_eq!(introspect(installation, &old, &first).expect(200).json()["active"], true, "grace");

    installation.tell(&["device", "revoke", "--yes", &device.device]);
    for identity in [&old, &device] {
        let refused = tegata_tests::tokens::request(installation, identity).send().expect(401).json();
        assert_eq!(refused["error"], "invalid_client");
    }
}

#[test]
fn a_gate_follows_the_feed_through_nginx_and_refuses_within_a_second() {
    let proxied = Proxied::by_nginx();
    let installation = &proxied.installation;
    let gate = installation.gate();
    let device = installation.enroll("register-1");
    let token = obtain(installation, &device);
    let check = || {
        let request = Curl::to(&format!("http://127.0.0.1:{}/check", gate.port)).bearer(&token);
        let pem = std::fs::read_to_string(device.file("cert.pem")).expect("a certificate");
        request.header("x-client-cert", &curl::escaped(&pem)).send().status
    };
    assert!((200..300).contains(&check()));
    let told = installation.tell(&["device", "revoke", "--yes", &device.device]);
    assert!(told.to_string().contains(&gate.id), "its receipt came back: {told}");
    eventually("the gate refuses", Duration::from_secs(1), || check() == 401);
    // The command says that no receipt came: whoever was cut off sends none.
    assert_eq!(installation.command(&["device", "revoke", "--yes", &gate.id]).code, 1);
    eventually("the gate's own stream ends", Duration::from_secs(20), || !gate.is_deciding());
}

#[test]
fn nobody_writes_the_header_but_the_proxy() {
    let proxied = Proxied::by_nginx();
    let installation = &proxied.installation;
    let (device, other) = (installation.enroll("register-1"), installation.enroll("register-2"));
    let story = escaped(&other);
    let probe = || installation.at_device("/probe").header("accept", "application/json");

    let forged = probe().header("x-client-cert", &story).send().expect(401);
    assert_eq!(forged.problem(), "C-01", "nginx overwrites what its clients write");
    let forged = probe().as_device(&device).header("x-client-cert", &story).send().expect(200);
    assert!(forged.text().contains(&device.device), "{forged}");

    let [certificate, key] = ended(&installation.folder("ended"));
    let judged = probe().presenting(&certificate, &key).send().expect(401);
    assert_eq!(judged.problem(), "C-02", "whom nginx itself refuses reads why");

    let direct = || {
        let request = Curl::to(&format!("{}/probe", proxied.direct)).trusting(&installation.tls_ca);
        every_header(&other).iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    assert_eq!(direct().send().expect(401).problem(), "C-01", "devices are no proxies");
    let own = direct().as_device(&device).send().expect(200);
    assert!(own.text().contains(&device.device), "{own}");

    let behind = || proxied.behind("/probe").header("x-client-cert", &story);
    let [certificate, key] = proxied.own();
    let believed = behind().presenting(&certificate, &key).send().expect(200);
    assert!(believed.text().contains(&other.device), "{believed}");
    assert_eq!(behind().send().expect(403).problem(), "R-08");
    assert_eq!(behind().as_device(&device).send().expect(403).problem(), "R-08");
    let [certificate, key] = proxied.impostor();
    assert_eq!(behind().presenting(&certificate, &key).send().expect(403).problem(), "R-08");
    let [certificate, key] = proxied.own();
    let elsewhere = behind().presenting(&certificate, &key).option("--interface", "127.0.0.2");
    assert_eq!(elsewhere.send().expect(403).problem(), "R-08", "the certificate from another address");
    let twice = behind().header("X-Client-Cert", &story).presenting(&certificate, &key);
    assert_eq!(twice.send().expect(400).problem(), "R-09");
}

#[test]
fn each_form_leads_to_the_same_device_and_no_other_form_does() {
    let mut installation = RunningInstallation::start();
    let (device, old) = (installation.enroll("register-1"), installation.device.clone());
    let headers = every_header(&device);
    for (format, (name, value)) in FORMATS.iter().zip(&headers) {
        let behind = ports::free();
        let trust = "trusted = [\"127.0.0.1\"]\ntls = false\n";
        configure_proxy(&mut installation, ports::of(&old), behind, format, trust);
        let probe =
            || Curl::to(&format!("http://localhost:{behind}/probe")).header("accept", "application/json");
        let told = probe().header(name, value).send().expect(200);
        assert!(told.text().contains(&device.device), "{format}: {told}");
        for (other, value) in headers.iter().filter(|(other, _)| other != name) {
            assert_eq!(
                probe().header(other, value).send().expect(401).problem(),
                "C-01",
                "{format}: {other}"
            );
        }
        // An odd number of letters is no base64, wherever the rest would have ended.
        let without_end = &value[..(value.len() / 2) | 1];
        for wrong in [without_end, "x", "Hash=0"] {
            assert_eq!(probe().header(name, wrong).send().expect(400).problem(), "R-09", "{format}: {wrong}");
        }
        assert_eq!(probe().send().expect(401).problem(), "C-01");
        let stranger = probe().header(name, value).option("--interface", "127.0.0.2");
        assert_eq!(stranger.send().expect(403).problem(), "R-08");
    }
}

#[test]
fn an_operator_cannot_configure_a_proxy_that_anybody_could_be() {
    let mut installation = RunningInstallation::start();
    installation.kill();
    let file = installation.data().join("tegata.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration");
    for wrong in ["", "trusted = []", "trusted = [\"10.0.0.1/8\"]", "certificate = \"nowhere.pem\""] {
        let section =
            format!("[device.proxy]\nlisten = \"127.0.0.1:0\"\nformat = \"nginx\"\n{wrong}\n[public]");
        std::fs::write(&file, text.replace("[public]", &section)).expect("a file");
        let outcome = installation.command_without_json(&["serve"]);
        assert_eq!(outcome.code, 2, "{wrong}: {outcome:?}");
    }
}

const FORMATS: [&str; 6] = ["nginx", "rfc9440", "envoy", "alb", "alb-verify", "traefik"];

/// In the order of [`FORMATS`], as these proxies write them.
/// A certificate whose time is over, and its key.
fn ended(folder: &Path) -> [String; 2] {
    let mut params = rcgen::CertificateParams::new(vec!["register-0".into()]).expect("a name");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    [("ended.pem", certificate.pem()), ("ended.key", key.serialize_pem())].map(|(name, pem)| {
        std::fs::write(folder.join(name), pem).expect("a file");
        folder.join(name).display().to_string()
    })
}

fn every_header(device: &DeviceIdentity) -> [(&'static str, String); 6] {
    let der = der(device);
    let pem = escaped(device);
    let hash = hex(tegata_core::Thumbprint::of(&der).as_bytes());
    let chain = std::fs::read_to_string(device.file("chain.pem")).expect("a chain");
    [
        ("x-client-cert", pem.clone()),
        ("client-cert", format!(":{}:", base64(&der))),
        ("x-forwarded-client-cert", format!("Hash={hash};Cert=\"{pem}\";Subject=\"CN=x\"")),
        ("x-amzn-mtls-clientcert", curl::escaped(&chain)),
        ("x-amzn-mtls-clientcert-leaf", pem),
        ("x-forwarded-tls-client-cert", base64(&der)),
    ]
}

fn escaped(device: &DeviceIdentity) -> String {
    curl::escaped(&std::fs::read_to_string(device.file("cert.pem")).expect("a certificate"))
}

fn der(device: &DeviceIdentity) -> Vec<u8> {
    let out = device.file("cert.der");
    openssl::openssl(&["x509", "-in", &device.file("cert.pem"), "-outform", "DER", "-out", &out]).good();
    std::fs::read(out).expect("a certificate")
}
