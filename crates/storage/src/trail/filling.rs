//! Filling the index: each entry of the audit log is looked at once, in the order of their numbers.
//!
//! Whoever writes entries does not wait for it, servers of an earlier version write none of it, and what a ledger had before there
//! was an index is taken in as well.

use crate::engine::{on_read, on_transaction};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{Ledger, Result, Transaction};
use serde::Deserialize;
use serde_json::Value;
use tegata_core::Timestamp;

/// Numbers that one transaction walks: other writers wait no longer than for these.
const PART: i64 = 2000;

/// What devices do all day is nobody's log: actions that begin so.
const ROUTINE: [&str; 2] = ["token.", "token_family."];

/// An entry of whom the tenant is not there any more, or never was, stands in nobody's log.
static ROWS: BatchStatement = BatchStatement::new(
    "WITH new (seq, tenant, device) AS (VALUES ",
    3,
    ") INSERT INTO trail (seq, tenant, device) SELECT new.seq, t.id, new.device FROM new JOIN tenant t ON t.id = new.tenant \
     WHERE new.seq IS NOT NULL ON CONFLICT (seq) DO NOTHING",
);

/// What an entry says, as far as it is needed here.
#[derive(Deserialize)]
struct EntrySummary {
    action: String,
    detail: Value,
}

/// A row of the index.
struct TrailRow {
    seq: i64,
    tenant: String,
    device: Option<String>,
}

/// An entry with its device, and that device's tenant.
type WalkedEntry = (i64, String, Option<String>, Option<String>);

const WALKED: &str = "SELECT a.seq, a.entry, a.device, d.tenant FROM audit a LEFT JOIN device d ON d.id = a.device WHERE a.seq > $1 \
     ORDER BY a.seq LIMIT $2";

impl Ledger {
    /// Takes in the next entries of the audit log. Gives how many were looked at: none when all are.
    ///
    /// # Errors
    /// The ledger cannot be written; what was taken in before is.
    pub async fn fill_trail(&self, now: Timestamp) -> Result<usize> {
        let waits: Option<(i64,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT seq FROM audit WHERE seq > (SELECT seq FROM trail_end WHERE id = 1) LIMIT 1")
                .fetch_optional(connection)
                .await?
        });
        if waits.is_none() {
            return Ok(0);
        }
        let mut transaction = self.begin(now).await?;
        let walked = transaction.fill_trail().await?;
        transaction.commit().await?;
        Ok(walked)
    }
}

impl Transaction {
    /// Nobody else writes meanwhile: whatever has a number is there.
    async fn fill_trail(&mut self) -> Result<usize> {
        let walked: Vec<WalkedEntry> = on_transaction!(self.engine, connection => {
            let (end,): (i64,) =
                sqlx::query_as("SELECT seq FROM trail_end WHERE id = 1").fetch_one(&mut *connection).await?;
            sqlx::query_as(WALKED).bind(end).bind(PART).fetch_all(connection).await?
        });
        let Some((end, ..)) = walked.last() else { return Ok(0) };
        let (end, looked_at) = (*end, walked.len());
        let rows: Vec<_> = walked.into_iter().filter_map(TrailRow::of).collect();
        for some in rows.chunks(MOST) {
            let batch = ROWS.of(some.len());
            on_transaction!(self.engine, connection => {
                bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, row => [
                    row.seq, row.tenant.as_str(), row.device.as_deref(),
                ])
                .execute(connection)
                .await?;
            });
        }
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE trail_end SET seq = $1 WHERE id = 1").bind(end).execute(connection).await?;
        });
        Ok(looked_at)
    }
}

impl TrailRow {
    /// Nothing for what stands in nobody's log.
    fn of((seq, entry, device, owner): WalkedEntry) -> Option<Self> {
        let said: EntrySummary = serde_json::from_str(&entry).ok()?;
        if ROUTINE.iter().any(|routine| said.action.starts_with(routine)) {
            return None;
        }
        let tenant = if device.is_some() { owner } else { said.detail["tenant"].as_str().map(str::to_owned) };
        Some(Self { seq, tenant: tenant?, device })
    }
}
