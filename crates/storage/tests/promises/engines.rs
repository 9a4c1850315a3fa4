//! The two engines under test.

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const VARIABLE: &str = "TEGATA_TEST_POSTGRES";

/// Turns each `async fn` into two tests, one an engine.
macro_rules! on_both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($house:ident: House) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$attribute])*
            async fn promise($house: &$crate::house::House) $body

            #[test]
            fn on_sqlite() {
                $crate::house::visit($crate::engines::Place::sqlite(), promise);
            }

            #[test]
            fn on_postgresql() {
                $crate::house::visit($crate::engines::Place::postgres(), promise);
            }
        }
    )*};
}
pub(crate) use on_both_engines;

/// Where one ledger of one test lives.
pub(crate) enum Place {
    Sqlite(TempDir),
    Postgres { server: String, schema: String },
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a folder for the ledger"))
    }

    pub(crate) fn postgres() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} must name a PostgreSQL server (postgres://…): without it nothing was tested")
        });
        let schema = format!("promise_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self::Postgres { server, schema }
    }

    /// The URL that opens the ledger there. On PostgreSQL its sessions carry the schema as their name.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("ledger.db").display()),
            Self::Postgres { server, schema } => {
                let joint = if server.contains('?') { '&' } else { '?' };
                format!("{server}{joint}options[search_path]={schema}&application_name={schema}")
            }
        }
    }

    pub(crate) async fn prepare(&self) {
        if let Self::Postgres { server, schema } = self {
            administer(server, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await;
            administer(server, &format!("CREATE SCHEMA {schema}")).await;
        }
    }

    pub(crate) async fn clear(&self) {
        if let Self::Postgres { server, schema } = self {
            administer(server, &format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }

    /// Does behind the ledger's back what somebody with the database in hands could do. Gives the rows changed.
    pub(crate) async fn tamper(&self, statement: &'static str) -> u64 {
        match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.expect("a connection");
                let done = sqlx::query(statement).execute(&mut connection).await.expect(statement);
                connection.close().await.expect("a closed connection");
                done.rows_affected()
            }
            Self::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url()).await.expect("a connection");
                let done = sqlx::query(statement).execute(&mut connection).await.expect(statement);
                connection.close().await.expect("a closed connection");
                done.rows_affected()
            }
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Runs one test's future to its end.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

async fn administer(server: &str, statement: &str) {
    let mut connection = PgConnection::connect(server)
        .await
        .unwrap_or_else(|error| panic!("the PostgreSQL server of {VARIABLE} does not answer: {error}"));
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect(statement);
    connection.close().await.expect("a closed connection");
}
