//! Where the ledger of an installation is kept: made, backed up while it is in use, and restored.

use crate::binary::tegata;
use crate::command::{CommandOutcome, run};
use crate::installation::RunningInstallation;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// The ledger's place, and the disk of the revocation log.
#[derive(Debug)]
pub struct Storehouse {
    /// The URL of the database; none for a file in the installation's folder.
    database: Option<Database>,
    disk: TempDir,
}

/// A database of its own, gone when dropped.
#[derive(Debug)]
struct Database {
    server: String,
    name: String,
}

impl Storehouse {
    /// A file.
    #[must_use]
    pub fn sqlite() -> Self {
        Self { database: None, disk: tempfile::tempdir().expect("a folder") }
    }

    /// A database on the server of this test.
    #[must_use]
    pub fn postgres() -> Self {
        Self::postgres_at(tegata_testkit::postgres::server())
    }

    /// A database of its own on this server.
    #[must_use]
    pub fn postgres_at(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("e2e_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let database = Database { server: server.to_owned(), name };
        database.administer("CREATE DATABASE");
        Self { database: Some(database), disk: tempfile::tempdir().expect("a folder") }
    }

    /// A running installation with its ledger here.
    #[must_use]
    pub fn installation(&self) -> RunningInstallation {
        RunningInstallation::start_in(self.furnish(), Vec::new())
    }

    /// A new installation with its ledger here, not yet running.
    #[must_use]
    pub fn furnish(&self) -> TempDir {
        let folder = tempfile::Builder::new().prefix("tegata-e2e-").tempdir().expect("a folder");
        let mut command = Command::new(tegata());
        command.args(["init", "--storage", &self.url(), "--revocations"]).arg(self.log());
        CommandOutcome::of(command.arg("--data").arg(folder.path())).good();
        folder
    }

    /// The audit log as it is in the ledger.
    pub fn audit(&self, installation: &RunningInstallation) -> String {
        const ENTRIES: &str = "SELECT entry FROM audit ORDER BY seq";
        match &self.database {
            None => python(
                "import sqlite3, sys
for (entry,) in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(entry)",
                &[&installation.data().join("ledger.db"), Path::new(ENTRIES)],
            ),
            Some(database) => run("psql", &["-At", "--dbname", &database.url(), "--command", ENTRIES]),
        }
    }

    /// The folder of the revocation log.
    pub fn disk(&self) -> &Path {
        self.disk.path()
    }

    /// The revocation log.
    pub fn log(&self) -> PathBuf {
        self.disk.path().join("revocations.log")
    }

    /// Copies the ledger while it is in use.
    pub fn backup(&self, installation: &RunningInstallation) {
        match &self.database {
            None => {
                let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', (sys.argv[2],))";
                python(script, &[&installation.data().join("ledger.db"), &self.copy()]);
            }
            Some(database) => {
                let file = self.copy().display().to_string();
                run("pg_dump", &["--format=custom", "--file", &file, "--dbname", &database.url()]);
            }
        }
    }

    /// Puts the copy in the ledger's place. Nobody may be using it.
    pub fn restore(&self, installation: &RunningInstallation) {
        match &self.database {
            None => {
                let ledger = installation.data().join("ledger.db");
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{end}", ledger.display()));
                }
                std::fs::copy(self.copy(), ledger).expect("a restored ledger");
            }
            Some(database) => {
                database.administer("DROP DATABASE");
                database.administer("CREATE DATABASE");
                let file = self.copy().display().to_string();
                run("pg_restore", &["--exit-on-error", "--dbname", &database.url(), &file]);
            }
        }
    }

    /// Puts the rows of the copy into the ledger while somebody is using it: what nobody should do.
    pub fn restore_beneath(&self, installation: &RunningInstallation) {
        assert!(self.database.is_none(), "only files are restored like this");
        let script = "import sqlite3, sys
ledger = sqlite3.connect(sys.argv[1], isolation_level=None)
ledger.execute('ATTACH ? AS copy', (sys.argv[2],))
tables = ledger.execute(\"SELECT name FROM copy.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'\")
tables = [name for (name,) in tables.fetchall()]
ledger.execute('BEGIN IMMEDIATE')
for name in tables:
    ledger.execute(f'DELETE FROM main.{name}')
    ledger.execute(f'INSERT INTO main.{name} SELECT * FROM copy.{name}')
ledger.execute('COMMIT')
";
        python(script, &[&installation.data().join("ledger.db"), &self.copy()]);
    }

    /// The backup.
    pub fn copy(&self) -> PathBuf {
        self.disk.path().join("backup")
    }

    /// The URL that `--storage` takes.
    pub fn url(&self) -> String {
        self.database.as_ref().map_or_else(|| "sqlite:ledger.db".to_owned(), Database::url)
    }
}

impl Database {
    fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("a database in the URL");
        format!("{server}/{}", self.name)
    }

    fn administer(&self, verb: &str) {
        run("psql", &["--quiet", "--dbname", &self.server, "--command", &format!("{verb} {}", self.name)]);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = CommandOutcome::of(Command::new("psql").args([
            "--quiet",
            "--dbname",
            &self.server,
            "--command",
            &drop,
        ]));
    }
}

fn python(script: &str, arguments: &[&Path]) -> String {
    CommandOutcome::of(Command::new("python3").args(["-c", script]).args(arguments)).good().stdout
}
