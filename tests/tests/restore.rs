//! Operators restore a backup, and nobody who was stopped since comes in again.

use std::process::Command;
use std::time::Duration;
use tegata_tests::openssl::{fetch_crl, ocsp, ocsp_status, openssl, verify_with_crl};
use tegata_tests::stopwatch::eventually;
use tegata_tests::tokens::{obtain, payload, request};
use tegata_tests::{CommandOutcome, DeviceIdentity, RunningInstallation, Storehouse, tegata};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn what_was_stopped_after_the_backup_stays_stopped_on_sqlite() {
    stays_stopped(&Storehouse::sqlite());
}

#[test]
fn what_was_stopped_after_the_backup_stays_stopped_on_postgresql() {
    stays_stopped(&Storehouse::postgres());
}

fn stays_stopped(store: &Storehouse) {
    let mut installation = store.installation();
    let gate = installation.gate();
    let enroll = |label: &str| installation.enroll(label);
    let (revoked, single, held, paused, good) =
        (enroll("revoked"), enroll("single"), enroll("held"), enroll("paused"), enroll("good"));
    store.backup(&installation);

    installation.tell(&["device", "revoke", "--yes", &revoked.device]);
    installation.tell(&["certificate", "revoke", "--yes", &single.thumbprint]);
    installation.tell(&["device", "suspend", &held.device]);
    installation.tell(&["device", "suspend", &paused.device]);
    installation.tell(&["device", "resume", &paused.device]);
    let (late, stranger) = (installation.enroll("late"), installation.enroll("stranger"));
    obtain(&installation, &stranger);
    installation.tell(&["device", "revoke", "--yes", &late.device]);
    let stopped = [&revoked, &single, &held, &late];
    for device in stopped {
        is_refused(&installation, device, "revoked");
    }
    let number = crl_number(&good);
    drill(&installation, store);

    installation.kill();
    store.restore(&installation);
    installation.start_again();
    // The first words of the server are said here, before anything else could bring it up to date.
    for device in stopped {
        is_refused(&installation, device, "revoked");
    }
    is_refused(&installation, &stranger, "unknown");
    for device in [&good, &paused] {
        obtain(&installation, device);
        assert_eq!(ocsp_status(&ocsp(&installation, device)), "good");
        let verified = verify_with_crl(&installation, device);
        assert_eq!(verified.code, 0, "{}", verified.said());
    }
    eventually("the number of the list goes on", PATIENCE, || crl_number(&good) > number);
    eventually("the gate follows the same feed", PATIENCE, || gate.is_deciding());
    let receipts = installation.tell(&["device", "suspend", &paused.device]).to_string();
    assert!(receipts.contains(&format!("gate:{}", gate.id)), "{receipts}");
    installation.command(&["check"]).good();

    // Once more, now with the log ahead by more, and then with nothing to do.
    installation.kill();
    store.restore(&installation);
    installation.start_again();
    for device in stopped.into_iter().chain([&paused]) {
        is_refused(&installation, device, "revoked");
    }
    installation.start_again();
    is_refused(&installation, &revoked, "revoked");
    installation.command(&["check"]).good();
}

#[test]
fn a_restore_without_revocations_begins_other_lists_on_command() {
    let store = Storehouse::sqlite();
    let mut installation = store.installation();
    let known = installation.enroll("known");
    let status = |token: &str| payload(token)["status"]["status_list"].clone();
    let list = status(&obtain(&installation, &known))["uri"].clone();
    let number = crl_number(&known);
    store.backup(&installation);
    let lost = installation.enroll("lost");
    let place_of_lost = status(&obtain(&installation, &lost));
    installation.kill();
    store.restore(&installation);
    let noted = installation.command_without_json(&["revocations", "restored"]).good();
    assert!(noted.stdout.contains("begin anew"), "{}", noted.stdout);
    installation.start_again();

    let heir = installation.enroll("heir");
    let place_of_heir = status(&obtain(&installation, &heir));
    assert_ne!(place_of_heir["uri"], place_of_lost["uri"], "nobody gets a place that was somebody's");
    assert_ne!(status(&obtain(&installation, &known))["uri"], list, "nor stays where others were");
    is_refused(&installation, &lost, "unknown");
    eventually("the number of the list goes on", PATIENCE, || crl_number(&known) > number);
    installation.command(&["check"]).good();
}

