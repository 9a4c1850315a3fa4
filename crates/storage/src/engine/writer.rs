//! The one connection through which this process writes to SQLite.
//!
//! The driver runs SQLite on a thread of its own, and every statement is a trip there and back that costs more than most
//! statements do. So a transaction begins, and ends, in one trip each, and there is no pool that asks a connection in
//! the same process whether it is still alive.

use crate::LedgerError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Error};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

/// Cloning shares the connection. Those who want to write queue up in order.
#[derive(Clone)]
pub(crate) struct WriterConnection {
    options: Arc<SqliteConnectOptions>,
    home: Arc<Mutex<WriterSlot>>,
    /// How long a writer waits for its turn.
    patience: Duration,
}

#[derive(Default)]
struct WriterSlot {
    /// None after it failed in a way that leaves doubt: the next writer opens another.
    connection: Option<SqliteConnection>,
    closed: bool,
}

/// The connection in the hands of one transaction. Dropping it without [`WriteGuard::end`] undoes everything.
pub(crate) struct WriteGuard {
    held: Option<Held>,
}

struct Held {
    connection: SqliteConnection,
    home: OwnedMutexGuard<WriterSlot>,
}

impl WriterConnection {
    pub(crate) async fn open(options: SqliteConnectOptions, patience: Duration) -> Result<Self, Error> {
        let connection = Some(options.connect().await?);
        Ok(Self {
            options: Arc::new(options),
            home: Arc::new(Mutex::new(WriterSlot { connection, closed: false })),
            patience,
        })
    }

    /// Waits for its turn and takes the connection, for a transaction that the caller begins with its first statement:
    /// whatever becomes of that statement, dropping what this gives undoes it.
    ///
    /// # Errors
    /// [`LedgerError::OutOfReach`] when those before do not come to an end.
    pub(crate) async fn take(&self) -> Result<WriteGuard, LedgerError> {
        let turn = timeout(self.patience, self.home.clone().lock_owned()).await;
        let mut home = turn.map_err(|_| LedgerError::OutOfReach)?;
        if home.closed {
            return Err(Error::PoolClosed.into());
        }
        let connection = match home.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(WriteGuard { held: Some(Held { connection, home }) })
    }

    /// Waits until those in the queue have written.
    pub(crate) async fn close(&self) {
        let mut home = self.home.lock().await;
        home.closed = true;
        if let Some(connection) = home.connection.take() {
            // It has nothing open, so an error loses nothing.
            let _ = connection.close().await;
        }
    }
}

impl WriteGuard {
    /// Gives the connection back after the transaction has ended by a statement.
    pub(crate) fn end(mut self) {
        if let Some(held) = self.held.take() {
            held.give_back();
        }
    }
}

impl Held {
    fn give_back(self) {
        let Self { connection, mut home } = self;
        home.connection = Some(connection);
    }

    /// SQLite ends a transaction by itself when the disk is full, and then there is nothing to roll back: the connection
    /// is not worth finding out.
    async fn undo(mut self) {
        if sqlx::query("ROLLBACK").execute(&mut self.connection).await.is_ok() {
            self.give_back();
        }
    }
}

impl Drop for WriteGuard {
    /// Those who wait get their turn after the rollback. Without a runtime the connection closes, which rolls back too.
    fn drop(&mut self) {
        if let (Some(held), Ok(runtime)) = (self.held.take(), Handle::try_current()) {
            runtime.spawn(held.undo());
        }
    }
}

impl Deref for WriteGuard {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.held.as_ref().expect(HELD).connection
    }
}

impl DerefMut for WriteGuard {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.held.as_mut().expect(HELD).connection
    }
}

const HELD: &str = "the connection is held until the transaction ends";
