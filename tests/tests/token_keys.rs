//! The keys that sign tokens and the feed are exchanged while everybody works on.

use serde_json::Value;
use std::time::Duration;
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::{header, introspect, obtain};
use tegata_tests::{Curl, Recipe, RunningInstallation, TestProductServer};

/// Longer than the shortest notice, and the look of a server at its keys.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn nobody_notices_that_another_key_signs() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register");
    let (first, before) = (signing(&installation), obtain(&installation, &device));
    assert_eq!(kid(&before), first);

    let keys = installation.tell(&["token-key", "rotate", "--notice", "15"]);
    let next = keys[1]["kid"].as_str().expect("a second key").to_owned();
    assert_eq!([&keys[0]["state"], &keys[1]["state"]], ["signing", "announced"], "{keys}");
    eventually("the next key is published before it signs", PATIENCE, || {
        published(&installation).contains(&next)
    });
    // Gates look at the published keys at least every five minutes; this one does at its start.
    let mut gate = installation.gate();
    let product = TestProductServer::behind_a_proxy();
    let nginx = Recipe::nginx(&installation, gate.port, product.port);
    assert_eq!(kid(&obtain(&installation, &device)), first, "the next key signs nothing yet");

    let enters = |token: &str| nginx.request("/").as_device(&device).bearer(token).send().expect(200);
    eventually("the next key signs", PATIENCE, || {
        let token = obtain(&installation, &device);
        enters(&token);
        enters(&before);
        kid(&token) == next
    });
    assert_eq!(signing(&installation), next);
    let after = obtain(&installation, &device);
    for token in [&before, &after] {
        enters(token);
        assert_eq!(introspect(&installation, &device, token).json()["active"], true);
    }
    assert!(gate.is_deciding(), "the feed is signed by the same keys");
    assert!(published(&installation).contains(&first), "its tokens live");
    let other = installation.enroll("stolen");
    let taken = obtain(&installation, &other);
    installation.tell(&["device", "revoke", "--yes", &other.device]);
    nginx.request("/").as_device(&other).bearer(&taken).send().expect(401);
    installation.command(&["check"]).good();
    gate.kill();
}

#[test]
fn a_key_in_other_hands_is_gone_within_seconds_also_at_gates() {
    let installation = RunningInstallation::start();
    let mut gate = installation.gate();
    let product = TestProductServer::behind_a_proxy();
    let nginx = Recipe::nginx(&installation, gate.port, product.port);
    let device = installation.enroll("register");
    let token = obtain(&installation, &device);
    let stolen = kid(&token);
    let request = |token: &str| nginx.request("/").as_device(&device).bearer(token).send();
    request(&token).expect(200);

    let keys = installation.tell(&["token-key", "withdraw", "--yes", &stolen, "--note", "found in a backup"]);
    assert_eq!(keys.as_array().map(Vec::len), Some(1), "it made its own successor: {keys}");
    eventually("gates refuse what it signed", PATIENCE, || request(&token).status == 401);
    assert_eq!(introspect(&installation, &device, &token).json(), serde_json::json!({"active": false}));
    assert!(!published(&installation).contains(&stolen));
    let fresh = obtain(&installation, &device);
    eventually("gates believe its successor", PATIENCE, || request(&fresh).status == 200);
    assert!(!installation.data().join("keys/token.pem").exists(), "nobody finds it here again");
    installation.command(&["check"]).good();
    let unknown = installation.command(&["token-key", "withdraw", "--yes", &stolen]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    gate.kill();
}

#[test]
fn a_restart_signs_with_the_same_key() {
    let mut installation = RunningInstallation::start();
    let device = installation.enroll("register");
    installation.tell(&["token-key", "rotate", "--notice", "4"]);
    let before = obtain(&installation, &device);
    eventually("the next key signs", PATIENCE, || kid(&obtain(&installation, &device)) != kid(&before));
    installation.start_again();
    assert_eq!(kid(&obtain(&installation, &device)), signing(&installation));
    assert_eq!(introspect(&installation, &device, &before).json()["active"], true);
}

#[test]
fn a_key_whose_file_is_still_on_its_way_stops_nobody() {
    let mut installation = RunningInstallation::start();
    let device = installation.enroll("register");
    let before = obtain(&installation, &device);
    installation.kill();
    let keys = installation.tell(&["token-key", "rotate", "--notice", "86400"]);
    let next = keys[1]["kid"].as_str().expect("a second key");
    let file = installation.data().join(format!("keys/token-{next}.pem"));
    let elsewhere = installation.folder("another server").join("key.pem");
    std::fs::rename(&file, &elsewhere).expect("moved");
    installation.start_again();
    assert_eq!(published(&installation), [kid(&before)]);
    assert_eq!(kid(&obtain(&installation, &device)), kid(&before));
    assert_eq!(installation.command(&["check"]).code, 1, "somebody is told");
    std::fs::rename(&elsewhere, &file).expect("moved back");
    eventually("it is announced", PATIENCE, || published(&installation).len() == 2);
    installation.command(&["check"]).good();
}

/// The key that signs, as an operator sees it.
fn signing(installation: &RunningInstallation) -> String {
    let keys = installation.tell(&["token-key", "list"]);
    let signing = keys.as_array().expect("keys").iter().find(|key| key["state"] == "signing");
    signing.expect("one that signs")["kid"].as_str().expect("its name").to_owned()
}

fn published(installation: &RunningInstallation) -> Vec<String> {
    let metadata = installation.at_portal("/.well-known/oauth-authorization-server").send().json();
    let jwks = metadata["jwks_uri"].as_str().expect("an address");
    let jwks: Value = Curl::to(jwks).trusting(&installation.tls_ca).send().json();
    let kid = |key: &Value| key["kid"].as_str().expect("a name").to_owned();
    jwks["keys"].as_array().expect("keys").iter().map(kid).collect()
}

/// The key that signed a token.
fn kid(token: &str) -> String {
    header(token)["kid"].as_str().expect("a name").to_owned()
}
