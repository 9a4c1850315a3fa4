//! A ledger as pharmacies would fill it: companies, shops, devices and people with plausible names, the same for the same seed.
//!
//! Rows are written past the product, thousands in a statement, in one text for both engines; the index of names is filled by
//! the product. No certificates: nobody asks for them here.

pub mod names;

use crate::BenchOutcome;
use names::Chance;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use std::fmt::Write;
use tegata_core::encoding::base32;

/// Rows of one statement.
const ROWS: usize = 1_000;

/// Statements of one transaction.
const STATEMENTS: usize = 50;

/// Devices of a shop, on average.
const DEVICES_OF_A_SHOP: u32 = 16;

/// When devices came for the last time, in milliseconds since 1970: the morning of this day, or one before.
pub const TODAY: i64 = 1_795_996_800_000;

const DAY: i64 = 86_400_000;

/// What is remembered of some devices, to ask for them.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: String,
    pub tenant_id: String,
    pub tenant: String,
    pub site: String,
    pub label: String,
    pub person: Option<String>,
}

/// Where rows go.
enum Writer {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Rows of one table that wait to be written.
struct Rows {
    head: &'static str,
    text: String,
    count: usize,
}

struct Filling {
    writer: Writer,
    chance: Chance,
    sites: Rows,
    people: Rows,
    devices: Rows,
    assigned: Rows,
    signed_in: Rows,
    statements: usize,
    known: Vec<Known>,
    /// Every so many devices one is remembered.
    every: u32,
    written: u32,
}

/// Writes so many devices with all that belongs to them. Gives some, to ask for.
pub async fn fill(url: &str, devices: u32, seed: u64) -> BenchOutcome<Vec<Known>> {
    let mut filling = Filling {
        writer: Writer::open(url).await?,
        chance: Chance::new(seed),
        sites: Rows::of("INSERT INTO site (id, tenant, name, created_at) VALUES "),
        people: Rows::of(
            "INSERT INTO person (id, tenant, login, login_key, name, roles, state, created_at, changed_at) VALUES ",
        ),
        devices: Rows::of(
            "INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at, seen_at, platform) VALUES ",
        ),
        assigned: Rows::of("INSERT INTO device_person (device, person) VALUES "),
        signed_in: Rows::of("INSERT INTO person_device (person, device, signed_in_at) VALUES "),
        statements: 0,
        known: Vec::new(),
        every: (devices / 400).max(1),
        written: 0,
    };
    filling.writer.run("BEGIN").await?;
    let mut number = 0;
    while filling.written < devices {
        // The largest has a tenth of all, the next half of that, and very many have one shop.
        let shops = (devices / 10 / DEVICES_OF_A_SHOP / (number + 1)).max(1 + number % 5);
        filling.tenant(number, shops, devices).await?;
        number += 1;
    }
    filling.flush(true).await?;
    filling.writer.run("COMMIT").await?;
    Ok(filling.known)
}

impl Filling {
    async fn tenant(&mut self, number: u32, shops: u32, most: u32) -> BenchOutcome<()> {
        let (id, name) = (self.id(), self.chance.company(number));
        self.writer
            .run(&format!("INSERT INTO tenant (id, name, created_at) VALUES ('{id}', '{name}', 0)"))
            .await?;
        // A fifth of the companies number their devices, and have names for none.
        let by_number = number % 5 == 4;
        for shop in 0..shops {
            if self.written >= most {
                break;
            }
            self.shop((&id, &name), shop, by_number, most).await?;
        }
        Ok(())
    }

