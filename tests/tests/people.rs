//! People sign in at their own provider, npm's oidc-provider, and use devices: one token names both.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;
use tegata_core::claims::person_subject;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{Curl, CurlAnswer, DeviceIdentity, RunningInstallation, TestIdentityProvider, escaped};

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
