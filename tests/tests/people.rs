//! People sign in at their own provider, npm's oidc-provider, and use devices: one token names both.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tegata_core::claims::person_subject;
use tegata_tests::stopwatch::{Stopwatch, eventually};
use tegata_tests::{
    Browser, CommandOutcome, Curl, CurlAnswer, DeviceIdentity, OpenidApache, Own, PythonIdentityProvider,
    RunningInstallation, TestIdentityProvider, TestLogoutReceiver, TestProductServer, clients, escaped,
    ports, python, totp,
};

const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const STORE: &str = "本店";

/// An installation whose first tenant's people sign in at a provider.
fn open(more: &str) -> (RunningInstallation, TestIdentityProvider) {
    let mut installation = RunningInstallation::start();
    let provider = TestIdentityProvider::start(&installation.folder("provider"));
    let section = provider.configuration(&installation, &installation.product, more);
    installation.reconfigure(|text| format!("{text}\n{section}"));
    (installation, provider)
}

fn exchange(
    installation: &RunningInstallation,
    device: &DeviceIdentity,
    token: &str,
    kind: &str,
) -> CurlAnswer {
    let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
    let fields = [
        ("grant_type", EXCHANGE),
        ("client_id", &*device.device),
        ("subject_token", token),
        ("subject_token_type", &kind),
        ("resource", &installation.product),
    ];
    installation.oauth("token_endpoint").as_device(device).form(&fields).send()
}

fn refresh(installation: &RunningInstallation, device: &DeviceIdentity, token: &Value) -> CurlAnswer {
    let token = token.as_str().expect("a refresh token");
    let fields = [("grant_type", "refresh_token"), ("client_id", &*device.device), ("refresh_token", token)];
    installation.oauth("token_endpoint").as_device(device).form(&fields).send()
}

fn claims(answer: &Value) -> Value {
    let token = answer["access_token"].as_str().expect("an access token");
    let payload = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("claims")
}

fn is_refused(answer: &CurlAnswer, status: u16, error: &str, code: &str) {
    let said = answer.json();
    assert_eq!(
        (answer.status, &said["error"], &said["code"]),
        (status, &json!(error), &json!(code)),
        "{said}"
    );
}

#[test]
fn a_product_learns_person_and_device_over_renewals_until_revocation() {
    let (installation, mut provider) = open("");
    let (device, gate) = (installation.enroll("register-1"), installation.gate());
    let signed_in = provider.sign_in("staff-1", &[STORE], "RS256", &installation.product);
    let answer = exchange(&installation, &device, &signed_in.id_token, "id_token").expect(200).json();
    let person = person_subject(&provider.issuer, "staff-1");
    let told = claims(&answer);
    assert_eq!((&told["sub"], &told["client_id"]), (&json!(person), &json!(device.device)));
    assert_eq!(told["act"]["sub"], format!("device:{}", device.device));
    assert_eq!(told["cnf"]["x5t#S256"], *device.thumbprint);
    assert!(!told.to_string().contains("staff-1"));

    let check = |device: &DeviceIdentity, answer: &Value| {
        let certificate = std::fs::read_to_string(device.file("cert.pem")).expect("a certificate");
        let request = Curl::to(&format!("http://127.0.0.1:{}/check", gate.port));
        let request = request.header("X-Client-Cert", &escaped(&certificate));
        request.bearer(answer["access_token"].as_str().expect("a token")).send()
    };
    let admitted = check(&device, &answer).expect(200);
    assert_eq!(
        (admitted.header("tegata-subject"), admitted.header("tegata-device")),
        (&*person, &*device.device)
    );

    let renewed = device.renew(&installation);
    let answer = refresh(&installation, &renewed, &answer["refresh_token"]).expect(200).json();
    let told = claims(&answer);
    assert_eq!((&told["sub"], &told["generation"]), (&json!(person), &json!(2)));
    assert_eq!(told["cnf"]["x5t#S256"], *renewed.thumbprint);
    check(&renewed, &answer).expect(200);

    installation.tell(&["device", "revoke", "--yes", &device.device]);
    let refused = refresh(&installation, &renewed, &answer["refresh_token"]);
    is_refused(&refused, 401, "invalid_client", "C-06");
    check(&renewed, &answer).expect(401);
}

#[test]
fn providers_of_every_algorithm_are_believed_and_may_change_keys() {
    let (installation, mut provider) = open("");
    let device = installation.enroll("register-1");
    for algorithm in ALGORITHMS {
        let signed_in = provider.sign_in("staff-1", &[STORE], algorithm, &installation.product);
        exchange(&installation, &device, &signed_in.id_token, "id_token").expect(200);
        exchange(&installation, &device, &signed_in.access_token, "access_token").expect(200);
        let swapped = exchange(&installation, &device, &signed_in.id_token, "access_token");
        is_refused(&swapped, 400, "invalid_request", "T-02");
    }
    let before = provider.sign_in("staff-1", &[STORE], "ES256", &installation.product).id_token;
    provider.rotate_keys();
    let after = provider.sign_in("staff-1", &[STORE], "ES256", &installation.product).id_token;
    eventually("the new keys are fetched", Duration::from_secs(20), || {
        exchange(&installation, &device, &after, "id_token").status == 200
    });
    is_refused(&exchange(&installation, &device, &before, "id_token"), 400, "invalid_request", "T-02");
}

