//! What the last check by the clock has found: it is no state of anything, so it has no entry of the audit log.

use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::{Ledger, Result, Transaction};
use tegata_core::Timestamp;

struct KeepCheck {
    report: String,
    at: Timestamp,
}

struct BeginCheck(Timestamp);

impl Ledger {
    /// Keeps the report of a check, in JSON, in place of the one before.
    pub async fn keep_check(&self, report: String, at: Timestamp) -> Result<()> {
        self.group(KeepCheck { report, at }).await
    }

    /// Notes that a check by the clock begins.
    pub async fn begin_check(&self, at: Timestamp) -> Result<()> {
        self.group(BeginCheck(at)).await
    }

    /// When the last check by the clock was begun.
    pub async fn check_begun(&self) -> Result<Option<Timestamp>> {
        let row: Option<(i64,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT at FROM check_attempt WHERE id = 1").fetch_optional(connection).await?
        });
        Ok(row.map(|(at,)| at.into()))
    }

    /// When the last check by the clock ended, and its report in JSON.
    pub async fn last_check(&self) -> Result<Option<(Timestamp, String)>> {
        let row: Option<(i64, String)> = on_read!(self, connection => {
            sqlx::query_as("SELECT at, report FROM check_report WHERE id = 1").fetch_optional(connection).await?
        });
        Ok(row.map(|(at, report)| (at.into(), report)))
    }
}

impl Operation for BeginCheck {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.0
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        on_transaction!(transaction.engine, connection => {
            sqlx::query("INSERT INTO check_attempt (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = $1")
                .bind(self.0.millis())
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}

impl Operation for KeepCheck {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        on_transaction!(transaction.engine, connection => {
            sqlx::query(
                "INSERT INTO check_report (id, at, report) VALUES (1, $1, $2) \
                 ON CONFLICT (id) DO UPDATE SET at = $1, report = $2",
            )
            .bind(self.at.millis())
            .bind(self.report.as_str())
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
