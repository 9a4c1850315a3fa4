//! The two engines under test.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The name of a backup beside a SQLite ledger.
const BACKUP: &str = "backup.db";

/// Turns each `async fn` into two tests, one an engine.
macro_rules! on_both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($fixture:ident: LedgerFixture) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$attribute])*
            async fn promise($fixture: &$crate::fixture::LedgerFixture) $body

            #[test]
            fn on_sqlite() {
                $crate::fixture::visit($crate::engines::EnginePlace::sqlite(), promise);
            }

            #[test]
            fn on_postgresql() {
                $crate::fixture::visit($crate::engines::EnginePlace::postgres(), promise);
            }
        }
    )*};
}
pub(crate) use on_both_engines;

/// Likewise on what `$open` opens there, which is cleared afterwards.
macro_rules! on_both_engines_with {
    ($open:path; $(async fn $name:ident($opened:ident: $kind:ty) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[allow(unused_mut)]
            async fn promise(place: $crate::engines::EnginePlace) {
                let mut $opened: $kind = $open(place).await;
                $body
                $opened.clear().await;
            }

            #[test]
            fn on_sqlite() {
                $crate::engines::run(promise($crate::engines::EnginePlace::sqlite()));
            }

            #[test]
            fn on_postgresql() {
                $crate::engines::run(promise($crate::engines::EnginePlace::postgres()));
            }
        }
    )*};
}
pub(crate) use on_both_engines_with;

/// Where one ledger of one test lives.
pub(crate) enum EnginePlace {
    Sqlite(TempDir),
    Postgres {
        server: String,
        schema: String,
        /// Whose it is; the server's own role where there is none.
        owner: Option<String>,
    },
}

