//! The ledger: the only room that speaks SQL, and the only one that knows which engine it is.
//!
//! - Reads are methods of [`Ledger`].
//! - Writes are methods of [`Transaction`], opened with the time: [`Ledger::begin`]. A state change, its audit
//!   entry and its feed event are one transaction. States move by guarded UPDATE, never by read-then-write.
//! - Writes that many wait for (issuing, tokens, receipts) are handed to [`Ledger::group`], which commits all that
//!   arrived while the previous commit was on its way to the disk.
//! - [`Status`] is the memory of the ledger on the token path, kept fresh by the feed.
//!
//! To add a statement: write it once with `$1` parameters that both engines read, in the file of its noun, and
//! let a test in `tests/` use it; every test there runs on both engines.

mod audit;
mod certificate;
mod crl;
mod device;
mod engine;
mod feed;
mod group;
mod inspection;
mod invitation;
mod issuer;
mod key;
mod receipt;
mod responder;
mod status;
mod tenant;
mod token;
mod transaction;

pub use audit::{Actor, AuditEntry, AuditFault, Note};
pub use certificate::{
    Certificate, Complete, Due, Ended, Holding, Intent, Lineage, Origin, Revoked, SerialStatus, TakenOver,
};
pub use crl::{Published, Shard, StoredCrl};
pub use device::{Device, DeviceAction};
pub use group::Operation;
pub use inspection::{
    FiledCertificate, FiledDevice, FiledEvent, FiledResponder, Heads, Inspection, Latest, Orphan, Suspicious,
};
pub use invitation::{Invitation, InvitationState, NewInvitation};
pub use issuer::{IssuerKind, IssuerState, StoredIssuer};
pub use key::BlockedKey;
pub use receipt::{ReceiptRow, Seq};
pub use responder::Responder;
pub use status::{Facts, Freshness, Status};
pub use tenant::{Issuing, Site, Tenant};
pub use token::IssuedToken;
pub use transaction::Transaction;

use engine::Engine;
use std::sync::Arc;
use tokio::sync::Notify;

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The engine or the way to it failed: nothing was changed.
    #[error("the ledger cannot be reached or refused a statement: {0}")]
    Engine(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the ledger's schema could not be brought up to date: {0}")]
    Migration(sqlx::migrate::MigrateError),
    /// The URL names no engine.
    #[error("the ledger's URL must begin with sqlite: or postgres:")]
    Url,
    /// A row says something this program cannot read.
    #[error("the ledger holds something this version cannot read: {0}")]
    Unreadable(&'static str),
    /// The guard of an update did not hold: the thing is not in the state the caller assumed.
    #[error("{0}")]
    Guard(&'static str),
    /// The requester can do something about it.
    #[error("refused: {}", .0.code())]
    Refused(tegata_core::Refusal),
    /// The writer of grouped operations has stopped.
    #[error("the ledger is closing")]
    Closing,
}

impl LedgerError {
    /// The refusal to show for it.
    pub fn refusal(&self) -> tegata_core::Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Engine(_) | Self::Closing => tegata_core::Refusal::Unavailable,
            _ => tegata_core::Refusal::Internal,
        }
    }
}

/// The result of a storage call.
pub type Result<T, E = LedgerError> = std::result::Result<T, E>;

/// The ledger of one installation. Cloning shares it.
#[derive(Clone)]
pub struct Ledger {
    engine: Engine,
    group: group::Sender,
    /// Wakes followers in this process when a transaction that wrote to the feed has committed.
    wake: Arc<Notify>,
}

impl Ledger {
    /// Opens the ledger at a URL (`sqlite:PATH` or `postgres://…`), creating or updating its schema. Needs a
    /// tokio runtime, where it keeps one task for grouped writes.
    pub async fn open(url: &str) -> Result<Self> {
        let engine = Engine::open(url).await?;
        engine.migrate().await?;
        let wake = Arc::new(Notify::new());
        let group = group::start(engine.clone(), wake.clone());
        let ledger = Self { engine, group, wake };
        ledger.plant_head().await?;
        Ok(ledger)
    }

    /// Waits for the connections to come home. Without it a process that ends is still safe.
    pub async fn close(&self) {
        self.engine.close().await;
    }

    async fn plant_head(&self) -> Result<()> {
        let mut transaction = self.engine.begin().await?;
        engine::on_transaction!(transaction, connection => {
            sqlx::query(
                "INSERT INTO head (id, audit_seq, audit_hash, feed_seq) VALUES (1, 0, $1, 0) ON CONFLICT (id) DO NOTHING",
            )
            .bind(vec![0u8; 32])
            .execute(connection)
            .await?;
        });
        transaction.commit().await
    }
}
