//! The recipes of `docs/recipes`, running: the files themselves, with a test's addresses in place of those a reader
//! finds there.

mod people;
mod products;
mod proxies;

pub use people::WebApplication;
pub use products::ProductLanguage;

use crate::command::run_in;
use crate::curl::Curl;
use crate::ports;
use crate::process::Process;
use crate::stopwatch::eventually;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A proxy or a product in the foreground, with a folder of its own, gone when dropped.
#[derive(Debug)]
pub struct Recipe {
    process: Process,
    /// `https://localhost:PORT`, or over plain HTTP where it says so.
    pub origin: String,
    /// What verifies it, PEM.
    pub tls_ca: PathBuf,
    _folder: TempDir,
}

impl Recipe {
    /// A request to the product.
    pub fn request(&self, path: &str) -> Curl {
        Curl::to(&format!("{}{path}", self.origin)).trusting(&self.tls_ca)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Makes `server.pem` and `server.key` for localhost, and returns what verifies them.
pub fn self_signed_server(folder: &Path) -> PathBuf {
    let key =
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key"];
    let certificate = ["req", "-x509", "-days", "1", "-subj", "/CN=localhost", "-out", "server.pem"];
    let names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    let names = [&names[..], &["-addext", "basicConstraints=critical,CA:FALSE"]].concat();
    run_in(folder, "openssl", &[&certificate[..], &names, &key].concat());
    folder.join("server.pem")
}

/// Makes `server.pem` and `server.key` for localhost, issued by a CA of its own as browsers want it, and returns the CA.
pub(crate) fn issued_server(folder: &Path) -> PathBuf {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    let authority = ["req", "-x509", "-subj", "/CN=front", "-out", "ca.pem", "-keyout", "ca.key"];
    run_in(
        folder,
        "openssl",
        &[&authority[..], &key, &["-addext", "keyUsage=critical,keyCertSign"]].concat(),
    );
    let server = ["req", "-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=localhost"];
    let files = ["-out", "server.pem", "-keyout", "server.key", "-addext", "subjectAltName=DNS:localhost"];
    let kind = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"];
    run_in(folder, "openssl", &[&server[..], &files, &kind, &key].concat());
    folder.join("ca.pem")
}

/// Where one recipe runs, and what stands there for its addresses.
struct RecipePlace {
    folder: TempDir,
    port: u16,
    replacements: Vec<(String, String)>,
}

impl RecipePlace {
    /// With a certificate for localhost in `server.pem` and `server.key`.
    fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("tegata-{name}-")).tempdir().expect("a folder");
        self_signed_server(folder.path());
        Self { folder, port: ports::free(), replacements: Vec::new() }
    }

    /// What its recipes say, and what it really is.
    fn knowing(mut self, replacements: &[(&str, String)]) -> Self {
        let owned = |(from, to): &(&str, String)| ((*from).to_owned(), to.clone());
        self.replacements = replacements.iter().map(owned).collect();
        self
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The recipe with this place's addresses: first its own, each of which must be there.
    fn written(&self, recipe: &str, own: &[(&str, String)]) -> String {
        let text = own.iter().fold(recipe.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "the recipe still says {from}");
            text.replace(from, to)
        });
        let text = self.replacements.iter().fold(text, |text, (from, to)| text.replace(from, to));
        let mut settings = text.lines().filter(|line| !line.trim_start().starts_with(['#', '/']));
        let strange = settings.find(|line| line.contains("/etc/") || line.contains("example.jp"));
        assert_eq!(strange, None, "what a reader fills in, the test fills in");
        text
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, text).expect("a file");
        file
    }

    /// Over HTTPS.
    fn open(self, name: &str, command: &mut Command) -> Recipe {
        let origin = format!("https://localhost:{}", self.port);
        self.open_at(origin, name, command)
    }

    /// Waits until whoever has no token reads so: some listen before they have read everything.
    fn open_at(self, origin: String, name: &str, command: &mut Command) -> Recipe {
        let mut process = Process::start(name, command, &self.folder.path().join("log"));
        let tls_ca = self.folder.path().join("server.pem");
        eventually(&format!("{name} asks for tokens"), Duration::from_secs(20), || {
            assert!(process.is_running(), "{name} ended: {}", process.log());
            let answer = Curl::to(&origin).trusting(&tls_ca).attempt();
            answer.is_ok_and(|answer| answer.header("www-authenticate").starts_with("Bearer"))
        });
        Recipe { process, origin, tls_ca, _folder: self.folder }
    }
}
