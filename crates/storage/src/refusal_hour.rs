//! How often requests were refused, by code and hour. Good to know and no more: servers count in memory and write now and then,
//! without an audit entry, and what a crash takes along is in its log alone.

use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{Ledger, Result, Transaction};
use std::time::Duration;
use tegata_core::Timestamp;

/// For how long hours are kept.
const KEPT: Duration = Duration::from_hours(24 * 92);

const HOUR_SECONDS: i64 = 3600;

/// How often one code was answered within one hour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusalHour {
    /// When the hour began.
    pub from: Timestamp,
    /// The refusal's stable code.
    pub code: String,
    /// How often it was answered.
    pub refused: u64,
}

impl RefusalHour {
    /// The hour in which a moment lies.
    pub fn begin_of(at: Timestamp) -> Timestamp {
        Timestamp::from_seconds(number(at) * HOUR_SECONDS)
    }
}

fn number(at: Timestamp) -> i64 {
    at.seconds().div_euclid(HOUR_SECONDS)
}

struct CountRefusals {
    counted: Vec<RefusalHour>,
    at: Timestamp,
}

/// `counted` has no two rows of one hour and code: no statement changes a row twice.
static ADD: BatchStatement = BatchStatement::new(
    "WITH new (hour, code, refused) AS (VALUES ",
    3,
    ") INSERT INTO refusal_hour (hour, code, refused) SELECT hour, code, refused FROM new WHERE hour IS NOT NULL \
     ON CONFLICT (hour, code) DO UPDATE SET refused = refusal_hour.refused + excluded.refused",
);

impl Ledger {
    /// Adds what was counted since the last time, each hour and code once, and lets go of hours that are long over.
    pub async fn count_refusals(&self, counted: Vec<RefusalHour>, at: Timestamp) -> Result<()> {
        if counted.is_empty() { Ok(()) } else { self.group(CountRefusals { counted, at }).await }
    }

    /// The hours that begin at `since` or later, by hour and code.
    pub async fn refusal_hours(&self, since: Timestamp) -> Result<Vec<RefusalHour>> {
        let rows: Vec<(i64, String, i64)> = on_read!(self, connection => {
            sqlx::query_as("SELECT hour, code, refused FROM refusal_hour WHERE hour >= $1 ORDER BY hour, code")
                .bind(number(since))
                .fetch_all(connection)
                .await?
        });
        let read = |(hour, code, refused): (i64, String, i64)| RefusalHour {
            from: Timestamp::from_seconds(hour.saturating_mul(HOUR_SECONDS)),
            code,
            refused: refused.unsigned_abs(),
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

impl Operation for CountRefusals {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        for part in self.counted.chunks(MOST) {
            let batch = ADD.of(part.len());
            on_transaction!(transaction.engine, connection => {
                let query = sqlx::query(batch.text(&*connection));
                bind_rows!(query, part, batch.size, row => [
                    number(row.from),
                    row.code.as_str(),
                    i64::try_from(row.refused).unwrap_or(i64::MAX),
                ])
                .execute(connection)
                .await?;
            });
        }
        let kept_from = number(self.at.minus(KEPT));
        on_transaction!(transaction.engine, connection => {
            sqlx::query("DELETE FROM refusal_hour WHERE hour < $1").bind(kept_from).execute(connection).await?;
        });
        Ok(())
    }
}
