//! The power fails, and whatever was acknowledged is on the disk.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use tegata_tests::stopwatch::{eventually, report};
use tegata_tests::tokens::request;
use tegata_tests::{
    Cluster, CommandOutcome, Curl, DeviceIdentity, Power, RunningInstallation, Storehouse, csr,
};

const PATIENCE: Duration = Duration::from_mins(2);

/// So many of each are acknowledged before the power is cut.
const ENROLLMENTS: usize = 10;
const REVOCATIONS: usize = 5;
const TOKENS: usize = 10;

/// How many acknowledged things were not there afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Lost {
    enrollments: usize,
    revocations: usize,
    tokens: usize,
}

const NOTHING: Lost = Lost { enrollments: 0, revocations: 0, tokens: 0 };

#[test]
fn nothing_acknowledged_is_lost_with_the_power_on_sqlite() {
    assert_eq!(on_sqlite(|power| power), NOTHING);
}

/// What `synchronous=NORMAL` does: it does not wait for the write-ahead log. So the instrument sees losses; and the
/// revocation log holds what the ledger lost.
#[test]
fn a_ledger_that_is_not_synced_loses_all_but_the_revocations() {
    let lost = on_sqlite(|power| power.lying_about("ledger.db-wal"));
    assert!(lost.enrollments > 0 && lost.tokens > 0, "the instrument sees nothing: {lost:?}");
    assert_eq!(lost.revocations, 0, "the log is synced by itself");
}

#[test]
fn a_revocation_log_that_is_not_synced_loses_nothing_while_the_ledger_is() {
    assert_eq!(on_sqlite(|power| power.lying_about("revocations.log")), NOTHING);
}

#[test]
fn revocations_are_lost_only_where_both_are_not_synced() {
    let lost = on_sqlite(|power| power.lying_about("ledger.db-wal:revocations.log"));
    assert!(lost.revocations > 0, "the instrument sees nothing: {lost:?}");
}

#[test]
fn nothing_acknowledged_is_lost_with_the_power_on_postgresql() {
    assert_eq!(on_postgresql(|power| power), NOTHING);
}

/// What `fsync=off` does to the write-ahead log.
#[test]
fn a_database_that_is_not_synced_loses_all_but_the_revocations() {
    let lost = on_postgresql(|power| power.lying_about("/pg_wal/"));
    assert!(lost.enrollments > 0 && lost.tokens > 0, "the instrument sees nothing: {lost:?}");
    assert_eq!(lost.revocations, 0, "the log is synced by itself");
}

fn on_sqlite(disk: impl FnOnce(Power) -> Power) -> Lost {
    let store = Storehouse::sqlite();
    let mut installation = store.installation();
    let work = PowerCutWork::prepare(&installation);
    installation.kill();
    let power = disk(Power::of(&[&installation.data(), store.disk()]));
    installation.set_environment(power.environment());
    installation.start_again();
    let done = work.until_the_power_is_cut(&power, &mut installation);
    power.restore();
    installation.start_again();
    done.lost(&installation, &store)
}

fn on_postgresql(disk: impl FnOnce(Power) -> Power) -> Lost {
    let mut cluster = Cluster::new();
    cluster.start(&[]);
    let store = Storehouse::postgres_at(&cluster.url());
    let mut installation = store.installation();
    let work = PowerCutWork::prepare(&installation);
    installation.kill();
    cluster.stop();
    let power = disk(Power::of(&[&cluster.data(), store.disk()]));
    cluster.start(&power.environment());
    installation.set_environment(power.environment());
    installation.start_again();
    let done = work.until_the_power_is_cut(&power, &mut installation);
    cluster.kill();
    power.restore();
    cluster.start(&power.environment());
    installation.start_again();
    let lost = done.lost(&installation, &store);
    // While there is a disk.
    installation.kill();
    cluster.kill();
    lost
}

/// What is going on when the power fails.
struct PowerCutWork {
    enrollments: Vec<Enrollment>,
    at_portal: Curl,
    revoked: Vec<DeviceIdentity>,
    revoke: Vec<Vec<String>>,
    token: Curl,
}

struct Enrollment {
    code: String,
    csr: String,
}

/// What was acknowledged before.
#[derive(Default)]
struct Acknowledged {
    enrollments: Vec<(Enrollment, Value)>,
    revocations: Vec<String>,
    tokens: Vec<String>,
}