#[test]
fn a_person_of_another_store_reads_why_and_the_log_says_where() {
    let (installation, mut provider) = open("site_claim = \"stores\"");
    let device = installation.enroll("register-1");
    let stranger = provider.sign_in("staff-2", &["駅前店"], "RS256", &installation.product);
    for (token, kind) in [(&stranger.id_token, "id_token"), (&stranger.access_token, "access_token")] {
        is_refused(&exchange(&installation, &device, token, kind), 400, "invalid_grant", "T-03");
    }
    let own = provider.sign_in("staff-1", &["駅前店", STORE], "RS256", &installation.product);
    exchange(&installation, &device, &own.id_token, "id_token").expect(200);
    let log = installation.command(&["device", "show", &device.device]).good().stdout;
    assert!(log.contains("token_exchange.refused") && log.contains("T-03"), "{log}");
    assert!(!log.contains("staff-"), "{log}");
}

#[test]
fn neither_a_redirect_nor_a_server_of_another_ca_is_followed() {
    let (mut installation, mut provider) = open("");
    let device = installation.enroll("register-1");
    let token = provider.sign_in("staff-1", &[STORE], "RS256", &installation.product).id_token;
    let trap = TcpListener::bind("127.0.0.1:0").expect("a port");
    trap.set_nonblocking(true).expect("a trap");
    provider.redirect_everything_to(&format!("https://localhost:{}/", trap.local_addr().expect("it").port()));
    let answer = exchange(&installation, &device, &token, "id_token");
    is_refused(&answer, 503, "temporarily_unavailable", "S-01");
    assert!(trap.accept().is_err(), "nobody came");

    let (own_ca, other_ca) = (provider.ca.display().to_string(), installation.tls_ca.display().to_string());
    provider.rotate_keys();
    let token = provider.sign_in("staff-1", &[STORE], "RS256", &installation.product).id_token;
    installation.reconfigure(|text| text.replace(&own_ca, &other_ca));
    let answer = exchange(&installation, &device, &token, "id_token");
    is_refused(&answer, 503, "temporarily_unavailable", "S-01");
}

#[test]
fn a_person_sets_up_signs_in_on_a_device_and_is_out_when_it_is_revoked() {
    let mut installation = RunningInstallation::start();
    let product = TestProductServer::behind_a_proxy();
    let own = Own::make(&installation.folder("backend"), "backend", "backend");
    let section = clients_for_people(&installation, &format!("http://localhost:{}", product.port), &own);
    installation.reconfigure(|text| format!("{text}\n{section}"));
    let sato =
        ["person", "add", "--login", "sato", "--name", "佐藤 花子", "--role", "staff", "--site", STORE];
    let added = installation.tell(&sato);
    let setup = added["setup"].as_str().expect("a setup link").to_owned();
    assert!(setup.starts_with(&format!("{}/setup#", installation.portal)), "{setup}");
    assert_eq!(installation.command(&sato).code, 2, "one login is one person");
    let mut browser = Browser::open(&installation);
    browser.enroll(&installation.invitation);

    browser.go(&setup);
    browser.see("#setup");
    assert!(!browser.address().contains('#'), "the code does not stay in the address bar");
    browser.picture("person-setup");
    browser.click("#language");
    browser.see("html[lang=en] #setup");
    browser.picture("person-setup-english");
    browser.click("#language");
    browser.see("html[lang=ja] #setup");
    let secret = browser.text("#totp-secret");
    choose(&mut browser, "password", &totp::code(&secret, 0));
    browser.see("#password-problem");
    browser.picture("person-setup-weak");
    choose(&mut browser, PASSWORD, &totp::code(&secret, 0));
    browser.see("#recovery");
    browser.picture("person-recovery-codes");
    let recovery: Vec<String> =
        browser.text("#recovery .codes").split_whitespace().map(str::to_owned).collect();
    assert_eq!(recovery.len(), 10);
    browser.click("#to-sign-in");

    browser.see("#sign-in");
    browser.picture("sign-in");
    sign_in(&mut browser, "another password", &totp::code(&secret, 1));
    browser.see("#problem");
    assert!(browser.text("#problem").contains("U-01"));
    browser.picture("sign-in-wrong");
    sign_in(&mut browser, PASSWORD, &totp::code(&secret, 1));
    browser.see("#account");
    browser.picture("account");
    assert!(browser.text("#account h1").contains("佐藤 花子"));
    assert!(browser.text("#sessions").contains("受付PC"));
    browser.go(&format!("{}/account?lang=en", installation.device));
    browser.see("#account");
    browser.picture("account-english");
    a_product_is_entered(&mut browser, &installation, &product, &recovery[1]);
    browser.go(&format!("{}/sign-in?lang=en", installation.device));
    browser.picture("sign-in-english");
    browser.go(&installation.device);
    browser.picture("device-with-accounts");
    browser.click("#to-account");
    browser.see("#account");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    use_passkeys(&installation, &mut browser);
    sign_in(&mut browser, PASSWORD, &recovery[0]);
    browser.see("#account");
    look_at_the_account(&installation, &mut browser);

    let shown = installation.tell(&["person", "show", "ＳＡＴＯ"]);
    assert_eq!(
        (&shown["set_up"], shown["sessions"].as_array().map(Vec::len)),
        (&json!(true), Some(1)),
        "{shown}"
    );
    let device = shown["sessions"][0]["device"].as_str().expect("a device").to_owned();
    installation.act_on(&device, "revoke");
    let revoked = Stopwatch::start();
    browser.go(&format!("{}/account", installation.device));
    let refused = browser.text("main");
    assert!(revoked.elapsed() < Duration::from_secs(2) && refused.contains("C-06"), "{refused}");
    assert_eq!(installation.tell(&["person", "show", "sato"])["sessions"], json!([]));
    installation.command(&["check"]).good();
    assert!(!installation.log().contains("佐藤") && !installation.log().contains(PASSWORD));
}

