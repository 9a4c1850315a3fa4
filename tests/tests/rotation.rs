//! Planned rotation: certificates are renewed and keys succeed each other while everybody works on.

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::{header, introspect, obtain, payload};
use tegata_tests::traffic::{Pair, Traffic};
use tegata_tests::{DeviceIdentity, Recipe, RunningInstallation, TestProductServer};

/// At once, half of them a generation behind.
const CLIENTS: usize = 32;

/// Of each generation, before the next one comes.
const ANSWERS: u64 = 200;

const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_planned_rotation_costs_nobody_a_refusal_however_busy_the_product_is() {
    let installation = RunningInstallation::start();
    let mut device = installation.enroll("register");
    let token = obtain(&installation, &device);
    let first_key = key_of(&token);
    // The next key that signs tokens is announced as always; it takes over in the midst of the renewals.
    installation.tell(&["token-key", "rotate", "--notice", "15"]);
    eventually("the next key is announced", PATIENCE, || announced(&installation) == 2);
    let gate = installation.gate();
    let product = TestProductServer::behind_a_proxy();
    let nginx = Recipe::nginx(&installation, gate.port, product.port);

    let mut pairs = vec![Pair { identity: device.kept_aside(), token }];
    let traffic = Traffic::start(&nginx, CLIENTS, &pairs[0]);
    traffic.wait_for(1, ANSWERS);
    for generation in 2..=5 {
        if generation == 5 {
            eventually("the next key signs", PATIENCE, || {
                key_of(&obtain(&installation, &device)) != first_key
            });
        }
        let pair;
        (device, pair) = renewed(&installation, &device);
        assert_eq!(device.generation, generation);
        traffic.hand_out(&pair);
        traffic.wait_for(generation, ANSWERS);
        pairs.push(pair);
        each_token_fits_its_own_certificate(&nginx, &pairs);
    }
    assert_ne!(key_of(&pairs[4].token), first_key, "keys rotated as well");
    let tally = traffic.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert!(tally.answers.keys().all(|(_, status)| *status == 200), "{:?}", tally.answers);
    assert_eq!(tally.answers.len(), pairs.len(), "every generation was at work: {:?}", tally.answers);
}

#[test]
fn a_renewals_token_is_bound_to_the_new_certificate_and_kept_private() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register");
    let renew = |options: &[&str]| device.renew_with(&installation, options).good();
    let quiet = renew(&["--token"]);
    let file = device.folder.join("token.json");
    let kept: Value = serde_json::from_slice(&fs::read(&file).expect("a token")).expect("JSON");
    let token = kept["access_token"].as_str().expect("a token");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert!(!quiet.said().contains(token), "it is on no terminal");
    assert!(!installation.log().contains(token), "nor in a log");
    let told = quiet.json();
    assert_eq!(payload(token)["cnf"]["x5t#S256"], told["thumbprint"]);
    assert_eq!(
        (&kept["thumbprint"], &kept["resource"]),
        (&told["thumbprint"], &installation.product.as_str().into())
    );
    assert_eq!(introspect(&installation, &device, token).json()["active"], true);

    let open = renew(&["--token", "--show-token", "--resource", &installation.product]).json();
    let shown = open["token"]["access_token"].as_str().expect("a token");
    assert_eq!(payload(shown)["cnf"]["x5t#S256"], open["thumbprint"]);

    let refused = renew(&["--token", "--resource", "https://nowhere.example"]).json();
    assert_eq!(
        (&refused["token_error"]["error"], &refused["generation"]),
        (&"invalid_target".into(), &4.into())
    );
    assert!(!file.exists(), "a token of the certificate before fits no other");
    assert_eq!(renew(&[]).json()["token"], Value::Null);
    installation.command(&["check"]).good();
}

/// The next generation and the token that came with it, in files that stay.
fn renewed(installation: &RunningInstallation, device: &DeviceIdentity) -> (DeviceIdentity, Pair) {
    let (device, token) = device.renew_with_token(installation);
    let pair = Pair { identity: device.kept_aside(), token };
    (device, pair)
}

/// All of them in the grace of the renewal: each pair works, and nothing but pairs.
fn each_token_fits_its_own_certificate(nginx: &Recipe, pairs: &[Pair]) {
    for certificate in pairs {
        for token in pairs {
            let request = nginx.request("/").as_device(&certificate.identity).bearer(&token.token);
            if certificate.token == token.token {
                request.send().expect(200);
            } else {
                assert_eq!(request.send().expect(401).header("tegata-refusal"), "G-04");
            }
        }
    }
}

fn announced(installation: &RunningInstallation) -> usize {
    let metadata = installation.at_portal("/.well-known/oauth-authorization-server").send().json();
    let path = metadata["jwks_uri"].as_str().and_then(|uri| uri.strip_prefix(&installation.portal));
    installation.at_portal(path.expect("at the portal")).send().json()["keys"].as_array().map_or(0, Vec::len)
}

fn key_of(token: &str) -> String {
    header(token)["kid"].as_str().expect("a name").to_owned()
}
