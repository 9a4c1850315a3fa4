//! Lookups by a hash that wait together go in one statement: while one is on its way, further ones wait. Nobody
//! waits for a timer.

use crate::engine::{Engine, on_read};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{LedgerError, Result};
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use std::collections::HashMap;
use std::marker::PhantomData;
use tokio::sync::{mpsc, oneshot};

/// Lookups that the queue holds; further callers wait until there is a place in it.
const QUEUE: usize = 4096;

/// What the ledger knows by the hash of a secret that somebody shows.
pub(crate) trait FoundByHash: Clone + Send + 'static {
    /// Its row, the hash included.
    type Row: TryInto<Self, Error = LedgerError>
        + for<'row> FromRow<'row, SqliteRow>
        + for<'row> FromRow<'row, PgRow>
        + Send
        + Unpin;

    /// Reads the rows of a table of hashes. NULL among them finds nothing.
    fn statement() -> &'static BatchStatement;

    /// Takes the hash out of a row.
    fn take_hash(row: &mut Self::Row) -> Vec<u8>;
}

/// Sends lookups to the worker.
#[derive(Clone)]
pub(crate) struct LookupQueue<F>(mpsc::Sender<LookupRequest<F>>);

/// A lookup of what has this hash.
struct LookupRequest<F> {
    hash: Vec<u8>,
    answer: oneshot::Sender<Result<Option<F>>>,
}

/// Answers the queue, many lookups by one statement.
struct LookupWorker<F> {
    engine: Engine,
    found: PhantomData<fn() -> F>,
}

impl<F: FoundByHash> LookupQueue<F> {
    pub(crate) fn start(engine: Engine) -> Self {
        let (sender, mut receiver) = mpsc::channel(QUEUE);
        let worker = LookupWorker { engine, found: PhantomData };
        tokio::spawn(async move {
            let mut asked = Vec::with_capacity(MOST);
            while receiver.recv_many(&mut asked, MOST).await > 0 {
                worker.answer(&mut asked).await;
            }
        });
        Self(sender)
    }

    /// What has this hash.
    pub(crate) async fn find(&self, hash: Vec<u8>) -> Result<Option<F>> {
        let (answer, receive) = oneshot::channel();
        self.0.send(LookupRequest { hash, answer }).await.map_err(|_| LedgerError::Closing)?;
        receive.await.map_err(|_| LedgerError::Closing)?
    }
}

impl<F: FoundByHash> LookupWorker<F> {
    /// Answers everybody. When all together cannot be answered, each asks alone and hears the reason.
    async fn answer(&self, asked: &mut Vec<LookupRequest<F>>) {
        let hashes: Vec<&[u8]> = asked.iter().map(|one| one.hash.as_slice()).collect();
        let found = self.by_hashes(&hashes).await;
        for LookupRequest { hash, answer } in asked.drain(..) {
            let one = match &found {
                Ok(found) => Ok(found.get(&hash).cloned()),
                Err(_) => self.by_hashes(&[&hash]).await.map(|found| found.into_values().next()),
            };
            // A caller that has gone away needs no answer.
            let _ = answer.send(one);
        }
    }

    async fn by_hashes(&self, hashes: &[&[u8]]) -> Result<HashMap<Vec<u8>, F>> {
        let batch = F::statement().of(hashes.len());
        let rows: Vec<F::Row> = on_read!(self, connection => {
            bind_rows!(sqlx::query_as(batch.text(&*connection)), hashes, batch.size, hash => [*hash])
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(|mut row| Ok((F::take_hash(&mut row), row.try_into()?))).collect()
    }
}