impl EnginePlace {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a folder for the ledger"))
    }

    pub(crate) fn sqlite_in(folder: &std::path::Path) -> Self {
        Self::Sqlite(tempfile::tempdir_in(folder).expect("a folder for the ledger"))
    }

    pub(crate) fn postgres() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = tegata_testkit::postgres::server().to_owned();
        let schema = format!("promise_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self::Postgres { server, schema, owner: None }
    }

    /// A place whose tables belong to a role that is no superuser, so that policies bind it.
    pub(crate) fn postgres_of_owner() -> Self {
        match Self::postgres() {
            Self::Postgres { server, schema, .. } => {
                Self::Postgres { server, owner: Some(format!("{schema}_owner")), schema }
            }
            sqlite @ Self::Sqlite(_) => sqlite,
        }
    }

    /// The URL that opens the ledger there. On PostgreSQL its sessions carry the schema as their name.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite:{}", folder.path().join("ledger.db").display()),
            Self::Postgres { server, schema, owner } => {
                let server = owner.as_ref().map_or_else(|| server.clone(), |owner| as_role(server, owner));
                let joint = if server.contains('?') { '&' } else { '?' };
                format!("{server}{joint}options[search_path]={schema}&application_name={schema}")
            }
        }
    }

    pub(crate) async fn prepare(&self) {
        if let Self::Postgres { server, schema, owner } = self {
            administer(server, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await;
            administer(server, &format!("CREATE SCHEMA {schema}")).await;
            if let Some(owner) = owner {
                administer(server, &format!("DROP ROLE IF EXISTS {owner}")).await;
                administer(server, &format!("CREATE ROLE {owner} LOGIN PASSWORD '{owner}'")).await;
                administer(server, &format!("ALTER SCHEMA {schema} OWNER TO {owner}")).await;
            }
        }
    }

    pub(crate) async fn clear(&self) {
        if let Self::Postgres { server, schema, owner } = self {
            administer(server, &format!("DROP SCHEMA {schema} CASCADE")).await;
            administer(server, &format!("DROP SCHEMA IF EXISTS {schema}_backup CASCADE")).await;
            if let Some(owner) = owner {
                administer(server, &format!("DROP ROLE {owner}")).await;
            }
        }
    }

    /// A copy of the ledger as it is now, while it is in use.
    pub(crate) async fn backup(&self) {
        match self {
            Self::Sqlite(folder) => {
                let _ = std::fs::remove_file(folder.path().join(BACKUP));
                let copy = format!("VACUUM INTO '{}'", folder.path().join(BACKUP).display());
                let mut connection = SqliteConnection::connect(&self.url()).await.expect("a connection");
                sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut connection).await.expect("a backup");
                connection.close().await.expect("a closed connection");
            }
            Self::Postgres { server, schema, .. } => {
                administer(server, &format!("DROP SCHEMA IF EXISTS {schema}_backup CASCADE")).await;
                administer(server, &format!("CREATE SCHEMA {schema}_backup")).await;
                for table in tables(server, schema).await {
                    administer(
                        server,
                        &format!("CREATE TABLE {schema}_backup.{table} AS TABLE {schema}.{table}"),
                    )
                    .await;
                }
            }
        }
    }

    /// The ledger as it was at the backup. On SQLite nobody may have it open.
    pub(crate) async fn restore(&self) {
        match self {
            Self::Sqlite(folder) => {
                for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
                    let _ = std::fs::remove_file(folder.path().join(name));
                }
                std::fs::copy(folder.path().join(BACKUP), folder.path().join("ledger.db"))
                    .expect("a restored file");
            }
            Self::Postgres { server, schema, .. } => {
                let tables = tables(server, schema).await;
                let all: Vec<_> = tables.iter().map(|table| format!("{schema}.{table}")).collect();
                let begin = format!(
                    "BEGIN; SET LOCAL session_replication_role = replica; TRUNCATE {}",
                    all.join(", ")
                );
                let copies = tables.iter().map(|table| {
                    format!("INSERT INTO {schema}.{table} SELECT * FROM {schema}_backup.{table}")
                });
                let script: Vec<_> = std::iter::once(begin).chain(copies).chain(["COMMIT".into()]).collect();
                let mut connection = PgConnection::connect(server).await.expect("a connection");
                sqlx::raw_sql(AssertSqlSafe(script.join("; ")))
                    .execute(&mut connection)
                    .await
                    .expect("a restore");
                connection.close().await.expect("a closed connection");
            }
        }
    }

    /// The ledger as it was at the backup, while somebody has it open.
    pub(crate) async fn restore_beneath(&self) {
        let Self::Sqlite(folder) = self else { return self.restore().await };
        let mut connection = SqliteConnection::connect(&self.url()).await.expect("a connection");
        let attach = format!("ATTACH '{}' AS backup", folder.path().join(BACKUP).display());
        sqlx::raw_sql(AssertSqlSafe(attach)).execute(&mut connection).await.expect("the backup");
        let tables: Vec<(String,)> = sqlx::query_as(
            "SELECT name FROM backup.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        )
        .fetch_all(&mut connection)
        .await
        .expect("the tables");
        let begin = "PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE".to_owned();
        let copies = tables.iter().map(|(table,)| {
            format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM backup.{table}")
        });
        let script: Vec<_> = std::iter::once(begin).chain(copies).chain(["COMMIT".into()]).collect();
        sqlx::raw_sql(AssertSqlSafe(script.join("; "))).execute(&mut connection).await.expect("a restore");
        connection.close().await.expect("a closed connection");
    }

    /// From now on every commit that has something for the revocation log fails, at its very end.
    pub(crate) async fn forbid_commits(&self) {
        let script = match self {
            Self::Sqlite(_) => {
                "CREATE TABLE never (id BIGINT PRIMARY KEY); \
                 CREATE TABLE fault (id BIGINT REFERENCES never (id) DEFERRABLE INITIALLY DEFERRED); \
                 CREATE TRIGGER fault AFTER UPDATE OF log_hash ON head WHEN NEW.log_hash IS NOT OLD.log_hash \
                 BEGIN INSERT INTO fault (id) VALUES (1); END"
            }
            Self::Postgres { .. } => {
                "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
                 CREATE CONSTRAINT TRIGGER fault AFTER UPDATE ON head DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
                 WHEN (NEW.log_hash IS DISTINCT FROM OLD.log_hash) EXECUTE FUNCTION fault()"
            }
        };
        self.script(script).await;
    }

    /// Says something to the ledger past the program.
    pub(crate) async fn execute(&self, statement: &str) {
        self.script(statement).await;
    }

    /// What of the schema a statement misses: a table, a column, or a value for one that has to have it. Nothing is executed.
    /// What only PostgreSQL is told is not asked of SQLite.
    pub(crate) async fn missing_for(&self, statement: &str) -> Option<String> {
        const ONLY_POSTGRES: [&str; 5] =
            ["FOR UPDATE", "clock_timestamp", "current_setting", "pg_", "EXTRACT("];
        let text = AssertSqlSafe(statement.to_owned()).into_sql_str();
        match self {
            Self::Sqlite(_) if ONLY_POSTGRES.iter().any(|word| statement.contains(word)) => None,
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.expect("a connection");
                connection.prepare(text).await.err().map(|error| error.to_string())
            }
            Self::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url()).await.expect("a connection");
                let refused = connection.prepare(text).await.err();
                // The program says of which types its parameters are; who only prepares does not.
                let names_nothing = refused.filter(|error| {
                    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                    code.is_none_or(|code| ["42P01", "42703", "42704"].contains(&&*code))
                });
                match names_nothing {
                    Some(error) => Some(error.to_string()),
                    None => left_out(&mut connection, statement).await,
                }
            }
        }
    }

    pub(crate) async fn allow_commits(&self) {
        let script = match self {
            Self::Sqlite(_) => "DROP TRIGGER fault; DROP TABLE fault; DROP TABLE never",
            Self::Postgres { .. } => "DROP TRIGGER fault ON head; DROP FUNCTION fault()",
        };
        self.script(script).await;
    }

    /// After so many rows written, whatever the table, every further one is refused.
    pub(crate) async fn fail_after(&self, writes: u32) {
        let (table, function) = match self {
            Self::Sqlite(_) => ("CREATE TABLE fault_left (n BIGINT)", None),
            Self::Postgres { .. } => (
                "CREATE TABLE fault_left (n BIGINT)",
                Some(
                    "CREATE FUNCTION fault_now() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE l BIGINT; BEGIN \
                     UPDATE fault_left SET n = n - 1 RETURNING n INTO l; IF l < 0 THEN RAISE 'no'; END IF; \
                     RETURN COALESCE(NEW, OLD); END $$",
                ),
            ),
        };
        let mut script = vec![table.to_owned(), format!("INSERT INTO fault_left (n) VALUES ({writes})")];
        script.extend(function.map(str::to_owned));
        for (name, event) in self.faults().await {
            let (_, target) = name.split_once("_on_").expect("a table");
            script.push(match self {
                Self::Sqlite(_) => format!(
                    "CREATE TRIGGER {name} BEFORE {event} ON {target} BEGIN UPDATE fault_left SET n = n - 1; \
                     SELECT RAISE(ABORT, 'no') WHERE (SELECT n FROM fault_left) < 0; END"
                ),
                Self::Postgres { .. } => format!(
                    "CREATE TRIGGER {name} BEFORE {event} ON {target} FOR EACH ROW EXECUTE FUNCTION fault_now()"
                ),
            });
        }
        self.script(&script.join("; ")).await;
    }

    pub(crate) async fn fail_no_more(&self) {
        let mut script: Vec<_> = match self {
            Self::Sqlite(_) => {
                self.faults().await.into_iter().map(|(name, _)| format!("DROP TRIGGER {name}")).collect()
            }
            Self::Postgres { .. } => vec!["DROP FUNCTION fault_now() CASCADE".to_owned()],
        };
        script.push("DROP TABLE fault_left".to_owned());
        self.script(&script.join("; ")).await;
    }

    /// A trigger for each table of the ledger and each kind of write.
    async fn faults(&self) -> Vec<(String, &'static str)> {
        let tables = match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.expect("a connection");
                let rows: Vec<(String,)> = sqlx::query_as(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
                )
                .fetch_all(&mut connection)
                .await
                .expect("the tables");
                connection.close().await.expect("a closed connection");
                rows.into_iter().map(|(name,)| name).collect()
            }
            Self::Postgres { server, schema, .. } => tables(server, schema).await,
        };
        let of_the_ledger =
            tables.into_iter().filter(|table| !table.starts_with(['_', 'f']) || table == "feed");
        let events = ["INSERT", "UPDATE", "DELETE"];
        of_the_ledger
            .flat_map(|table| events.map(|event| (format!("fault_{event}_on_{table}"), event)))
            .collect()
    }

    /// Several statements behind the ledger's back.
    pub(crate) async fn script(&self, script: &str) {
        let text = AssertSqlSafe(script.to_owned());
        match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.expect("a connection");
                sqlx::raw_sql(text).execute(&mut connection).await.expect(script);
                connection.close().await.expect("a closed connection");
            }
            Self::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url()).await.expect("a connection");
                sqlx::raw_sql(text).execute(&mut connection).await.expect(script);
                connection.close().await.expect("a closed connection");
            }
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

