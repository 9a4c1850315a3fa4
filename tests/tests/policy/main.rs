//! Who may enroll is decided by the rules of tenant and site, at every endpoint, from the moment the command returns.

mod pages;

use rcgen::KeyPair;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tegata_tests::acme::{AcmeClient, refusal};
use tegata_tests::{CommandOutcome, CurlAnswer, Proxied, RunningInstallation, StrongSwan, csr, run, tegata};

/// What presents an invitation, by protocol.
fn code(invitation: &str) -> String {
    invitation.split_once('#').expect("a link").1.to_owned()
}

fn set(installation: &RunningInstallation, rules: &[&str]) -> Value {
    installation.tell(&[&["policy", "set"], rules].concat())
}

fn clear(installation: &RunningInstallation) {
    installation.tell(&["policy", "clear"]);
    installation.tell(&["policy", "clear", "--site", "本店"]);
}

fn at_page(installation: &RunningInstallation, code: &str, csr: &str) -> CurlAnswer {
    let body = json!({"code": code, "csr": csr});
    installation.at_portal("/api/v1/enrollments").json(&body).send()
}

fn by_est(installation: &RunningInstallation, code: &str, csr: &str) -> CurlAnswer {
    let request = installation.at_device("/.well-known/est/simpleenroll");
    request.option("--user", &format!("x:{code}")).body("application/pkcs10", csr).send()
}

/// The code of the refusal, by protocol.
fn refused_everywhere(installation: &RunningInstallation, expected: &str) {
    let invitation = code(&installation.invite("somebody"));
    let page = at_page(installation, &invitation, &csr::honest());
    let typed = {
        let told = installation.tell(&["invite", "--label", "typed", "--code"]);
        let typed = told["code"].as_str().expect("a code").replace('-', "").to_lowercase();
        at_page(installation, &typed, &csr::honest())
    };
    let est = by_est(installation, &invitation, &csr::honest());
    let kitting = installation.tell(&["invite", "--kitting", "--devices", "2", "--label", "kit-{n}"]);
    let kitting = json!({"code": code(kitting["url"].as_str().expect("a link")), "csr": csr::honest()});
    let kitting = installation.at_portal("/api/v1/kitting/enrollments").json(&kitting).send();
    for answer in [page, typed, est, kitting] {
        assert_eq!((answer.status, &*answer.problem()), (403, expected), "{answer}");
    }
    let (client, binding) = AcmeClient::registered(installation, "by-acme");
    let order = client.order("dns", &binding.identifier).expect(201);
    let acme = client.finalize(&order, &KeyPair::generate().expect("a key"));
    assert_eq!(refusal(&acme), ("unauthorized".into(), expected.into()));
    let folder = installation.folder("refused");
    let mut machine = Command::new(tegata());
    machine.arg("enroll").arg(installation.invite("machine")).arg("--out").arg(folder.join(expected));
    let said = CommandOutcome::of(machine.arg("--tls-ca").arg(&installation.tls_ca));
    assert!(said.code == 1 && said.stderr.contains(expected), "{}", said.stderr);
}

#[test]
fn a_rule_stops_enrollment_by_every_protocol_and_no_renewal() {
    let installation = RunningInstallation::start();
    let mut device = installation.enroll("register-1");
    let another_day = another_day();
    for (rules, expected) in [
        (&["--network", "192.0.2.0/24,2001:db8::/32"][..], "E-01"),
        (&["--platform", "chromeos"], "E-02"),
        (&["--hours", &another_day], "E-03"),
        (&["--devices", "1"], "E-04"),
        (&["--devices", "1", "--site", "本店"], "E-04"),
    ] {
        set(&installation, rules);
        refused_everywhere(&installation, expected);
        let renewed = device.renew(&installation);
        assert_eq!(renewed.generation, device.generation + 1, "a renewal meets no rule");
        device = renewed;
        clear(&installation);
    }
    at_page(&installation, &code(&installation.invite("register-2")), &csr::honest()).expect(201);
    installation.command(&["check"]).good();
}

