//! Programs of others rely on `openapi.json` and on nothing else.

use std::path::PathBuf;
use std::process::Command;
use tegata_tests::{Account, CommandOutcome, DeviceIdentity, RunningInstallation, csr, python, run};

fn program(name: &str) -> PathBuf {
    python::environment(&["schemathesis==4.32.5", "openapi-spec-validator==0.9.0"]).join(name)
}

#[test]
fn a_program_that_knows_only_the_description_enrolls_and_renews() {
    let installation = RunningInstallation::start();
    let folder = installation.folder("api");
    for name in ["first", "second"] {
        let key = folder.join(format!("{name}.key")).display().to_string();
        run("openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &key]);
        std::fs::write(folder.join(format!("{name}.csr")), csr::for_key(&key)).expect("a file");
    }
    let invitation = installation.invite("register-7");
    let (_, code) = invitation.split_once('#').expect("a code");

    let mut client = Command::new(program("python"));
    client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/clients/api.py")).arg(description(&installation));
    client.arg(&installation.tls_ca).arg(code).arg(&folder);
    let told = CommandOutcome::of(&mut client).good().json();
    assert_eq!(told["label"], "register-7");
    assert_eq!(told["device"][0], told["device"][1], "the same device");
    assert_eq!(told["generation"].to_string(), "[1,2]");
    assert_eq!(told["refused"], "I-02");
    assert_eq!(told["token"], "invalid_scope", "the certificate is issued, whatever becomes of the token");
}

#[test]
fn nothing_sent_to_the_portal_makes_the_api_fail_or_differ() {
    let installation = RunningInstallation::start();
    let mut fuzzer = fuzzer(&installation, &installation.portal);
    fuzzer.args(["--exclude-path-regex", "renewals|handovers|loss-reports|invitations$|invitations/[{]list|invitations/open|v1/(session|contracts|devices|changes|people|sites|views|audit|expiries|health|figures|invitation-batches|kittings|copy-alarms|transfers|today)|approvals/(waiting|[{])"]);
    CommandOutcome::of(&mut fuzzer).good();
    installation.command(&["check"]).good();
}

#[test]
fn nothing_a_device_sends_makes_the_api_fail_or_differ() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let mut fuzzer = fuzzer(&installation, &installation.device);
    fuzzer.args([
        "--include-path-regex",
        "renewals|handovers|loss-reports|/v1/deliveries|invitations$|invitations/[{]list",
    ]);
    present(&mut fuzzer, &device);
    CommandOutcome::of(&mut fuzzer).good();
    installation.command(&["check"]).good();
}

/// Whatever head office's program sends with her session: what she may do is done or refused, and nothing fails.
#[test]
fn nothing_somebody_signed_in_sends_makes_the_api_fail_or_differ() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let options = ["--role", "tenant-admin", "--site", "本店"];
    let admin = Account::add(&installation, "honbu", "本部 一郎", &options).sign_in(&installation, &device);
    let mut fuzzer = fuzzer(&installation, &installation.device);
    fuzzer.args([
        "--include-path-regex",
        "v1/(session|devices|changes|people|sites|views|audit|expiries|health|figures|invitation-batches|kittings|copy-alarms|transfers|today)|approvals/(waiting|[{])|invitations/open/",
    ]);
    // It learns what there is from the answers, and would stop the very device that it comes from.
    fuzzer.args(["--exclude-path-regex", "/(suspend|revoke)$"]);
    for (name, value) in
        [("cookie", &admin.cookie), ("x-csrf-token", &admin.form_token), ("origin", &installation.device)]
    {
        fuzzer.arg("--header").arg(format!("{name}: {value}"));
    }
    present(&mut fuzzer, &device);
    CommandOutcome::of(&mut fuzzer).good();
    admin.at(&installation, "/api/v1/session").send().expect(200);
    installation.command(&["check"]).good();
}

/// Bodies that fit the description, and bodies that nearly do. Where a code is needed it finds none.
fn fuzzer(installation: &RunningInstallation, listener: &str) -> Command {
    let mut fuzzer = Command::new(program("schemathesis"));
    fuzzer
        .args(["run", &description(installation), "--url", listener, "--tls-verify"])
        .arg(&installation.tls_ca);
    fuzzer.args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--no-color", "--warnings", "off"]);
    // One path means two things at two listeners, and what is required at one is not at the other.
    fuzzer.args(["--checks", "all", "--exclude-checks", "positive_data_acceptance", "--continue-on-failure"]);
    // It keeps notes where it runs.
    fuzzer.args(["--generation-database", "none"]).current_dir(installation.folder("fuzzer"));
    fuzzer
}

fn present(fuzzer: &mut Command, device: &DeviceIdentity) {
    fuzzer.arg("--request-cert").arg(device.file("cert.pem"));
    fuzzer.arg("--request-cert-key").arg(device.file("key.pem"));
}

fn description(installation: &RunningInstallation) -> String {
    format!("{}/api/v1/openapi.json", installation.portal)
}
