//! When the machine fails: nothing acknowledged is lost, and the ledger goes on when it can.

use crate::engines::{EnginePlace, run};
use crate::fixture::Everything;
use crate::fixture::{LedgerFixture, day, operator, visit};
use crate::people::{session, set_up};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tegata_core::entropy::Seeded;
use tegata_core::{DeviceState, Installation, RevocationReason, TenantId};
use tegata_storage::{
    Actor, AuditNote, DeviceAction, Ledger, LedgerError, LogError, LogPlace, Patience, SecondFactorUse,
    Tenant,
};

/// What is done to lost devices.
const LOST: DeviceAction = DeviceAction::Revoke(RevocationReason::KeyCompromise);

const FULL_DISK: &str = "TEGATA_TEST_FULL_DISK";

#[test]
fn a_full_revocation_log_revokes_nothing_in_silence() {
    within_a_small_disk("faults::with_a_full_log");
}

/// The ledger has room, its log has none: a piece of a line may be left there.
#[test]
#[ignore = "runs within a_full_revocation_log_revokes_nothing_in_silence"]
fn with_a_full_log() {
    let folder = PathBuf::from(std::env::var_os(FULL_DISK).expect("the small file system"));
    run(async {
        let fixture = LedgerFixture::open(EnginePlace::sqlite()).await;
        let (log, installation) =
            (folder.join("revocations.log"), Installation::parse("a.jp").expect("a name"));
        let place = LogPlace { file: &log, installation: &installation };
        let url = fixture.place.url();
        let ledger = Ledger::open_with(&url, &place, day(1), &fixture.entropy).await.expect("room at first");
        let mut devices = Vec::new();
        for _ in 0..60 {
            devices.push(fixture.enroll(day(1)).await.0);
        }
        let person = set_up(&fixture, "kinkyu").await;
        let desk = fixture.enroll(day(1)).await.0;
        fixture
            .write(day(1), async |writing| writing.set_break_glass(&person, &operator()).await)
            .await
            .expect("an account for emergencies");
        fill_up(&folder);
        let mut refused = 0;
        for device in &devices {
            let mut writing = ledger.begin(day(2)).await.expect("the right to write");
            writing.act_on_device(device, LOST, "", &operator()).await.expect("an active device");
            if let Err(error) = writing.commit().await {
                assert!(matches!(error, LedgerError::Log(LogError::Medium { .. })), "{error}");
                let state = ledger.everything().device(device).await.unwrap().unwrap().state;
                assert_eq!(state, DeviceState::Active, "what was refused is not done");
                refused += 1;
            }
        }
        assert!(refused > 5, "the disk was not full");
        fixture.enroll(day(2)).await;
        let enter = async |step| {
            let session = session(&fixture, &person, &desk, SecondFactorUse::Totp(step), day(2));
            let mut writing = ledger.begin(day(2)).await?;
            writing.start_session(&session).await?;
            writing.commit().await
        };
        enter(1).await.expect("an emergency does not wait for a disk");
        assert!(matches!(enter(2).await, Err(LedgerError::Refused(_))), "and lets nobody in a second time");
        let used = |log: &Path| std::fs::read_to_string(log).unwrap().matches("\"state\":\"used\"").count();
        assert_eq!((used(&log), ledger.verify_log().await.unwrap().unwrap().owed), (0, 1));
        assert!(ledger.complete_log(day(2)).await.is_err(), "there is no room yet");
        std::fs::remove_file(folder.join("filler")).expect("room again");
        for device in &devices {
            let mut writing = ledger.begin(day(3)).await.expect("the right to write");
            if writing.act_on_device(device, LOST, "", &operator()).await.is_ok() {
                writing.commit().await.expect("room for a line");
            }
        }
        let report = ledger.verify_log().await.unwrap().unwrap();
        assert!(report.agrees && report.last_event == 60 && report.owed == 0, "{report:?}");
        assert_eq!(used(&log), 1, "what was owed is written by the next writer");
        ledger.verify_audit().await.unwrap().expect("an unbroken chain");
        ledger.close().await;
        fixture.ledger.close().await;
    });
}

#[test]
fn a_full_disk_under_the_ledger_is_not_called_nothing_done() {
    within_a_small_disk("faults::with_a_full_ledger");
}