/// Neither today nor tomorrow, by the clocks of Japan.
fn another_day() -> String {
    let today = run("env", &["TZ=Asia/Tokyo", "date", "+%u"]);
    let today: usize = today.trim().parse().expect("a day of the week");
    ["wed", "thu", "fri", "sat", "sun", "mon", "tue"][today - 1].to_owned()
}

#[test]
fn a_site_is_stricter_than_its_tenant_and_commands_show_what_is_in_force() {
    let installation = RunningInstallation::start();
    assert_eq!(installation.listed(&["policy", "show"]), json!([]));
    set(&installation, &["--network", "192.0.2.0/24", "--devices", "9"]);
    let told = set(
        &installation,
        &["--site", "本店", "--network", "0.0.0.0/0,::/0", "--hours", "mon-sun 00:00-24:00"],
    );
    assert_eq!(told["policy"]["hours"], json!({"zone": "+09:00", "windows": ["00:00-24:00"]}));
    let invitation = code(&installation.invite("register-1"));
    let refused = at_page(&installation, &invitation, &csr::honest()).expect(403);
    assert_eq!(refused.problem(), "E-01", "a site opens nothing that its tenant closed");
    let shown = installation.listed(&["policy", "show"]);
    assert_eq!((&shown[0]["site_name"], &shown[1]["site_name"]), (&Value::Null, &json!("本店")));
    assert_eq!(shown[0]["policy"], json!({"devices": 9, "networks": ["192.0.2.0/24"]}));
    let left = installation.tell(&["policy", "clear", "--rule", "network"]);
    assert_eq!((&left["policy"], &left["changed"]), (&json!({"devices": 9}), &json!(true)));
    at_page(&installation, &invitation, &csr::honest()).expect(201);
    for wrong in [
        &["policy", "set"][..],
        &["policy", "set", "--platform", "beos"],
        &["policy", "set", "--network", "10.0.0.1/8"],
        &["policy", "set", "--hours", "9-20"],
        &["policy", "set", "--zone", "+01:00"],
        &["policy", "set", "--devices", "1", "--site", "横浜店"],
    ] {
        assert_eq!(installation.command(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_network_rule_never_matches_the_address_of_a_proxy() {
    let proxied = Proxied::by_nginx();
    let installation = &proxied.installation;
    set(installation, &["--network", "127.0.0.1,::1"]);
    let invitation = code(&installation.invite("switch-1"));
    let spoofed =
        installation.at_device("/.well-known/est/simpleenroll").option("--user", &format!("x:{invitation}"));
    let spoofed = spoofed.header("x-forwarded-for", "127.0.0.1").header("forwarded", "for=127.0.0.1");
    let refused = spoofed.body("application/pkcs10", csr::honest()).send().expect(403);
    assert_eq!(refused.problem(), "E-01");
    at_page(installation, &invitation, &csr::honest()).expect(201);
    let another = code(&installation.invite("switch-2"));
    set(installation, &["--network", "192.0.2.0/24"]);
    assert_eq!(by_est(installation, &another, &csr::honest()).expect(403).problem(), "E-01");
    clear(installation);
    by_est(installation, &another, &csr::honest()).expect(200);
}

#[test]
fn a_machine_waits_by_every_protocol_until_somebody_has_approved() {
    let installation = RunningInstallation::start();
    set(&installation, &["--approval", "yes"]);

    let est = code(&installation.invite("switch-1"));
    let request = csr::honest();
    let waiting = by_est(&installation, &est, &request).expect(202);
    assert!(waiting.header("retry-after").parse::<u32>().expect("seconds") > 0);
    assert!(waiting.body.is_empty(), "{waiting}");
    by_est(&installation, &est, &request).expect(202);
    approve(&installation, "switch-1");
    by_est(&installation, &est, &csr::honest()).expect(202);
    by_est(&installation, &est, &request).expect(200);

    let (client, binding) = AcmeClient::registered(&installation, "server-1");
    let order = client.order("dns", &binding.identifier).expect(201);
    let shown = client.finalize(&order, &KeyPair::generate().expect("a key")).expect(200);
    assert_eq!(shown.json()["status"], "processing");
    assert!(shown.header("retry-after").parse::<u32>().expect("seconds") > 0);
    let at = order.header("location");
    assert_eq!(client.read(at).expect(200).json()["status"], "processing");
    approve(&installation, "server-1");
    let done = client.read(at).expect(200).json();
    assert_eq!(done["status"], "valid");
    let chain = client.read(done["certificate"].as_str().expect("a URL")).expect(200).text();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);

    let mut machine = Waiting::enroll(&installation, "kitted-1");
    machine.approved(&installation);
    let strongswan = strongswan(&installation);
    assert!(strongswan.contains("Issued certificate is trusted"), "{strongswan}");
    let scep = by_scep(&installation);
    assert!(scep.contains("Issued certificate is trusted"), "{scep}");
    installation.command(&["check"]).good();
}

#[test]
fn a_declined_device_hears_so_by_every_protocol() {
    let installation = RunningInstallation::start();
    set(&installation, &["--approval", "yes", "--site", "本店"]);
    let est = code(&installation.invite("switch-1"));
    let request = csr::honest();
    by_est(&installation, &est, &request).expect(202);
    let (client, binding) = AcmeClient::registered(&installation, "server-1");
    let order = client.order("dns", &binding.identifier).expect(201);
    client.finalize(&order, &KeyPair::generate().expect("a key")).expect(200);
    for _ in 0..2 {
        let waiting = installation.listed(&["approvals", "list"]);
        let id = waiting[0]["approval"].as_str().expect("somebody waits");
        installation.tell(&["approvals", "decline", id, "--reason", "not ours"]);
    }
    assert_eq!(by_est(&installation, &est, &request).expect(403).problem(), "E-06");
    let ended = client.read(order.header("location")).expect(200).json();
    assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!("invalid"), &json!("E-06")));
    by_est(&installation, &est, &csr::honest()).expect(202);
    let waiting = installation.listed(&["approvals", "list"]);
    let id = waiting[0]["approval"].as_str().expect("somebody waits");
    installation.tell(&["approvals", "decline", id, "--reason", "not ours", "--withdraw"]);
    assert_eq!(
        by_est(&installation, &est, &csr::honest()).expect(410).problem(),
        "I-04",
        "nor by another key"
    );
    assert_eq!(installation.listed(&["approvals", "list"]), json!([]));
    assert_eq!(installation.listed(&["device", "list"]), json!([]));
    let nobody = installation.command(&["approvals", "approve", "0000-0000"]);
    assert_eq!(nobody.code, 2, "nobody waits under that number");
}

fn approve(installation: &RunningInstallation, label: &str) {
    let waiting = installation.listed(&["approvals", "list"]);
    let waiting: Vec<_> =
        waiting.as_array().expect("a list").iter().filter(|one| one["label"] == label).collect();
    let first = waiting.first().unwrap_or_else(|| panic!("{label} does not wait"));
    let told = installation.tell(&[
        "approvals",
        "approve",
        &first["approval"].as_str().expect("an identifier")[..8],
    ]);
    assert_eq!((&told["label"], &told["decision"]), (&json!(label), &json!("approved")));
}

/// `tegata enroll`, which waits.
struct Waiting {
    child: Child,
    label: &'static str,
}

impl Waiting {
    fn enroll(installation: &RunningInstallation, label: &'static str) -> Self {
        let mut command = Command::new(tegata());
        command.arg("enroll").arg(installation.invite(label)).arg("--json");
        command.arg("--out").arg(installation.folder("waiting").join(label));
        command.arg("--tls-ca").arg(&installation.tls_ca).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: command.spawn().expect("it starts"), label }
    }

    fn approved(&mut self, installation: &RunningInstallation) {
        waits(installation, self.label);
        approve(installation, self.label);
        assert!(self.child.wait().expect("it ends").success());
    }
}

