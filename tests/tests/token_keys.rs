//! The keys that sign tokens and the feed are exchanged while everybody works on.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tegata_tests::installation::text_of;
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::{header, introspect, obtain, request};
use tegata_tests::{Curl, Recipe, RunningInstallation, TestProductServer, ports, run};

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
    let left = sql(&installation, "SELECT COUNT(*) FROM token_key WHERE sealed_key IS NOT NULL");
    assert_eq!(left, "1", "nobody finds it there again");
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
fn a_server_that_lacks_the_signing_key_says_so_until_it_has_it() {
    let mut installation = RunningInstallation::start();
    let device = installation.enroll("register");
    let before = obtain(&installation, &device);
    let health = ports::free();
    installation.reconfigure(|text| {
        text.replacen("[[product]]", &format!("[metrics]\nlisten = \"127.0.0.1:{health}\"\n\n[[product]]"), 1)
    });
    installation.kill();
    let keys = installation.tell(&["token-key", "rotate", "--notice", "4"]);
    let next = text_of(&keys[1], "kid");
    sql(&installation, "CREATE TABLE aside AS SELECT kid, sealed_key FROM token_key");
    sql(&installation, &format!("UPDATE token_key SET sealed_key = 'on its way' WHERE kid = '{next}'"));
    installation.start_again();
    assert_eq!(published(&installation).len(), 2, "others may sign with it");

    eventually("nothing is signed that nobody could verify", PATIENCE, || {
        let answer = request(&installation, &device).send();
        if answer.status == 200 {
            assert_eq!(kid(&text_of(&answer.json(), "access_token")), kid(&before));
        }
        answer.status == 503 && !answer.header("retry-after").is_empty()
    });
    let ready = || Curl::to(&format!("http://127.0.0.1:{health}/readyz")).send();
    let said = ready();
    assert!(said.status == 503 && said.text().contains(&next), "{}", said.text());
    assert!(installation.log().contains("a token key cannot be opened"), "{}", installation.log());
    let checked = installation.command(&["check"]);
    assert!(checked.code == 1 && checked.stdout.contains("key-unusable"), "{}", checked.said());
    assert_eq!(introspect(&installation, &device, &before).json()["active"], true, "the rest goes on");

    sql(
        &installation,
        "UPDATE token_key SET sealed_key = (SELECT sealed_key FROM aside WHERE aside.kid = token_key.kid)",
    );
    eventually("it signs by itself", PATIENCE, || request(&installation, &device).send().status == 200);
    assert_eq!(kid(&obtain(&installation, &device)), next);
    eventually("it is ready", PATIENCE, || ready().status == 200);
}

#[test]
fn keys_of_an_earlier_version_are_taken_over_and_its_files_kept_up() {
    let mut installation = RunningInstallation::start();
    let device = installation.enroll("register");
    let before = obtain(&installation, &device);
    installation.kill();
    // As `tegata init` of the earlier version left it.
    let keys = installation.data().join("keys");
    std::fs::write(keys.join("token.pem"), sql(&installation, "SELECT sealed_key FROM token_key"))
        .expect("a key");
    std::fs::set_permissions(keys.join("token.pem"), std::fs::Permissions::from_mode(0o600)).expect("a mode");
    sql(&installation, "DELETE FROM token_key");
    installation.command(&["check"]).good();
    installation.start_again();
    assert_eq!(kid(&obtain(&installation, &device)), kid(&before), "tokens of before are not void");

    let succession = || std::fs::read_to_string(keys.join("token-keys.json")).expect("the succession");
    let listed = installation.tell(&["token-key", "rotate", "--notice", "86400"]);
    let next = text_of(&listed[1], "kid");
    let file = keys.join(format!("token-{next}.pem"));
    assert!(file.exists() && succession().contains(&next), "a server of that version may be at work");
    installation.tell(&["token-key", "withdraw", "--yes", &next]);
    assert!(!file.exists() && !succession().contains(&next));
    installation.tell(&["token-key", "withdraw", "--yes", &kid(&before)]);
    assert!(!keys.join("token.pem").exists());
    installation.command(&["check"]).good();
}

/// Says something to the ledger past the program, and gives the first row.
fn sql(installation: &RunningInstallation, statement: &str) -> String {
    let script = "import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1])
for row in ledger.execute(sys.argv[2]).fetchmany(1): print(row[0], end='')
ledger.commit()";
    let ledger = installation.data().join("ledger.db").display().to_string();
    run("python3", &["-c", script, &ledger, statement])
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
