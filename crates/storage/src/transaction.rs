//! A write transaction: it knows its time, holds the head of both chains, and writes it back at commit.

use crate::audit::{Actor, next_hash};
use crate::engine::{Engine, EngineTransaction, on_transaction};
use crate::{Ledger, Result};
use serde_json::{Value, json};
use std::sync::Arc;
use tegata_core::feed::{Change, Event};
use tegata_core::{DeviceId, Timestamp};
use tokio::sync::Notify;

/// A write transaction. Dropping it without [`Transaction::commit`] undoes everything.
pub struct Transaction {
    pub(crate) engine: EngineTransaction,
    pub(crate) now: Timestamp,
    pub(crate) head: Head,
    fed: bool,
    wake: Arc<Notify>,
}

#[derive(Clone)]
pub(crate) struct Head {
    audit_seq: i64,
    audit_hash: Vec<u8>,
    feed_seq: i64,
}

impl Ledger {
    /// Opens a write transaction at a time. Other writers wait until it ends.
    pub async fn begin(&self, now: Timestamp) -> Result<Transaction> {
        Transaction::begin(&self.engine, self.wake.clone(), now).await
    }
}

impl Transaction {
    /// Begins with a write, so that on both engines the transaction holds the only right to write from its
    /// first statement on and reads nothing that somebody else may be changing.
    pub(crate) async fn begin(engine: &Engine, wake: Arc<Notify>, now: Timestamp) -> Result<Self> {
        let mut engine = engine.begin().await?;
        let (audit_seq, audit_hash, feed_seq): (i64, Vec<u8>, i64) = on_transaction!(engine, connection => {
            sqlx::query_as("UPDATE head SET id = 1 WHERE id = 1 RETURNING audit_seq, audit_hash, feed_seq")
                .fetch_one(connection)
                .await?
        });
        Ok(Self { engine, now, head: Head { audit_seq, audit_hash, feed_seq }, fed: false, wake })
    }

    /// The time of the transaction.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The last event of the feed, this transaction's own included.
    pub fn feed_seq(&self) -> u64 {
        self.head.feed_seq.unsigned_abs()
    }

    /// Makes it durable: when this returns, a power cut does not undo it.
    pub async fn commit(mut self) -> Result<()> {
        let head = self.head;
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE head SET audit_seq = $1, audit_hash = $2, feed_seq = $3 WHERE id = 1")
                .bind(head.audit_seq)
                .bind(head.audit_hash)
                .bind(head.feed_seq)
                .execute(connection)
                .await?;
        });
        self.engine.commit().await?;
        if self.fed {
            self.wake.notify_waiters();
        }
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
        let seq = self.head.feed_seq + 1;
        let text =
            serde_json::to_string(&change).map_err(|_| crate::LedgerError::Unreadable("a feed change"))?;
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO feed (seq, at, change) VALUES ($1, $2, $3)")
                .bind(seq)
                .bind(self.now.millis())
                .bind(text)
                .execute(connection)
                .await?;
        });
        self.head.feed_seq = seq;
        self.fed = true;
        Ok(Event { seq: seq.unsigned_abs(), at: self.now, change })
    }
}
