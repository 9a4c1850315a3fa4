//! A write transaction: it knows its time, holds the head of both chains, and writes it back at commit.

use crate::actor::Actor;
use crate::commits::CommitCounter;
use crate::engine::{Engine, EngineTransaction, on_transaction};
use crate::hash_chain::next_hash;
use crate::head::{HeadEntry, LedgerHead, TransactionEnd, insert};
use crate::refusals::Refusals;
use crate::revocation_log::{PendingRecords, RevocationLog};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::scope::Scope;
use crate::{LedgerError, Result};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tegata_core::feed::{Change, Event};
use tegata_core::{DeviceId, Justification, Timestamp};
use tokio::sync::Notify;

/// A write transaction. Dropping it without [`Transaction::commit`] undoes everything.
pub struct Transaction {
    pub(crate) engine: EngineTransaction,
    pub(crate) now: Timestamp,
    pub(crate) head: LedgerHead,
    /// The head as the ledger has it.
    written: LedgerHead,
    /// Entries that go to the ledger together, at most [`MOST`].
    entries: Vec<HeadEntry>,
    pub(crate) pending: PendingRecords,
    pub(crate) shared: Arc<LedgerShared>,
    /// Whose rows it sees and changes.
    pub(crate) scope: Scope,
    /// Why whoever acts in it does so: its entries say it.
    pub(crate) because: Option<Justification>,
    /// The program by which somebody acts, if it is one.
    pub(crate) program: Option<String>,
}

/// What all transactions of an opened ledger share.
#[derive(Default)]
pub(crate) struct LedgerShared {
    /// Wakes followers in this process when a transaction that wrote to the feed has committed.
    pub(crate) wake: Notify,
    pub(crate) log: Option<Arc<RevocationLog>>,
    pub(crate) commits: CommitCounter,
    pub(crate) refusals: Refusals,
    /// The last entry of the audit log that this process knows to be durable.
    newest: AtomicI64,
}

/// What the chain holds of an entry.
#[derive(Serialize)]
struct ChainedEntry<'a, D> {
    seq: i64,
    at: Timestamp,
    actor: &'a str,
    action: &'static str,
    device: Option<&'a DeviceId>,
    detail: D,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a Justification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'a str>,
}

/// Where the chains were when something began that may be undone alone.
pub(crate) struct Savepoint {
    head: LedgerHead,
}

impl Transaction {
    /// A ledger that is behind its revocation log is brought up to it before the caller writes anything.
    pub(crate) async fn begin(engine: &Engine, shared: &Arc<LedgerShared>, now: Timestamp) -> Result<Self> {
        loop {
            let transaction = Self::take_head(engine, shared.clone(), now).await?;
            match &shared.log {
                // A log that cannot be read is an error for those who have something to write there.
                Some(log) if transaction.pending.end.is_ok() && !transaction.is_at_the_end()? => {
                    transaction.come_together(log, false).await?;
                }
                _ => return Ok(transaction),
            }
        }
    }

    /// Takes the right to write, so that on both engines the transaction reads nothing that somebody else may be
    /// changing.
    pub(crate) async fn take_head(
        engine: &Engine,
        shared: Arc<LedgerShared>,
        now: Timestamp,
    ) -> Result<Self> {
        let (engine, head) = engine.begin().await?;
        shared.refuse_older(head.audit_seq, shared.newest())?;
        // Looked at by whoever holds the right to write: nobody else is writing there.
        let pending = match &shared.log {
            Some(log) => PendingRecords::behind(log.end()),
            None => PendingRecords::none(head.revocation_log.is_some()),
        };
        Ok(Self::of((engine, shared), (head, pending), now))
    }

    /// One that only looks: it reads one and the same state from its first statement on, and nobody who writes waits for it.
    pub(crate) async fn looking(engine: &Engine, shared: Arc<LedgerShared>, now: Timestamp) -> Result<Self> {
        let mut engine = engine.snapshot().await?;
        let head: LedgerHead = on_transaction!(engine, connection => {
            sqlx::query_as(crate::engine::HEAD).fetch_one(connection).await?
        });
        let pending = PendingRecords::none(false);
        Ok(Self::of((engine, shared), (head, pending), now))
    }

    /// Nothing is written yet, the whole installation is seen, and nobody has said why they act.
    fn of(
        (engine, shared): (EngineTransaction, Arc<LedgerShared>),
        (head, pending): (LedgerHead, PendingRecords),
        now: Timestamp,
    ) -> Self {
        Self {
            engine,
            now,
            written: head.clone(),
            head,
            entries: Vec::new(),
            pending,
            shared,
            scope: Scope::Installation,
            because: None,
            program: None,
        }
    }

    /// From here on it sees and changes the rows of a scope alone, until it ends.
    pub(crate) async fn narrow(&mut self, scope: &Scope) -> Result<()> {
        self.scope = scope.clone();
        if let (EngineTransaction::Postgres(_), Some(tenant)) = (&self.engine, scope.bound()) {
            let tenant = tenant.to_owned();
            on_transaction!(self.engine, connection => {
                sqlx::query("SELECT set_config('tegata.tenant', $1, true)").bind(tenant).execute(connection).await?;
            });
        }
        Ok(())
    }

    /// From here on it sees everybody's rows again: the revocation log tells of all of them, whoever writes there. The entries
    /// so far are written first, so that the scope's wall stands before them.
    pub(crate) async fn widen(&mut self) -> Result<()> {
        if self.scope.bound().is_none() {
            return Ok(());
        }
        self.write_entries().await?;
        self.scope = Scope::Installation;
        if matches!(self.engine, EngineTransaction::Postgres(_)) {
            self.execute("SELECT set_config('tegata.tenant', '', true)").await?;
        }
        Ok(())
    }

