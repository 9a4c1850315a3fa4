//! One look at the whole ledger as it stood at one moment, for re-auditing it.
//!
//! Everything else in this crate trusts its own rows. Here nothing is taken for granted: columns are handed over as
//! they are, joins keep rows whose partner is missing, and what the constraints forbid is looked for all the same.

mod anomalies;
mod rows;

pub use anomalies::{Orphan, Suspicious};
pub use rows::{
    FiledCertificate, FiledDevice, FiledEvent, FiledResponder, FiledTenant, FiledTokens, LatestTime,
};

use crate::audit::chain::{self, LinkRow, links};
use crate::audit::{AuditChain, AuditLink};
use crate::engine::{EngineTransaction, on_transaction};
use crate::{AuditEntry, AuditFault, Ledger, Result};
use tegata_core::Timestamp;

/// Entries of the audit log or the feed read at a time.
const PAGE: i64 = 1000;

/// A view of the ledger that stays the same however much is written meanwhile. It holds a connection; writers do not
/// wait for it.
pub struct Inspection {
    engine: EngineTransaction,
}

/// How far both chains are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChainHeads {
    /// The last audit entry.
    pub audit: u64,
    /// The last event of the feed.
    pub feed: u64,
}

impl Ledger {
    /// Opens a view of the ledger as it is now.
    pub async fn inspect(&self) -> Result<Inspection> {
        let mut inspection = Inspection { engine: self.engine.snapshot().await? };
        // SQLite takes its snapshot at the first statement.
        inspection.heads().await?;
        Ok(inspection)
    }

    /// What time the engine's machine thinks it is; nothing where that is this machine.
    pub async fn engine_clock(&self) -> Result<Option<Timestamp>> {
        self.engine.clock().await
    }
}

impl Inspection {
    /// How far the chains say they are.
    pub async fn heads(&mut self) -> Result<ChainHeads> {
        let (audit, feed): (i64, i64) = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT audit_seq, feed_seq FROM head WHERE id = 1").fetch_one(connection).await?
        });
        Ok(ChainHeads { audit: audit.unsigned_abs(), feed: feed.unsigned_abs() })
    }

    /// Walks the audit log from its beginning, handing over every entry until the chain breaks. Gives the number of
    /// entries, or where it breaks first.
    pub async fn walk_audit(
        &mut self,
        visit: &mut (dyn FnMut(&AuditEntry) + Send),
    ) -> Result<std::result::Result<u64, AuditFault>> {
        let (head_seq, head_hash, last) = self.audit_head().await?;
        let [head_seq, last] = [head_seq, last].map(i64::unsigned_abs);
        let mut chain = AuditChain::default();
        while chain.seq() < head_seq {
            let page = self.link_rows(i64::try_from(chain.seq()).unwrap_or(i64::MAX)).await?;
            if page.is_empty() {
                return Ok(Err(AuditFault::Truncated(chain.seq())));
            }
            for row in page {
                if chain.seq() == head_seq {
                    break;
                }
                match chain::step(&mut chain, row) {
                    Ok(AuditLink::Entry(entry, _)) => visit(&entry),
                    Ok(AuditLink::Gap(_)) => {}
                    Err(fault) => return Ok(Err(fault)),
                }
            }
        }
        Ok(chain::end(&chain, head_seq, &head_hash, last))
    }

    /// Walks the feed from its beginning. Gives where its numbers have a gap first, if they have.
    pub async fn walk_feed(&mut self, visit: &mut (dyn FnMut(&FiledEvent) + Send)) -> Result<Option<u64>> {
        let head = self.heads().await?.feed;
        let mut seq = 0i64;
        loop {
            let page: Vec<FiledEvent> = on_transaction!(self.engine, connection => {
                sqlx::query_as("SELECT seq, at, change FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2")
                    .bind(seq)
                    .bind(PAGE)
                    .fetch_all(connection)
                    .await?
            });
            if page.is_empty() {
                return Ok((seq.unsigned_abs() != head).then(|| seq.unsigned_abs() + 1));
            }
            for event in page {
                seq += 1;
                if event.seq != seq {
                    return Ok(Some(seq.unsigned_abs()));
                }
                visit(&event);
            }
        }
    }

    async fn audit_head(&mut self) -> Result<(i64, Vec<u8>, i64)> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT audit_seq, audit_hash, COALESCE((SELECT MAX(seq) FROM audit), 0) FROM head WHERE id = 1",
            )
            .fetch_one(connection)
            .await?
        }))
    }

    async fn link_rows(&mut self, after: i64) -> Result<Vec<LinkRow>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(links!()).bind(after).bind(PAGE).fetch_all(connection).await?
        }))
    }
}
