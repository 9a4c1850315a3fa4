//! Operators see how the server is doing, and hear when a revocation does not bite, before anybody is hurt.

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;
use tegata_tests::installation::text_of;
use tegata_tests::python;
use tegata_tests::stopwatch::eventually;
use tegata_tests::{Curl, CurlAnswer, Process, RunningInstallation, ports, run, self_signed_server};

/// Long enough for a first round with its deadlines.
const ROUND: Duration = Duration::from_secs(40);

/// An installation whose server is told to watch itself.
struct Watched {
    installation: RunningInstallation,
    address: String,
}

impl Watched {
    /// Turns the canary and the metrics on. The server rests: the caller starts it again.
    fn over(mut installation: RunningInstallation) -> Self {
        installation.kill();
        let port = ports::free();
        let file = installation.data().join("tegata.toml");
        let text = fs::read_to_string(&file).expect("the configuration");
        let more =
            format!("[canary]\nevery_minutes = 1\n\n[metrics]\nlisten = \"127.0.0.1:{port}\"\n\n[[product]]");
        fs::write(&file, text.replacen("[[product]]", &more, 1)).expect("a file");
        Self { installation, address: format!("http://127.0.0.1:{port}") }
    }

    fn get(&self, path: &str) -> CurlAnswer {
        Curl::to(&format!("{}{path}", self.address)).send()
    }

    /// The values of a number by its whole name with labels, as it is written.
    fn number(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").expect(200).text();
        let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(found, _)| found == name))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }
}

#[test]
fn a_canary_reports_how_soon_every_endpoint_refuses_what_was_revoked() {
    let installation = RunningInstallation::start();
    let gate = installation.gate();
    let tenant = sql(&installation, "SELECT id FROM tenant");
    let mut watched = Watched::over(installation);
    watched.installation.start_again();
    eventually("a canary went through", ROUND, || {
        watched.number("tegata_canary_last_success_timestamp_seconds").is_some_and(|at| at > 0.0)
    });
    for step in ["token", "introspection", "ocsp", "crl", "gates"] {
        let took = watched.number(&format!("tegata_canary_seconds{{step=\"{step}\"}}"));
        assert!(took.is_some_and(|took| took < 5.0), "{step}: {took:?}");
    }
    let text = watched.get("/metrics").expect(200).text();
    assert!(!text.contains("tegata_canary_failures_total{"), "{text}");
    for (name, least) in [
        ("tegata_certificates_issued_total", 2.0),
        ("tegata_tokens_issued_total", 1.0),
        ("tegata_tokens_refused_total{code=\"C-06\"}", 1.0),
        ("tegata_introspections_total{result=\"answered\"}", 2.0),
        ("tegata_ocsp_answers_total{status=\"revoked\"}", 1.0),
        ("tegata_status_changes_total{of=\"certificate\",to=\"revoked\"}", 1.0),
        ("tegata_gates_connected", 1.0),
        ("tegata_sign_in_alarms_total{alarm=\"emergency_code\"}", 0.0),
        ("tegata_sign_in_alarms_total{alarm=\"break_glass\"}", 0.0),
        ("tegata_ledger_up", 1.0),
        ("tegata_ledger_commit_seconds_count", 1.0),
    ] {
        assert!(watched.number(name).is_some_and(|value| value >= least), "{name} in {text}");
    }
    for secret in [gate.id.as_str(), tenant.trim()] {
        assert!(!text.contains(secret), "no name of a customer or a device: {text}");
    }
    assert_eq!(watched.get("/healthz").expect(200).text().trim(), "alive");
    assert_eq!(watched.get("/readyz").expect(200).json()["ready"], true);
}

