//! The passes about renewals among a million devices: how long each takes, and how much memory.
//!
//! Each device has a certificate of a year that ends on some day of the next one, and one of the year before that is retired: as many
//! rows of history as there are alive.

use crate::BenchOutcome;
use crate::population::{self, TODAY};
use crate::report::{Delay, Memory};
use crate::search::OwnSchema;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;
use tegata_core::entropy::Seeded;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{Language, MailAddress, NoticeLevel, RecipientId, Timestamp};
use tegata_mail::MailTemplates;
use tegata_scheduler::{Digest, DigestScope, MailWriter, NoticePass, due_counts};
use tegata_storage::{Actor, Ledger, NoticeRecipient};
use tokio::time::Instant;

/// Half past ten in Japan, of the day on which the population was written.
const NOW: Timestamp = Timestamp::from_millis(TODAY + 5_400_000);

/// How often each is done.
const ROUNDS: u32 = 5;

/// The rows of SQLite in a folder of its own, and of PostgreSQL where `TEGATA_TEST_POSTGRES` names one.
pub async fn rows(devices: u32) -> BenchOutcome<(Vec<Delay>, Vec<Memory>)> {
    let folder = tempfile::tempdir()?;
    let sqlite = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let (mut delays, mut memory) = (Vec::new(), Vec::new());
    let names =
        ["renewals counted, sqlite", "notices quiet, sqlite", "notices of a day, sqlite", "digest, sqlite"];
    delays.extend(measure(names, &sqlite, devices).await?);
    memory.push(counted("renewals counted, sqlite", &sqlite, devices)?);
    if let Ok(server) = std::env::var("TEGATA_TEST_POSTGRES") {
        let postgres = OwnSchema::make(&server).await?;
        let names = [
            "renewals counted, postgres",
            "notices quiet, postgres",
            "notices of a day, postgres",
            "digest, postgres",
        ];
        delays.extend(measure(names, &postgres.url, devices).await?);
        memory.push(counted("renewals counted, postgres", &postgres.url, devices)?);
        postgres.remove().await?;
    } else {
        eprintln!("renewals, postgres: left out, because TEGATA_TEST_POSTGRES names no server");
    }
    Ok((delays, memory))
}

async fn measure(names: [&'static str; 4], url: &str, devices: u32) -> BenchOutcome<Vec<Delay>> {
    let ledger = Ledger::open(url).await?;
    let begun = Instant::now();
    population::fill(url, devices, 16).await?;
    certify(url).await?;
    population::analyze(url).await?;
    eprintln!("{}: {devices} devices written in {:.0?}", names[0], begun.elapsed());
    let policy = RenewalPolicy::default();
    let mut count = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let counts = due_counts(&ledger, &policy, NOW).await?;
        count.push(begun.elapsed());
        if counts.due == 0 {
            return Err("nothing is due among them".into());
        }
        eprintln!("{}: {} due, {} overdue, 2 statements", names[0], counts.due, counts.overdue);
    }
    tell(&ledger).await?;
    let pass = notices(&ledger, policy);
    // The recipient of everything has one turn a day: it is what the day costs.
    let begun = Instant::now();
    let round = pass.round(NOW).await?;
    let day = begun.elapsed();
    eprintln!("{}: {} certificates told in {} mails", names[2], round.told, round.mails);
    let mut quiet = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        pass.round(NOW).await?;
        quiet.push(begun.elapsed());
    }
    let mut digest = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        Digest::read(&ledger, &DigestScope::Installation, NOW).await?;
        digest.push(begun.elapsed());
    }
    ledger.close().await;
    let delays = [count, quiet, vec![day], digest];
    Ok(names.into_iter().zip(delays).map(|(name, took)| Delay::new(name, took)).collect())
}

fn notices(ledger: &Ledger, policy: RenewalPolicy) -> NoticePass {
    let writer = MailWriter {
        templates: MailTemplates::default(),
        sender_name: "Tegata".into(),
        device_page: "https://device.example.jp/".into(),
        console: "https://device.example.jp/console".into(),
        contact: None,
    };
    NoticePass::new(ledger.clone(), policy, Arc::new(Seeded::new(16)), Arc::new(writer))
}

/// One who is told of everything: there is nobody before them.
async fn tell(ledger: &Ledger) -> BenchOutcome<()> {
    let support = NoticeRecipient {
        id: RecipientId::random(&Seeded::new(17)),
        tenant: None,
        site: None,
        person: None,
        level: NoticeLevel::Support,
        address: MailAddress::parse("support@example.jp")?,
        language: Language::Ja,
        notice_hour: 0,
        digest_hour: None,
        noticed_day: None,
        digest_day: None,
        paused_until: None,
        bounced_at: None,
        bounce: None,
    };
    let mut transaction = ledger.begin(NOW).await?;
    transaction.add_notice_recipient(&support, &Actor::System("bench")).await?;
    transaction.commit().await?;
    Ok(())
}

/// Two certificates of each device, written past the product.
async fn certify(url: &str) -> BenchOutcome<()> {
    let is_sqlite = url.starts_with("sqlite:");
    let bytes = |text: &str| {
        if is_sqlite { format!("CAST({text} AS BLOB)") } else { format!("convert_to({text}, 'UTF8')") }
    };
    let year = 31_536_000_000_i64;
    let issuer = bytes("'x'");
    let mut script = format!(
        "INSERT INTO issuer (id, kind, certificate, created_at) VALUES ('bench', 'issuing', {issuer}, 0); "
    );
    for (generation, state, shift) in [(1, "retired", year), (2, "in_use", 0)] {
        let (serial, hash) = (bytes(&format!("'{generation}' || d.id")), bytes("d.id"));
        let _ = write!(
            script,
            "INSERT INTO certificate (issuer, serial, device, generation, state, key_hash, tbs, not_before, not_after, \
             reserved_at) SELECT 'bench', {serial}, d.id, {generation}, '{state}', {hash}, {hash}, \
             {TODAY} + d.spread - {shift} - {year}, {TODAY} + d.spread - {shift}, {TODAY} + d.spread - {shift} - {year} \
             FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) * 7919 % 31536000 * 1000 AS spread FROM device) d; "
        );
    }
    let script = sqlx::raw_sql(AssertSqlSafe(script));
    if is_sqlite {
        let mut connection = SqliteConnection::connect(url).await?;
        connection.execute(script).await?;
        connection.close().await?;
    } else {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute(script).await?;
        connection.close().await?;
    }
    Ok(())
}

/// How much memory a process takes that counts what is due.
fn counted(path: &'static str, url: &str, devices: u32) -> BenchOutcome<Memory> {
    let output = Command::new(std::env::current_exe()?).args(["renewals", url]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let bytes = text.trim().parse().map_err(|_| format!("no number of bytes in {text:?}"))?;
    Ok(Memory { path, bytes, entries: devices })
}

/// Counts what is due, and prints the peak of this process in bytes.
pub async fn count_once(url: &str) -> BenchOutcome<()> {
    let ledger = Ledger::open(url).await?;
    let before = crate::lists::peak()?;
    due_counts(&ledger, &RenewalPolicy::default(), NOW).await?;
    ledger.close().await;
    println!("{}", crate::lists::peak()? - before);
    Ok(())
}
