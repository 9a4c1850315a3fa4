//! The two engines, and the one place that knows there are two.

mod patience;
mod postgres;
mod private;
mod readers;
mod writer;

pub use patience::Patience;
pub use postgres::{Replication, RowSecurity};

use crate::head::{LedgerHead, TransactionEnd};
use crate::{LedgerError, LedgerPlace};
use postgres::{Postgres, TakenConnection};
use readers::ReaderPool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Sqlite};
use std::str::FromStr;
use writer::{WriteGuard, WriterConnection};

/// Readers at one time.
const READERS: u32 = 4;

macro_rules! head {
    ($($more:literal)?) => {
        concat!(
            "SELECT audit_seq, audit_hash, feed_seq, revocation_log, log_hash, other_logs, owed_lines, status_next",
            $($more,)?
            " FROM head WHERE id = 1"
        )
    };
}

macro_rules! replicated_head {
    () => {
        head!(
            ", current_setting('synchronous_commit') AS synchronous_commit, \
             current_setting('synchronous_standby_names') AS synchronous_standby_names"
        )
    };
}

/// Reads the row that every writer takes first.
pub(crate) const HEAD: &str = head!();

/// Takes the right to write at once, and reads the head: in one trip.
const SQLITE_BEGIN: &str = concat!("BEGIN IMMEDIATE; ", head!());

/// The lock on the head is the right to write. Whoever has it and falls silent loses it after some seconds.
const POSTGRES_BEGIN: &str = concat!(
    "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 10000; ",
    replicated_head!(),
    " FOR UPDATE"
);

/// Plants the head of a new ledger.
const PLANT: &str =
    "INSERT INTO head (id, audit_seq, audit_hash, feed_seq) VALUES (1, 0, $1, 0) ON CONFLICT (id) DO NOTHING";

/// PostgreSQL's words for what every reading transaction of SQLite is.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

#[derive(Clone)]
pub(crate) enum Engine {
    /// Writes go through one connection, so that writers of this process queue up in order instead of
    /// colliding at the file lock.
    Sqlite {
        write: WriterConnection,
        read: ReaderPool,
        /// For readers that keep one snapshot of the ledger open for long.
        views: SqlitePool,
    },
    Postgres(Postgres),
}

pub(crate) enum EngineTransaction {
    Sqlite(WriteGuard),
    /// A view of the ledger that writes nothing.
    SqliteSnapshot(sqlx::Transaction<'static, Sqlite>),
    Postgres(TakenConnection),
}

/// Expands `body` once for each engine, with `$connection` as that engine's connection: one SQL text, and
/// the driver chosen by type.
macro_rules! on_transaction {
    ($transaction:expr, $connection:ident => $body:expr) => {
        match &mut $transaction {
            $crate::engine::EngineTransaction::Sqlite(inner) => {
                let $connection = &mut **inner;
                $body
            }
            $crate::engine::EngineTransaction::SqliteSnapshot(inner) => {
                let $connection = &mut **inner;
                $body
            }
            $crate::engine::EngineTransaction::Postgres(inner) => {
                let database = inner.of();
                let work = async {
                    let $connection = &mut **inner;
                    Ok::<_, $crate::LedgerError>($body)
                };
                database.within(work).await?
            }
        }
    };
}
pub(crate) use on_transaction;

/// Runs a statement on a connection for reading, with the same text on both engines, outside of any transaction.
macro_rules! on_read {
    ($ledger:expr, $connection:ident => $body:expr) => {
        match &$ledger.engine {
            $crate::engine::Engine::Sqlite { read, .. } => {
                let mut acquired = read.take().await?;
                let output = {
                    let $connection = &mut *acquired;
                    $body
                };
                acquired.end();
                output
            }
            $crate::engine::Engine::Postgres(database) => {
                let mut acquired = database.take().await?;
                let work = async {
                    let $connection = &mut *acquired;
                    Ok::<_, $crate::LedgerError>($body)
                };
                let output = database.within(work).await?;
                acquired.end();
                output
            }
        }
    };
}
pub(crate) use on_read;

impl Engine {
    pub(crate) async fn open(
        LedgerPlace { url, synchronous_standbys }: LedgerPlace<'_>,
        patience: Patience,
    ) -> Result<Self, LedgerError> {
        if url.starts_with("sqlite:") {
            if synchronous_standbys > 0 {
                return Err(LedgerError::BadUrl(
                    "SQLite has no stand-bys: require_synchronous_standbys is for PostgreSQL",
                ));
            }
            Self::open_sqlite(url, patience).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Ok(Self::Postgres(Postgres::open(url, synchronous_standbys, patience).await?))
        } else {
            Err(LedgerError::Url)
        }
    }