/// The log has room, its ledger has none: at each point the answer is true of what is found later.
#[test]
#[ignore = "runs within a_full_disk_under_the_ledger_is_not_called_nothing_done"]
fn with_a_full_ledger() {
    let folder = PathBuf::from(std::env::var_os(FULL_DISK).expect("the small file system"));
    run(async {
        let fixture = LedgerFixture::open(EnginePlace::sqlite_in(&folder)).await;
        let elsewhere = tempfile::tempdir_in("/dev/shm").expect("another disk");
        let (log, installation) =
            (elsewhere.path().join("revocations.log"), Installation::parse("a.jp").expect("a name"));
        let place = LogPlace { file: &log, installation: &installation };
        let url = fixture.place.url();
        let ledger = Ledger::open_with(&url, &place, day(1), &fixture.entropy).await.expect("room at first");
        let mut devices = Vec::new();
        for _ in 0..12 {
            devices.push(fixture.enroll(day(1)).await.0);
        }
        fill_up(&folder);
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        for device in &devices {
            let revoked = async {
                let mut writing = ledger.begin(day(2)).await?;
                writing.act_on_device(device, LOST, "", &operator()).await?;
                writing.commit().await
            };
            match revoked.await {
                Ok(()) => {}
                Err(error) if error.may_be_done() => accepted.push(device),
                Err(_) => refused.push(device),
            }
        }
        assert!(!accepted.is_empty(), "the disk was not full");
        std::fs::remove_file(folder.join("filler")).expect("room again");
        ledger.group(note()).await.expect("the next writer");
        for (devices, expected) in [(&accepted, DeviceState::Revoked), (&refused, DeviceState::Active)] {
            for device in devices {
                let state = ledger.everything().device(device).await.unwrap().unwrap().state;
                assert_eq!(state, expected, "what was said is what was done");
            }
        }
        ledger.close().await;
        fixture.ledger.close().await;
    });
}

/// Whoever asks a server is told within two seconds, whatever holds the ledger up.
#[test]
fn a_server_says_within_two_seconds_that_somebody_else_holds_the_ledger() {
    for place in [EnginePlace::sqlite(), EnginePlace::postgres()] {
        visit(place, async |fixture: &LedgerFixture| {
            let (folder, url) = (tempfile::tempdir().unwrap(), fixture.place.url());
            let installation = Installation::parse("a.jp").expect("a name");
            let log = LogPlace { file: &folder.path().join("log"), installation: &installation };
            let server =
                Ledger::open_patiently(&url, Patience::Server, &log, day(1), &fixture.entropy).await.unwrap();
            let holder = fixture.ledger.begin(day(1)).await.unwrap();
            let begun = tokio::time::Instant::now();
            let (written, direct, grouped) = tokio::join!(
                server.group(note()),
                async { server.begin(day(1)).await.map(drop) },
                server.group(note())
            );
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            for refused in [written, direct, grouped] {
                assert_eq!(refused.unwrap_err().refusal(), tegata_core::Refusal::Unavailable);
            }
            server.feed_head().await.expect("reading goes on");
            let before = fixture.audited().await;
            drop(holder);
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(fixture.audited().await, before, "what was refused is not done later");
            server.group(note()).await.expect("as soon as it can");
            server.close().await;
        });
    }
}

/// A small file system of its own, in a mount namespace of its own, that a filler file fills.
#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    within_a_small_disk("faults::on_a_disk_that_fills");
}

fn within_a_small_disk(test_name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let test = std::env::current_exe().expect("this test");
    let script = "mount -t tmpfs -o size=8m tmpfs \"$1\" && exec \"$0\" --ignored --exact \"$2\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .args([test.as_os_str(), folder.path().as_os_str(), test_name.as_ref()])
        .env(FULL_DISK, folder.path())
        .output()
        .expect("unshare of util-linux is needed to fill a disk");
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "the disk was not filled, or the ledger did not bear it:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "runs within a_full_disk_loses_nothing_that_was_acknowledged"]
fn on_a_disk_that_fills() {
    let folder = PathBuf::from(std::env::var_os(FULL_DISK).expect("the small file system"));
    run(async {
        let url = format!("sqlite:{}", folder.join("ledger.db").display());
        let ledger = Ledger::open(&url).await.expect("a ledger while there is room");
        let entropy = Seeded::new(1);
        for round in 0..3 {
            fill(&folder);
            let acknowledged = write_until_full(&ledger, &entropy).await;
            let tenants = ledger.everything().tenants().await.expect("reading needs no room");
            assert!(acknowledged.iter().all(|name| tenants.iter().any(|tenant| tenant.name == *name)));
            std::fs::remove_file(folder.join("filler")).expect("room again");
            add(&ledger, &entropy).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
            ledger.verify_audit().await.unwrap().expect("an unbroken chain");
        }
        let before = ledger.everything().tenants().await.unwrap();
        ledger.close().await;
        let again = Ledger::open(&url).await.unwrap();
        assert_eq!(again.everything().tenants().await.unwrap(), before);
        again.verify_audit().await.unwrap().expect("an unbroken chain");
    });
}

#[test]
fn a_cut_connection_is_an_error_and_the_next_writer_is_served() {
    visit(EnginePlace::postgres(), async |fixture: &LedgerFixture| {
        let before = fixture.audited().await;
        let mut transaction = fixture.ledger.begin(day(1)).await.unwrap();
        transaction.audit(&operator(), "test.noted", None, serde_json::Value::Null).await.unwrap();
        cut(fixture).await;
        assert!(matches!(transaction.commit().await, Err(LedgerError::Engine(_))));
        assert_eq!(fixture.audited().await, before, "what was not committed is not there");
        fixture.ledger.group(note()).await.expect("the next writer is served");
        assert_eq!(fixture.audited().await, before + 1);
    });
}

#[test]
fn a_group_that_loses_its_connection_is_told_and_the_next_is_served() {
    visit(EnginePlace::postgres(), async |fixture: &LedgerFixture| {
        let before = fixture.audited().await;
        let mut stranger = PgConnection::connect(&server(fixture)).await.unwrap();
        let head = AssertSqlSafe(format!("UPDATE {}.head SET id = 1", schema(fixture)));
        sqlx::raw_sql("BEGIN").execute(&mut stranger).await.unwrap();
        sqlx::query(head).execute(&mut stranger).await.unwrap();
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let ledger = fixture.ledger.clone();
                tokio::spawn(async move { ledger.group(note()).await })
            })
            .collect();
        until_a_writer_waits(fixture).await;
        cut(fixture).await;
        sqlx::raw_sql("ROLLBACK").execute(&mut stranger).await.unwrap();
        let mut acknowledged = 0;
        for waiter in waiting {
            let outcome =
                tokio::time::timeout(Duration::from_secs(30), waiter).await.expect("an answer").unwrap();
            acknowledged += u64::from(outcome.is_ok());
        }
        assert!(acknowledged < 8, "the group that was cut is told");
        assert_eq!(fixture.audited().await, before + acknowledged, "told is not written");
        fixture.ledger.group(note()).await.expect("the next group is served");
        assert_eq!(fixture.audited().await, before + acknowledged + 1);
    });
}

