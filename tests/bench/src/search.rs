//! Finding devices by what callers say, among a million: how long it takes, and that it finds them.

use crate::BenchOutcome;
use crate::pages::{self, PageNames};
use crate::population::names::Chance;
use crate::population::{self, Known, TODAY};
use crate::report::{BenchReport, Delay, Memory};
use std::io::Write;
use std::process::Command;
use std::time::Duration;
use tegata_core::search::SearchQuery;
use tegata_core::{TenantId, Timestamp};
use tegata_storage::{DeviceFilter, DeviceSearch, Ledger, Principal};
use tokio::time::Instant;

/// Everybody searches in one and the same population.
const SEED: u64 = 15;

/// Searches that are timed.
const SEARCHES: u32 = 400;

/// What is typed into a search box at the end of the afternoon of the last day.
const NOW: Timestamp = Timestamp::from_millis(TODAY + 36_000_000);

/// Rows for each engine: SQLite in a folder of its own, and PostgreSQL where `TEGATA_TEST_POSTGRES` names one; what pages of the
/// console read there, and the memory that a list of all devices takes.
pub async fn rows(devices: u32) -> BenchOutcome<BenchReport> {
    let folder = tempfile::tempdir()?;
    let sqlite = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let mut report = BenchReport::default();
    row("search sqlite", &sqlite, devices, &pages::SQLITE, &mut report).await?;
    report.memory.push(listed("device list csv, sqlite", "devices", &sqlite, devices)?);
    report.memory.push(listed("console csv, sqlite", "pages", &sqlite, devices)?);
    match std::env::var("TEGATA_TEST_POSTGRES") {
        Ok(server) => {
            let postgres = OwnSchema::make(&server).await?;
            row("search postgres", &postgres.url, devices, &pages::POSTGRES, &mut report).await?;
            report.memory.push(listed("device list csv, postgres", "devices", &postgres.url, devices)?);
            report.memory.push(listed("console csv, postgres", "pages", &postgres.url, devices)?);
            postgres.remove().await?;
        }
        Err(_) => eprintln!("search postgres: left out, because TEGATA_TEST_POSTGRES names no server"),
    }
    Ok(report)
}

async fn row(
    path: &'static str,
    url: &str,
    devices: u32,
    names: &PageNames,
    report: &mut BenchReport,
) -> BenchOutcome<()> {
    let ledger = Ledger::open(url).await?;
    let begun = Instant::now();
    let known = population::fill(url, devices, SEED).await?;
    eprintln!("{path}: {devices} devices written in {:.0?}", begun.elapsed());
    let begun = Instant::now();
    while ledger.fill_search_index(NOW).await? > 0 {}
    eprintln!("{path}: index filled in {:.0?}", begun.elapsed());
    population::analyze(url).await?;
    let mut chance = Chance::new(SEED);
    let mut delays = Vec::new();
    // The first of each kind finds nothing in memory.
    for timed in [false, true] {
        for number in 0..SEARCHES {
            let asked = &known[usize::try_from(chance.below(u32::try_from(known.len())?))?];
            let (kind, text, tenant) = said(asked, number, &mut chance);
            let took = search(&ledger, asked, kind, &text, tenant).await?;
            if timed {
                delays.push((took, kind));
            }
        }
    }
    slowest(path, &mut delays);
    report.delays.push(Delay::new(path, delays.into_iter().map(|(took, _)| took).collect()));
    let (rows, delays) = pages::rows(&ledger, names, &known, NOW).await?;
    report.rows.extend(rows);
    report.delays.extend(delays);
    ledger.close().await;
    Ok(())
}

async fn search(
    ledger: &Ledger,
    asked: &Known,
    kind: &str,
    text: &str,
    tenant: Option<TenantId>,
) -> BenchOutcome<Duration> {
    let rows = ledger.within(Principal::operator("bench", tenant.as_ref()).scope());
    let begun = Instant::now();
    let search = DeviceSearch { query: SearchQuery::parse(text, NOW), ..DeviceSearch::default() };
    let found = rows.search_devices(&search).await?;
    let took = begun.elapsed();
    let is_found = found.hits.iter().any(|hit| hit.device.id.as_str() == asked.id);
    if is_found || found.more {
        Ok(took)
    } else {
        Err(format!("{kind}: {text:?} does not find {asked:?}").into())
    }
}