#[test]
fn a_company_s_people_sign_in_at_its_own_provider_and_out_there_too() {
    let mut installation = RunningInstallation::start();
    let mut provider = TestIdentityProvider::start_for_browsers(&installation.folder("provider"));
    let section = provider.register(&installation);
    let section = provider.configuration(&installation, &installation.product, &section);
    installation.reconfigure(|text| format!("{text}\n{section}"));
    let onward = format!("{}/setup", installation.portal);
    let add = ["client", "add", "page", "--auth", "none", "--grant", "authorization_code", "--audience"];
    let addresses =
        [&*installation.product, "--redirect-uri", &onward, "--post-logout-redirect-uri", &onward];
    installation.tell(&[&add[..], &addresses].concat());
    let tenant = installation.tell(&["tenant", "list"])[0]["name"].as_str().expect("a name").to_owned();
    let policy = installation.tell(&["tenant", "sign-in", &tenant]);
    assert_eq!((&policy["accounts"], &policy["issuer"]), (&json!("both"), &json!(provider.issuer)));
    assert_eq!(policy["redirect_uri"], format!("{}/sign-in/provider/callback", installation.device));
    let sato =
        ["person", "add", "--login", "sato", "--name", "佐藤 花子", "--role", "staff", "--site", STORE];
    installation.tell(&sato);
    let mut browser = Browser::open_trusting(&installation, &provider.ca);
    browser.enroll(&installation.invitation);

    let sign_in_page = format!("{}/sign-in", installation.device);
    browser.go(&sign_in_page);
    browser.picture("sign-in-provider");
    browser.go(&format!("{sign_in_page}?lang=en"));
    browser.picture("sign-in-provider-english");
    browser.click("#to-provider");
    browser.see("html[lang=en] #person");
    log_in_at_provider(&mut browser, "staff-1");
    browser.see("html[lang=en] #problem");
    assert!(browser.text("#problem").contains("U-53"));
    browser.picture("sign-in-not-linked-english");
    let linked = installation.tell(&["person", "link", "sato", "--subject", "staff-1"]);
    assert_eq!(linked["issuer"], provider.issuer);
    browser.click("#to-provider");
    browser.see("#account");
    assert!(browser.text("#account h1").contains("佐藤 花子"), "the provider remembers who it was");
    let shown = installation.tell(&["person", "show", "sato"]);
    assert_eq!(shown["links"][0]["subject"], "staff-1");
    leave_a_product_by_the_provider((&installation, &onward), &mut browser, &shown["sessions"][0]["session"]);
    browser.go(&format!("{sign_in_page}?lang=en"));
    browser.click("#to-provider");
    browser.see("#person");
    log_in_at_provider(&mut browser, "staff-1");
    browser.see("#account");
    browser.click("#sign-out");
    browser.click("#leave");
    browser.see("#sign-in");
    assert!(browser.address().starts_with(&sign_in_page), "{}", browser.address());

    let silo = ["tenant", "sign-in", &tenant, "--accounts", "provider", "--create-people", "on"];
    assert_eq!(installation.tell(&silo)["creates_people"], "on");
    provider.register_by_key(&installation);
    let (secret, key) =
        ("client_secret = \"provider-secret\"", "token_endpoint_auth_method = \"private_key_jwt\"");
    installation.reconfigure(|text| text.replace(secret, key));
    browser.go(&sign_in_page);
    browser.picture("sign-in-silo");
    browser.go(&format!("{sign_in_page}?lang=en"));
    browser.picture("sign-in-silo-english");
    browser.go(&format!("{sign_in_page}?next=/account"));
    browser.see("#person");
    log_in_at_provider(&mut browser, "staff-2");
    browser.see("#account");
    assert!(browser.text("#account h1").contains("鈴木 一郎"), "an account was made");
    assert_eq!(provider.stop("staff-2"), 1);
    browser.go(&format!("{}/account", installation.device));
    browser.see("#to-provider");

    another_provider_does_it_too(&mut installation, &mut browser, &provider.ca);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    installation.command(&["check"]).good();
    let log = installation.log();
    assert!(!log.contains("staff-") && !log.contains("佐藤") && !log.contains("secret"), "{log}");
}

/// The company changes to another implementation: linked anew, people sign in there, and out.
fn another_provider_does_it_too(installation: &mut RunningInstallation, browser: &mut Browser, ca: &Path) {
    let folder = installation.folder("provider");
    let provider = PythonIdentityProvider::start(&folder, ca, installation);
    installation.reconfigure(|text| {
        let (before, _) = text.rsplit_once("[[identity_provider]]").expect("the first provider");
        format!("{before}{}", provider.section)
    });
    installation.tell(&["person", "link", "sato", "--subject", "staff-9"]);
    browser.go(&format!("{}/sign-in?next=/account", installation.device));
    browser.see("#person");
    log_in_at_provider(browser, "staff-9");
    browser.see("#account");
    assert!(browser.text("#account h1").contains("佐藤 花子"));
    browser.click("#sign-out");
    browser.click("#leave");
    browser.see("#sign-in");
}

