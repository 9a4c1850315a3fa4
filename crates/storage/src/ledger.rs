//! The opened ledger.

use crate::Result;
use crate::authorization::KnownCode;
use crate::commits::CommitCounts;
use crate::engine::{Engine, Patience, Replication, RowSecurity};
use crate::group_commit::{self, GroupSender, Operation};
use crate::invitation::Invitation;
use crate::lookup::LookupQueue;
use crate::place::LedgerPlace;
use crate::revocation_log::{LogPlace, RevocationLog};
use crate::transaction::{LedgerShared, Transaction};
use std::sync::Arc;
use tegata_core::{Entropy, Timestamp};

/// The ledger of one installation. Cloning shares it.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) engine: Engine,
    queue: GroupSender,
    pub(crate) invitations: LookupQueue<Invitation>,
    pub(crate) codes: LookupQueue<KnownCode>,
    pub(crate) shared: Arc<LedgerShared>,
}

impl Ledger {
    /// Opens the ledger at a URL (`sqlite:PATH` or `postgres://…`), creating or updating its schema. Needs a
    /// tokio runtime, where it keeps one task for grouped writes. A ledger that has a revocation log cannot revoke
    /// when it is opened without it.
    pub async fn open<'a>(at: impl Into<LedgerPlace<'a>>) -> Result<Self> {
        Self::open_sharing(at.into(), Patience::Command, LedgerShared::with(None)).await
    }

    /// Opens the ledger with its revocation log, and does again whatever the log says and the ledger lacks because it
    /// was restored from a backup. A ledger that never had a log begins one.
    ///
    /// # Errors
    /// [`LedgerError::Log`] when the log is missing, another's, or tells another story.
    pub async fn open_with<'a>(
        at: impl Into<LedgerPlace<'a>>,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        Self::open_patiently(at, Patience::Command, place, now, entropy).await
    }

    /// Opens the ledger as [`Ledger::open_with`] does, waiting for the database as long as `patience` allows.
    ///
    /// # Errors
    /// As [`Ledger::open_with`].
    pub async fn open_patiently<'a>(
        at: impl Into<LedgerPlace<'a>>,
        patience: Patience,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let log = RevocationLog::at(place);
        let ledger = Self::open_sharing(at.into(), patience, LedgerShared::with(Some(log))).await?;
        if let Some(log) = &ledger.shared.log {
            ledger.join_log(log, now, entropy).await?;
        }
        Ok(ledger)
    }

    /// Opens the ledger to look at it and its revocation log as they are, without bringing the two together.
    pub async fn open_beside<'a>(at: impl Into<LedgerPlace<'a>>, place: &LogPlace<'_>) -> Result<Self> {
        Self::open_sharing(at.into(), Patience::Command, LedgerShared::with(Some(RevocationLog::at(place))))
            .await
    }

    /// Opens a ledger whose revocation log is lost, and begins a new log with all that the ledger knows.
    ///
    /// # Errors
    /// [`LogError::Exists`] when there is a file at the place of the log.
    pub async fn open_with_new_log<'a>(
        at: impl Into<LedgerPlace<'a>>,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let at = at.into();
        let ledger = Self::open_sharing(at, Patience::Command, LedgerShared::with(None)).await?;
        ledger.forget_log(&RevocationLog::at(place), now).await?;
        ledger.close().await;
        Self::open_with(at, place, now, entropy).await
    }

    /// Begins a further revocation log, with all that the ledger knows, for a server that shares no disk with the others.
    ///
    /// # Errors
    /// [`LogError::Exists`] when there is one at the place, [`LogError::NoFirst`] when the ledger has none yet.
    pub async fn add_log<'a>(
        at: impl Into<LedgerPlace<'a>>,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<()> {
        let ledger = Self::open_sharing(at.into(), Patience::Command, LedgerShared::with(None)).await?;
        let begun = ledger.begin_further_log(place, now, entropy).await;
        ledger.close().await;
        begun
    }

    pub(crate) async fn open_sharing(
        at: LedgerPlace<'_>,
        patience: Patience,
        shared: Arc<LedgerShared>,
    ) -> Result<Self> {
        let engine = Engine::open(at, patience).await?;
        engine.migrate().await?;
        let queue = group_commit::start(engine.clone(), shared.clone());
        let (invitations, codes) = (LookupQueue::start(engine.clone()), LookupQueue::start(engine.clone()));
        let ledger = Self { engine, queue, invitations, codes, shared };
        ledger.identify_keys().await?;
        Ok(ledger)
    }

    /// Opens a write transaction at a time. Other writers wait until it ends.
    pub async fn begin(&self, now: Timestamp) -> Result<Transaction> {
        Transaction::begin(&self.engine, &self.shared, now).await
    }

    /// Hands an operation to the group and waits until it is durable.
    pub async fn group<O: Operation>(&self, operation: O) -> Result<O::Output> {
        group_commit::hand_over(&self.queue, operation).await
    }

    /// What the writer of grouped operations has done in this process.
    pub fn commits(&self) -> CommitCounts {
        self.shared.commits.counts()
    }

    /// How commits are replicated to stand-bys; nothing with SQLite.
    pub async fn replication(&self) -> Result<Option<Replication>> {
        self.engine.replication().await
    }

    /// How the database keeps the rows of tenants apart behind the statements' own wall; nothing with SQLite, which has none.
    pub async fn row_security(&self) -> Result<Option<RowSecurity>> {
        self.engine.row_security().await
    }

    /// Waits for the connections to come home. Without it a process that ends is still safe.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}
