//! Operators, devices and gates in trouble: what they are told is true, comes soon, and the trouble ends by itself.

use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tegata_tests::openssl::{fetch_crl, ocsp, ocsp_status, openssl};
use tegata_tests::stopwatch::{Stopwatch, eventually, report};
use tegata_tests::tokens::{obtain, request};
use tegata_tests::{
    Cluster, CommandOutcome, Curl, CurlAnswer, DeviceIdentity, Process, RunningInstallation, Storehouse,
    ports, run, tegata,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// How long anybody may wait to hear that the ledger is out of reach, with what curl takes to start on a busy machine.
const SOON: Duration = Duration::from_millis(2500);

#[test]
fn after_a_clock_that_was_ahead_revocations_bite_again_by_themselves() {
    let mut installation = RunningInstallation::start();
    let (first, second, third) =
        (installation.enroll("first"), installation.enroll("second"), installation.enroll("third"));
    let gate = installation.gate();
    obtain(&installation, &third);
    let clock = installation.folder("clock").join("clock");
    set(&clock, "+0");
    let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .map(|folder| format!("{folder}/faketime/libfaketimeMT.so.1"));
    let library = library.into_iter().find(|file| Path::new(file).exists()).expect("faketime is installed");
    installation.set_environment(vec![
        ("LD_PRELOAD".into(), library),
        ("FAKETIME_TIMESTAMP_FILE".into(), clock.display().to_string()),
        ("FAKETIME_NO_CACHE".into(), "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
    ]);
    installation.start_again();

    set(&clock, "+200d");
    let ahead = installation.command(&["device", "revoke", &first.device, "--yes", "--wait-ms", "3000"]);
    assert!(ahead.stdout.contains("\"event\":"), "{}", ahead.said());
    eventually("a list of the future is out", PATIENCE, || last_update(&second).contains(&year_ahead()));
    let number = crl_number(&second);

    set(&clock, "+0");
    installation.command(&["device", "revoke", &second.device, "--yes", "--wait-ms", "0"]);
    let watch = Stopwatch::start();
    eventually("the list is of today and names both", PATIENCE, || {
        // Each on the list of its own portion.
        [&first, &second].iter().all(|device| {
            let list = list_of(device);
            !last_update(device).contains(&year_ahead()) && names(&list, device)
        })
    });
    report(&format!("{:.0} ms from the right time to the right list", watch.millis()));
    assert!(watch.elapsed() < Duration::from_secs(10), "half a second, and the fetches of a busy machine");
    assert!(crl_number(&second) > number, "the number never goes back");

    eventually("the token endpoint refuses it", PATIENCE, || is(&request(&installation, &second), 401));
    eventually("and serves the other", PATIENCE, || is(&request(&installation, &third), 200));
    assert_eq!(ocsp_status(&ocsp(&installation, &second)), "revoked");
    assert_eq!(ocsp_status(&ocsp(&installation, &third)), "good");
    eventually("the gate decides again", PATIENCE, || gate.is_deciding());
    let fourth = installation.enroll("fourth");
    let stopped = installation.tell(&["device", "revoke", &fourth.device, "--yes"]);
    assert!(stopped.to_string().contains(&format!("gate:{}", gate.id)), "{stopped}");
    let checked = installation.command(&["check"]).good().json();
    let findings = checked["findings"].to_string();
    assert!(findings.contains("clock-was-ahead"), "{checked}");
}

#[test]
fn a_promoted_stand_by_is_found_and_written_only_as_safely_as_demanded() {
    let mut primary = Cluster::new();
    primary.start(&[]);
    let mut stand_by = primary.stand_by();
    stand_by.start(&[]);
    primary.set("synchronous_standby_names", "*");
    let store = Storehouse::postgres_at(&primary.url());
    let mut installation = store.installation();
    let health = ports::free();
    installation.reconfigure(|text| {
        let hosts = format!("{},{}", stand_by.host(), primary.host());
        let url = store.url();
        let joint = if url.contains('?') { '&' } else { '?' };
        let several =
            url.replace(&primary.host(), &hosts) + &format!("{joint}target_session_attrs=read-write");
        let more = format!("[metrics]\nlisten = \"127.0.0.1:{health}\"\n\n[[product]]");
        text.replacen(
            &format!("url = \"{url}\""),
            &format!("url = \"{several}\"\nrequire_synchronous_standbys = 1"),
            1,
        )
        .replacen("[[product]]", &more, 1)
    });
    let device = installation.enroll("device");
    obtain(&installation, &device);
    installation.command(&["check"]).good();

    primary.kill();
    stand_by.promote();
    let watch = Stopwatch::start();
    let ready = || Curl::to(&format!("http://127.0.0.1:{health}/readyz")).send();
    eventually("the new primary is found, and has no stand-by", PATIENCE, || {
        ready().text().contains("wait for 1")
    });
    assert!(watch.elapsed() < Duration::from_secs(10), "{:?}", watch.elapsed());
    assert_eq!(ready().status, 503);
    let refused = installation.command(&["device", "revoke", "--yes", &device.device]);
    assert!(
        refused.code == 1 && refused.stderr.contains("require_synchronous_standbys"),
        "{}",
        refused.said()
    );
    let checked = installation.command(&["check"]);
    assert!(checked.code == 1 && checked.stdout.contains("replication-missing"), "{}", checked.said());

    installation.reconfigure(|text| text.replacen("standbys = 1", "standbys = 0", 1));
    obtain(&installation, &device);
    let checked = installation.command(&["check"]).good();
    assert!(checked.stdout.contains("replication-undemanded"), "{}", checked.said());
    installation.tell(&["device", "revoke", "--yes", &device.device]);
    installation.kill();
}

#[test]
fn a_frozen_postgresql_is_reported_everywhere_within_two_seconds() {
    let mut cluster = Cluster::new();
    cluster.start(&[]);
    let store = Storehouse::postgres_at(&cluster.url());
    let mut installation = store.installation();
    let health = ports::free();
    installation.reconfigure(|text| {
        let more = format!("[metrics]\nlisten = \"127.0.0.1:{health}\"\n\n[[product]]");
        text.replacen("[[product]]", &more, 1)
    });
    let (device, late) = (installation.enroll("device"), installation.enroll("late"));
    obtain(&installation, &device);
    let invited = installation.invite("not yet");
    let (_, code) = invited.split_once('#').expect("a code");
    let ready = || Curl::to(&format!("http://127.0.0.1:{health}/readyz"));
    eventually("the server is ready", PATIENCE, || is(&ready(), 200));

    let frozen = Frozen::begin(&cluster);
    let watch = Stopwatch::start();
    assert_eq!(ready().send().status, 503);
    assert!(watch.elapsed() < Duration::from_millis(1500), "{:?}", watch.elapsed());
    let crl = Curl::to(&tegata_tests::openssl::crl_url(&device.file("cert.pem")));
    let list = crl.clone().send().expect(200);
    // At once, so that those who come first do not hold up the others.
    thread::scope(|scope| {
        let refused = |name: &'static str, asked: Curl, says: &'static str| {
            scope.spawn(move || {
                let watch = Stopwatch::start();
                let answer = asked.send();
                assert!(watch.elapsed() < SOON, "{name}: {:?}", watch.elapsed());
                assert_eq!(answer.status, 503, "{name}: {}", answer.text());
                assert!(!answer.header("retry-after").is_empty(), "{name}");
                assert!(answer.text().contains(says), "{name}: {}", answer.text());
            });
        };
        refused("token", request(&installation, &device), "temporarily_unavailable");
        refused("another token", request(&installation, &late), "temporarily_unavailable");
        let open = installation.at_portal("/api/v1/invitations/open").json(&json!({ "code": code }));
        refused("invitation", open, "S-01");
        refused("probe", installation.at_device("/probe").as_device(&device), "S-01");
        refused("est", installation.at_device("/.well-known/est/cacerts"), "S-01");
        let account = installation.at_portal("/acme/new-nonce").method("GET");
        scope.spawn(move || {
            let watch = Stopwatch::start();
            let answer = account.send();
            assert!(watch.elapsed() < SOON && [200, 204, 503].contains(&answer.status), "{}", answer.status);
        });
    });
    let watch = Stopwatch::start();
    assert!(ocsp(&installation, &late).said().to_lowercase().contains("trylater"), "OCSP says try later");
    assert!(watch.elapsed() < SOON, "{:?}", watch.elapsed());
    assert_eq!(crl.send().expect(200).body, list.body, "the list is given from memory");

    // A revocation that was asked for and refused is not done later.
    let refused = request_revocation(&installation, &late);
    assert_eq!(refused.code, 1, "{}", refused.said());
    drop(frozen);
    eventually("the server is ready again", PATIENCE, || is(&ready(), 200));
    eventually("tokens are given again", PATIENCE, || is(&request(&installation, &device), 200));
    assert_eq!(installation.tell(&["device", "show", &late.device])["state"], "active");
    let at = installation.at_portal("/api/v1/invitations/open").json(&json!({ "code": code }));
    assert_eq!(at.send().status, 200);
    installation.command(&["check"]).good();
    installation.kill();
}

/// While it lives; a test that fails must not wait for it.
struct Frozen<'a>(&'a Cluster);

impl<'a> Frozen<'a> {
    fn begin(cluster: &'a Cluster) -> Self {
        cluster.freeze(true);
        Self(cluster)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.freeze(false);
    }
}

/// A command waits longer than a server; whoever stops it before it has an answer has stopped it.
fn request_revocation(installation: &RunningInstallation, device: &DeviceIdentity) -> CommandOutcome {
    let line = installation.command_line(&["device", "revoke", &device.device, "--yes"]);
    let outcome = CommandOutcome::of(Command::new("timeout").args(["--kill-after=1", "3"]).args(line));
    CommandOutcome { code: i32::from(outcome.code != 0), ..outcome }
}

#[test]
fn a_revocation_the_ledger_cannot_take_is_accepted_and_done_later() {
    let store = Storehouse::sqlite();
    let installation = store.installation();
    let (lost, other) = (installation.enroll("lost"), installation.enroll("other"));
    let key = other.file("cert.pem");
    // As a full disk does: every commit that has something for the revocation log fails at its very end.
    let fault = "CREATE TABLE never (id BIGINT PRIMARY KEY); \
        CREATE TABLE fault (id BIGINT REFERENCES never (id) DEFERRABLE INITIALLY DEFERRED); \
        CREATE TRIGGER fault AFTER UPDATE OF log_hash ON head WHEN NEW.log_hash IS NOT OLD.log_hash \
        BEGIN INSERT INTO fault (id) VALUES (1); END;";
    sql(&installation, fault);
    let refused = installation.command(&["device", "revoke", &lost.device, "--yes"]);
    assert_eq!(refused.code, 1);
    let said = refused.said();
    assert!(said.contains("accepted") && !said.contains("nothing was changed"), "{said}");
    let again = installation.command(&["key", "block", &key, "--yes"]);
    assert!(again.code != 0 && !again.said().contains("nothing was changed"), "{}", again.said());
    let checked = installation.command(&["check"]);
    assert!(checked.stdout.contains("revocation-log-ahead"), "{}", checked.said());
    sql(&installation, "DROP TRIGGER fault; DROP TABLE fault; DROP TABLE never;");
    installation.invite("the next that is written");
    assert_eq!(installation.tell(&["device", "show", &lost.device])["state"], "revoked");
    eventually("it bites", PATIENCE, || is(&request(&installation, &lost), 401));
    installation.command(&["check"]).good();
}

#[test]
fn whoever_is_refused_for_a_fault_of_ours_names_the_line_with_its_cause() {
    let installation = RunningInstallation::start();
    let code = installation.invite("register-1").split_once('#').expect("a code").1.to_owned();
    sql(&installation, "ALTER TABLE site RENAME TO hidden");
    let open = format!("{}/api/v1/invitations/open", installation.portal);
    let answer = Curl::to(&open).trusting(&installation.tls_ca).json(&json!({"code": code})).send();
    sql(&installation, "ALTER TABLE hidden RENAME TO site");
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("S-01")), "{}", answer.text());
    let id = answer.json()["request_id"].as_str().expect("an identifier").to_owned();
    let log = installation.log();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR") && line.contains(&id)).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(errors[0].contains("no such table") && !errors[0].contains(&code), "{}", errors[0]);
}