/// A product that has nothing more of its own than an address to go on to.
fn leave_a_product_by_the_provider(
    (installation, onward): (&RunningInstallation, &str),
    browser: &mut Browser,
    session: &Value,
) {
    let session = session.as_str().expect("the name of the session");
    let address = format!(
        "{}/end-session?client_id=page&logout_hint={session}&post_logout_redirect_uri={}&state=a",
        installation.device,
        escaped(onward)
    );
    browser.go(&address);
    browser.click("#leave");
    eventually("the browser is led on", Duration::from_secs(10), || {
        browser.address() == format!("{onward}?state=a")
    });
    assert!(installation.tell(&["person", "show", "sato"])["sessions"].as_array().is_some_and(Vec::is_empty));
}

fn log_in_at_provider(browser: &mut Browser, person: &str) {
    browser.type_in("#person", person);
    browser.click("#log-in");
}

/// A page on the device, and a backend with a certificate of its own; both at this origin, and once more with a key.
fn clients_for_people(installation: &RunningInstallation, origin: &str, backend: &Own) -> String {
    let product = &installation.product;
    let client = |id: &str, method: &str| {
        format!(
            "[[client]]\nclient_id = \"{id}\"\ntoken_endpoint_auth_method = \"{method}\"\n\
             grants = [\"authorization_code\"]\naudiences = [\"{product}\"]\n\
             scope = \"profile\"\nredirect_uris = [\"{origin}/callback\"]\npost_logout_redirect_uris = [\"{origin}/signed-out\"]\n"
        )
    };
    let (by_key, own) = ("dpop_bound_access_tokens = true\n", "self_signed_tls_client_auth");
    let jwks = format!("[client.jwks]\n{}\n", backend.jwks_as_toml());
    [
        client("page", "none"),
        client("page-by-key", "none") + by_key,
        client("backend", own) + &jwks,
        client("backend-by-key", own) + by_key + &jwks,
    ]
    .concat()
}

/// The module before a page at this port, known by this certificate.
fn client_before_a_page(installation: &RunningInstallation, port: u16, own: &Own) -> String {
    let product = &installation.product;
    format!(
        "[[client]]\nclient_id = \"apache\"\ntoken_endpoint_auth_method = \"self_signed_tls_client_auth\"\n\
         grants = [\"authorization_code\"]\naudiences = [\"{product}\"]\n\
         redirect_uris = [\"http://localhost:{port}/callback\"]\n[client.jwks]\n{}\n",
        own.jwks_as_toml()
    )
}

fn a_backend_in_python_signs_in(mut argument: Value, login: &str, device: &DeviceIdentity) {
    argument["login"] = json!(login);
    let seen = clients::run_python(&["authlib==1.9.10", "requests==2.34.2"], "authlib_code.py", &argument);
    assert_eq!(seen["claims"]["device"], *device.device, "{seen}");
    assert_eq!((&seen["userinfo"]["preferred_username"], &seen["another"]), (&json!(login), &json!(true)));
}

/// The page shows what the module told it.
fn a_page_behind_apache_opens(mut argument: Value, login: &str, apache: &OpenidApache, told: &[&str]) {
    argument["login"] = json!(login);
    argument["url"] = json!(format!("{}/index.shtml", apache.origin));
    let seen = clients::run("visit.mjs", &argument);
    let sent = seen["sent"].as_str().unwrap_or_default();
    assert!(sent.contains("code_challenge_method=S256"), "{seen} {}", apache.log());
    let page = seen["html"].as_str().expect("a page");
    assert!(told.iter().all(|one| page.contains(one)), "{told:?}: {seen} {}", apache.log());
}

fn added(installation: &RunningInstallation, login: &str) -> Value {
    installation.tell(&[
        "person",
        "add",
        "--login",
        login,
        "--name",
        "佐藤 花子",
        "--role",
        "staff",
        "--site",
        STORE,
    ])
}

