//! Group commit: while one commit is on its way to the disk, whatever else arrives waits and then goes
//! together. Nobody waits for a timer; under load one fsync serves everybody who was waiting.

use crate::engine::{Engine, on_transaction};
use crate::token::IssuedToken;
use crate::transaction::{Shared, Transaction};
use crate::{Ledger, LedgerError, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tegata_core::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Operations in one transaction at most.
const GROUP: usize = 256;

/// Operations that may wait; further callers wait at the door.
const QUEUE: usize = 4096;

/// Something to do within a write transaction that others share. It succeeds or fails alone: each runs within
/// its own savepoint.
pub trait Operation: Send + 'static {
    /// What it gives.
    type Output: Send + 'static;

    /// When its caller acts: audit entries and rows carry this time.
    fn now(&self) -> Timestamp;

    /// Does it.
    fn apply(self, transaction: &mut Transaction) -> impl Future<Output = Result<Self::Output>> + Send;
}

pub(crate) type Sender = mpsc::Sender<Waiting>;

pub(crate) enum Waiting {
    Operation(Box<dyn Erased>),
    /// Tokens of one group share one audit entry.
    Token(IssuedToken, oneshot::Sender<Result<()>>),
}

/// An [`Operation`] whose output type is hidden in its channel.
pub(crate) trait Erased: Send {
    fn now(&self) -> Timestamp;
    fn apply(self: Box<Self>, transaction: &mut Transaction) -> BoxFuture<'_, Outcome>;
    fn refuse(self: Box<Self>, error: LedgerError);
}

/// Whether to keep the operation's writes, and how to tell its caller once the group has committed.
pub(crate) struct Outcome {
    keep: bool,
    tell: Box<dyn FnOnce(Result<()>) + Send>,
}

struct Pending<O: Operation> {
    operation: O,
    answer: oneshot::Sender<Result<O::Output>>,
}

impl<O: Operation> Erased for Pending<O> {
    fn now(&self) -> Timestamp {
        self.operation.now()
    }

    fn apply(self: Box<Self>, transaction: &mut Transaction) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let Self { operation, answer } = *self;
            let result = operation.apply(transaction).await;
            let keep = result.is_ok();
            let tell = Box::new(move |committed: Result<()>| {
                // A caller that has gone away needs no answer.
                let _ = answer.send(result.and_then(|output| committed.map(|()| output)));
            });
            Outcome { keep, tell }
        })
    }

    fn refuse(self: Box<Self>, error: LedgerError) {
        let _ = self.answer.send(Err(error));
    }
}

impl Ledger {
    /// Hands an operation to the group and waits until it is durable.
    pub async fn group<O: Operation>(&self, operation: O) -> Result<O::Output> {
        let (answer, receive) = oneshot::channel();
        let pending: Box<dyn Erased> = Box::new(Pending { operation, answer });
        self.group.send(Waiting::Operation(pending)).await.map_err(|_| LedgerError::Closing)?;
        receive.await.map_err(|_| LedgerError::Closing)?
    }

    /// Records an issued token and waits until the record is durable.
    pub async fn record_token(&self, token: IssuedToken) -> Result<()> {
        let (answer, receive) = oneshot::channel();
        self.group.send(Waiting::Token(token, answer)).await.map_err(|_| LedgerError::Closing)?;
        receive.await.map_err(|_| LedgerError::Closing)?
    }
}

pub(crate) fn start(engine: Engine, shared: Arc<Shared>) -> Sender {
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut group = Vec::with_capacity(GROUP);
        while receiver.recv_many(&mut group, GROUP).await > 0 {
            let (operations, begun) = (group.len(), Instant::now());
            commit(&engine, &shared, std::mem::take(&mut group)).await;
            shared.commits.note(operations, begun.elapsed());
        }
    });
    sender
}

async fn commit(engine: &Engine, shared: &Arc<Shared>, group: Vec<Waiting>) {
    let latest = group.iter().map(Waiting::now).max().unwrap_or_default();
    let mut transaction = match Transaction::begin(engine, shared, latest).await {
        Ok(transaction) => transaction,
        Err(error) => return refuse_all(group, &error),
    };
    let mut tells: Vec<Box<dyn FnOnce(Result<()>) + Send>> = Vec::with_capacity(group.len());
    let mut tokens = Vec::new();
    let mut fault = None;
    for waiting in group {
        match waiting {
            Waiting::Token(token, answer) => {
                tokens.push(token);
                tells.push(Box::new(move |committed| drop(answer.send(committed))));
            }
            Waiting::Operation(operation) => match within_savepoint(&mut transaction, operation).await {
                Ok(tell) => tells.push(tell),
                Err((error, tell)) => {
                    tells.push(tell);
                    fault = Some(error);
                }
            },
        }
        if fault.is_some() {
            break;
        }
    }
    let committed = match fault {
        Some(error) => Err(error),
        None => finish(transaction, latest, &tokens).await,
    };
    for tell in tells {
        tell(committed.as_ref().map_err(again).copied());
    }
}

async fn finish(mut transaction: Transaction, now: Timestamp, tokens: &[IssuedToken]) -> Result<()> {
    transaction.now = now;
    transaction.record_tokens(tokens).await?;
    transaction.commit().await
}

type Tell = Box<dyn FnOnce(Result<()>) + Send>;

/// Runs one operation so that its failure undoes its own writes only. An error means that the engine itself no longer
/// answers, and then nobody in the group has anything.
async fn within_savepoint(
    transaction: &mut Transaction,
    operation: Box<dyn Erased>,
) -> std::result::Result<Tell, (LedgerError, Tell)> {
    let head = transaction.head.clone();
    transaction.now = operation.now();
    if let Err(error) = execute(transaction, "SAVEPOINT operation").await {
        let refused = again(&error);
        return Err((error, Box::new(move |_| operation.refuse(refused))));
    }
    // A panic must not take the writer with it; how far the operation came is unknown, so the group is given up.
    let Ok(Outcome { keep, tell }) = AssertUnwindSafe(operation.apply(transaction)).catch_unwind().await
    else {
        return Err((LedgerError::Guard("an operation panicked"), Box::new(drop)));
    };
    let end = if keep {
        execute(transaction, "RELEASE SAVEPOINT operation").await
    } else {
        transaction.head = head;
        undo(transaction).await
    };
    match end {
        Ok(()) => Ok(tell),
        Err(error) => Err((error, tell)),
    }
}

async fn undo(transaction: &mut Transaction) -> Result<()> {
    execute(transaction, "ROLLBACK TO SAVEPOINT operation").await?;
    execute(transaction, "RELEASE SAVEPOINT operation").await
}

async fn execute(transaction: &mut Transaction, statement: &'static str) -> Result<()> {
    on_transaction!(transaction.engine, connection => {
        sqlx::query(statement).execute(connection).await?;
    });
    Ok(())
}

fn refuse_all(group: Vec<Waiting>, error: &LedgerError) {
    for waiting in group {
        match waiting {
            Waiting::Token(_, answer) => drop(answer.send(Err(again(error)))),
            Waiting::Operation(operation) => operation.refuse(again(error)),
        }
    }
}

/// One failed commit is many callers' failure.
fn again(error: &LedgerError) -> LedgerError {
    tracing::error!(%error, "a group of writes was not committed");
    LedgerError::Closing
}

impl Waiting {
    fn now(&self) -> Timestamp {
        match self {
            Self::Operation(operation) => operation.now(),
            Self::Token(token, _) => token.at,
        }
    }
}
