//! Lookups by code that wait together go in one statement: while one is on its way, further ones wait. Nobody
//! waits for a timer.

use super::row::{Invitation, InvitationRow, select};
use crate::engine::{Engine, on_read};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{LedgerError, Result};
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};

/// Lookups that the queue holds; further callers wait until there is a place in it.
const QUEUE: usize = 4096;

/// Rows of NULL among the hashes find nobody.
static BY_CODES: BatchStatement = BatchStatement::new(
    "WITH asked (hash) AS (VALUES ",
    1,
    concat!(") ", select!("JOIN asked a ON a.hash = i.code_hash")),
);

/// Sends lookups to the worker.
#[derive(Clone)]
pub(crate) struct LookupQueue(mpsc::Sender<LookupRequest>);

/// A lookup of the invitation whose code has this hash.
struct LookupRequest {
    hash: Vec<u8>,
    answer: oneshot::Sender<Result<Option<Invitation>>>,
}

/// Answers the queue, many lookups by one statement.
struct LookupWorker {
    engine: Engine,
}

impl LookupQueue {
    pub(crate) fn start(engine: Engine) -> Self {
        let (sender, mut receiver) = mpsc::channel(QUEUE);
        let worker = LookupWorker { engine };
        tokio::spawn(async move {
            let mut asked = Vec::with_capacity(MOST);
            while receiver.recv_many(&mut asked, MOST).await > 0 {
                worker.answer(&mut asked).await;
            }
        });
        Self(sender)
    }

    /// The invitation with a code of this hash.
    pub(crate) async fn invitation(&self, hash: Vec<u8>) -> Result<Option<Invitation>> {
        let (answer, receive) = oneshot::channel();
        self.0.send(LookupRequest { hash, answer }).await.map_err(|_| LedgerError::Closing)?;
        receive.await.map_err(|_| LedgerError::Closing)?
    }
}

impl LookupWorker {
    /// Answers everybody. When all together cannot be answered, each asks alone and hears the reason.
    async fn answer(&self, asked: &mut Vec<LookupRequest>) {
        let found = self.by_codes(asked).await;
        for LookupRequest { hash, answer } in asked.drain(..) {
            let invitation = match &found {
                Ok(found) => Ok(found.get(&hash).cloned()),
                Err(_) => self.by_code(&hash).await,
            };
            // A caller that has gone away needs no answer.
            let _ = answer.send(invitation);
        }
    }

    async fn by_codes(&self, asked: &[LookupRequest]) -> Result<HashMap<Vec<u8>, Invitation>> {
        let batch = BY_CODES.of(asked.len());
        let rows: Vec<InvitationRow> = on_read!(self, connection => {
            bind_rows!(sqlx::query_as(batch.text(&*connection)), asked, batch.size, one => [one.hash.as_slice()])
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(|mut row| Ok((std::mem::take(&mut row.code_hash), row.try_into()?))).collect()
    }

    async fn by_code(&self, hash: &[u8]) -> Result<Option<Invitation>> {
        let row: Option<InvitationRow> = on_read!(self, connection => {
            sqlx::query_as(select!("WHERE i.code_hash = $1")).bind(hash).fetch_optional(connection).await?
        });
        row.map(TryInto::try_into).transpose()
    }
}