async fn tables(server: &str, schema: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(server).await.expect("a connection");
    let rows: Vec<(String,)> = sqlx::query_as("SELECT tablename::text FROM pg_tables WHERE schemaname = $1")
        .bind(schema)
        .fetch_all(&mut connection)
        .await
        .expect("the tables");
    connection.close().await.expect("a closed connection");
    rows.into_iter().map(|(name,)| name).collect()
}

/// The server's URL for another role, whose password is its name.
fn as_role(server: &str, role: &str) -> String {
    let (scheme, rest) = server.split_once("://").expect("a URL");
    let place = rest.split_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{role}:{role}@{place}")
}

async fn administer(server: &str, statement: &str) {
    let mut connection = PgConnection::connect(server)
        .await
        .unwrap_or_else(|error| panic!("the PostgreSQL server of the tests does not answer: {error}"));
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.expect(statement);
    connection.close().await.expect("a closed connection");
}

/// A column that must have a value, has none of its own, and gets none from this INSERT.
async fn left_out(connection: &mut PgConnection, statement: &str) -> Option<String> {
    let (_, insert) = statement.split_once("INSERT INTO ")?;
    let (table, rest) = insert.split_once(" (")?;
    let (columns, _) = rest.split_once(')')?;
    let given: Vec<_> = columns.split(',').map(str::trim).collect();
    let demanded: Vec<(String,)> = sqlx::query_as(
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() \
         AND table_name = $1 AND is_nullable = 'NO' AND column_default IS NULL",
    )
    .bind(table)
    .fetch_all(connection)
    .await
    .expect("the columns");
    let missing = demanded.into_iter().find(|(column,)| !given.contains(&column.as_str()))?;
    Some(format!("{}.{} has no default", table, missing.0))
}
