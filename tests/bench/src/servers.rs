//! The servers, each a process of its own that ends with its handle.

use crate::{BenchOutcome, devices};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tegata_core::Installation;
use tegata_storage::{Ledger, LogPlace};
use tempfile::TempDir;

/// The product, with an installation of its own.
pub struct Tegata {
    process: BenchServer,
    pub portal: String,
    pub device: String,
    pub public: String,
    /// Of tokens.
    pub issuer: String,
    pub tls_ca: PathBuf,
    /// Root and issuing CA, PEM.
    pub chain: PathBuf,
    ledger: String,
    folder: TempDir,
}

/// The limit.
pub struct Limit {
    process: BenchServer,
    pub url: String,
    pub tls_ca: PathBuf,
    _folder: TempDir,
}

impl Tegata {
    pub fn start(program: &Path) -> BenchOutcome<Self> {
        let folder = folder()?;
        let ledger = format!("sqlite:{}", folder.path().join("ledger.db").display());
        Self::open(program, folder, ledger)
    }

    /// With its ledger at this address of PostgreSQL's.
    pub fn start_on(program: &Path, ledger: &str) -> BenchOutcome<Self> {
        let folder = folder()?;
        let mut command = Command::new(program);
        command.args(["init", "--yes", "--public", "http://127.0.0.1", "--storage", ledger]);
        let made = command.arg("--data").arg(folder.path()).stdin(Stdio::null()).output()?;
        if !made.status.success() {
            return Err(format!("no installation: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        Self::open(program, folder, ledger.to_owned())
    }

    fn open(program: &Path, folder: TempDir, ledger: String) -> BenchOutcome<Self> {
        let mut command = Command::new(program);
        command.args(["dev", "--json", "--portal-port", "0", "--device-port", "0", "--public-port", "0"]);
        let (process, ready) = BenchServer::start(command.arg("--data").arg(folder.path()))?;
        Ok(Self {
            process,
            portal: text(&ready, "portal")?,
            device: text(&ready, "device")?,
            public: text(&ready, "public")?,
            issuer: text(&ready, "issuer")?,
            tls_ca: text(&ready, "tls_ca")?.into(),
            chain: text(&ready, "chain")?.into(),
            ledger,
            folder,
        })
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub fn ledger_url(&self) -> String {
        self.ledger.clone()
    }

    /// The ledger with its revocation log, as commands open it beside the running server.
    pub async fn ledger(&self) -> BenchOutcome<Ledger> {
        let config = std::fs::read_to_string(self.folder.path().join("tegata.toml"))?;
        let name = config.lines().find_map(|line| line.strip_prefix("name = ")).ok_or("no name")?;
        let installation = Installation::parse(name.trim_matches('"')).ok_or("no name")?;
        let log = self.folder.path().join("revocations.log");
        let place = LogPlace { file: &log, installation: &installation };
        Ok(Ledger::open_with(&self.ledger_url(), &place, devices::now()?, &devices::Random).await?)
    }
}

impl Limit {
    /// Believes clients whose certificates come from `devices`, as PEM.
    pub fn start(devices: &Path) -> BenchOutcome<Self> {
        let folder = folder()?;
        let tls_ca = folder.path().join("server.pem");
        let mut command = Command::new(std::env::current_exe()?);
        let (process, ready) = BenchServer::start(command.arg("limit").arg(devices).arg(&tls_ca))?;
        Ok(Self { process, url: text(&ready, "url")?, tls_ca, _folder: folder })
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// The limit of what is the same for everybody.
pub struct Still {
    process: BenchServer,
    pub url: String,
    _folder: TempDir,
}

impl Still {
    /// Gives this answer.
    pub fn start(answer: &[u8]) -> BenchOutcome<Self> {
        let folder = folder()?;
        let file = folder.path().join("answer");
        std::fs::write(&file, answer)?;
        let mut command = Command::new(std::env::current_exe()?);
        let (process, ready) = BenchServer::start(command.arg("still").arg(&file))?;
        Ok(Self { process, url: text(&ready, "url")?, _folder: folder })
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// A gate that proxies ask.
pub struct AskedGate {
    process: BenchServer,
    pub url: String,
    _identity: TempDir,
}

impl AskedGate {
    /// With a certificate of its own in `identity`; remembers so many tokens.
    pub fn start(
        tegata: &Tegata,
        identity: TempDir,
        audience: &str,
        cached_tokens: usize,
    ) -> BenchOutcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("gate").arg(identity.path()).args([&tegata.issuer, audience]).arg(&tegata.tls_ca);
        let (process, ready) = BenchServer::start(command.arg(cached_tokens.to_string()))?;
        Ok(Self { process, url: text(&ready, "url")?, _identity: identity })
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

/// nginx in one process, with a configuration that says where it listens.
pub struct Nginx {
    process: BenchServer,
    pub url: String,
    _folder: TempDir,
}

impl Nginx {
    /// `sites` is given the folder that nginx may use, and writes what stands in `server`, and beside it.
    pub async fn start(sites: impl FnOnce(&Path) -> BenchOutcome<(String, String)>) -> BenchOutcome<Self> {
        let folder = folder()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let (beside, inside) = sites(folder.path())?;
        let own = folder.path().display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {own}/{kind};"))
            .join(" ");
        let config = format!(
            "daemon off; master_process off; pid {own}/pid; error_log stderr warn;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 10000000; {temporary}\n{beside}\n\
             server {{ listen 127.0.0.1:{port};\n{inside}\n}} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config)?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("nginx");
        command.env("PATH", format!("{path}:/usr/sbin")).arg("-p").arg(folder.path()).arg("-c").arg(&file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let process = BenchServer(child.map_err(|error| format!("nginx: {error}"))?);
        for _ in 0..100 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(Self { process, url: format!("http://127.0.0.1:{port}"), _folder: folder });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("nginx does not start".into())
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

struct BenchServer(Child);

impl BenchServer {
    /// Waits for the line that says where it listens.
    fn start(command: &mut Command) -> BenchOutcome<(Self, Value)> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut server =
            Self(child.map_err(|error| format!("{}: {error}", command.get_program().display()))?);
        let output = server.0.stdout.take().ok_or("a server without output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let ready = serde_json::from_str(&line).map_err(|_| format!("a server does not start: {line:?}"))?;
        Ok((server, ready))
    }
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn folder() -> BenchOutcome<TempDir> {
    Ok(tempfile::Builder::new().prefix("tegata-bench-").tempdir()?)
}

fn text(value: &Value, name: &str) -> BenchOutcome<String> {
    Ok(value[name].as_str().ok_or_else(|| format!("no {name} in {value}"))?.to_owned())
}