fn waits(installation: &RunningInstallation, label: &str) {
    for _ in 0..300 {
        let waiting = installation.listed(&["approvals", "list"]);
        if waiting.as_array().expect("a list").iter().any(|one| one["label"] == label) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{label} does not come to wait");
}

/// An EST client of others, which comes again by itself.
fn strongswan(installation: &RunningInstallation) -> String {
    let client = StrongSwan::in_folder(installation.folder("strongswan"));
    let tls = installation.tls_ca.display().to_string();
    let server = ["--url", &installation.device, "--cacert", &tls];
    client.pki(&[&["--estca"], &server[..], &["--caout", "ca.der"]].concat(), "nothing").good();
    client.request("first");
    let user = format!("invitation:{}", code(&installation.invite("router-1")));
    let trusted = ["--cacert", "ca.der", "--cacert", "ca-1.der", "--outform", "pem", "--interval", "1"];
    let enroll = [&["--est"], &server[..], &trusted, &["--in", "first.csr", "--userpass", &user]].concat();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| client.pki(&enroll, "first.pem").good().stderr);
        waits(installation, "router-1");
        approve(installation, "router-1");
        running.join().expect("it ends")
    })
}

#[test]
fn a_profile_is_for_the_kinds_of_apple_devices_that_are_allowed() {
    let installation = RunningInstallation::start();
    set(&installation, &["--platform", "ios"]);
    let invitation = installation.tell(&["invite", "--acme", "--label", "iPad-1"]);
    let code = code(invitation["url"].as_str().expect("a link"));
    let ipad =
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15";
    let ask = |agent: &str, more: &[(&str, &str)]| {
        let form = [&[("code", &*code)], more].concat();
        installation.at_portal("/api/v1/profiles").header("user-agent", agent).form(&form).send()
    };
    assert_eq!(ask("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", &[]).expect(403).problem(), "E-02");
    assert_eq!(
        ask(ipad, &[("platform", "macos")]).expect(403).problem(),
        "E-02",
        "its page knows that it is a Mac"
    );
    ask("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)", &[]).expect(200);
    ask(ipad, &[]).expect(200);

    let mut client =
        AcmeClient::new(&installation, &format!("{}/acme/device/directory", installation.portal));
    client.register(None).expect(201);
    let order = client.order("permanent-identifier", &code).expect(201);
    let authorization =
        client.read(order.json()["authorizations"][0].as_str().expect("a URL")).expect(200).json();
    client.post(authorization["challenges"][0]["url"].as_str().expect("a URL"), &json!({})).expect(200);
    let key = KeyPair::generate().expect("a key");
    assert_eq!(refusal(&client.finalize(&order, &key)).1, "E-02", "a client that does not say what it is");
    client.user_agent = Some("profiled/1.0 CFNetwork/1494.0.7 Darwin/23.4.0");
    assert_eq!(client.finalize(&order, &key).expect(200).json()["status"], "valid");
}

