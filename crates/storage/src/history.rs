//! The entries of the audit log about one subject.

use crate::audit::{AuditEntry, AuditRow};
use crate::engine::on_read;
use crate::scope::on_scoped_read;
use crate::{Ledger, Result, ScopedLedger};
use tegata_core::DeviceId;

impl Ledger {
    /// The newest entry about no device with this action whose detail has this JSON member.
    pub async fn last_entry(&self, action: &str, member: &str) -> Result<Option<AuditEntry>> {
        let row: Option<AuditRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT seq, at, entry FROM audit WHERE device IS NULL AND entry LIKE $1 ESCAPE '!' \
                 AND entry LIKE $2 ESCAPE '!' ORDER BY seq DESC LIMIT 1",
            )
            .bind(containing(&member_of("action", action)))
            .bind(containing(member))
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(AuditRow::entry))
    }
}

impl ScopedLedger {
    /// What happened to one device before the entry `before`, at most `limit` entries, newest first.
    pub async fn history_of(&self, device: &DeviceId, before: u64, limit: u32) -> Result<Vec<AuditEntry>> {
        let rows: Vec<AuditRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT seq, at, entry FROM audit WHERE device = $1 AND seq < $2 \
                 AND ($4 IS NULL OR EXISTS (SELECT 1 FROM device d WHERE d.id = audit.device AND d.tenant = $4)) \
                 ORDER BY seq DESC LIMIT $3",
            )
            .bind(device.as_str())
            .bind(i64::try_from(before).unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(AuditRow::entry).collect())
    }

    /// The newest entry about a device with this action; with `member`, the newest whose detail has that JSON member.
    pub async fn last_entry_of(
        &self,
        device: &DeviceId,
        action: &str,
        member: &str,
    ) -> Result<Option<AuditEntry>> {
        let row: Option<AuditRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT seq, at, entry FROM audit WHERE device = $1 AND entry LIKE $2 ESCAPE '!' \
                 AND entry LIKE $3 ESCAPE '!' \
                 AND ($4 IS NULL OR EXISTS (SELECT 1 FROM device d WHERE d.id = audit.device AND d.tenant = $4)) ORDER BY seq DESC LIMIT 1",
            )
            .bind(device.as_str())
            .bind(containing(&member_of("action", action)))
            .bind(containing(member))
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(AuditRow::entry))
    }
}

/// How a text member stands in an entry.
pub fn member_of(name: &str, value: &str) -> String {
    format!("\"{name}\":\"{value}\"")
}

/// PostgreSQL escapes with a backslash unless told otherwise, SQLite with nothing.
pub(crate) fn containing(text: &str) -> String {
    format!("%{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}