impl PowerCutWork {
    fn prepare(installation: &RunningInstallation) -> Self {
        let enrollments = (0..ENROLLMENTS * 4).map(|number| {
            let link = installation.invite(&format!("register-{number}"));
            let (_, code) = link.split_once('#').expect("a code in the fragment");
            Enrollment { code: code.to_owned(), csr: csr::honest() }
        });
        let lost: Vec<_> =
            (0..REVOCATIONS * 3).map(|number| installation.enroll(&format!("lost-{number}"))).collect();
        let commands = lost.iter().map(|device| {
            installation.command_line(&["device", "revoke", "--yes", &device.device, "--wait-ms", "0"])
        });
        Self {
            enrollments: enrollments.collect(),
            at_portal: installation.at_portal("/api/v1/enrollments"),
            revoke: commands.collect(),
            token: request(installation, &installation.enroll("at work")),
            revoked: lost,
        }
    }

    /// Works on all sides at once.
    fn until_the_power_is_cut(self, power: &Power, installation: &mut RunningInstallation) -> Acknowledged {
        let done = Mutex::new(Acknowledged::default());
        let environment = installation.environment().to_vec();
        let (at_portal, token, environment) = (&self.at_portal, &self.token, &environment);
        thread::scope(|scope| {
            let done = &done;
            let note = move |note: &dyn Fn(&mut Acknowledged)| note(&mut done.lock().expect("no panic"));
            scope.spawn(move || {
                for enrollment in self.enrollments {
                    let Ok(answer) = ask(at_portal, &enrollment).attempt() else { return };
                    if answer.status == 201 {
                        let made = answer.json()["certificate"].clone();
                        done.lock().expect("no panic").enrollments.push((enrollment, made));
                    }
                }
            });
            scope.spawn(move || {
                for (device, line) in self.revoked.into_iter().zip(self.revoke) {
                    // One whose sync never ends would wait for ever.
                    let mut command = Command::new("timeout");
                    command.args(["--signal=KILL", "8"]).args(line).envs(environment.iter().cloned());
                    let told = CommandOutcome::of(&mut command).stdout.contains("\"event\":");
                    if !told {
                        return;
                    }
                    note(&|acknowledged| acknowledged.revocations.push(device.device.clone()));
                }
            });
            scope.spawn(move || {
                while let Ok(answer) = token.clone().attempt() {
                    if answer.status == 200 {
                        let name = name_of(answer.json()["access_token"].as_str().expect("a token"));
                        note(&|acknowledged| acknowledged.tokens.push(name.clone()));
                    }
                }
            });
            eventually("enough was acknowledged", PATIENCE, || {
                let done = done.lock().expect("no panic");
                done.enrollments.len() >= ENROLLMENTS
                    && done.revocations.len() >= REVOCATIONS
                    && done.tokens.len() >= TOKENS
            });
            power.cut();
            // Whoever is told now is told of what is on the disk.
            thread::sleep(Duration::from_millis(200));
            installation.kill();
        });
        done.into_inner().expect("no panic")
    }
}

impl Acknowledged {
    fn lost(self, installation: &RunningInstallation, store: &Storehouse) -> Lost {
        let numbers = (self.enrollments.len(), self.revocations.len(), self.tokens.len());
        let tokens = store.audit(installation);
        let is_lost = |token: &String| !tokens.contains(token.as_str());
        let lost = Lost {
            tokens: self.tokens.iter().filter(|token| is_lost(token)).count(),
            revocations: self.revocations.iter().filter(|device| is_let_in(installation, device)).count(),
            enrollments: self
                .enrollments
                .iter()
                .filter(|(enrollment, made)| is_another(installation, enrollment, made))
                .count(),
        };
        report(&format!("acknowledged before the power was cut: {numbers:?}; lost: {lost:?}"));
        installation.command(&["check"]).good();
        lost
    }
}

/// Whether another certificate came for a request that had one: a known request gets the same certificate again.
fn is_another(installation: &RunningInstallation, enrollment: &Enrollment, made: &Value) -> bool {
    let answer = ask(&installation.at_portal("/api/v1/enrollments"), enrollment).send();
    answer.status != 201 || answer.json()["certificate"] != *made
}

fn is_let_in(installation: &RunningInstallation, device: &str) -> bool {
    installation.tell(&["device", "show", device])["state"] != "revoked"
}

fn ask(at_portal: &Curl, enrollment: &Enrollment) -> Curl {
    at_portal.clone().json(&json!({ "code": enrollment.code, "csr": enrollment.csr }))
}

/// The `jti` of a token.
fn name_of(token: &str) -> String {
    let payload = token.split('.').nth(1).expect("a payload");
    let claims = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("claims");
    claims["jti"].as_str().expect("a name").to_owned()
}