/// A SCEP client of others: refused while a rule is against it, then it polls until somebody has approved.
fn by_scep(installation: &RunningInstallation) -> String {
    let client = StrongSwan::in_folder(installation.folder("strongswan-scep"));
    let url = format!("{}/scep", installation.public);
    client.pki(&["--scepca", "--url", &url, "--caout", "ca.der", "--raout", "ra.der"], "nothing").good();
    client.pki(&["--gen", "--type", "rsa", "--size", "2048"], "first.key").good();
    let code = code(&installation.invite("printer-1"));
    let server =
        ["--scep", "--url", &url, "--cacert-enc", "ra.der", "--cacert-sig", "ra.der", "--dn", "CN=nobody"];
    let trusted = ["--cacert", "ca.der", "--cacert", "ca-1.der", "--outform", "pem", "--interval", "1"];
    let enroll = [&server[..], &trusted, &["--in", "first.key", "--password", &code]].concat();
    set(installation, &["--platform", "ios"]);
    assert!(client.pki(&enroll, "nothing.pem").code != 0, "a client that does not say what it is");
    assert!(!installation.listed(&["approvals", "list"]).to_string().contains("printer-1"));
    installation.tell(&["policy", "clear", "--rule", "platform"]);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| client.pki(&enroll, "first.pem").good().stderr);
        waits(installation, "printer-1");
        approve(installation, "printer-1");
        running.join().expect("it ends")
    })
}
