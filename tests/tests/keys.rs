//! Operators choose where the CA's keys live, and how far away the root's is.

use serde_json::json;
use std::path::Path;
use std::process::Command;
use tegata_tests::openssl::{ocsp, ocsp_status, verify_with_crl};
use tegata_tests::tokens::obtain;
use tegata_tests::{CommandOutcome, DeviceIdentity, Hsm, RunningInstallation, csr, tegata};

#[test]
fn an_installation_with_ca_keys_in_an_hsm_does_all_that_others_do() {
    let hsm = Hsm::new();
    let mut installation = in_hsm(&hsm);
    let keys = files_in(&installation.data().join("keys"));
    assert!(keys.contains(&"root.pkcs11".to_owned()), "{keys:?}");
    let sealed: Vec<_> =
        keys.iter().filter(|name| Path::new(name).extension() == Some("pem".as_ref())).collect();
    assert_eq!(sealed, ["server.pem"], "no key of the device CAs is a file");

    let (kept, lost) = (installation.enroll("kept"), installation.enroll("lost"));
    is_good(&installation, &kept);
    obtain(&installation, &kept);
    assert_eq!(kept.renew(&installation).generation, 2);
    is_good(&installation, &kept);
    installation.tell(&["device", "revoke", "--yes", &lost.device]);
    assert!(verify_with_crl(&installation, &lost).said().contains("certificate revoked"));
    assert_eq!(ocsp_status(&ocsp(&installation, &lost)), "revoked");

    installation.start_again();
    is_good(&installation, &kept);
    is_good(&installation, &installation.enroll("later"));
    let check = installation.command(&["check"]).good();
    for said in [installation.log(), check.said()] {
        assert!(!said.contains(hsm.pin()), "the PIN is written nowhere");
    }
}

#[test]
fn many_devices_at_once_are_served_from_the_hsm() {
    let hsm = Hsm::new();
    let installation = in_hsm(&hsm);
    let requests: Vec<_> = (0..12)
        .map(|number| installation.invite(&format!("register-{number}")))
        .map(|link| json!({ "code": link.split_once('#').expect("a code").1, "csr": csr::honest() }))
        .collect();
    let at_portal = installation.at_portal("/api/v1/enrollments");
    std::thread::scope(|scope| {
        for request in &requests {
            let at_portal = at_portal.clone();
            scope.spawn(move || at_portal.json(request).send().expect(201));
        }
    });
    installation.command(&["check"]).good();
}

#[test]
fn a_wrong_pin_is_told_at_the_start_and_a_right_one_is_taken_after_it() {
    let hsm = Hsm::new();
    let data = tempfile::tempdir().expect("a folder");
    hsm.init(data.path()).good();
    hsm.write_pin("000000-0000");
    let refused = serve(&hsm, data.path());
    assert_eq!(refused.code, 1, "{}", refused.said());
    assert!(refused.stderr.contains("refused the PIN; it is not tried again"), "{}", refused.said());
    hsm.write_pin(hsm.pin());
    let installation = RunningInstallation::start_in(data, hsm.environment());
    is_good(&installation, &installation.enroll("register-1"));
}

#[test]
fn without_its_hsm_a_server_does_not_start_and_says_what_it_looked_for() {
    let data = tempfile::tempdir().expect("a folder");
    Hsm::new().init(data.path()).good();
    // The token of that installation is gone; another one is there.
    let other = Hsm::new();
    let config = data.path().join("tegata.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let (before, _) = text.split_once("pin = ").expect("the PIN's file");
    let (_, after) = text.split_once("[portal]").expect("the next section");
    std::fs::write(&config, format!("{before}\n[portal]{after}")).expect("a file");
    let mut environment = other.environment();
    environment.push(("TEGATA_PIN".to_owned(), other.pin().to_owned()));
    let refused = serve_with(&environment, data.path());
    assert_eq!(refused.code, 1, "{}", refused.said());
    assert!(refused.stderr.contains("holds 0 private keys"), "{}", refused.said());
}

#[test]
fn a_server_starts_and_serves_with_the_root_key_far_away() {
    let mut installation = RunningInstallation::start();
    let before = installation.enroll("before");
    installation.kill();
    std::fs::remove_file(installation.data().join("keys/root.pem")).expect("the root key");
    installation.start_again();
    is_good(&installation, &before);
    let later = installation.enroll("later");
    is_good(&installation, &later);
    installation.tell(&["device", "revoke", "--yes", &before.device]);
    assert!(verify_with_crl(&installation, &before).said().contains("certificate revoked"));
    assert_eq!(later.renew(&installation).generation, 2);
    installation.command(&["check"]).good();
}

#[test]
fn an_hsm_server_starts_without_the_name_of_the_root_key() {
    let hsm = Hsm::new();
    let mut installation = in_hsm(&hsm);
    installation.kill();
    std::fs::remove_file(installation.data().join("keys/root.pkcs11")).expect("the root key's name");
    installation.start_again();
    is_good(&installation, &installation.enroll("register-1"));
    installation.command(&["check"]).good();
}

fn in_hsm(hsm: &Hsm) -> RunningInstallation {
    let data = tempfile::Builder::new().prefix("tegata-e2e-").tempdir().expect("a folder");
    hsm.init(data.path()).good();
    RunningInstallation::start_in(data, hsm.environment())
}

fn is_good(installation: &RunningInstallation, device: &DeviceIdentity) {
    let verified = verify_with_crl(installation, device);
    assert_eq!(verified.code, 0, "{}", verified.said());
    assert_eq!(ocsp_status(&ocsp(installation, device)), "good");
}

fn serve(hsm: &Hsm, data: &Path) -> CommandOutcome {
    serve_with(&hsm.environment(), data)
}

/// `tegata dev`, which must end by itself.
fn serve_with(environment: &[(String, String)], data: &Path) -> CommandOutcome {
    let mut command = Command::new(tegata());
    command.args(["dev", "--portal-port", "0", "--device-port", "0", "--public-port", "0", "--data"]);
    CommandOutcome::of(command.arg(data).envs(environment.iter().cloned()))
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