#[test]
fn a_canary_leaves_nothing_behind_that_works_or_that_customers_see() {
    let mut watched = Watched::over(RunningInstallation::start());
    watched.installation.start_again();
    eventually("a canary went through", ROUND, || {
        watched.number("tegata_canary_last_success_timestamp_seconds").is_some_and(|at| at > 0.0)
    });
    let installation = &watched.installation;
    assert_eq!(installation.listed(&["device", "list"]), Value::Array(vec![]));
    let own = installation.listed(&["device", "list", "canary"]);
    assert!(own.as_array().is_some_and(|own| own.iter().all(|device| device["state"] == "retired")), "{own}");
    assert!(
        installation.invite("front desk").starts_with("https://"),
        "there is still only one site to invite to"
    );
    let longest = sql(installation, "SELECT MAX(not_after - reserved_at) FROM certificate");
    assert_eq!(longest.trim().parse::<i64>().expect("a number") / 3_600_000, 0, "they leave the lists soon");
    let report = installation.command(&["check"]).good().json();
    assert_eq!(report["wrong"], 0, "{report}");
}

#[test]
fn a_list_that_is_not_published_any_more_raises_the_alarm() {
    let mut watched = Watched::over(RunningInstallation::start());
    let trigger = "CREATE TRIGGER closed BEFORE UPDATE ON crl BEGIN SELECT RAISE(ABORT, 'closed'); END";
    sql(&watched.installation, trigger);
    watched.installation.start_again();
    eventually("the alarm", ROUND, || {
        watched.number("tegata_canary_failures_total{step=\"crl\"}") >= Some(1.0)
    });
    assert!(
        watched.installation.log().contains("canary: what was revoked is not refused"),
        "the log says so"
    );
    assert_eq!(watched.number("tegata_canary_last_success_timestamp_seconds"), Some(0.0));
    // The other endpoints refuse all the same.
    let token = watched.number("tegata_canary_seconds{step=\"token\"}");
    assert!(token.is_some_and(|took| took < 5.0), "{token:?}");
    assert_eq!(watched.get("/healthz").expect(200).text().trim(), "alive");
    let ready = watched.get("/readyz").expect(503).json();
    assert!(ready["faults"].to_string().contains("CRL"), "{ready}");
}

#[test]
fn a_canary_that_cannot_enter_raises_the_alarm_and_the_server_goes_on() {
    let mut watched = Watched::over(RunningInstallation::start());
    // It takes the listeners for somebody else's now.
    let data = watched.installation.data();
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=another",
            "-keyout",
            "/dev/null",
            "-out",
            &data.join("tls/ca.pem").display().to_string(),
        ],
    );
    watched.installation.start_again();
    eventually("the alarm", ROUND, || {
        watched.number("tegata_canary_failures_total{step=\"enrollment\"}") >= Some(1.0)
    });
    assert_eq!(watched.get("/readyz").expect(200).json()["ready"], true);
}

#[test]
fn metrics_are_off_unless_they_are_asked_for_and_stay_on_the_machine() {
    let mut watched = Watched::over(RunningInstallation::start());
    let file = watched.installation.data().join("tegata.toml");
    let text = fs::read_to_string(&file).expect("the configuration");
    let port = ports::of(&watched.address);
    let everywhere = text.replace(&format!("127.0.0.1:{port}"), &format!("0.0.0.0:{port}"));
    fs::write(&file, &everywhere).expect("a file");
    let refused = watched.installation.command(&["check"]);
    assert_eq!(refused.code, 2, "{}", refused.said());
    assert!(refused.said().contains("beyond_loopback"), "{}", refused.said());

    let section = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n\n");
    assert!(text.contains(&section), "{text}");
    fs::write(&file, text.replacen(&section, "", 1)).expect("a file");
    watched.installation.start_again();
    assert!(Curl::to(&format!("{}/metrics", watched.address)).attempt().is_err(), "nobody listens there");
}

