//! Group commit: while one commit is on its way to the disk, whatever else arrives waits and then goes
//! together. Under load one fsync serves everybody who was waiting, and there is at most one in [`PACE`]: those who come while
//! handshakes keep the processors busy are few at a time, and a commit costs the same for one as for many. Who is alone waits for
//! no timer.
//!
//! Operations of a kind are applied as a set, in a few statements for all of them. That is done in the hope that none is
//! refused. When one is, everything is undone and done again in halves, until who is refused stands alone: refusals and
//! outcomes are those of operations applied one after the other.

mod set;

use crate::engine::Engine;
use crate::transaction::{LedgerShared, Transaction};
use crate::{LedgerError, Result};
use futures_util::FutureExt;
use set::{AnyOperationSet, OperationSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

/// Operations in one transaction at most.
const GROUP: usize = 256;

/// Operations that the queue holds; further callers wait until there is a place in it.
const QUEUE: usize = 4096;

/// From the beginning of one commit that several shared to the beginning of the next, at least.
const PACE: Duration = Duration::from_millis(2);

/// Something to do within a write transaction that others share. It succeeds or fails alone.
pub trait Operation: Sized + Send + Sync + 'static {
    /// The result that the caller gets once it is durable.
    type Output: Send + 'static;

    /// When its caller acts: audit entries and rows carry this time.
    fn now(&self) -> Timestamp;

    /// Does it. What it does may be undone, and done once more.
    fn apply(&self, transaction: &mut Transaction) -> impl Future<Output = Result<Self::Output>> + Send;

    /// Does all of them, as if one after the other. An error undoes all, and says only that not all of them can
    /// be done together; what it is does not matter.
    fn apply_all(
        set: &[&Self],
        transaction: &mut Transaction,
    ) -> impl Future<Output = Result<Vec<Self::Output>>> + Send {
        one_by_one(set, transaction)
    }
}

/// One of the operations would be refused. None learns the reason here: each is then tried alone.
pub(crate) const NOT_ALL: LedgerError = LedgerError::Guard("not all of them can be written together");

/// Whether a statement for some operations has changed a row for each of them.
pub(crate) fn all<T>(some: &[T], changed: u64) -> Result<()> {
    if usize::try_from(changed) == Ok(some.len()) { Ok(()) } else { Err(NOT_ALL) }
}

pub(crate) type GroupSender = mpsc::Sender<Box<dyn AnyOperationSet>>;

/// Queues an operation and waits until it is durable.
pub(crate) async fn hand_over<O: Operation>(queue: &GroupSender, operation: O) -> Result<O::Output> {
    let (answer, receive) = oneshot::channel();
    let alone: Box<dyn AnyOperationSet> = Box::new(OperationSet::new(operation, answer));
    queue.send(alone).await.map_err(|_| LedgerError::Closing)?;
    receive.await.map_err(|_| LedgerError::Closing)?
}

pub(crate) fn start(engine: Engine, shared: Arc<LedgerShared>) -> GroupSender {
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut group = Vec::with_capacity(GROUP);
        let mut next = None;
        while receiver.recv_many(&mut group, GROUP).await > 0 {
            if let Some(next) = next {
                sleep_until(next).await;
                while group.len() < GROUP
                    && let Ok(another) = receiver.try_recv()
                {
                    group.push(another);
                }
            }
            let (operations, begun) = (group.len(), Instant::now());
            let mut sets = by_kind(group.drain(..));
            // A panic must not take the writer with it; how far the group came is unknown, so it is given up.
            let committed = AssertUnwindSafe(commit(&engine, &shared, &mut sets)).catch_unwind().await;
            let committed = committed.unwrap_or(Err(LedgerError::Closing));
            if let Err(error) = &committed {
                tracing::error!(%error, "a group of writes was not committed");
            }
            shared.commits.note(operations, begun.elapsed());
            next = (operations > 1).then(|| begun + PACE);
            for set in sets {
                set.tell(committed.as_ref().err());
            }
            // Under load those who were answered, and requests that have arrived, are served first: they fill the next group.
            tokio::task::yield_now().await;
        }
    });
    sender
}

/// Applies one operation after the other.
pub(crate) async fn one_by_one<O: Operation>(
    set: &[&O],
    transaction: &mut Transaction,
) -> Result<Vec<O::Output>> {
    let mut outputs = Vec::with_capacity(set.len());
    for operation in set {
        transaction.now = operation.now();
        outputs.push(operation.apply(transaction).await?);
    }
    Ok(outputs)
}

fn by_kind(group: impl Iterator<Item = Box<dyn AnyOperationSet>>) -> Vec<Box<dyn AnyOperationSet>> {
    let mut sets: Vec<Box<dyn AnyOperationSet>> = Vec::new();
    for alone in group {
        match sets.iter_mut().find(|set| set.kind() == alone.kind()) {
            Some(set) => set.absorb(alone.into_any()),
            None => sets.push(alone),
        }
    }
    sets
}

/// An error means that the engine no longer answers, and then nobody in the group has anything.
async fn commit(
    engine: &Engine,
    shared: &Arc<LedgerShared>,
    sets: &mut [Box<dyn AnyOperationSet>],
) -> Result<()> {
    let now = sets.iter().map(|set| set.now()).max().unwrap_or_default();
    let mut transaction = Transaction::begin(engine, shared, now).await?;
    if let Err(error) = in_hope(&mut transaction, sets).await {
        tracing::debug!(%error, "not all operations of a group can be done together");
        drop(transaction);
        transaction = Transaction::begin(engine, shared, now).await?;
        for set in sets {
            set.apply_each(&mut transaction).await?;
        }
    }
    transaction.commit().await
}

/// Without savepoints: the whole transaction is one.
async fn in_hope(transaction: &mut Transaction, sets: &mut [Box<dyn AnyOperationSet>]) -> Result<()> {
    for set in sets {
        set.apply_all(transaction).await?;
    }
    Ok(())
}
