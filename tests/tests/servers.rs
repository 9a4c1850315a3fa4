//! Several servers of one installation on one PostgreSQL: whatever is promised of one holds whichever is asked.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tegata_core::claims::person_subject;
use tegata_tests::openssl::{ocsp_at, ocsp_url};
use tegata_tests::stopwatch::{Stopwatch, eventually, report};
use tegata_tests::tokens::obtain;
use tegata_tests::{
    Account, AnotherServer, Curl, CurlAnswer, DatabaseWay, DeviceIdentity, RunningInstallation, Storehouse,
    TestLogoutReceiver, csr, ports, run,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server's staleness and what may be under way, as the program has them.
const SILENCE: i64 = 1500;

#[test]
fn a_server_cut_off_from_the_ledger_is_named_until_it_must_refuse() {
    let store = Storehouse::postgres();
    let installation = store.installation();
    let way = DatabaseWay::to(&store.url());
    let cut_off = AnotherServer::start(&installation, |text| text.replace(&store.url(), way.url()));
    let [early, lost, other] = ["early", "lost", "other"].map(|label| installation.enroll(label));
    let token = obtain(&installation, &lost);
    let asked = Introspection::of(&installation, &lost, &token);
    assert_eq!(asked.at(&cut_off).expect("an answer").json()["active"], true);
    let responder = ocsp_url(&lost)
        .replace(&format!(":{}/", ports::of(&installation.public)), &format!(":{}/", cut_off.public_port()));
    let said = ocsp_at(&installation, &lost, &responder).said();
    assert!(said.contains(": good"), "{said}");

    way.cut(true);
    let hurried = installation.command(&["device", "revoke", &early.device, "--yes", "--wait-ms", "600"]);
    assert_eq!(hurried.code, 1, "{}", hurried.said());
    assert!(hurried.stderr.contains("no receipt yet from"), "{}", hurried.said());
    let told: Value = serde_json::from_str(hurried.stdout.trim()).expect("JSON");
    // The one that is cut off may be the one that publishes: then the list waits for the end of its lease.
    let missing = surfaces(&told, |receipt| {
        let is_list = receipt["surface"].as_str().is_some_and(|surface| surface.starts_with("crl:"));
        receipt["confirmed_by"].is_null() && !is_list
    });
    assert_eq!(missing, ["introspection", "ocsp", "status-list", "token"], "{told}");

    // Let it hear the ledger again, so that it knows all but the next revocation.
    way.cut(false);
    eventually("it answers again", PATIENCE, || asked.is_active_at(&cut_off));
    let is_over = AtomicBool::new(false);
    let asked_again = cut_off.leads(asked.request.clone());
    let watch = Stopwatch::start();
    let (returned, last_active) = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut last = None;
            while !is_over.load(Ordering::SeqCst) {
                let begun = watch.elapsed();
                last = if is_active(asked_again.clone()) { Some(begun) } else { last };
            }
            last
        });
        way.cut(true);
        let told = installation.tell(&["device", "revoke", &lost.device, "--yes"]);
        let returned = watch.elapsed();
        let silent = surfaces(&told, |receipt| receipt["confirmed_by"] == "silence");
        assert_eq!(silent, ["introspection", "ocsp", "status-list", "token"], "{told}");
        assert!(told["slowest_ms"].as_i64() >= Some(SILENCE), "{told}");
        let confirmed = surfaces(&told, |receipt| receipt["confirmed_by"] == "receipt");
        assert!(confirmed.len() >= 5, "the other server's four, and the list: {told}");
        thread::sleep(Duration::from_millis(500));
        is_over.store(true, Ordering::SeqCst);
        (returned, watching.join().expect("somebody who asks"))
    });
    assert!(last_active.is_none_or(|asked| asked < returned), "it answered after it counted as refusing");
    let said = ocsp_at(&installation, &lost, &responder).said();
    assert!(!said.contains(": good"), "{said}");

    way.cut(false);
    eventually("it hears what happened", PATIENCE, || {
        asked.at(&cut_off).is_ok_and(|answer| answer.status == 401)
    });
    cut_off.stop();
    let watch = Stopwatch::start();
    let told = installation.tell(&["device", "suspend", &other.device]);
    assert_eq!(surfaces(&told, |receipt| receipt["surface"] == "token"), ["token"], "one is left: {told}");
    report(&format!("{:.0} ms to suspend with one server left", watch.millis()));
}

