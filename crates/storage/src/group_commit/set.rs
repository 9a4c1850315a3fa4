//! Executes queued operations of one kind by one set of statements.

use super::Operation;
use crate::transaction::Transaction;
use crate::{LedgerError, Result};
use futures_util::future::BoxFuture;
use std::any::{Any, TypeId};
use tegata_core::Timestamp;
use tokio::sync::oneshot;

/// Operations with those who wait for them.
pub(super) struct OperationSet<O: Operation> {
    operations: Vec<O>,
    answers: Vec<oneshot::Sender<Result<O::Output>>>,
    /// Of the operations from the first on; those of a failed attempt are replaced.
    outcomes: Vec<Result<O::Output>>,
}

/// A [`OperationSet`] whose kind is hidden.
pub(crate) trait AnyOperationSet: Send {
    fn kind(&self) -> TypeId;

    /// The latest time of its operations.
    fn now(&self) -> Timestamp;

    /// Takes in another set of the same kind.
    fn absorb(&mut self, other: Box<dyn Any>);

    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    /// Applies all at once. An error says that some cannot be applied, and leaves the transaction to be dropped.
    fn apply_all<'a>(&'a mut self, transaction: &'a mut Transaction) -> BoxFuture<'a, Result<()>>;

    /// Applies those that can be applied. An error means that the engine no longer answers.
    fn apply_each<'a>(&'a mut self, transaction: &'a mut Transaction) -> BoxFuture<'a, Result<()>>;

    /// Tells everybody how it went.
    fn tell(self: Box<Self>, failed: Option<&LedgerError>);
}

impl<O: Operation> OperationSet<O> {
    pub(super) fn new(operation: O, answer: oneshot::Sender<Result<O::Output>>) -> Self {
        Self { operations: vec![operation], answers: vec![answer], outcomes: Vec::new() }
    }
}

impl<O: Operation> AnyOperationSet for OperationSet<O> {
    fn kind(&self) -> TypeId {
        TypeId::of::<O>()
    }

    fn now(&self) -> Timestamp {
        self.operations.iter().map(Operation::now).max().unwrap_or_default()
    }

    fn absorb(&mut self, other: Box<dyn Any>) {
        if let Ok(other) = other.downcast::<Self>() {
            self.operations.extend(other.operations);
            self.answers.extend(other.answers);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn apply_all<'a>(&'a mut self, transaction: &'a mut Transaction) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let outputs = apply(&self.operations, transaction).await?;
            self.outcomes = outputs.into_iter().map(Ok).collect();
            Ok(())
        })
    }

    fn apply_each<'a>(&'a mut self, transaction: &'a mut Transaction) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.outcomes.clear();
            // The last range is next; together they are what is left, backwards.
            let mut left = Vec::new();
            left.push(0..self.operations.len());
            while let Some(range) = left.pop() {
                let savepoint = transaction.savepoint().await?;
                match apply(&self.operations[range.clone()], transaction).await {
                    Ok(outputs) => {
                        transaction.keep().await?;
                        self.outcomes.extend(outputs.into_iter().map(Ok));
                    }
                    Err(error) => {
                        transaction.undo(savepoint).await?;
                        if range.len() == 1 {
                            self.outcomes.push(Err(error));
                        } else {
                            let middle = range.start + range.len() / 2;
                            left.extend([middle..range.end, range.start..middle]);
                        }
                    }
                }
            }
            Ok(())
        })
    }

    fn tell(self: Box<Self>, failed: Option<&LedgerError>) {
        let mut outcomes = self.outcomes.into_iter();
        for answer in self.answers {
            let outcome = match (outcomes.next(), failed) {
                (Some(outcome), None) => outcome,
                (Some(Err(refused)), Some(_)) => Err(refused),
                (_, Some(failed)) => Err(failed.for_another()),
                (None, None) => Err(LedgerError::Closing),
            };
            // A caller that has gone away needs no answer.
            let _ = answer.send(outcome);
        }
    }
}

async fn apply<O: Operation>(operations: &[O], transaction: &mut Transaction) -> Result<Vec<O::Output>> {
    match operations {
        [only] => {
            transaction.now = only.now();
            Ok(vec![only.apply(transaction).await?])
        }
        many => O::apply_all(&many.iter().collect::<Vec<_>>(), transaction).await,
    }
}