    /// WAL with synchronous FULL: with NORMAL a power cut loses acknowledged writes.
    async fn open_sqlite(url: &str, patience: Patience) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::from_str(url)?;
        private::keep(options.get_filename());
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(patience.lock())
            // A statement that changes many rows keeps what it may have to undo in memory, not in a file.
            .pragma("temp_store", "memory")
            // What every commit touches of the indexes stays in memory (KiB) …
            .pragma("cache_size", "-8192")
            // … and is copied from the log to its place after this many pages (64 MB of log), not sixteen times as often.
            .pragma("wal_autocheckpoint", "16000");
        let write = WriterConnection::open(options.clone(), patience.turn()).await?;
        let options = options.read_only(true);
        let read = ReaderPool::open(options.clone(), READERS).await?;
        let views = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options);
        Ok(Self::Sqlite { write, read, views })
    }

    pub(crate) async fn migrate(&self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite { write, .. } => {
                let migrator = beside_later_ones(sqlx::migrate!());
                let mut connection = write.take().await?;
                migrator.run(&mut *connection).await.map_err(LedgerError::Migration)?;
                sqlx::query(PLANT).bind(vec![0u8; 32]).execute(&mut *connection).await?;
                connection.end();
            }
            Self::Postgres(database) => {
                let mut connection = database.patient().await?;
                let migrator = beside_later_ones(postgres::migrator());
                migrator.run(&mut connection).await.map_err(LedgerError::Migration)?;
                sqlx::query(PLANT).bind(vec![0u8; 32]).execute(&mut connection).await?;
                connection.close().await?;
            }
        }
        Ok(())
    }

    /// Takes the right to write, and gives the head as the last writer left it.
    pub(crate) async fn begin(&self) -> Result<(EngineTransaction, LedgerHead), LedgerError> {
        Ok(match self {
            Self::Sqlite { write, .. } => {
                let mut connection = write.take().await?;
                let head = sqlx::query_as(SQLITE_BEGIN).fetch_one(&mut *connection).await?;
                (EngineTransaction::Sqlite(connection), head)
            }
            Self::Postgres(database) => {
                let mut taken = database.take().await?;
                let head = taken.begin(POSTGRES_BEGIN).await?;
                (EngineTransaction::Postgres(taken), head)
            }
        })
    }

    /// A transaction that only reads, and reads one and the same state from its first statement to its end.
    pub(crate) async fn snapshot(&self) -> Result<EngineTransaction, LedgerError> {
        Ok(match self {
            Self::Sqlite { views, .. } => EngineTransaction::SqliteSnapshot(views.begin().await?),
            Self::Postgres(database) => {
                let mut taken = database.take().await?;
                taken.begin_reading(SNAPSHOT).await?;
                EngineTransaction::Postgres(taken)
            }
        })
    }

    /// The clock of the machine that PostgreSQL runs on; SQLite runs on this one.
    pub(crate) async fn clock(&self) -> Result<Option<tegata_core::Timestamp>, LedgerError> {
        let Self::Postgres(database) = self else { return Ok(None) };
        let mut taken = database.take().await?;
        let ask = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        let asked = async { Ok(sqlx::query_as(ask).fetch_one(&mut *taken).await?) };
        let (millis,): (i64,) = database.within(asked).await?;
        taken.end();
        Ok(Some(millis.into()))
    }

    /// How commits are replicated; nothing with SQLite.
    pub(crate) async fn replication(&self) -> Result<Option<Replication>, LedgerError> {
        match self {
            Self::Sqlite { .. } => Ok(None),
            Self::Postgres(database) => database.replication().await.map(Some),
        }
    }

    /// How rows of tenants are kept apart; nothing with SQLite.
    pub(crate) async fn row_security(&self) -> Result<Option<RowSecurity>, LedgerError> {
        match self {
            Self::Sqlite { .. } => Ok(None),
            Self::Postgres(database) => database.row_security().await.map(Some),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { write, read, views } => {
                views.close().await;
                read.close().await;
                write.close().await;
            }
            Self::Postgres(database) => database.close().await,
        }
    }
}

