//! A PostgreSQL of one's own, which may be killed.

use crate::command::{CommandOutcome, run};
use crate::process::Process;
use crate::stopwatch::eventually;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tegata_testkit::postgres;
use tempfile::TempDir;

/// A cluster in a folder; it listens at a socket there.
#[derive(Debug)]
pub struct Cluster {
    // Before the folder, so that the server is gone first.
    server: Option<Process>,
    folder: TempDir,
}

impl Cluster {
    /// A new one, not yet running. Small segments of its log, for every sync is a copy under [`crate::Power`].
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-cluster-").tempdir().expect("a folder");
        if let Some(account) = postgres::account() {
            chown(folder.path(), Some(account), None).expect("a folder of PostgreSQL");
        }
        let cluster = Self { server: None, folder };
        let mut command = cluster.program("initdb");
        command.args([
            "--username=tegata",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--wal-segsize=1",
        ]);
        CommandOutcome::of(command.arg("--pgdata").arg(cluster.data())).good();
        cluster
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self, environment: &[(String, String)]) {
        let mut command = self.program("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path())
            .args(["-c", "listen_addresses="]);
        command.envs(environment.iter().cloned());
        let log = self.folder.path().join("server.log");
        self.server = Some(Process::start("postgres", &mut command, &log));
        let socket = self.folder.path().display().to_string();
        eventually("PostgreSQL answers", Duration::from_secs(30), || {
            let mut asked = self.program("pg_isready");
            CommandOutcome::of(asked.args(["-q", "-U", "tegata", "-d", "postgres", "-h", &socket])).code == 0
        });
    }

    /// Ends it in order: everything is on the disk.
    pub fn stop(&mut self) {
        let mut command = self.program("pg_ctl");
        CommandOutcome::of(command.arg("stop").arg("--mode=fast").arg("--pgdata").arg(self.data())).good();
        self.server = None;
    }

    /// Kills it with all its processes.
    pub fn kill(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // The postmaster is the child itself: setpriv and env become what they start.
        let own = children(server.id());
        server.kill();
        for process in own {
            // Most are gone with their parent.
            let _ = CommandOutcome::of(Command::new("kill").args(["-9", &process.to_string()]));
            eventually("a process of PostgreSQL is gone", Duration::from_secs(10), || {
                !Path::new(&format!("/proc/{process}/exe")).exists()
            });
        }
    }

    /// Stops the clock of all its processes, as a network that freezes looks from outside; or lets it run again.
    pub fn freeze(&self, frozen: bool) {
        let Some(server) = &self.server else { return };
        let signal = if frozen { "-STOP" } else { "-CONT" };
        for process in [server.id()].into_iter().chain(children(server.id())) {
            // A backend that has just gone needs no signal.
            let _ = CommandOutcome::of(Command::new("kill").args([signal, &process.to_string()]));
        }
    }

    /// A stand-by that follows it, not yet running. This one has to run.
    #[must_use]
    pub fn stand_by(&self) -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-cluster-").tempdir().expect("a folder");
        if let Some(account) = postgres::account() {
            chown(folder.path(), Some(account), None).expect("a folder of PostgreSQL");
        }
        let cluster = Self { server: None, folder };
        let mut copy = cluster.program("pg_basebackup");
        copy.args(["--username=tegata", "--write-recovery-conf", "--checkpoint=fast", "--host"]);
        CommandOutcome::of(copy.arg(self.folder.path()).arg("--pgdata").arg(cluster.data())).good();
        cluster
    }

    /// Makes a stand-by the primary.
    pub fn promote(&self) {
        let mut command = self.program("pg_ctl");
        CommandOutcome::of(command.args(["promote", "--pgdata"]).arg(self.data())).good();
    }

    /// Changes a setting, for all connections.
    pub fn set(&self, setting: &str, value: &str) {
        for statement in [format!("ALTER SYSTEM SET {setting} = '{value}'"), "SELECT pg_reload_conf()".into()]
        {
            run("psql", &["-q", "--dbname", &self.url(), "--command", &statement]);
        }
    }

    /// The host of its URL.
    pub fn host(&self) -> String {
        self.folder.path().display().to_string().replace('/', "%2F")
    }

    /// Where its files are.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A URL of its first database.
    pub fn url(&self) -> String {
        format!("postgres://tegata@{}/postgres", self.host())
    }

    fn program(&self, name: &str) -> Command {
        let programs = postgres::programs().expect("apt-get install postgresql");
        let mut command = postgres::unprivileged(programs.join(name)).expect("an account for PostgreSQL");
        command.current_dir(self.folder.path());
        command
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

fn children(parent: u32) -> Vec<u32> {
    // It fails where there is none.
    let listed = CommandOutcome::of(Command::new("ps").args(["-o", "pid=", "--ppid", &parent.to_string()]));
    listed.stdout.lines().filter_map(|line| line.trim().parse().ok()).collect()
}
