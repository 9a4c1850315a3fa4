//! The head of both chains, and how a transaction ends.

use crate::Result;
use crate::engine::{EngineTransaction, on_transaction};
use crate::rows::{BatchStatement, bind_rows};
use sqlx::{PgConnection, SqliteConnection};
use std::collections::BTreeMap;
use tegata_core::encoding::{from_hex, hex};

/// How far the audit log, the feed and the revocation logs are.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct LedgerHead {
    pub(crate) audit_seq: i64,
    pub(crate) audit_hash: Vec<u8>,
    pub(crate) feed_seq: i64,
    /// The name of the ledger's first revocation log.
    pub(crate) revocation_log: Option<String>,
    /// The last line of that log that the ledger contains.
    pub(crate) log_hash: Option<Vec<u8>>,
    /// The logs of servers that do not share the first one.
    #[sqlx(try_from = "String")]
    pub(crate) other_logs: OtherLogs,
    /// What a log could not take when it was committed.
    #[sqlx(try_from = "String")]
    pub(crate) owed_lines: OwedLines,
    /// The next place in the status lists.
    pub(crate) status_next: i64,
    /// How many records of this transaction for the revocation log hold good.
    #[sqlx(skip)]
    pub(crate) records: usize,
}

/// The last line that the ledger contains, by the name of the log, in base 16.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct OtherLogs(BTreeMap<String, String>);

impl TryFrom<String> for OtherLogs {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&text).map(Self)
    }
}

impl OtherLogs {
    fn text(&self) -> String {
        serde_json::json!(self.0).to_string()
    }
}

/// Records for a revocation log, oldest first, each as JSON.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct OwedLines(pub(crate) Vec<serde_json::Value>);

impl TryFrom<String> for OwedLines {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&text).map(Self)
    }
}

impl OwedLines {
    fn text(&self) -> String {
        serde_json::Value::from(self.0.as_slice()).to_string()
    }
}

impl LedgerHead {
    /// Whether the ledger knows a log of this name.
    pub(crate) fn knows_log(&self, log: &str) -> bool {
        self.revocation_log.as_deref() == Some(log) || self.other_logs.0.contains_key(log)
    }

    /// Whether other logs than this one tell of the ledger.
    pub(crate) fn has_logs_beside(&self, log: &str) -> bool {
        self.revocation_log.as_deref() != Some(log) || !self.other_logs.0.is_empty()
    }

    /// The last line of a log that the ledger contains.
    pub(crate) fn log_hash(&self, log: &str) -> Option<Vec<u8>> {
        if self.revocation_log.as_deref() == Some(log) {
            self.log_hash.clone()
        } else {
            self.other_logs.0.get(log).and_then(|hash| from_hex(hash))
        }
    }

    /// From now on the ledger contains a log up to this line.
    pub(crate) fn contains_log_to(&mut self, log: &str, hash: Vec<u8>) {
        if self.revocation_log.as_deref() == Some(log) {
            self.log_hash = Some(hash);
        } else {
            self.other_logs.0.insert(log.to_owned(), hex(&hash));
        }
    }

    /// All logs are lost.
    pub(crate) fn forget_logs(&mut self) {
        self.log_hash = None;
        self.other_logs.0.clear();
    }

    /// The names of the logs, the first one first.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &str> {
        self.revocation_log.as_deref().into_iter().chain(self.other_logs.0.keys().map(String::as_str))
    }
}

/// An audit entry on its way to the ledger.
pub(crate) struct HeadEntry {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) device: Option<String>,
    pub(crate) text: String,
    pub(crate) hash: Vec<u8>,
}

/// The last that a transaction writes. Nothing to write is a transaction that changed neither chain.
pub(crate) struct TransactionEnd<'a> {
    /// The audit entries to insert, at most [`crate::rows::MOST`].
    pub(crate) entries: &'a [HeadEntry],
    /// The new head, if either chain has grown.
    pub(crate) head: Option<&'a LedgerHead>,
}

