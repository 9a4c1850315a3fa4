//! The audit log: append-only, each entry chained to its predecessor by SHA-256.

pub(crate) mod chain;
mod note;
mod retention;

pub use chain::{AuditChain, AuditGap, AuditLink};
pub use note::AuditNote;
pub use retention::{AuditRetention, TokenDay};

use crate::engine::on_read;
use crate::group_commit::Operation;
use crate::scope::on_scoped_read;
use crate::{Ledger, Result, ScopedLedger, Transaction};
use tegata_core::{DeviceId, Timestamp};

/// One line of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Its place, from 1 without gaps.
    pub seq: u64,
    /// When it was written, by the clock of the server.
    pub at: Timestamp,
    /// The JSON that was hashed, exactly.
    pub entry: String,
}

/// Where the chain breaks.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuditFault {
    /// An entry is missing.
    #[error("audit entry {0} is missing")]
    Missing(u64),
    /// An entry or its hash was changed.
    #[error("audit entry {0} was changed")]
    Changed(u64),
    /// The log ends before its head: entries were cut off.
    #[error("the audit log ends at {0}, but the head says more was written")]
    Truncated(u64),
    /// Entries are gone, and no entry says that they were let go.
    #[error("audit entries from {0} on are gone, and no entry of the log says that they were let go")]
    Unfounded(u64),
}

impl Operation for AuditNote {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        transaction.audit(&self.actor, self.action, self.device.as_ref(), self.detail.clone()).await
    }
}

/// Rows read at a time by [`Ledger::verify_audit`].
const PAGE: i64 = 1000;

impl Ledger {
    /// Entries after `after`, at most `limit`, oldest first.
    pub async fn audit_entries(&self, after: u64, limit: u32) -> Result<Vec<AuditEntry>> {
        let rows = self.audit_page(i64::try_from(after).unwrap_or(i64::MAX), i64::from(limit)).await?;
        Ok(rows.into_iter().map(AuditRow::entry).collect())
    }

    /// Walks the whole chain. Gives the number of entries, or where it breaks first.
    pub async fn verify_audit(&self) -> Result<std::result::Result<u64, AuditFault>> {
        let (head_seq, head_hash, last) = self.audit_head().await?;
        let [head_seq, last] = [head_seq, last].map(i64::unsigned_abs);
        let mut chain = AuditChain::default();
        while chain.seq() < head_seq {
            let page = self.link_rows(i64::try_from(chain.seq()).unwrap_or(i64::MAX), PAGE).await?;
            if page.is_empty() {
                return Ok(Err(AuditFault::Truncated(chain.seq())));
            }
            for row in page {
                if chain.seq() == head_seq {
                    break;
                }
                if let Err(fault) = chain::step(&mut chain, row) {
                    return Ok(Err(fault));
                }
            }
        }
        Ok(chain::end(&chain, head_seq, &head_hash, last))
    }

    /// The head, and the last entry there is: in one statement, as writers go on.
    async fn audit_head(&self) -> Result<(i64, Vec<u8>, i64)> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(
                "SELECT audit_seq, audit_hash, COALESCE((SELECT MAX(seq) FROM audit), 0) FROM head WHERE id = 1",
            )
            .fetch_one(connection)
            .await?
        }))
    }

    async fn audit_page(&self, after: i64, limit: i64) -> Result<Vec<AuditRow>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as("SELECT seq, at, entry FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(after)
                .bind(limit)
                .fetch_all(connection)
                .await?
        }))
    }
}

impl ScopedLedger {
    /// What happened to one device, newest first.
    pub async fn audit_of(&self, device: &DeviceId, limit: u32) -> Result<Vec<AuditEntry>> {
        let rows: Vec<AuditRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT seq, at, entry FROM audit WHERE device = $1 \
                 AND ($3 IS NULL OR EXISTS (SELECT 1 FROM device d WHERE d.id = audit.device AND d.tenant = $3)) \
                 ORDER BY seq DESC LIMIT $2",
            )
            .bind(device.as_str())
            .bind(i64::from(limit))
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(AuditRow::entry).collect())
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct AuditRow {
    seq: i64,
    at: i64,
    entry: String,
}

impl AuditRow {
    pub(crate) fn entry(self) -> AuditEntry {
        AuditEntry { seq: self.seq.unsigned_abs(), at: self.at.into(), entry: self.entry }
    }
}