#[test]
fn who_is_responsible_hears_by_mail_and_others_when_it_comes_back() {
    let mut installation = RunningInstallation::start();
    let device = installation.enroll("受付PC");
    installation.kill();
    let folder = installation.folder("mail-server");
    let ca = self_signed_server(&folder);
    let argument = json!({
        "certificate": ca, "key": folder.join("server.key"), "user": "tegata", "password": "correct horse",
    });
    let python = python::environment(&["aiosmtpd==1.4.6"]).join("python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/mail_server.py");
    let mut command = Command::new(python);
    command.arg(script).arg(argument.to_string());
    let mut server = Process::start("mail_server.py", &mut command, &folder.join("log"));
    let port = &server.line_as_json()["port"];
    let file = installation.data().join("tegata.toml");
    let text = fs::read_to_string(&file).expect("the configuration");
    let mail = format!(
        "[mail]\nfrom = \"tegata@example.jp\"\nsender_name = \"てがたくん\"\nserver = \"localhost\"\nport = {port}\n\
         ca = {ca:?}\nuser = \"tegata\"\npassword = \"mail-password\"\n\n[[product]]"
    );
    fs::write(&file, text.replacen("[[product]]", &mail, 1)).expect("a file");
    let password = installation.data().join("mail-password");
    fs::write(&password, "correct horse\n").expect("a file");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("a mode");
    // As if it had been enrolled eleven months ago.
    let moved = format!(
        "UPDATE certificate SET not_before = not_before - 86400000 * 350, not_after = not_after - 86400000 * 350 \
         WHERE device = '{}'",
        device.device
    );
    sql(&installation, &moved);
    let site = text_of(&installation.listed(&["site", "list"])[0], "site");
    let tell = |address: &str, more: &[&str]| {
        let add = [&["notices", "add", address, "--hour", "0"], more].concat();
        text_of(&installation.tell(&add), "recipient")
    };
    let gone = tell("gone@example.jp", &["--level", "site", "--site", &site]);
    tell("office@example.jp", &["--level", "head-office", "--digest-hour", "0", "--language", "en"]);
    installation.start_again();
    // The mailbox of the site is gone, the day's work arrives at the head office, and then what the site did not hear.
    let mut taken = Vec::new();
    while taken.len() < 2 {
        let heard = server.line_as_json();
        if heard["refused"].is_null() {
            taken.push(heard);
        }
    }
    taken.sort_by_key(|mail| !text_of(mail, "subject").contains("renew"));
    let [notice, digest] = &taken[..] else { panic!("{taken:?}") };
    assert!(text_of(digest, "subject").contains("today"), "{digest}");
    assert_eq!(notice["subject"], "Please renew your devices: 1");
    for mail in &taken {
        assert_eq!(
            (&mail["user"], &mail["tls"], &mail["to"][0]),
            (&json!("tegata"), &json!(true), &json!("office@example.jp"))
        );
        assert_eq!(mail["by"], "てがたくん <tegata@example.jp>");
    }
    for part in ["plain", "html"] {
        let text = text_of(notice, part).replace("&#x2f;", "/");
        assert!(text.contains("受付PC") && text.contains(&installation.device), "{text}");
    }
    let recipients = installation.listed(&["notices", "recipients"]);
    let site_manager = recipients.as_array().expect("a list").iter().find(|one| one["recipient"] == *gone);
    assert_eq!(site_manager.expect("it is there")["state"], "bounced");
    let states: Vec<_> = installation
        .listed(&["notices", "list"])
        .as_array()
        .expect("a list")
        .iter()
        .map(|mail| (text_of(mail, "address"), text_of(mail, "state")))
        .collect();
    let count = |address: &str, state: &str| {
        states.iter().filter(|one| **one == (address.into(), state.into())).count()
    };
    assert_eq!(
        (count("gone@example.jp", "failed"), count("office@example.jp", "sent")),
        (1, 2),
        "{states:?}"
    );
    let work = installation.tell(&["digest"]);
    assert_eq!(work["work"], true);
    assert!(!installation.log().contains("example.jp"), "no address is logged");
}

fn sql(installation: &RunningInstallation, statement: &str) -> String {
    const SCRIPT: &str = "\
import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1])
for row in ledger.execute(sys.argv[2]): print(row[0])
ledger.commit()";
    let ledger = installation.data().join("ledger.db").display().to_string();
    run("python3", &["-c", SCRIPT, &ledger, statement])
}