macro_rules! entries {
    () => {
        ") INSERT INTO audit (seq, at, device, entry, hash) SELECT seq, at, device, entry, hash FROM new \
         WHERE seq IS NOT NULL"
    };
}

macro_rules! head {
    () => {
        head!("$1", "$2", "$3", "$4", "$5", "$6", "$7")
    };
    ($a:literal, $b:literal, $c:literal, $d:literal, $e:literal, $f:literal, $g:literal) => {
        concat!(
            "UPDATE head SET audit_seq = ",
            $a,
            ", audit_hash = ",
            $b,
            ", feed_seq = ",
            $c,
            ", log_hash = ",
            $d,
            ", status_next = ",
            $e,
            ", other_logs = ",
            $f,
            ", owed_lines = ",
            $g,
            " WHERE id = 1"
        )
    };
}

const NEW: &str = "WITH new (seq, at, device, entry, hash) AS (VALUES ";
const COLUMNS: usize = 5;

static ENTRIES: BatchStatement = BatchStatement::new(NEW, COLUMNS, entries!());

/// For SQLite alone: with bare parameters, the entries' first.
static ENDING: BatchStatement = BatchStatement::new(
    NEW,
    COLUMNS,
    concat!(entries!(), "; ", head!("?", "?", "?", "?", "?", "?", "?"), "; COMMIT"),
);

const TIMED_HEAD: &str =
    concat!(head!(), " RETURNING CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)");

macro_rules! bind_head {
    ($query:expr, $head:expr) => {
        $query
            .bind($head.audit_seq)
            .bind($head.audit_hash.as_slice())
            .bind($head.feed_seq)
            .bind($head.log_hash.as_deref())
            .bind($head.status_next)
            .bind($head.other_logs.text())
            .bind($head.owed_lines.text())
    };
}

macro_rules! bind_entries {
    ($query:expr, $entries:expr, $size:expr) => {
        bind_rows!($query, $entries, $size, entry => [
            entry.seq,
            entry.at,
            entry.device.as_deref(),
            entry.text.as_str(),
            entry.hash.as_slice(),
        ])
    };
}

impl TransactionEnd<'_> {
    /// The last statement commits; what stops on the way there has changed nothing.
    pub(crate) async fn in_one_trip(self, connection: &mut SqliteConnection) -> Result<()> {
        let Some(head) = self.head else {
            sqlx::query("COMMIT").execute(connection).await?;
            return Ok(());
        };
        if self.entries.is_empty() {
            bind_head!(sqlx::query(concat!(head!(), "; COMMIT")), head).execute(connection).await?;
        } else {
            let batch = ENDING.of(self.entries.len());
            let query = sqlx::query(batch.text(&*connection));
            bind_head!(bind_entries!(query, self.entries, batch.size), head).execute(connection).await?;
        }
        Ok(())
    }

    /// The last audit entry that there is when it is done.
    pub(crate) fn mark(&self) -> (i64, Vec<u8>) {
        self.head.map_or((0, Vec::new()), |head| (head.audit_seq, head.audit_hash.clone()))
    }

    /// All but the commit. Gives the engine's time of the last statement, in milliseconds, where there was one.
    pub(crate) async fn step_by_step(self, connection: &mut PgConnection) -> Result<Option<i64>> {
        if !self.entries.is_empty() {
            let batch = ENTRIES.of(self.entries.len());
            bind_entries!(sqlx::query(batch.text(&*connection)), self.entries, batch.size)
                .execute(&mut *connection)
                .await?;
        }
        let Some(head) = self.head else { return Ok(None) };
        let (at,): (i64,) = bind_head!(sqlx::query_as(TIMED_HEAD), head).fetch_one(connection).await?;
        Ok(Some(at))
    }
}

/// Writes entries within a transaction, 1 to [`crate::rows::MOST`].
pub(crate) async fn insert(transaction: &mut EngineTransaction, entries: &[HeadEntry]) -> Result<()> {
    let batch = ENTRIES.of(entries.len());
    on_transaction!(*transaction, connection => {
        bind_entries!(sqlx::query(batch.text(&*connection)), entries, batch.size).execute(connection).await?;
    });
    Ok(())
}
