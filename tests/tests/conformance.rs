//! The token endpoint and the gate keep every line of the conformance kit, and the kit is worth something.

use serde_json::{Value, json};
use std::process::Command;
use tegata_tests::{CommandOutcome, tegata};

const TOTAL: u64 = 67;

#[test]
fn a_throw_away_server_keeps_every_line() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/conformance");
    let outcome = CommandOutcome::of(Command::new(root).arg("--json").env("TEGATA_BIN", tegata()));
    let said = outcome.json();
    assert_eq!((&said["passed"], &said["total"]), (&TOTAL.into(), &TOTAL.into()), "{said:#}");
    assert_eq!(said["failed"], json!([]));
    assert_eq!(said["skipped"], json!([]));
    assert_eq!(outcome.code, 0);
}

#[test]
fn a_server_that_says_yes_to_everything_passes_no_line() {
    passes_no_line(&[]);
}

#[test]
fn a_server_that_says_no_to_everything_passes_no_line() {
    passes_no_line(&["no"]);
}

fn passes_no_line(which: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/selftest.py");
    let outcome = CommandOutcome::of(Command::new("python3").arg(script).args(which));
    let said = outcome.json();
    assert_eq!((&said["passed"], &said["total"]), (&0.into(), &TOTAL.into()), "{said:#} {}", outcome.stderr);
    assert_eq!(numbers(&said["failed"]).len() as u64, TOTAL, "skipped: {}", said["skipped"]);
}

#[test]
fn what_the_kit_was_not_given_is_skipped_with_the_reason_and_never_passed() {
    let installation = tegata_tests::RunningInstallation::start();
    let device = installation.enroll("register-1");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/conformance");
    let outcome = CommandOutcome::of(
        Command::new(root)
            .args(["--json", "--issuer", &installation.issuer, "--cert", &device.file("chain.pem")])
            .args(["--key", &device.file("key.pem"), "--resource", &installation.product, "--tls-ca"])
            .arg(&installation.tls_ca)
            .args(["--only", "1", "3", "20", "41", "53"]),
    );
    let said = outcome.good().json();
    assert_eq!((&said["passed"], numbers(&said["skipped"])), (&2.into(), vec![3, 41, 53]), "{said:#}");
    let reasons = said["skipped"].as_array().into_iter().flatten();
    assert!(reasons.map(|line| line["why"].as_str().unwrap()).all(|why| why.starts_with("not given: ")));
}

fn numbers(lines: &Value) -> Vec<u64> {
    lines.as_array().into_iter().flatten().filter_map(|line| line["line"].as_u64()).collect()
}