#[test]
fn standard_clients_sign_people_in_and_out_with_nothing_special() {
    let mut installation = RunningInstallation::start();
    let own = Own::make(&installation.folder("backend"), "backend", "backend");
    let origin = "https://rezept.example";
    let port = ports::free();
    let mut receiver = TestLogoutReceiver::new(&installation, "backend", 1);
    let section =
        clients_for_people(&installation, origin, &own) + &client_before_a_page(&installation, port, &own);
    let hears = format!("backchannel_logout_uri = \"{}\"\n[client.jwks]", receiver.uri());
    let section = section.replacen("[client.jwks]", &hears, 1);
    let ca = receiver.ca();
    let of_clients = format!("[clients]\nlogout_ca = \"{}\"\nregistration = true\n", ca.display());
    installation.reconfigure(|text| format!("{text}\n{of_clients}\n{section}"));
    let device = installation.enroll("register-1");
    let add = |login: &str| {
        let person = added(&installation, login);
        (person["person"].clone(), person["setup"].clone())
    };
    let gate = installation.gate_by_key(origin);
    let files =
        |certificate: &str, key: &str| json!({"cert": certificate, "key": key, "ca": installation.tls_ca});
    let of_device = files(&device.file("chain.pem"), &device.file("key.pem"));
    let client = |id: &str| {
        let mut files = files(&own.certificate.display().to_string(), &own.key.display().to_string());
        files["client_id"] = json!(id);
        files["redirect_uri"] = json!(format!("{origin}/callback"));
        files["signed_out"] = json!(format!("{origin}/signed-out"));
        files
    };
    let asked = |setup: &Value| {
        json!({
            "issuer": installation.issuer, "device": of_device, "setup": setup, "password": PASSWORD,
            "page": client("page"), "backend": client("backend"),
            "pageByKey": client("page-by-key"), "backendByKey": client("backend-by-key"),
            "product": {"origin": origin, "gate": format!("http://127.0.0.1:{}", gate.port)},
        })
    };

    let (sato, setup) = add("sato");
    let product = installation.product.clone();
    let token = installation.tell(&["client", "issue-token", "--audience", &product, "--scope", "profile"]);
    let mut question = asked(&setup);
    question["page"]["initial_token"] = token["token"].clone();
    let of_another = asked(&add("suzuki").1);
    let seen = clients::run("openid-client-code.mjs", &question);
    assert_eq!(installation.listed(&["client", "tokens"])[0]["uses_left"], 0);
    let subject = person_subject(&installation.issuer, sato.as_str().expect("an identifier"));
    for key in ["page", "backend", "pageByKey", "backendByKey"] {
        let life = &seen[key];
        assert_eq!(life["type"], if key.ends_with("ByKey") { "dpop" } else { "bearer" });
        assert_eq!(
            (&life["claims"]["sub"], &life["claims"]["aud"]),
            (&json!(subject), &life["client_id"]),
            "{life}"
        );
        assert_eq!(life["claims"]["device"], *device.device);
        assert_eq!(life["claims"]["cnf"]["x5t#S256"], *device.thumbprint);
        assert_eq!(life["claims"]["acr"], "urn:tegata:acr:mfa");
        assert_eq!(life["userinfo"]["preferred_username"], "sato");
        assert_eq!(
            (&life["replayed"], &life["over"]),
            (&json!("invalid_grant"), &json!("invalid_grant")),
            "{life}"
        );
        assert!(life["silent"].as_str().is_some_and(|url| url.contains("code=")), "{life}");
        assert_eq!(life["left"], life["expected"]);
    }
    a_backend_hears_of_the_end_though_it_was_away(&installation, &mut receiver, &seen["backend"]);
    let of_device = json!({"status": 200, "device": *device.device, "refusal": null});
    let refused = |code: &str| json!({"status": 401, "device": null, "refusal": code});
    assert_eq!(seen["pageByKey"]["product"], json!({"entered": of_device, "stripped": refused("T-20")}));
    assert_eq!(
        seen["backendByKey"]["product"]["entered"],
        refused("G-03"),
        "no backend's token is a device's"
    );
    let seen = clients::run("oauth4webapi-code.mjs", &of_another);
    assert_eq!(seen["device"]["sub"], format!("device:{}", device.device), "{seen}");
    assert_eq!(
        (&seen["byKey"]["sub"], &seen["byKey"]["token_type"]),
        (&seen["device"]["sub"], &json!("dpop"))
    );
    assert_eq!(seen["person"]["sub"], seen["again"]["sub"]);
    assert_ne!(seen["person"]["sid"], seen["again"]["sid"], "signed in anew each time");
    let (_, setup) = add("tanaka");
    a_backend_in_python_signs_in(asked(&setup), "tanaka", &device);
    let (watanabe, setup) = add("watanabe");
    let subject = person_subject(&installation.issuer, watanabe.as_str().expect("an identifier"));
    let apache = OpenidApache::start(&installation, port, "apache", &own);
    a_page_behind_apache_opens(
        asked(&setup),
        "watanabe",
        &apache,
        &[&subject, "urn:tegata:acr:mfa", &device.device],
    );
    installation.command(&["check"]).good();
    assert!(!installation.log().contains("佐藤"));
}

/// The sign-out that its product asked for came while nobody listened there, and at first it takes nothing.
fn a_backend_hears_of_the_end_though_it_was_away(
    installation: &RunningInstallation,
    receiver: &mut TestLogoutReceiver,
    life: &Value,
) {
    let state = || installation.tell(&["client", "show", "backend"])["backchannel_logout"].clone();
    eventually("an attempt has failed", Duration::from_secs(10), || state()["failures"] != 0);
    assert_eq!(state()["waiting"], 1);
    receiver.start();
    let heard = receiver.hears();
    let told = &heard["taken"];
    assert_eq!((&told["sid"], &told["sub"]), (&life["claims"]["sid"], &life["claims"]["sub"]), "{heard}");
    assert_eq!((&heard["refused"], &heard["supported"]), (&json!(1), &json!(true)), "it was asked again");
    eventually("what it took is gone", Duration::from_secs(5), || {
        let state = state();
        (&state["waiting"], &state["delivered"], &state["failing_since"])
            == (&json!(0), &json!(1), &Value::Null)
    });
    let passes = installation.listed(&["passes", "list"]);
    let own = passes.as_array().into_iter().flatten().find(|pass| pass["name"] == "backchannel-logout");
    assert_eq!(own.map(|pass| &pass["exclusive"]), Some(&json!(true)));
}

