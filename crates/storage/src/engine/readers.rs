//! The connections through which this process reads SQLite.
//!
//! As with the writer, there is no pool that asks a connection in the same process whether it is still alive: a look-up is
//! one trip to the driver's thread, not two.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Error};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Cloning shares the connections. Those who want to read queue up in order.
#[derive(Clone)]
pub(crate) struct ReaderPool {
    options: Arc<SqliteConnectOptions>,
    room: Arc<Semaphore>,
    home: Arc<Mutex<Vec<SqliteConnection>>>,
    most: u32,
}

/// A connection in the hands of one reader. One that is dropped without [`ReadConnection::end`], after an error or in the
/// middle of a query, is not used again.
pub(crate) struct ReadConnection {
    connection: SqliteConnection,
    home: Arc<Mutex<Vec<SqliteConnection>>>,
    _permit: OwnedSemaphorePermit,
}

impl ReaderPool {
    /// At most `most` connections, opened when they are first wanted; one is opened now, to see that it can be.
    pub(crate) async fn open(options: SqliteConnectOptions, most: u32) -> Result<Self, Error> {
        let first = options.connect().await?;
        Ok(Self {
            options: Arc::new(options),
            room: Arc::new(Semaphore::new(most as usize)),
            home: Arc::new(Mutex::new(vec![first])),
            most,
        })
    }

    /// Waits for its turn and takes a connection.
    pub(crate) async fn take(&self) -> Result<ReadConnection, Error> {
        let permit = self.room.clone().acquire_owned().await.map_err(|_| Error::PoolClosed)?;
        let waiting = lock(&self.home).pop();
        let connection = match waiting {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(ReadConnection { connection, home: self.home.clone(), _permit: permit })
    }

    /// Waits until all readers have come home.
    pub(crate) async fn close(&self) {
        let everybody = self.room.acquire_many(self.most).await;
        self.room.close();
        drop(everybody);
        let connections = std::mem::take(&mut *lock(&self.home));
        for connection in connections {
            // It has nothing open, so an error loses nothing.
            let _ = connection.close().await;
        }
    }
}

impl ReadConnection {
    /// Gives the connection back after all was read.
    pub(crate) fn end(self) {
        lock(&self.home).push(self.connection);
    }
}

impl Deref for ReadConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// A poisoned lock means a panic between two whole steps: the connections behind it are still whole.
fn lock(home: &Mutex<Vec<SqliteConnection>>) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
    home.lock().unwrap_or_else(PoisonError::into_inner)
}