/// What somebody may say of a device.
fn said(asked: &Known, number: u32, chance: &mut Chance) -> (&'static str, String, Option<TenantId>) {
    let Known { id, tenant_id, tenant, site, label, person } = asked;
    let beginning = |text: &str, letters: usize| text.chars().take(letters).collect::<String>();
    let (short, town) = (beginning(tenant, 3), beginning(site, 2));
    let own = || TenantId::parse(tenant_id);
    let person = person.as_deref().unwrap_or(label);
    match number % 16 {
        0 => ("tenant and site", format!("{short} {site}"), None),
        1 => ("run together", format!("{short}{site}"), None),
        2 => ("site and label", format!("{site} {label}"), None),
        3 => ("all three", format!("{label} {tenant} {site}"), None),
        4 => ("label", label.clone(), None),
        5 => ("two letters", beginning(tenant, 2), None),
        6 => ("number", format!("{}-{}", &id[..4], &id[4..8]).to_uppercase(), None),
        7 => ("half a number", id[4..8].to_owned(), None),
        8 => ("person", person.to_owned(), None),
        9 => ("person and site", format!("{town} {person}"), None),
        10 => ("town", town, None),
        11 => ("a sentence", format!("{tenant}の{site}の{label}").replace(' ', ""), None),
        12 => ("time and site", format!("{site} 今日の{}時ごろ使った", 9 + chance.below(8)), None),
        13 => ("own tenant, label", label.clone(), own()),
        14 => ("own tenant, town", town, own()),
        _ => ("kind of business", "薬局 受付".to_owned(), None),
    }
}

fn slowest(path: &str, delays: &mut [(Duration, &'static str)]) {
    delays.sort_unstable();
    let rank = |part: usize| delays[(delays.len() * part).div_ceil(100).max(1) - 1].0;
    eprintln!("{path}: p50 {:.1?}, p95 {:.1?}, longest {:.1?}", rank(50), rank(95), rank(100));
    let mut kinds: Vec<_> = delays.iter().map(|(_, kind)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let of: Vec<_> = delays.iter().filter(|(_, of)| *of == kind).map(|(took, _)| *took).collect();
        eprintln!("  {kind:18} {:>9.1?} in the middle, {:>9.1?} at most", of[of.len() / 2], of[of.len() - 1]);
    }
}

/// How much memory a process takes that writes all devices as lines, or reads them page by page.
fn listed(path: &'static str, how: &str, url: &str, devices: u32) -> BenchOutcome<Memory> {
    let output = Command::new(std::env::current_exe()?).args([how, url]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let bytes = text.trim().parse().map_err(|_| format!("no number of bytes in {text:?}"))?;
    Ok(Memory { path, bytes, entries: devices })
}

/// Writes all devices to nowhere, and prints the peak of this process in bytes.
pub async fn list_once(url: &str) -> BenchOutcome<()> {
    let ledger = Ledger::open(url).await?;
    let before = crate::lists::peak()?;
    let mut lines = std::io::BufWriter::new(std::fs::File::create("/dev/null")?);
    let (mut count, mut failed) = (0u32, None);
    let rows = ledger.within(Principal::operator("bench", None).scope());
    rows.each_device(&DeviceFilter::default(), |listed| {
        let device = &listed.device;
        let line = writeln!(
            lines,
            "{},{},{},{},{}",
            device.id,
            device.tenant_name,
            device.site_name,
            device.label,
            device.effective_state()
        );
        failed = line.err();
        count += 1;
    })
    .await?;
    ledger.close().await;
    match failed {
        Some(error) => Err(error.into()),
        None if count == 0 => Err("no devices".into()),
        None => {
            println!("{}", crate::lists::peak()? - before);
            Ok(())
        }
    }
}

/// Reads all devices a page at a time, and prints the peak of this process in bytes.
pub async fn page_once(url: &str) -> BenchOutcome<()> {
    let ledger = Ledger::open(url).await?;
    let before = crate::lists::peak()?;
    let count = pages::read_all(&ledger.within(Principal::operator("bench", None).scope())).await?;
    ledger.close().await;
    if count == 0 {
        return Err("no devices".into());
    }
    println!("{}", crate::lists::peak()? - before);
    Ok(())
}

/// A schema of its own on a server of PostgreSQL.
pub struct OwnSchema {
    server: String,
    name: String,
    pub url: String,
}

impl OwnSchema {
    pub async fn make(server: &str) -> BenchOutcome<Self> {
        let name = format!("bench_{}", std::process::id());
        let joint = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{joint}options[search_path]={name}");
        let own = Self { server: server.to_owned(), url, name };
        own.administer("CREATE SCHEMA").await?;
        Ok(own)
    }

    pub async fn remove(self) -> BenchOutcome<()> {
        self.administer("DROP SCHEMA").await
    }

    async fn administer(&self, what: &str) -> BenchOutcome<()> {
        use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
        let mut connection = PgConnection::connect(&self.server).await?;
        let cascade = if what.starts_with("DROP") { " CASCADE" } else { "" };
        connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("{what} {}{cascade}", self.name)))).await?;
        Ok(())
    }
}