fn sql(installation: &RunningInstallation, script: &str) {
    let python = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=20).executescript(sys.argv[2])";
    let ledger = installation.data().join("ledger.db");
    CommandOutcome::of(Command::new("python3").args(["-c", python]).arg(ledger).arg(script)).good();
}

fn set(clock: &Path, offset: &str) {
    let fresh = clock.with_extension("new");
    fs::write(&fresh, format!("{offset}\n")).expect("a file");
    fs::rename(fresh, clock).expect("another time");
}

fn is(asked: &Curl, status: u16) -> bool {
    asked.clone().attempt().is_ok_and(|answer: CurlAnswer| answer.status == status)
}

/// The CRL of a certificate, as text.
fn list_of(identity: &DeviceIdentity) -> String {
    openssl(&["crl", "-in", &fetch_crl(identity).display().to_string(), "-noout", "-text"]).good().stdout
}

fn last_update(identity: &DeviceIdentity) -> String {
    let text = list_of(identity);
    let (_, rest) = text.split_once("Last Update:").expect("a date");
    rest.lines().next().expect("a date").to_owned()
}

/// Month and year 200 days from now, as openssl writes them.
fn year_ahead() -> String {
    let date = CommandOutcome::of(Command::new("date").args(["-u", "-d", "+200 days", "+%b"])).good().stdout;
    date.trim().to_owned()
}