#[test]
fn clients_come_change_and_go_while_the_server_runs() {
    let installation = RunningInstallation::start();
    let (product, device) = (installation.product.clone(), installation.enroll("register-1"));
    let callback = "https://rezept.example/callback";
    let ask = |client: &str| {
        let address = format!(
            "/authorize?response_type=code&client_id={client}&redirect_uri={}&prompt=none&acr_values=urn:tegata:acr:device\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
            escaped(callback)
        );
        installation.at_device(&address).as_device(&device).send()
    };
    assert!(ask("page").text().contains("T-10"));
    let add =
        ["client", "add", "page", "--auth", "none", "--grant", "authorization_code", "--audience", &product];
    let added = installation.tell(&[&add[..], &["--redirect-uri", callback]].concat());
    assert_eq!((&added["client_id"], &added["redirect_uris"]), (&json!("page"), &json!([callback])));
    eventually("it is served", Duration::from_secs(3), || ask("page").header("location").contains("code="));
    assert_eq!(installation.command(&[&add[..], &["--redirect-uri", callback]].concat()).code, 2, "taken");
    for (wrong, why) in [
        (&["--redirect-uri", "http://rezept.example/"][..], "https://"),
        (&["--backchannel-logout-uri", "http://localhost/"], "https://"),
        (&["--origin", "https://rezept.example/"], "write it as"),
        (&["--audience", "https://nowhere.example"], "not configured"),
        (&["--auth", "tls_client_auth", "--san-dns", "a.example"], "[clients] ca"),
        (&["--auth", "self_signed_tls_client_auth"], "jwks"),
        (&["--grant", "client_credentials"], "certificate"),
    ] {
        let outcome = installation.command(&[&["client", "change", "page"], wrong].concat());
        assert!(outcome.code > 0 && outcome.stderr.contains(why), "{wrong:?}: {}", outcome.said());
    }
    installation.tell(&["client", "change", "page", "--redirect-uri", "https://rezept.example/other"]);
    eventually("it has moved", Duration::from_secs(3), || ask("page").text().contains("T-11"));
    let shown = installation.tell(&["client", "show", "page"]);
    assert_eq!((&shown["registered_by"], &shown["backchannel_logout"]), (&json!("operator"), &Value::Null));
    assert_eq!(installation.command(&["client", "rotate", "page"]).code, 2, "it did not register itself");
    assert_eq!(installation.command(&["client", "remove", "page"]).code, 2, "it cannot be undone");
    installation.tell(&["client", "remove", "page", "--yes"]);
    eventually("it is gone", Duration::from_secs(3), || ask("page").text().contains("T-10"));
    assert_eq!(installation.command(&[&add[..], &["--redirect-uri", callback]].concat()).code, 2, "for ever");
    let token = installation.tell(&["client", "issue-token", "--audience", &product]);
    let id = token["id"].as_str().expect("its name");
    installation.tell(&["client", "withdraw-token", id]);
    assert_eq!(installation.command(&["client", "withdraw-token", id]).code, 2);
    assert!(!installation.log().contains(token["token"].as_str().expect("its text")));
    installation.command(&["check"]).good();
}

#[test]
fn the_first_operator_and_everybody_else_come_and_go_by_the_command_line() {
    let mut installation = RunningInstallation::start();
    let operator = installation.tell(&["person", "show", "operator"]);
    assert_eq!(
        (&operator["roles"], &operator["set_up"]),
        (&json!(["operator"]), &json!(false)),
        "{operator}"
    );
    let setup = installation.setup.clone().expect("a link that makes the first operator");
    installation.start_again();
    assert_ne!(installation.setup.clone().expect("another one"), setup, "until somebody has used it");
    for (wrong, why) in [
        (&["--login", "a b", "--name", "x", "--role", "staff", "--site", STORE][..], "U+0020"),
        (&["--login", "a", "--name", "x", "--role", "staff"], "--site"),
        (&["--login", "a", "--name", "x", "--role", "root", "--site", STORE], "site-manager"),
        (&["--login", "a", "--name", "", "--role", "operator"], "empty"),
    ] {
        let outcome = installation.command(&[&["person", "add"], wrong].concat());
        assert!(outcome.code == 2 && outcome.stderr.contains(why), "{}", outcome.said());
    }
    installation.tell(&["person", "add", "--login", "sato", "--name", "佐藤", "--role", "auditor"]);
    let listed = installation.listed(&["person", "list"]);
    let logins: Vec<_> = listed.as_array().into_iter().flatten().map(|person| &person["login"]).collect();
    assert_eq!(logins, ["operator", "sato"]);
    assert_eq!(installation.tell(&["person", "disable", "sato"])["state"], "disabled");
    assert_eq!(installation.command(&["person", "disable", "sato"]).code, 1, "it is so already");
    assert_eq!(
        installation.command(&["person", "reset", "sato"]).code,
        1,
        "nobody who is disabled gets a link"
    );
    assert_eq!(installation.tell(&["person", "enable", "sato"])["state"], "active");
    assert!(
        installation.tell(&["person", "reset", "sato"])["setup"]
            .as_str()
            .is_some_and(|link| link.contains("/setup#"))
    );
    assert_eq!(installation.tell(&["person", "sign-out", "sato"])["sessions_ended"], 0);
    assert_eq!(installation.command(&["person", "show", "nobody"]).code, 1);
    let changed = installation.tell(&[
        "person",
        "change",
        "sato",
        "--name",
        "佐藤 花江",
        "--role",
        "staff",
        "--site",
        STORE,
    ]);
    assert_eq!(changed["sessions_ended"], 0);
    let shown = installation.tell(&["person", "show", "sato"]);
    assert_eq!(
        (&shown["name"], &shown["roles"], &shown["sites"][0]["name"]),
        (&json!("佐藤 花江"), &json!(["staff"]), &json!(STORE))
    );
    for (wrong, why) in [
        (&["--no-site"][..], "--site"),
        (&[], "--role"),
        (&["--site", "どこにもない店"], "どこにもない店"),
        (&["--name", ""], "empty"),
    ] {
        let outcome = installation.command(&[&["person", "change", "sato"], wrong].concat());
        assert!(outcome.code > 0 && outcome.stderr.contains(why), "{}", outcome.said());
    }
    installation.tell(&["person", "change", "sato", "--role", "auditor", "--no-site"]);
    let emergency =
        ["person", "add", "--login", "kinkyu", "--name", "緊急用", "--role", "tenant-admin", "--break-glass"];
    installation.tell(&emergency);
    assert_eq!(installation.tell(&["person", "show", "kinkyu"])["break_glass"], "ready");
    let device = installation.enroll("院長室");
    let assigned = installation.tell(&["person", "assign", &device.device[..8], "--person", "sato"]);
    assert_eq!(assigned["people"][0], listed[1]["person"]);
    let code = ["person", "emergency-code", "sato", "--reason", "電話機の故障", "--ticket", "T-7"];
    assert_eq!(installation.command(&code).code, 1, "there is no password beside which it could stand");
    installation.command(&["check"]).good();
}

