//! What became of the last run of each pass. Not a history: a run replaces the one before it.

use crate::engine::{on_read, on_transaction};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{Ledger, LedgerError, Result, Transaction};
use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::{CLOCKS_APART, ServerId, Timestamp};

/// A server that was silent for this long is gone, and its rows go.
const GONE: Duration = Duration::from_mins(10);

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PassOutcome {
    /// It did what there was to do.
    Done,
    /// It said that it could not.
    Failed,
    /// It was given up after its time limit.
    TimedOut,
    /// It panicked: a bug.
    Panicked,
    /// Another server has the lease now.
    Interrupted,
}

/// A pass on one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassState {
    /// The name of the pass.
    pub name: String,
    /// Whether one server does it at a time.
    pub exclusive: bool,
    /// From one run to the next.
    pub period: Duration,
    /// How long a run may take.
    pub limit: Duration,
    /// When the last run began.
    pub started_at: Option<Timestamp>,
    /// When the last run that has ended did so.
    pub ended_at: Option<Timestamp>,
    /// When a run last did what there was to do.
    pub succeeded_at: Option<Timestamp>,
    /// When the next one begins at the latest. Nothing while another server has the lease.
    pub due_at: Option<Timestamp>,
    /// How the last run ended.
    pub outcome: Option<PassOutcome>,
    /// Why the last run failed.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// What the last run did.
    pub counts: BTreeMap<String, u64>,
    /// The server, by its identifier.
    pub server: String,
    /// When the server was last heard of.
    pub seen_at: Timestamp,
}

impl PassOutcome {
    /// Every way to end.
    pub const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::TimedOut, Self::Panicked, Self::Interrupted];

    /// Its word in the ledger, in metrics and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Panicked => "panicked",
            Self::Interrupted => "interrupted",
        }
    }

    /// The outcome of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// Whether somebody has to look: whoever lost a lease has done nothing wrong.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Panicked)
    }
}

#[derive(sqlx::FromRow)]
struct PassStateRow {
    name: String,
    server: String,
    exclusive: i64,
    period: i64,
    time_limit: i64,
    duration: Option<i64>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    succeeded_at: Option<i64>,
    due_at: Option<i64>,
    outcome: Option<String>,
    error: Option<String>,
    counts: String,
    seen_at: i64,
}

static WRITE: BatchStatement = BatchStatement::with(
    2,
    "WITH new (name, exclusive, period, time_limit, duration, started_at, ended_at, succeeded_at, due_at, outcome, error, \
     counts) AS (VALUES ",
    12,
    ") INSERT INTO pass_state (server, seen_at, name, exclusive, period, time_limit, duration, started_at, ended_at, \
     succeeded_at, due_at, outcome, error, counts) \
     SELECT $1, $2, name, exclusive, period, time_limit, duration, started_at, ended_at, succeeded_at, due_at, outcome, error, \
     counts FROM new WHERE name IS NOT NULL \
     ON CONFLICT (name, server) DO UPDATE SET seen_at = excluded.seen_at, exclusive = excluded.exclusive, \
     period = excluded.period, time_limit = excluded.time_limit, duration = excluded.duration, \
     started_at = excluded.started_at, ended_at = excluded.ended_at, succeeded_at = excluded.succeeded_at, \
     due_at = excluded.due_at, outcome = excluded.outcome, error = excluded.error, counts = excluded.counts",
);

impl Ledger {
    /// What every server says of its passes, by name and server.
    pub async fn pass_states(&self) -> Result<Vec<PassState>> {
        let rows: Vec<PassStateRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT name, server, exclusive, period, time_limit, duration, started_at, ended_at, succeeded_at, due_at, \
                 outcome, error, counts, seen_at FROM pass_state ORDER BY name, server",
            )
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(PassState::try_from).collect()
    }
}

impl Transaction {
    /// Replaces what the server said of these passes, says that it is there, and drops what servers left that are gone.
    pub(super) async fn write_pass_states(
        &mut self,
        server: &ServerId,
        states: &[PassState],
        at: Timestamp,
    ) -> Result<()> {
        for part in states.chunks(MOST) {
            self.write_part(server, part, at).await?;
        }
        if states.is_empty() {
            return Ok(());
        }
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE pass_state SET seen_at = $2 WHERE server = $1")
                .bind(server.as_str())
                .bind(at.millis())
                .execute(&mut *connection)
                .await?;
            sqlx::query("DELETE FROM pass_state WHERE server <> $1 AND (seen_at < $2 OR seen_at > $3)")
                .bind(server.as_str())
                .bind(at.minus(GONE).millis())
                .bind(at.plus(GONE).plus(CLOCKS_APART).millis())
                .execute(&mut *connection)
                .await?;
        });
        Ok(())
    }

    async fn write_part(&mut self, server: &ServerId, part: &[PassState], at: Timestamp) -> Result<()> {
        let counts = part.iter().map(|state| serde_json::to_string(&state.counts));
        let counts = counts.collect::<Result<Vec<_>, _>>();
        let counts = counts.map_err(|_| LedgerError::Unreadable("pass_state.counts"))?;
        let rows: Vec<_> = part.iter().zip(&counts).collect();
        let batch = WRITE.of(rows.len());
        on_transaction!(self.engine, connection => {
            let query = sqlx::query(batch.text(&*connection)).bind(server.as_str()).bind(at.millis());
            bind_rows!(query, rows, batch.size, row => [
                row.0.name.as_str(),
                i64::from(row.0.exclusive),
                millis(row.0.period),
                millis(row.0.limit),
                row.0.duration.map(millis),
                row.0.started_at.map(Timestamp::millis),
                row.0.ended_at.map(Timestamp::millis),
                row.0.succeeded_at.map(Timestamp::millis),
                row.0.due_at.map(Timestamp::millis),
                row.0.outcome.map(PassOutcome::as_str),
                row.0.error.as_deref(),
                row.1.as_str(),
            ])
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    pub(super) async fn forget_pass_state(&mut self, server: &ServerId, name: &str) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM pass_state WHERE server = $1 AND name = $2")
                .bind(server.as_str())
                .bind(name)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    pub(super) async fn forget_pass_states_of(&mut self, server: &ServerId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM pass_state WHERE server = $1")
                .bind(server.as_str())
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}

impl TryFrom<PassStateRow> for PassState {
    type Error = LedgerError;

    fn try_from(row: PassStateRow) -> Result<Self> {
        let known =
            |word: String| PassOutcome::parse(&word).ok_or(LedgerError::Unreadable("pass_state.outcome"));
        let duration = |millis: i64| Duration::from_millis(millis.unsigned_abs());
        Ok(Self {
            exclusive: row.exclusive == 1,
            period: duration(row.period),
            limit: duration(row.time_limit),
            started_at: row.started_at.map(Timestamp::from_millis),
            ended_at: row.ended_at.map(Timestamp::from_millis),
            succeeded_at: row.succeeded_at.map(Timestamp::from_millis),
            due_at: row.due_at.map(Timestamp::from_millis),
            outcome: row.outcome.map(known).transpose()?,
            error: row.error,
            duration: row.duration.map(duration),
            counts: serde_json::from_str(&row.counts)
                .map_err(|_| LedgerError::Unreadable("pass_state.counts"))?,
            seen_at: row.seen_at.into(),
            name: row.name,
            server: row.server,
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