fn names(list: &str, identity: &DeviceIdentity) -> bool {
    list.to_lowercase().contains(&identity.serial.to_lowercase())
}

fn crl_number(identity: &DeviceIdentity) -> u128 {
    let file = fetch_crl(identity).display().to_string();
    let said = openssl(&["crl", "-in", &file, "-noout", "-crlnumber"]).good().stdout;
    let (_, number) = said.trim().split_once('=').expect("a number");
    u128::from_str_radix(number.trim_start_matches("0x"), 16).expect("a number")
}

#[test]
fn when_the_server_that_publishes_dies_another_one_does() {
    let store = Storehouse::postgres();
    let mut installation = store.installation();
    let (first, second) = (installation.enroll("first"), installation.enroll("second"));
    let holder = || crl_pass(&installation)["server"].clone();
    eventually("the lists have a publisher", PATIENCE, || holder().is_string());
    let dies = holder();
    let other = OtherServer::beside(&installation);
    eventually("both servers say what they do", PATIENCE, || {
        let passes = installation.command(&["passes", "list"]).json();
        passes
            .as_array()
            .is_some_and(|all| all.iter().filter(|pass| pass["name"] == "hierarchy").count() == 2)
    });
    let confirmed = installation.tell(&["device", "revoke", &first.device, "--yes"]);
    assert!(confirmed.to_string().contains("crl:"), "{confirmed}");
    eventually("the other server gives the list too", PATIENCE, || other.lists(&first));
    assert_eq!(holder(), dies, "whoever publishes goes on");

    installation.kill();
    let watch = Stopwatch::start();
    installation.command(&["device", "revoke", &second.device, "--yes", "--wait-ms", "0"]);
    eventually("the other server publishes", PATIENCE, || other.lists(&second));
    report(&format!("{:.0} ms from the death of the publisher to the list", watch.millis()));
    assert!(
        watch.elapsed() < Duration::from_secs(12),
        "5 s of a lease, and a busy machine: {:?}",
        watch.elapsed()
    );
    let taken_over = crl_pass(&installation);
    assert_ne!(taken_over["server"], dies);
    assert!(taken_over["lease"]["token"].as_u64() >= Some(2), "{taken_over}");
    // The names in its configuration lead to the server that is dead.
    eventually("its canary finds its own listeners good", PATIENCE * 2, || {
        other.metric("tegata_canary_last_success_timestamp_seconds").is_some_and(|at| at > 0.0)
    });
    assert_eq!(other.metric("tegata_pass_runs_total{pass=\"canary\",outcome=\"done\"}"), Some(1.0));
    eventually("all is well without the one that died", PATIENCE * 2, || {
        installation.command(&["passes", "list"]).code == 0
    });
    drop(other);
    eventually("nothing is well where no server runs", PATIENCE * 2, || {
        installation.command(&["passes", "list"]).code == 1
    });
}