/// By the public test client for users, and as a list that Excel wrote.
#[test]
fn a_tenants_own_directory_says_who_works_there_by_scim_and_by_a_list() {
    let installation = RunningInstallation::start();
    let tenant = installation.tell(&["tenant", "list"])[0]["tenant"].as_str().expect("a tenant").to_owned();
    // The checker gives and takes roles at random, and nobody may take the last administrator.
    let admin = ["person", "add", "--login", "honbu", "--name", "本部", "--role", "tenant-admin"];
    installation.tell(&admin);
    let make = ["tenant", "scim-token", "make", &tenant, "--name", "Entra ID", "--role", "staff", "--role"];
    let token = installation.tell(&[&make[..], &["site-manager", "--role", "tenant-admin"]].concat());
    let (url, secret) = (token["url"].as_str().expect("a URL"), token["token"].as_str().expect("a token"));
    let packages = ["scim2-tester==0.5.2", "scim2-client==0.13.2", "httpx2==2.16.2"];
    let mut checker = Command::new(python::environment(&packages).join("python"));
    checker.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/scim.py")).args([url, secret]);
    let checked = CommandOutcome::of(checker.arg(&installation.tls_ca)).good().stdout;
    assert!(checked.trim().parse::<u32>().expect("a number") > 20, "{checked}");
    assert!(installation.tell(&["tenant", "scim-token", "list"])[0]["used_at"].is_string());
    let users = || installation.at_portal("/scim/v2/Users?count=0").bearer(secret).send();
    assert!(users().expect(200).json()["totalResults"].is_u64());

    // Shift_JIS, as Excel saves it: 佐藤 at 本店.
    let file = installation.folder("list").join("people.csv");
    let path = file.display().to_string();
    let list = b"login,name,sites,external_key\nsato,\x8d\xb2\x93\xa1,\x96{\x93X,100\nx y,x,\x96{\x93X,\n";
    std::fs::write(&file, list).expect("a list");
    let import = |more: &[&str]| installation.command(&[&["person", "import", &path], more].concat());
    let rehearsed = import(&["--dry-run", "--lang", "ja"]);
    let lines = rehearsed.json()["lines"].clone();
    assert_eq!(
        (rehearsed.code, &lines[0]["outcome"], &lines[1]["code"]),
        (1, &json!("created"), &json!("U-35"))
    );
    assert!(lines[1]["reason"].as_str().is_some_and(|reason| !reason.is_ascii()), "{lines}");
    assert_eq!(installation.command(&["person", "show", "sato"]).code, 1, "a rehearsal does nothing");
    let done = import(&[]).json();
    assert!(done["lines"][0]["setup"].as_str().is_some_and(|link| link.contains("/setup#")), "{done}");
    assert_eq!(installation.tell(&["person", "show", "sato"])["external_key"], "100");
    let exported = installation.command_without_json(&["person", "export"]).good().stdout;
    std::fs::write(&file, &exported).expect("a list");
    let again = import(&[]).good().json();
    let counted = ["created", "changed", "refused"].map(|word| again[word].as_u64());
    assert_eq!(counted, [Some(0), Some(0), Some(0)], "{exported}");
    std::fs::write(&file, "login\nnobody-else\n").expect("a list");
    let missing = import(&["--disable-missing"]);
    assert!(missing.code == 2 && missing.stderr.contains("--yes"), "{}", missing.said());

    installation.tell(&["person", "policy", "--review-days", "180", "--suspend-unused-days", "90"]);
    assert_eq!(installation.tell(&["person", "policy"])["suspend_unused_days"], 90);
    assert_eq!(installation.command(&["person", "policy", "--review-days", "1"]).code, 2);
    let id = token["id"].as_str().expect("an identifier");
    assert_eq!(installation.tell(&["tenant", "scim-token", "revoke", id])["state"], "revoked");
    let refused = users();
    assert_eq!(refused.status, 401);
    assert!(
        refused.json()["detail"].as_str().is_some_and(|detail| detail.starts_with("U-30: ")),
        "{refused}"
    );
    installation.command(&["check"]).good();
}