/// The steps of the schema. Those of a later version that this one does not know are no fault: they only add, as long as this
/// version may run beside it.
fn beside_later_ones(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

impl EngineTransaction {
    /// Writes the last entries and the head, and makes everything durable.
    pub(crate) async fn commit(self, ending: TransactionEnd<'_>) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(mut connection) => {
                ending.in_one_trip(&mut connection).await.map_err(doubtful)?;
                connection.end();
            }
            Self::SqliteSnapshot(inner) => inner.rollback().await?,
            Self::Postgres(mut inner) => {
                let (database, mark) = (inner.of(), ending.mark());
                let written = database.within(ending.step_by_step(&mut inner)).await?;
                inner.commit(written, mark).await?;
            }
        }
        Ok(())
    }
}

/// SQLite has said that it did not commit. Where the medium itself failed while the commit was on its way there, what is on
/// it shows only when it is read again.
fn doubtful(error: LedgerError) -> LedgerError {
    /// `SQLITE_IOERR`, without what kind.
    const MEDIUM_FAILED: i64 = 10;
    let code = match &error {
        LedgerError::Engine(sqlx::Error::Database(said)) => {
            said.code().and_then(|code| code.parse::<i64>().ok())
        }
        _ => None,
    };
    if code.is_some_and(|code| code & 0xff == MEDIUM_FAILED) {
        LedgerError::InDoubt(error.to_string())
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::SqliteConnection;

    #[tokio::test]
    async fn every_connection_writes_through_to_the_disk_and_holds_foreign_keys() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
        let Ok(Engine::Sqlite { write, read, .. }) =
            Engine::open(url.as_str().into(), Patience::Command).await
        else {
            panic!("SQLite opens")
        };
        let (mut write, mut reading) = (write.take().await.unwrap(), read.take().await.unwrap());
        for connection in [&mut *write, &mut *reading] {
            assert_eq!(pragma::<String>(connection, "PRAGMA journal_mode").await, "wal");
            assert_eq!(pragma::<i64>(connection, "PRAGMA synchronous").await, 2, "FULL");
            assert_eq!(pragma::<i64>(connection, "PRAGMA foreign_keys").await, 1);
        }
        let refused = sqlx::query("CREATE TABLE t (n BIGINT)").execute(&mut *reading).await;
        assert!(refused.is_err(), "readers only read");
    }

    #[tokio::test]
    async fn a_reader_who_breaks_off_drops_its_connection_and_delays_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
        let Ok(Engine::Sqlite { read, .. }) = Engine::open(url.as_str().into(), Patience::Command).await
        else {
            panic!("SQLite opens")
        };
        for _ in 0..3 * READERS {
            let mut broken_off = read.take().await.unwrap();
            let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
            let mut rows = sqlx::query_scalar::<_, i64>(endless).fetch(&mut *broken_off);
            assert_eq!(futures_util::TryStreamExt::try_next(&mut rows).await.unwrap(), Some(1));
        }
        let mut reading = read.take().await.unwrap();
        assert_eq!(pragma::<i64>(&mut reading, "PRAGMA foreign_keys").await, 1);
        reading.end();
        read.close().await;
        assert!(read.take().await.is_err());
    }

    async fn pragma<T>(connection: &mut SqliteConnection, query: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> + Send + Unpin,
    {
        sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
    }
}