/// The pass that publishes the only issuing CA's lists.
fn crl_pass(installation: &RunningInstallation) -> serde_json::Value {
    let passes = installation.command(&["passes", "list"]).json();
    let passes = passes.as_array().expect("a list").clone();
    let is_crl =
        |pass: &serde_json::Value| pass["name"].as_str().is_some_and(|name| name.starts_with("crl:"));
    passes.into_iter().find(is_crl).unwrap_or_default()
}

/// A second server of an installation, at ports of its own, with the addresses of the first.
struct OtherServer {
    _process: Process,
    public: u16,
    metrics: u16,
}

impl OtherServer {
    fn beside(installation: &RunningInstallation) -> Self {
        let data = installation.folder("other");
        for name in ["keys", "unlock.key", "tls", "ca-config", "ca"] {
            let from = installation.data().join(name).display().to_string();
            run("cp", &["-r", &from, &data.display().to_string()]);
        }
        let [portal, device, public, metrics] = [(); 4].map(|()| ports::free());
        let text = fs::read_to_string(installation.data().join("tegata.toml")).expect("the configuration");
        let mut section = String::new();
        let mut changed =
            format!("[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n\n[canary]\nevery_minutes = 1\n\n");
        for line in text.lines() {
            if line.starts_with('[') {
                line.clone_into(&mut section);
            }
            let place = match section.as_str() {
                "[portal]" => Some((portal, &installation.portal)),
                "[device]" => Some((device, &installation.device)),
                "[public]" => Some((public, &installation.public)),
                _ => None,
            };
            match place {
                Some((port, _)) if line.starts_with("listen = ") => {
                    let _ = writeln!(changed, "listen = \"127.0.0.1:{port}\"");
                }
                Some((_, url)) if line.starts_with("url = ") => {
                    let _ = writeln!(changed, "url = \"{url}\"");
                }
                _ => {
                    let _ = writeln!(changed, "{line}");
                }
            }
        }
        fs::write(data.join("tegata.toml"), changed).expect("a configuration");
        let mut command = Command::new(tegata());
        command.arg("serve").arg("--data").arg(&data);
        let process = Process::start("tegata serve", &mut command, &data.join("server.log"));
        Self { _process: process, public, metrics }
    }

    /// Whether the list that this server gives names the device.
    fn lists(&self, device: &DeviceIdentity) -> bool {
        let url = tegata_tests::openssl::crl_url(&device.file("cert.pem"));
        let path = url.splitn(4, '/').nth(3).expect("a path").to_owned();
        let Ok(answer) = Curl::to(&format!("http://127.0.0.1:{}/{path}", self.public)).attempt() else {
            return false;
        };
        let der = device.folder.join("of-the-other.crl");
        fs::write(&der, answer.body).expect("a file");
        let text = openssl(&["crl", "-inform", "DER", "-in", &der.display().to_string(), "-noout", "-text"]);
        names(&text.stdout, device)
    }

    fn metric(&self, name: &str) -> Option<f64> {
        let text = Curl::to(&format!("http://127.0.0.1:{}/metrics", self.metrics)).attempt().ok()?.text();
        let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(found, _)| found == name))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }
}
