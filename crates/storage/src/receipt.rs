//! Receipts: what each surface has applied.

use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::{Ledger, Result, Transaction};
use std::time::Duration;
use tegata_core::{CLOCKS_APART, Timestamp};

/// A surface's receipt. It is an acknowledgment, not a state change, so it has no audit entry.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct ReceiptRow {
    /// `token`, `introspection`, `ocsp`, `crl:{issuer}` or `gate:{id}`.
    pub surface: String,
    /// The last event it has applied.
    #[sqlx(try_from = "i64")]
    pub seq: FeedPosition,
    /// When it applied it.
    #[sqlx(try_from = "i64")]
    pub applied_at: Timestamp,
    /// When it was last seen.
    #[sqlx(try_from = "i64")]
    pub seen_at: Timestamp,
}

/// A place in the feed as the ledger counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FeedPosition(pub u64);

impl From<i64> for FeedPosition {
    fn from(seq: i64) -> Self {
        Self(seq.unsigned_abs())
    }
}

/// A surface that was seen within this time is expected to give its receipt.
const ALIVE: Duration = Duration::from_secs(15);

impl ReceiptRow {
    /// When the surface had applied this event at the latest, if it has.
    pub fn applied(&self, event: u64) -> Option<Timestamp> {
        (self.seq.0 >= event).then_some(self.applied_at)
    }
}

struct AcknowledgeFeed {
    surface: String,
    seq: u64,
    at: Timestamp,
}

impl Ledger {
    /// Notes that `surface` has applied everything up to `seq`. Never goes backwards, save behind a time that a clock that
    /// was ahead has written.
    pub async fn acknowledge(&self, surface: impl Into<String>, seq: u64, at: Timestamp) -> Result<()> {
        self.group(AcknowledgeFeed { surface: surface.into(), seq, at }).await
    }

    /// The surfaces that a running server and its gates have shown lately: whose receipts make the proof.
    pub async fn surfaces_alive(&self, now: Timestamp) -> Result<Vec<String>> {
        let receipts = self.receipts().await?.into_iter();
        Ok(receipts
            .filter(|receipt| now.since(receipt.seen_at) < ALIVE && !receipt.seen_at.is_ahead_of(now))
            .map(|receipt| receipt.surface)
            .collect())
    }

    /// All receipts, by surface.
    pub async fn receipts(&self) -> Result<Vec<ReceiptRow>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as("SELECT surface, seq, applied_at, seen_at FROM receipt ORDER BY surface")
                .fetch_all(connection)
                .await?
        }))
    }
}

impl Operation for AcknowledgeFeed {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        on_transaction!(transaction.engine, connection => {
            sqlx::query(
                "INSERT INTO receipt (surface, seq, applied_at, seen_at) VALUES ($1, $2, $3, $3) \
                 ON CONFLICT (surface) DO UPDATE SET \
                 seen_at = CASE WHEN receipt.seen_at < $3 OR receipt.seen_at > $4 THEN $3 ELSE receipt.seen_at END, \
                 applied_at = CASE WHEN receipt.seq < $2 OR receipt.applied_at > $4 THEN $3 ELSE receipt.applied_at END, \
                 seq = CASE WHEN receipt.seq < $2 THEN $2 ELSE receipt.seq END",
            )
            .bind(self.surface.as_str())
            .bind(i64::try_from(self.seq).unwrap_or(i64::MAX))
            .bind(self.at.millis())
            .bind(self.at.plus(CLOCKS_APART).millis())
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
