//! The two engines, and the one place that knows there are two.

use crate::LedgerError;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Postgres, Sqlite};
use std::str::FromStr;
use std::time::Duration;

/// How long a writer waits for another process's transaction to end.
const BUSY: Duration = Duration::from_secs(10);

/// Takes the right to write at once, and never within another transaction.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// PostgreSQL's words for what every reading transaction of SQLite is.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

#[derive(Clone)]
pub(crate) enum Engine {
    /// Writes go through one connection, so that writers of this process queue up in order instead of
    /// colliding at the file lock.
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

pub(crate) enum EngineTransaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
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
            $crate::engine::EngineTransaction::Postgres(inner) => {
                let $connection = &mut **inner;
                $body
            }
        }
    };
}
pub(crate) use on_transaction;

/// As [`on_transaction`], on a connection for reading.
macro_rules! on_read {
    ($ledger:expr, $connection:ident => $body:expr) => {
        match &$ledger.engine {
            $crate::engine::Engine::Sqlite { read, .. } => {
                let mut acquired = read.acquire().await?;
                let $connection = &mut *acquired;
                $body
            }
            $crate::engine::Engine::Postgres(pool) => {
                let mut acquired = pool.acquire().await?;
                let $connection = &mut *acquired;
                $body
            }
        }
    };
}
pub(crate) use on_read;

impl Engine {
    pub(crate) async fn open(url: &str) -> Result<Self, LedgerError> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)?;
            Ok(Self::Postgres(PgPoolOptions::new().max_connections(16).connect_with(options).await?))
        } else {
            Err(LedgerError::Url)
        }
    }

    /// WAL with synchronous FULL: with NORMAL a power cut loses acknowledged writes.
    ///
    /// A full disk makes SQLite end a transaction by itself, and the driver then counts it as still open: what follows
    /// would be nested in it and never committed. Such a connection is thrown away, and [`BEGIN`] fails where one
    /// slipped through.
    async fn open_sqlite(url: &str) -> Result<Self, LedgerError> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        let read = SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Self::Sqlite { write, read })
    }

    pub(crate) async fn migrate(&self) -> Result<(), LedgerError> {
        let migrator = sqlx::migrate!();
        match self {
            Self::Sqlite { write, .. } => migrator.run(write).await,
            Self::Postgres(pool) => migrator.run(pool).await,
        }
        .map_err(LedgerError::Migration)
    }

    pub(crate) async fn begin(&self) -> Result<EngineTransaction, LedgerError> {
        Ok(match self {
            Self::Sqlite { write, .. } => EngineTransaction::Sqlite(write.begin_with(BEGIN).await?),
            Self::Postgres(pool) => EngineTransaction::Postgres(pool.begin().await?),
        })
    }

    /// A transaction that only reads, and reads one and the same state from its first statement to its end.
    pub(crate) async fn snapshot(&self) -> Result<EngineTransaction, LedgerError> {
        Ok(match self {
            Self::Sqlite { read, .. } => EngineTransaction::Sqlite(read.begin().await?),
            Self::Postgres(pool) => EngineTransaction::Postgres(pool.begin_with(SNAPSHOT).await?),
        })
    }

    /// The clock of the machine that PostgreSQL runs on; SQLite runs on this one.
    pub(crate) async fn clock(&self) -> Result<Option<tegata_core::Timestamp>, LedgerError> {
        let Self::Postgres(pool) = self else { return Ok(None) };
        let (millis,): (i64,) =
            sqlx::query_as("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
                .fetch_one(pool)
                .await?;
        Ok(Some(millis.into()))
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl EngineTransaction {
    pub(crate) async fn commit(self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(inner) => inner.commit().await?,
            Self::Postgres(inner) => inner.commit().await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_connection_writes_through_to_the_disk_and_holds_foreign_keys() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
        let Ok(Engine::Sqlite { write, read }) = Engine::open(&url).await else { panic!("SQLite opens") };
        for pool in [&write, &read] {
            assert_eq!(pragma::<String>(pool, "PRAGMA journal_mode").await, "wal");
            assert_eq!(pragma::<i64>(pool, "PRAGMA synchronous").await, 2, "FULL");
            assert_eq!(pragma::<i64>(pool, "PRAGMA foreign_keys").await, 1);
        }
        assert_eq!(write.options().get_max_connections(), 1);
        assert!(sqlx::query("CREATE TABLE t (n BIGINT)").execute(&read).await.is_err(), "readers only read");
    }

    async fn pragma<T>(pool: &SqlitePool, query: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite> + Send + Unpin,
    {
        sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
    }
}