fn note() -> AuditNote {
    AuditNote {
        actor: Actor::System("test"),
        action: "test.noted",
        device: None,
        detail: serde_json::Value::Null,
        at: day(1),
    }
}

/// Cuts every connection of the ledger, and waits until the server has let go of them.
async fn cut(fixture: &LedgerFixture) {
    let mut connection = PgConnection::connect(&server(fixture)).await.expect("a connection");
    let sessions: Vec<(bool,)> = sqlx::query_as(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1",
    )
    .bind(schema(fixture))
    .fetch_all(&mut connection)
    .await
    .expect("the right to cut connections");
    assert!(!sessions.is_empty());
}

async fn until_a_writer_waits(fixture: &LedgerFixture) {
    let mut connection = PgConnection::connect(&server(fixture)).await.expect("a connection");
    for _ in 0..1000 {
        let waiting: Vec<(i32,)> = sqlx::query_as(
            "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'",
        )
        .bind(schema(fixture))
        .fetch_all(&mut connection)
        .await
        .expect("the sessions");
        if !waiting.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no writer waits");
}

fn server(fixture: &LedgerFixture) -> String {
    let EnginePlace::Postgres { server, .. } = &fixture.place else {
        unreachable!("SQLite has no connection to cut")
    };
    server.clone()
}

fn schema(fixture: &LedgerFixture) -> &str {
    let EnginePlace::Postgres { schema, .. } = &fixture.place else { unreachable!("SQLite has no schema") };
    schema
}

async fn add(ledger: &Ledger, entropy: &Seeded) -> Result<String, LedgerError> {
    let id = TenantId::random(entropy);
    let name = format!("{id} {}", "店".repeat(200));
    let mut transaction = ledger.begin(day(1)).await?;
    transaction.add_tenant(&Tenant::new(id, name.clone()), &operator()).await?;
    transaction.commit().await?;
    Ok(name)
}

/// The names of those whose writing was acknowledged; the disk is full afterwards.
async fn write_until_full(ledger: &Ledger, entropy: &Seeded) -> Vec<String> {
    let (mut acknowledged, mut failures) = (Vec::new(), 0);
    while failures < 5 {
        match add(ledger, entropy).await {
            Ok(name) => acknowledged.push(name),
            Err(error) => {
                assert_eq!(error.refusal(), tegata_core::Refusal::Unavailable, "{error}");
                failures += 1;
            }
        }
        assert!(acknowledged.len() < 5000, "the disk does not fill");
    }
    acknowledged
}

/// Leaves less room than a page.
fn fill_up(folder: &Path) {
    use std::io::Write;
    let mut filler = std::fs::File::create(folder.join("filler")).expect("a file");
    for size in [64 * 1024, 1] {
        while filler.write_all(&vec![1; size]).is_ok() {}
    }
}

/// Leaves room for a few dozen writes.
fn fill(folder: &Path) {
    let mut filler = Vec::new();
    let path = folder.join("filler");
    while std::fs::write(&path, &filler).is_ok() {
        filler.resize(filler.len() + 64 * 1024, 1);
    }
    filler.truncate(filler.len().saturating_sub(4 * 64 * 1024));
    std::fs::write(&path, &filler).expect("a filler that fits");
}