    /// The time of the transaction.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The last event of the feed, this transaction's own included.
    pub fn feed_seq(&self) -> u64 {
        self.head.feed_seq.unsigned_abs()
    }

    /// The last event of the feed before this transaction.
    pub(crate) fn feed_seq_before(&self) -> u64 {
        self.written.feed_seq.unsigned_abs()
    }

    /// Makes it durable: when this returns, a power cut does not undo it. What a restore must not forget is in the
    /// revocation log first.
    ///
    /// # Errors
    /// Nothing was changed, unless [`LedgerError::may_be_done`] says otherwise.
    pub async fn commit(mut self) -> Result<()> {
        let is_logged = self.write_log().await?;
        let head = (self.head != self.written).then_some(&self.head);
        let committed = self.engine.commit(TransactionEnd { entries: &self.entries, head }).await;
        committed
            .map_err(|error| if is_logged { LedgerError::Accepted(error.to_string()) } else { error })?;
        self.shared.newest.fetch_max(self.head.audit_seq, Ordering::AcqRel);
        if self.head.feed_seq != self.written.feed_seq {
            self.shared.wake.notify_waiters();
        }
        Ok(())
    }

    /// Writes the one audit entry of a state change. `detail` never holds a secret or a person's data.
    pub async fn audit(
        &mut self,
        actor: &Actor,
        action: &'static str,
        device: Option<&DeviceId>,
        detail: impl Serialize + Send,
    ) -> Result<()> {
        if self.entries.len() == MOST {
            self.write_entries().await?;
        }
        let (seq, at) = (self.head.audit_seq + 1, self.now);
        let chained = ChainedEntry {
            seq,
            at,
            actor: &actor.to_string(),
            action,
            device,
            detail,
            because: self.because.as_ref(),
            program: self.program.as_deref(),
        };
        let text = serde_json::to_string(&chained).map_err(|_| LedgerError::Unreadable("an audit entry"))?;
        let hash = next_hash(&self.head.audit_hash, &text);
        self.head.audit_seq = seq;
        self.head.audit_hash.clone_from(&hash);
        let device = device.map(ToString::to_string);
        self.entries.push(HeadEntry { seq, at: at.millis(), device, text, hash });
        Ok(())
    }

    /// Begins something that can be undone alone. What came before is written first, so that undoing takes nothing
    /// of it away.
    pub(crate) async fn savepoint(&mut self) -> Result<Savepoint> {
        self.write_entries().await?;
        self.execute("SAVEPOINT operation").await?;
        Ok(Savepoint { head: self.head.clone() })
    }

    /// Keeps what was done since.
    pub(crate) async fn keep(&mut self) -> Result<()> {
        self.execute("RELEASE SAVEPOINT operation").await
    }

    /// Undoes what was done since.
    pub(crate) async fn undo(&mut self, savepoint: Savepoint) -> Result<()> {
        self.head = savepoint.head;
        self.entries.clear();
        self.execute("ROLLBACK TO SAVEPOINT operation").await?;
        self.execute("RELEASE SAVEPOINT operation").await
    }

    async fn execute(&mut self, statement: &'static str) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(statement).execute(connection).await?;
        });
        Ok(())
    }

    pub(crate) async fn write_entries(&mut self) -> Result<()> {
        if !self.entries.is_empty() {
            insert(&mut self.engine, &self.entries).await?;
            self.entries.clear();
        }
        Ok(())
    }

    /// Appends to the feed.
    pub(crate) async fn feed(&mut self, change: Change) -> Result<Event> {
        let event = Event { seq: self.feed_seq() + 1, at: self.now, change };
        self.refeed(&event).await?;
        self.log_event(&event).await?;
        Ok(event)
    }

    /// Appends many changes to the feed, a set at a time.
    pub(crate) async fn feed_all(&mut self, changes: Vec<Change>) -> Result<()> {
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            let (at, mut seq) = (self.now, self.feed_seq());
            let number = |change| {
                seq += 1;
                Event { seq, at, change }
            };
            let events: Vec<_> = changes.by_ref().take(MOST).map(number).collect();
            let rows: Result<Vec<_>> = events.iter().map(feed_row).collect();
            let (rows, batch) = (rows?, EVENTS.of(events.len()));
            on_transaction!(self.engine, connection => {
                let query = sqlx::query(batch.text(&*connection));
                let query = bind_rows!(query, rows, batch.size, row => [row.0, row.1, row.2.as_str()]);
                query.execute(connection).await?;
            });
            for event in &events {
                self.head.feed_seq = event.seq.cast_signed();
                self.log_event(event).await?;
            }
        }
        Ok(())
    }

    /// Appends to the feed what has a number and a time already.
    pub(crate) async fn refeed(&mut self, event: &Event) -> Result<()> {
        let (seq, at, text) = feed_row(event)?;
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO feed (seq, at, change) VALUES ($1, $2, $3)")
                .bind(seq)
                .bind(at)
                .bind(text)
                .execute(connection)
                .await?;
        });
        self.head.feed_seq = seq;
        Ok(())
    }
}

/// Number, time and change, as a row has them.
fn feed_row(event: &Event) -> Result<(i64, i64, String)> {
    let change =
        serde_json::to_string(&event.change).map_err(|_| LedgerError::Unreadable("a feed change"))?;
    Ok((event.seq.cast_signed(), event.at.millis(), change))
}

static EVENTS: BatchStatement = BatchStatement::new(
    "WITH new (seq, at, change) AS (VALUES ",
    3,
    ") INSERT INTO feed (seq, at, change) SELECT seq, at, change FROM new WHERE seq IS NOT NULL",
);

impl LedgerShared {
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
