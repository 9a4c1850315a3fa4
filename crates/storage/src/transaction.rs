//! A write transaction: it knows its time, holds the head of both chains, and writes it back at commit.

use crate::audit::{Actor, next_hash};
use crate::commits::Commits;
use crate::engine::{Engine, EngineTransaction, on_transaction};
use crate::revocation_log::{Pending, RevocationLog};
use crate::{Ledger, LedgerError, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tegata_core::feed::{Change, Event};
use tegata_core::{DeviceId, Timestamp};
use tokio::sync::Notify;

/// A write transaction. Dropping it without [`Transaction::commit`] undoes everything.
pub struct Transaction {
    pub(crate) engine: EngineTransaction,
    pub(crate) now: Timestamp,
    pub(crate) head: Head,
    fed: bool,
    /// The last line of the revocation log that the ledger contains.
    pub(crate) log_hash: Option<Vec<u8>>,
    pub(crate) pending: Pending,
    pub(crate) shared: Arc<Shared>,
}

/// What all transactions of an opened ledger share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Wakes followers in this process when a transaction that wrote to the feed has committed.
    pub(crate) wake: Notify,
    pub(crate) log: Option<Arc<RevocationLog>>,
    pub(crate) commits: Commits,
    /// The last entry of the audit log that this process knows to be durable.
    newest: AtomicI64,
}

#[derive(Clone)]
pub(crate) struct Head {
    audit_seq: i64,
    audit_hash: Vec<u8>,
    feed_seq: i64,
    /// How many records for the revocation log hold good.
    pub(crate) records: usize,
}

impl Ledger {
    /// Opens a write transaction at a time. Other writers wait until it ends.
    pub async fn begin(&self, now: Timestamp) -> Result<Transaction> {
        Transaction::begin(&self.engine, &self.shared, now).await
    }
}

impl Transaction {
    /// A ledger that is behind its revocation log is brought up to it before the caller writes anything.
    pub(crate) async fn begin(engine: &Engine, shared: &Arc<Shared>, now: Timestamp) -> Result<Self> {
        loop {
            let transaction = Self::take_head(engine, shared.clone(), now).await?;
            match &shared.log {
                // A log that cannot be read is an error for those who have something to write there.
                Some(log) if transaction.pending.end.is_ok() && !transaction.is_at_the_end()? => {
                    transaction.come_together(log).await?;
                }
                _ => return Ok(transaction),
            }
        }
    }

    /// Begins with a write, so that on both engines the transaction holds the only right to write from its
    /// first statement on and reads nothing that somebody else may be changing.
    pub(crate) async fn take_head(engine: &Engine, shared: Arc<Shared>, now: Timestamp) -> Result<Self> {
        let mut engine = engine.begin().await?;
        let (audit_seq, audit_hash, feed_seq, has_log, log_hash): HeadRow = on_transaction!(engine, connection => {
            sqlx::query_as(
                "UPDATE head SET id = 1 WHERE id = 1 \
                 RETURNING audit_seq, audit_hash, feed_seq, revocation_log IS NOT NULL, log_hash",
            )
            .fetch_one(connection)
            .await?
        });
        shared.refuse_older(audit_seq, shared.newest())?;
        // Looked at by whoever holds the right to write: nobody else is writing there.
        let pending = match &shared.log {
            Some(log) => Pending::behind(log.end()),
            None => Pending::none(has_log),
        };
        let head = Head { audit_seq, audit_hash, feed_seq, records: 0 };
        Ok(Self { engine, now, head, fed: false, log_hash, pending, shared })
    }

    /// The time of the transaction.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The last event of the feed, this transaction's own included.
    pub fn feed_seq(&self) -> u64 {
        self.head.feed_seq.unsigned_abs()
    }

    /// Makes it durable: when this returns, a power cut does not undo it. What a restore must not forget is in the
    /// revocation log first.
    pub async fn commit(mut self) -> Result<()> {
        let lines = self.seal_records()?;
        if let Some(lines) = &lines {
            self.log_hash = Some(lines.hash.clone());
        }
        self.write_head().await?;
        if let Some(lines) = lines {
            lines.append().await?;
        }
        self.engine.commit().await?;
        self.shared.newest.fetch_max(self.head.audit_seq, Ordering::AcqRel);
        if self.fed {
            self.shared.wake.notify_waiters();
        }
        Ok(())
    }

    async fn write_head(&mut self) -> Result<()> {
        let Head { audit_seq, audit_hash, feed_seq, .. } = self.head.clone();
        let log_hash = self.log_hash.clone();
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE head SET audit_seq = $1, audit_hash = $2, feed_seq = $3, log_hash = $4 WHERE id = 1")
                .bind(audit_seq)
                .bind(audit_hash)
                .bind(feed_seq)
                .bind(log_hash)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Writes the one audit entry of a state change. `detail` never holds a secret or a person's data.
    pub async fn audit(
        &mut self,
        actor: &Actor,
        action: &'static str,
        device: Option<&DeviceId>,
        detail: Value,
    ) -> Result<()> {
        let seq = self.head.audit_seq + 1;
        let entry = json!({
            "seq": seq, "at": self.now, "actor": actor.to_string(), "action": action,
            "device": device, "detail": detail,
        })
        .to_string();
        let hash = next_hash(&self.head.audit_hash, &entry);
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO audit (seq, at, device, entry, hash) VALUES ($1, $2, $3, $4, $5)")
                .bind(seq)
                .bind(self.now.millis())
                .bind(device.map(DeviceId::as_str))
                .bind(entry)
                .bind(hash.clone())
                .execute(connection)
                .await?;
        });
        self.head.audit_seq = seq;
        self.head.audit_hash = hash;
        Ok(())
    }

    /// Appends to the feed.
    pub(crate) async fn feed(&mut self, change: Change) -> Result<Event> {
        let event = Event { seq: self.feed_seq() + 1, at: self.now, change };
        self.refeed(&event).await?;
        self.log_event(&event).await?;
        Ok(event)
    }

    /// Appends to the feed what has a number and a time already.
    pub(crate) async fn refeed(&mut self, event: &Event) -> Result<()> {
        let seq = i64::try_from(event.seq).unwrap_or(i64::MAX);
        let text =
            serde_json::to_string(&event.change).map_err(|_| LedgerError::Unreadable("a feed change"))?;
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO feed (seq, at, change) VALUES ($1, $2, $3)")
                .bind(seq)
                .bind(event.at.millis())
                .bind(text)
                .execute(connection)
                .await?;
        });
        self.head.feed_seq = seq;
        self.fed = true;
        Ok(())
    }
}

/// The numbers of the head: audit, its hash, feed, whether there is a revocation log, its last line.
type HeadRow = (i64, Vec<u8>, i64, bool, Option<Vec<u8>>);

impl Shared {
    /// For a ledger with this revocation log, or none.
    pub(crate) fn with(log: Option<RevocationLog>) -> Arc<Self> {
        Arc::new(Self { log: log.map(Arc::new), ..Self::default() })
    }

    /// What was durable when it is read: anything that is looked up afterwards is at least as new.
    pub(crate) fn newest(&self) -> i64 {
        self.newest.load(Ordering::Acquire)
    }

    /// A ledger that has less than what was durable before is another one: somebody restored a backup beneath this
    /// process, whose memory is of certificates that the ledger no longer knows.
    pub(crate) fn refuse_older(&self, found: i64, newest: i64) -> Result<()> {
        if found < newest {
            return Err(LedgerError::WentBack);
        }
        self.newest.fetch_max(found, Ordering::AcqRel);
        Ok(())
    }
}
