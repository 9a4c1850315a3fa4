//! Receipts: what each surface has applied.

mod expected;
mod wait;

pub use expected::{AnsweringServer, ExpectedReceipt, SILENCE_REFUSES, SurfaceConfirmation, SurfaceReceipt};
pub use wait::{PendingReceipts, ReceiptWait};

use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::{Ledger, Result, Transaction};
use std::fmt;
use tegata_core::{CLOCKS_APART, ServerId, Timestamp};

/// What of a server answers by what it remembers of the ledger. Each server gives its own receipt for each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServerSurface {
    /// What introspection says of tokens (RFC 7662).
    Introspection,
    /// What OCSP says of certificates (RFC 6960).
    Ocsp,
    /// The token status lists that are given.
    StatusList,
    /// Whatever asks for a certificate: the device listener, and the token endpoint first of all.
    Token,
}

impl ServerSurface {
    /// Each surface that a server has.
    pub const ALL: [Self; 4] = [Self::Introspection, Self::Ocsp, Self::StatusList, Self::Token];

    /// Its name, which is also the whole surface of a server of the version before receipts carried the server.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Introspection => "introspection",
            Self::Ocsp => "ocsp",
            Self::StatusList => "status-list",
            Self::Token => "token",
        }
    }

    /// The surface in the ledger: this one of that server.
    pub fn of(self, server: &ServerId) -> String {
        format!("{self}:{server}")
    }
}

impl fmt::Display for ServerSurface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A surface's receipt. It is an acknowledgment, not a state change, so it has no audit entry.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct ReceiptRow {
    /// `gate:{id}`; `crl:{issuer}`, whoever published; or, of each server, `token:{server}`, `introspection:{server}`,
    /// `ocsp:{server}` and `status-list:{server}`. A server of the version before gives those four without its name.
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
