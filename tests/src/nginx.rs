//! nginx as the guide for product teams configures it.

use crate::command::run_in;
use crate::curl::Curl;
use crate::installation::Installation;
use crate::ports;
use crate::process::Process;
use crate::stopwatch::eventually;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const GUIDE: &str = include_str!("../../docs/gates.md");

/// nginx in the foreground, with a prefix of its own, gone when dropped.
#[derive(Debug)]
pub struct Nginx {
    _process: Process,
    /// `https://localhost:PORT`.
    pub origin: String,
    /// What verifies it, PEM.
    pub tls_ca: PathBuf,
    _folder: TempDir,
}

impl Nginx {
    /// The recipe of `docs/gates.md`, line by line, in front of a gate and a product on these ports.
    #[must_use]
    pub fn with_the_recipe(installation: &Installation, gate: u16, product: u16) -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-nginx-").tempdir().expect("a folder");
        let (at, port) = (folder.path(), ports::free());
        let tls_ca = self_signed_server(at);
        let path = |name: &str| at.join(name).display().to_string();
        let recipe = recipe(&[
            ("127.0.0.1:9700", format!("127.0.0.1:{gate}")),
            ("127.0.0.1:8080", format!("127.0.0.1:{product}")),
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            ("rezept.example.jp", "localhost".into()),
            ("/etc/nginx/rezept.pem", path("server.pem")),
            ("/etc/nginx/rezept.key", path("server.key")),
            ("/etc/nginx/tegata-chain.pem", installation.chain.display().to_string()),
        ]);
        let process = start(at, &recipe);
        eventually("nginx listens", Duration::from_secs(10), || ports::answers(port));
        Self { _process: process, origin: format!("https://localhost:{port}"), tls_ca, _folder: folder }
    }
}

impl Nginx {
    /// A request to the product behind it.
    pub fn request(&self, path: &str) -> Curl {
        Curl::to(&format!("{}{path}", self.origin)).trusting(&self.tls_ca)
    }
}

fn recipe(replacements: &[(&str, String)]) -> String {
    let (_, block) = GUIDE.split_once("```nginx\n").expect("the guide has a recipe");
    let (block, _) = block.split_once("```").expect("the recipe ends");
    replacements.iter().fold(block.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the guide still says {from}");
        text.replace(from, to)
    })
}

/// Makes `server.pem` and `server.key` for localhost, and returns what verifies them.
pub fn self_signed_server(folder: &Path) -> PathBuf {
    let key =
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key"];
    let certificate = ["req", "-x509", "-days", "1", "-subj", "/CN=localhost", "-out", "server.pem"];
    let names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    run_in(folder, "openssl", &[&certificate[..], &names, &key].concat());
    folder.join("server.pem")
}

fn start(folder: &Path, recipe: &str) -> Process {
    let at = folder.display();
    let path = |kind: &str| format!("{kind}_temp_path {at}/{kind};");
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(path).concat();
    let whole = format!(
        "daemon off; master_process off; pid {at}/pid; error_log stderr;\n\
         events {{}}\nhttp {{\naccess_log off;\n{paths}\n{recipe}}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, whole).expect("a file");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(file);
    Process::start("nginx", &mut command, &folder.join("log"))
}