#[test]
fn a_gate_goes_on_and_hears_of_revocations_when_one_of_two_servers_hangs() {
    let store = Storehouse::postgres();
    let mut installation = store.installation();
    let receiver = TestLogoutReceiver::new(&installation, "page", 0);
    let trust = format!("[clients]\nlogout_ca = \"{}\"", receiver.ca().display());
    installation.reconfigure(|text| format!("{text}\n{trust}\n"));
    let second = AnotherServer::start(&installation, |text| text);
    let device = installation.enroll("device");
    let token = obtain(&installation, &device);
    let gate = installation.gate_beside(&second);
    let enter = || {
        let asked = Curl::to(&format!("http://127.0.0.1:{}/check", gate.port)).bearer(&token);
        asked.header("x-client-cert", &certificate_header(&device)).send().status
    };
    eventually("the device may enter", PATIENCE, || enter() == 200);

    installation.freeze(true);
    let watch = Stopwatch::start();
    while watch.elapsed() < Duration::from_secs(5) {
        assert_eq!(enter(), 200, "after {:?}", watch.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    let revoking = installation.tell(&["device", "revoke", &device.device, "--yes"]);
    assert_eq!(enter(), 401);
    let by_gate = revoking["receipts"].as_array().expect("receipts").iter();
    let by_gate = by_gate.filter(|receipt| receipt["surface"] == format!("gate:{}", gate.id));
    let heard: Vec<_> = by_gate.filter_map(|receipt| receipt["milliseconds"].as_i64()).collect();
    assert!(heard.len() == 1 && heard[0] < 1000, "{revoking}");
    installation.freeze(false);
    a_client_hears_of_a_logout_though_its_server_is_killed(installation, receiver);
    assert!(second.log().is_empty() || !second.log().contains("panicked"), "{}", second.log());
}

/// The client was away as long as the server lived where somebody signed out.
fn a_client_hears_of_a_logout_though_its_server_is_killed(
    mut installation: RunningInstallation,
    mut receiver: TestLogoutReceiver,
) {
    let (device, callback) = (installation.enroll("counter"), "https://rezept.example/callback");
    let (product, uri) = (installation.product.clone(), receiver.uri());
    let add = ["client", "add", "page", "--auth", "none", "--grant", "authorization_code", "--audience"];
    let addresses = [&*product, "--redirect-uri", callback, "--backchannel-logout-uri", &uri];
    installation.tell(&[&add[..], &addresses].concat());
    let sato = Account::add(&installation, "sato", "佐藤 花子", &["--role", "staff", "--site", "本店"]);
    let session = sato.sign_in(&installation, &device);
    let asked = format!(
        "/authorize?response_type=code&client_id=page&redirect_uri={callback}&prompt=none&scope=openid\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    eventually("the client is served", PATIENCE, || {
        let answer = session.at(&installation, &asked).send();
        answer.headers.iter().any(|(name, value)| name == "location" && value.contains("code="))
    });
    let get = |url: &str| Curl::to(url).trusting(&installation.tls_ca).send().expect(200).json();
    let metadata = get(&format!("{}/.well-known/openid-configuration", installation.issuer));
    receiver.knowing(&metadata, &get(metadata["jwks_uri"].as_str().expect("where keys are")));
    session.send(&installation, "/account/sign-out", &[]).expect(303);
    installation.kill();
    receiver.start();
    let heard = receiver.hears();
    let subject = person_subject(&installation.issuer, &sato.person);
    assert_eq!(heard["taken"]["sub"], subject, "{heard}");
    eventually("nothing waits any more", PATIENCE, || {
        let state = installation.tell(&["client", "show", "page"])["backchannel_logout"].clone();
        (&state["waiting"], &state["delivered"]) == (&json!(0), &json!(1))
    });
}

#[test]
fn a_browser_enrolls_renews_and_hands_over_whichever_server_it_comes_to() {
    let store = Storehouse::postgres();
    let installation = store.installation();
    let servers = ServersInTurn { second: AnotherServer::start(&installation, |text| text), installation };
    let link = servers.installation.invite("counter");
    let (_, code) = link.split_once('#').expect("a code");
    let folder = servers.installation.folder("browser");

    let open = servers.portal("/api/v1/invitations/open", &json!({ "code": code }));
    let opened = first(open).expect(200).json();
    let key = new_key(&folder, "first");
    let enrollment = json!({ "code": code, "csr": csr::for_key(&key) });
    let enrolled = servers.second(servers.portal("/api/v1/enrollments", &enrollment)).expect(201).json();
    let again = first(servers.portal("/api/v1/enrollments", &enrollment)).expect(201).json();
    assert_eq!(again["thumbprint"], enrolled["thumbprint"], "what is asked again is answered again");
    let old = Holder::keep(&folder, "first", key, &enrolled);
    let delivery = json!({ "code": code, "thumbprint": enrolled["thumbprint"] });
    first(servers.portal("/api/v1/deliveries", &delivery)).expect(204);
    let progress = json!({ "ticket": opened["progress"] });
    let progress = servers.second(servers.portal("/api/v1/invitations/progress", &progress)).expect(200);
    assert_eq!(progress.json()["thumbprint"], enrolled["thumbprint"]);
    servers.second(servers.device("/probe", &old)).expect(200);

    let key = new_key(&folder, "second");
    let renewal = servers.device("/api/v1/renewals", &old).json(&json!({ "csr": csr::for_key(&key) }));
    let renewed = first(renewal).expect(201).json();
    let new = Holder::keep(&folder, "second", key, &renewed);
    let delivery = json!({ "thumbprint": renewed["thumbprint"] });
    servers.second(servers.device("/api/v1/deliveries", &old).json(&delivery)).expect(204);
    first(servers.device("/probe", &new)).expect(200);
    let progress = servers.device("/api/v1/renewals/progress", &old).json(&json!({ "after": 1 }));
    assert_eq!(servers.second(progress).expect(200).json()["thumbprint"], renewed["thumbprint"]);

    // The browser's next connection, to the other server, makes it forget its choice.
    first(servers.device("/api/v1/handovers", &old).json(&json!({}))).expect(204);
    let refused = servers.second.leads(servers.device("/probe", &old)).attempt();
    assert!(refused.is_err(), "the older certificate is refused within TLS: {refused:?}");
    servers.second(servers.device("/probe", &new)).expect(200);
    servers.second(servers.device("/probe", &old)).expect(200);

    for last in 0..10 {
        let guess = json!({ "code": format!("0000-000{last}") });
        assert_eq!(first(servers.portal("/api/v1/invitations/open", &guess)).status, 404);
    }
    thread::sleep(Duration::from_secs(1));
    let guess = servers.portal("/api/v1/invitations/open", &json!({ "code": "0000-0000" }));
    assert_eq!(servers.second(guess).expect(429).problem(), "I-11", "counted wherever the wrong ones went");
    let link = servers.portal("/api/v1/invitations/open", &json!({ "code": code }));
    assert_ne!(servers.second(link).status, 429, "a link is no guess");
}

/// A device asks about its own token.
struct Introspection {
    request: Curl,
}

impl Introspection {
    fn of(installation: &RunningInstallation, asking: &DeviceIdentity, token: &str) -> Self {
        let fields = [("client_id", &*asking.device), ("token", token)];
        let request = installation.oauth("introspection_endpoint").as_device(asking).form(&fields);
        Self { request: request.option("--max-time", "4") }
    }

    fn at(&self, server: &AnotherServer) -> Result<CurlAnswer, String> {
        server.leads(self.request.clone()).attempt()
    }

    fn is_active_at(&self, server: &AnotherServer) -> bool {
        is_active(server.leads(self.request.clone()))
    }
}

fn is_active(request: Curl) -> bool {
    request.attempt().is_ok_and(|answer| answer.status == 200 && answer.json()["active"] == true)
}

/// A browser's requests, each to the server that it happens to come to.
struct ServersInTurn {
    second: AnotherServer,
    installation: RunningInstallation,
}

impl ServersInTurn {
    fn portal(&self, path: &str, body: &Value) -> Curl {
        self.installation.at_portal(path).json(body)
    }

    fn device(&self, path: &str, holder: &Holder) -> Curl {
        self.installation.at_device(path).presenting(&holder.chain, &holder.key)
    }

    fn second(&self, request: Curl) -> CurlAnswer {
        self.second.leads(request).send()
    }
}

/// A key and its certificate, in files.
struct Holder {
    chain: String,
    key: String,
}

impl Holder {
    fn keep(folder: &Path, name: &str, key: String, enrolled: &Value) -> Self {
        let der = folder.join(format!("{name}.b64"));
        let certificate = enrolled["certificate"].as_str().expect("a certificate");
        fs::write(&der, format!("{certificate}\n")).expect("a file");
        let raw = folder.join(format!("{name}.der"));
        let show = |path: &PathBuf| path.display().to_string();
        run("openssl", &["base64", "-d", "-A", "-in", &show(&der), "-out", &show(&raw)]);
        let chain = show(&folder.join(format!("{name}.pem")));
        run("openssl", &["x509", "-inform", "DER", "-in", &show(&raw), "-out", &chain]);
        Self { chain, key }
    }
}

fn new_key(folder: &Path, name: &str) -> String {
    let file = folder.join(format!("{name}.key")).display().to_string();
    run("openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &file]);
    file
}

/// The surfaces of the receipts of which this is true, sorted.
fn surfaces(told: &Value, is_meant: impl Fn(&Value) -> bool) -> Vec<String> {
    let receipts = told["receipts"].as_array().unwrap_or_else(|| panic!("no receipts: {told}"));
    let meant = receipts.iter().filter(|receipt| is_meant(receipt));
    let mut surfaces: Vec<_> =
        meant.map(|receipt| receipt["surface"].as_str().expect("a surface").to_owned()).collect();
    surfaces.sort();
    surfaces
}

/// A device's certificate as nginx hands it over.
fn certificate_header(device: &DeviceIdentity) -> String {
    let pem = fs::read_to_string(device.file("cert.pem")).expect("a certificate");
    tegata_tests::escaped(&pem)
}

/// Asks the server that clients find by the installation's addresses.
fn first(request: Curl) -> CurlAnswer {
    request.send()
}
