//! The PostgreSQL server of a test: the one that `TEGATA_TEST_POSTGRES` names, or one that is started for this process and ends
//! with it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Names a server on which tests may make schemas, databases and roles (`postgres://…`).
const VARIABLE: &str = "TEGATA_TEST_POSTGRES";

/// Where Debian has the programs, in a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A server in a folder of its own that listens at a socket there. It ends, and the folder goes, when nobody holds the writing
/// end of its standard input any more: however the process ends that does.
const KEEPER: &str = r#"
set -e
folder=$(mktemp -d "$2/tegata-postgres-XXXXXX")
cd "$folder"
trap 'rm -rf "$folder"' EXIT
trap exit INT TERM
"$1/initdb" --pgdata="$folder/data" --username=tegata --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
  >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
"$1/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=300 >"$folder/log" 2>&1 &
server=$!
until "$1/pg_isready" -q -h "$folder" -U tegata -d postgres; do
  kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
echo "$folder"
read -r _ || true
kill -INT "$server"
wait "$server" || true
"#;

/// The URL of a database on the server.
///
/// # Panics
/// When there is none and none can be started: with the command that helps.
pub fn server() -> &'static str {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    match SERVER.get_or_init(PostgresServer::find) {
        PostgresServer::Named(url) | PostgresServer::Own { url, .. } => url,
        PostgresServer::None(why) => panic!("{why}"),
    }
}

enum PostgresServer {
    Named(String),
    Own { url: String, _keeper: Child },
    None(String),
}

impl PostgresServer {
    fn find() -> Self {
        if let Ok(url) = std::env::var(VARIABLE) {
            return Self::Named(url);
        }
        match start() {
            Ok((url, keeper)) => Self::Own { url, _keeper: keeper },
            Err(why) => Self::None(why),
        }
    }
}

/// Gives its URL, and the process that lives as long as the server is to live.
fn start() -> Result<(String, Child), String> {
    let programs = programs().ok_or_else(|| {
        format!("there is no PostgreSQL: apt-get install postgresql, or name a server in {VARIABLE} (postgres://…)")
    })?;
    let mut command = unprivileged("sh")?;
    command.args(["-c", KEEPER, "postgres"]).arg(&programs).arg(roomy_folder());
    // Not of the group that a terminal interrupts: its end is the end of this process.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut keeper = command.spawn().map_err(|error| format!("PostgreSQL cannot be started: {error}"))?;
    let mut folder = String::new();
    let read = keeper.stdout.take().map(|output| BufReader::new(output).read_line(&mut folder));
    match read {
        Some(Ok(read)) if read > 0 => {
            let host = folder.trim_end().replace('/', "%2F");
            Ok((format!("postgres://tegata@{host}/postgres"), keeper))
        }
        _ => Err(format!(
            "PostgreSQL in {} did not start, as it says above; {VARIABLE} may name a running server (postgres://…)",
            programs.display()
        )),
    }
}

/// A command that does not run as root, as which PostgreSQL refuses to run.
///
/// # Errors
/// There is no other account.
pub fn unprivileged(program: impl AsRef<OsStr>) -> Result<Command, String> {
    let Some(account) = account() else { return Ok(Command::new(program)) };
    if account == 0 {
        return Err(
            "PostgreSQL does not run as root, and there is no account postgres: apt-get install postgresql"
                .into(),
        );
    }
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={account}")).args(["--regid=postgres", "--init-groups", "env", "HOME=/tmp"]);
    command.arg(program);
    Ok(command)
}

/// The account of PostgreSQL, where this process is root's.
pub fn account() -> Option<u32> {
    let own = std::fs::metadata("/proc/self").expect("/proc").uid();
    (own == 0).then(|| {
        let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let line = known.lines().find_map(|line| line.strip_prefix("postgres:"));
        line.and_then(|line| line.split(':').nth(1)?.parse().ok()).unwrap_or(0)
    })
}

/// The folder of the newest version's programs: Debian's, or that of the `initdb` on the path.
pub fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path());
    let number = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let debian =
        versions.filter(|folder| folder.join("bin/initdb").exists()).max_by_key(|folder| number(folder));
    debian.map(|folder| folder.join("bin")).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    })
}

/// Memory where there is some: tests make hundreds of schemas.
fn roomy_folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}