    async fn shop(
        &mut self,
        (tenant, tenant_name): (&str, &str),
        shop: u32,
        by_number: bool,
        most: u32,
    ) -> BenchOutcome<()> {
        let (site, site_name) = (self.id(), self.chance.shop(shop));
        self.sites.push(format_args!("('{site}', '{tenant}', '{site_name}', 0)"));
        let mut staff = Vec::new();
        for _ in 0..2 {
            let (id, name) = (self.id(), self.chance.person());
            self.people.push(format_args!(
                "('{id}', '{tenant}', '{id}', '{id}', '{name}', 'staff', 'active', 0, 0)"
            ));
            staff.push((id, name));
        }
        let count = 1 + self.chance.below(2 * DEVICES_OF_A_SHOP - 1);
        for device in 0..count.min(most - self.written) {
            self.device((tenant, tenant_name), (&site, &site_name), &staff, (device, by_number));
            self.flush(false).await?;
        }
        Ok(())
    }

    fn device(
        &mut self,
        (tenant, tenant_name): (&str, &str),
        (site, site_name): (&str, &str),
        staff: &[(String, String)],
        (device, by_number): (u32, bool),
    ) {
        let id = self.id();
        let label = if by_number { self.chance.asset(self.written) } else { self.chance.label(device) };
        let seen = TODAY - DAY * i64::from(self.chance.below(20).saturating_sub(15))
            + i64::from(self.chance.below(36_000_000));
        let state = if self.chance.below(50) == 0 { "suspended" } else { "active" };
        let platform = self.chance.platform();
        self.devices.push(format_args!(
            "('{id}', '{tenant}', '{site}', 'device', '{label}', '{state}', 1, 0, 0, {seen}, '{platform}')"
        ));
        let mut person = None;
        if device == 0 {
            self.assigned.push(format_args!("('{id}', '{}')", staff[0].0));
            person = Some(staff[0].1.clone());
        } else if device < 4 {
            self.signed_in.push(format_args!("('{}', '{id}', {seen})", staff[1].0));
            person = Some(staff[1].1.clone());
        }
        if self.written.is_multiple_of(self.every) {
            let (tenant_id, tenant) = (tenant.to_owned(), tenant_name.to_owned());
            self.known.push(Known { id, tenant_id, tenant, site: site_name.to_owned(), label, person });
        }
        self.written += 1;
    }

    /// What refers to others comes after them.
    async fn flush(&mut self, all: bool) -> BenchOutcome<()> {
        if !all && self.devices.count < ROWS {
            return Ok(());
        }
        for rows in
            [&mut self.sites, &mut self.people, &mut self.devices, &mut self.assigned, &mut self.signed_in]
        {
            if rows.count > 0 {
                self.writer.run(&rows.text).await?;
                *rows = Rows::of(rows.head);
                self.statements += 1;
            }
        }
        if self.statements >= STATEMENTS {
            self.writer.run("COMMIT").await?;
            self.writer.run("BEGIN").await?;
            self.statements = 0;
        }
        Ok(())
    }

    fn id(&mut self) -> String {
        base32(&self.chance.bytes())
    }
}

impl Rows {
    fn of(head: &'static str) -> Self {
        Self { head, text: head.to_owned(), count: 0 }
    }

    fn push(&mut self, row: std::fmt::Arguments<'_>) {
        let comma = if self.count == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{comma}{row}");
        self.count += 1;
    }
}

impl Writer {
    async fn open(url: &str) -> BenchOutcome<Self> {
        Ok(if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(url).await?)
        } else {
            Self::Postgres(PgConnection::connect(url).await?)
        })
    }

    async fn run(&mut self, text: &str) -> BenchOutcome<()> {
        let statement = sqlx::raw_sql(AssertSqlSafe(text.to_owned()));
        match self {
            Self::Sqlite(connection) => connection.execute(statement).await.map(drop)?,
            Self::Postgres(connection) => connection.execute(statement).await.map(drop)?,
        }
        Ok(())
    }
}

/// What a running PostgreSQL does by itself after a while.
pub async fn analyze(url: &str) -> BenchOutcome<()> {
    if let Writer::Postgres(connection) = &mut Writer::open(url).await? {
        connection.execute(sqlx::raw_sql("VACUUM ANALYZE")).await?;
    }
    Ok(())
}