/// Straight through as long as the session lasts; and by a sign-in where the product wants one.
fn a_product_is_entered(
    browser: &mut Browser,
    installation: &RunningInstallation,
    product: &TestProductServer,
    recovery: &str,
) {
    let callback = format!("http://localhost:{}/callback", product.port);
    let request = |others: &str| {
        format!(
            "{}/authorize?response_type=code&client_id=page&redirect_uri={}&scope=openid&state=s\
             &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256{others}",
            installation.device,
            escaped(&callback),
        )
    };
    browser.go(&request(""));
    let entered = browser.address();
    assert!(
        entered.starts_with(&format!("{callback}?code=")) && entered.contains("&state=s&iss="),
        "{entered}"
    );
    browser.go(&request("&prompt=login&ui_locales=ja"));
    browser.see("html[lang=ja] #sign-in");
    sign_in(browser, PASSWORD, recovery);
    eventually("the product is entered", Duration::from_secs(10), || {
        browser.address().starts_with(&callback)
    });
    let entered = browser.address();
    assert!(entered.contains("?code=") && entered.contains("&state=s&iss="), "{entered}");
    browser.go(&request("").replace("client_id=page", "client_id=nobody"));
    browser.see(".problem");
    assert!(browser.text("main").contains("T-10"));
    browser.picture("authorize-unknown-client");
}

const PASSWORD: &str = "むかしむかし、あるところに";

/// Somebody who is signed in registers a passkey, signs in with it, alone and beside the password, and removes it.
fn use_passkeys(installation: &RunningInstallation, browser: &mut Browser) {
    browser.add_authenticator();
    browser.go(&format!("{}/account", installation.device));
    browser.click("#new-passkey");
    browser.see("#passkey-name");
    browser.picture("passkey-name");
    browser.type_in("#name", "受付のパスキー");
    browser.type_in("#password", PASSWORD);
    browser.click("#passkey-name button[type=submit]");
    browser.see("#make-passkey");
    browser.picture("passkey-make");
    browser.click("#make-passkey");
    browser.see("[data-passkey]");
    browser.picture("account-passkey");
    assert!(browser.text("[data-passkey]").contains("受付のパスキー"));
    for by in ["#passkey-alone", "#passkey-for-code"] {
        browser.click("#sign-out");
        browser.see(by);
        if by == "#passkey-for-code" {
            browser.type_in("#login", "sato");
            browser.type_in("#password", PASSWORD);
        }
        browser.click(by);
        browser.see("#account");
    }
    browser.click("#sign-out");
    browser.see("#by-passkey");
    browser.picture("sign-in-passkey");
    let challenge = browser.run("fetch('/sign-in/passkey').then((answer) => answer.json())");
    // Another origin of the same host: the browser signs, and says where.
    browser.go(&installation.portal);
    let signed =
        browser.run(&SIGN.replace("CHALLENGE", challenge["challenge"].as_str().expect("a challenge")));
    browser.go(&format!("{}/sign-in", installation.device));
    browser.run(&format!(
        "void ((form) => {{ form.elements.passkey.value = JSON.stringify({signed}); form.submit(); }})\
         (document.querySelector('#passkey-form'))"
    ));
    browser.see("#problem");
    assert!(browser.text("#problem").contains("U-06"), "{}", browser.text("#problem"));
    browser.click("#passkey-alone");
    browser.see("#account");
    browser.click("[data-passkey] button");
    browser.see("#account");
    assert!(!browser.shows("[data-passkey]"));
    browser.click("#sign-out");
    browser.see("#by-passkey");
    browser.click("#passkey-alone");
    browser.see("#problem");
    assert!(browser.text("#problem").contains("U-06"));
    browser.picture("sign-in-passkey-removed");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Signs a challenge with whatever passkey there is, as `passkey.js` does, on a page that is not the sign-in's.
const SIGN: &str = "(async () => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (sign) => sign.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const publicKey = { challenge: bytes('CHALLENGE'), rpId: 'localhost', userVerification: 'required' };
  const { rawId, response } = await navigator.credentials.get({ publicKey });
  return {
    id: text(rawId), clientDataJSON: text(response.clientDataJSON),
    authenticatorData: text(response.authenticatorData), signature: text(response.signature),
    userHandle: text(response.userHandle),
  };
})()";

/// The pages on which a person changes what proves who they are.
fn look_at_the_account(installation: &RunningInstallation, browser: &mut Browser) {
    for (page, name) in
        [("password", "account-password"), ("app", "account-app"), ("passkeys/new", "passkey-name")]
    {
        browser.go(&format!("{}/account/{page}", installation.device));
        browser.picture(name);
        browser.go(&format!("{}/account/{page}?lang=en", installation.device));
        browser.picture(&format!("{name}-english"));
    }
    browser.go(&format!("{}/account/recovery-codes?lang=en", installation.device));
    browser.see("#new-codes");
    browser.picture("account-recovery-english");
    browser.type_in("#password", PASSWORD);
    browser.click("#new-codes button[type=submit]");
    browser.see("#recovery");
    browser.picture("person-recovery-codes-english");
    browser.click("#to-sign-in");
    browser.see("html[lang=en] #account");
}

fn choose(browser: &mut Browser, password: &str, code: &str) {
    browser.type_in("#password", password);
    browser.type_in("#again", password);
    browser.type_in("#totp-code", code);
    browser.click("#setup button[type=submit]");
}

fn sign_in(browser: &mut Browser, password: &str, code: &str) {
    browser.type_in("#login", "sato");
    browser.type_in("#password", password);
    browser.type_in("#totp-code", code);
    browser.click("#by-password button[type=submit]");
}
