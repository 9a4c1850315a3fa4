//! Where an installation of a test lives: a folder, and a ledger nobody else uses.

use crate::postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// Cloning shares it.
#[derive(Clone)]
pub struct TestPlace {
    url: String,
    folder: PathBuf,
    _keep: Option<Arc<TempDir>>,
}

impl TestPlace {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger").display());
        Self { url, folder: folder.path().into(), _keep: Some(Arc::new(folder)) }
    }

    /// A schema of its own.
    pub async fn postgres() -> Self {
        let base = postgres::server();
        let folder = tempfile::tempdir().unwrap();
        // The name of a temporary folder is free in this moment, and nobody else's.
        let random: String = folder.path().display().to_string().to_ascii_lowercase();
        let random: String = random.chars().filter(char::is_ascii_alphanumeric).collect();
        let schema = format!("t{}_{random}", std::process::id());
        let mut connection = PgConnection::connect(base).await.unwrap();
        let statement = format!("CREATE SCHEMA {schema}");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        let sign = if base.contains('?') { '&' } else { '?' };
        let url = format!("{base}{sign}options[search_path]={schema}");
        Self { url, folder: folder.path().into(), _keep: Some(Arc::new(folder)) }
    }

    /// Somebody else's place, in another process.
    pub fn at(url: &str, folder: PathBuf) -> Self {
        Self { url: url.into(), folder, _keep: None }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// All that the ledger says, but for the audit log and the head of its chain: a text that is the same exactly when
    /// no row was added, removed or changed. SQLite only.
    pub async fn content(&self) -> String {
        let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
        let tables: Vec<(String,)> = sqlx::query_as(
            "SELECT name FROM sqlite_master WHERE type = 'table' \
             AND name NOT IN ('audit', 'head', 'guess', 'guess_secret') AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY name",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert!(tables.len() >= 10, "the ledger's tables are not where they were");
        let mut content = String::new();
        for (table,) in tables {
            let columns: Vec<(String,)> = sqlx::query_as("SELECT name FROM pragma_table_info($1)")
                .bind(&table)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            let columns: Vec<_> = columns.iter().map(|(name,)| format!("quote({name})")).collect();
            let rows = format!("SELECT {} FROM {table} ORDER BY rowid", columns.join(" || ',' || "));
            let rows: Vec<(String,)> =
                sqlx::query_as(AssertSqlSafe(rows)).fetch_all(&mut connection).await.unwrap();
            content.extend([table, ":\n".into()]);
            content.extend(rows.into_iter().map(|(row,)| row + "\n"));
        }
        content
    }
}

/// Runs each promise once on SQLite and once on PostgreSQL.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$doc:meta])* $promise:ident),* $(,)?) => {$(
        mod $promise {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$promise($crate::TestPlace::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$promise($crate::TestPlace::postgres().await).await;
            }
        }
    )*};
}