#[test]
fn a_server_whose_ledger_is_restored_beneath_it_opens_it_again() {
    let store = Storehouse::sqlite();
    let mut installation = store.installation();
    store.backup(&installation);
    let (stranger, lost) = (installation.enroll("stranger"), installation.enroll("lost"));
    obtain(&installation, &stranger);
    installation.tell(&["device", "revoke", "--yes", &lost.device]);
    store.restore_beneath(&installation);
    eventually("it has begun anew", PATIENCE, || {
        installation.log().contains("the installation is open again")
    });
    eventually("it answers", PATIENCE, || request(&installation, &lost).attempt().is_ok());
    assert!(installation.is_running(), "{}", installation.log());
    is_refused(&installation, &lost, "revoked");
    is_refused(&installation, &stranger, "unknown");
}

#[test]
fn a_device_renewed_after_the_backup_renews_by_the_certificate_before() {
    let store = Storehouse::sqlite();
    let mut installation = store.installation();
    let device = installation.enroll("renewed since");
    obtain(&installation, &device);
    store.backup(&installation);
    let lost = device.renew(&installation);
    obtain(&installation, &lost);
    installation.kill();
    store.restore(&installation);
    let checked = installation.command(&["check"]);
    assert!(
        !checked.stdout.contains("\"revocation-log-ahead\""),
        "nothing was stopped since: {}",
        checked.stdout
    );
    installation.command_without_json(&["revocations", "restored"]).good();
    installation.start_again();
    is_refused(&installation, &lost, "unknown");
    let renewed = lost.renew(&installation);
    assert_eq!(renewed.generation, 2);
    obtain(&installation, &renewed);
    let again = renewed.renew(&installation);
    obtain(&installation, &again);
    installation.command(&["check"]).good();
}

#[test]
fn without_its_log_an_installation_says_what_to_do() {
    let store = Storehouse::sqlite();
    let mut installation = store.installation();
    let device = installation.enroll("lost");
    let (log, aside) = (store.log(), store.log().with_extension("aside"));
    std::fs::rename(&log, &aside).expect("a moved file");
    let refused = installation.command(&["device", "revoke", "--yes", &device.device]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("is missing") && refused.stderr.contains("new-log"),
        "{}",
        refused.stderr
    );
    // The server that is running goes on, for it lacks nothing.
    obtain(&installation, &device);
    std::fs::rename(&aside, &log).expect("a moved file");
    installation.tell(&["device", "revoke", "--yes", &device.device]);

    installation.kill();
    std::fs::remove_file(&log).expect("a lost file");
    let begun = installation.command_without_json(&["revocations", "new-log", "--yes"]).good();
    assert!(begun.stdout.contains("begins"), "{}", begun.stdout);
    installation.start_again();
    is_refused(&installation, &device, "revoked");
    let log = std::fs::read_to_string(&log).expect("the new log");
    assert!(log.contains(&device.serial) && log.contains(&device.device), "{log}");
    installation.command(&["check"]).good();
}

#[test]
fn another_installations_log_is_refused() {
    let (store, other) = (Storehouse::sqlite(), Storehouse::sqlite());
    let installation = store.installation();
    drop(other.installation());
    std::fs::copy(other.log(), store.log()).expect("the wrong file");
    let refused = installation.command(&["device", "list"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("of another installation"), "{}", refused.stderr);
}

/// Runs the restore drill as operators do, beside the installation, which goes on.
fn drill(installation: &RunningInstallation, store: &Storehouse) {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/restore-drill"));
    command.env("TEGATA_BIN", tegata()).arg("--data").arg(installation.data());
    command.arg("--backup").arg(store.copy());
    let spare = store.url().starts_with("postgres").then(Storehouse::postgres);
    if let Some(spare) = &spare {
        command.args(["--database", &spare.url()]);
    }
    let said = CommandOutcome::of(&mut command).good().said();
    assert!(said.contains("revocation-log-ahead") && said.contains("stopped after the restore"), "{said}");
}

/// At the token endpoint, at the probe, by OCSP and, unless nobody knows of it, by the CRL.
fn is_refused(installation: &RunningInstallation, device: &DeviceIdentity, status: &str) {
    assert_eq!(ocsp_status(&ocsp(installation, device)), status, "{}", device.folder.display());
    let refused = request(installation, device).send();
    assert_eq!(refused.status, 401, "{}", device.folder.display());
    assert_eq!(installation.at_device("/probe").as_device(device).send().status, 401);
    if status == "revoked" {
        let verified = verify_with_crl(installation, device);
        assert!(verified.said().contains("certificate revoked"), "{}", verified.said());
    }
}

fn crl_number(identity: &DeviceIdentity) -> u128 {
    let file = fetch_crl(identity).display().to_string();
    let said = openssl(&["crl", "-in", &file, "-noout", "-crlnumber"]).good().stdout;
    let (_, number) =
        said.trim().split_once("=0x").or_else(|| said.trim().split_once('=')).expect("a number");
    u128::from_str_radix(number, 16).expect("a number")
}
