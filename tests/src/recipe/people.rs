//! Web applications that know the person before them.

use super::{Recipe, RecipePlace};
use crate::clients;
use crate::installation::RunningInstallation;
use crate::process::Process;
use crate::python;
use crate::stopwatch::eventually;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// An application of `docs/recipes/people`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WebApplication {
    /// Express: pages.
    Express,
    /// Express, with accounts of its own that are linked.
    MovingOver,
    /// `FastAPI`: what it is told, as JSON.
    FastApi,
}

impl Recipe {
    /// An application on this port, behind the gate of this URI.
    #[must_use]
    pub fn web_application(
        installation: &RunningInstallation,
        application: WebApplication,
        gate: &str,
        port: u16,
    ) -> Self {
        let place = RecipePlace { port, ..RecipePlace::new("people") };
        let at = place.folder.path();
        for file in fs::read_dir(recipes()).expect("recipes") {
            let file = file.expect("a file");
            fs::copy(file.path(), at.join(file.file_name())).expect("a copy");
        }
        let mut command = match application {
            WebApplication::Express => node(at, "express.mjs"),
            WebApplication::MovingOver => node(at, "moving-over.mjs"),
            WebApplication::FastApi => uvicorn(port),
        };
        command.env("TEGATA_ISSUER", &installation.issuer).env("TEGATA_AUDIENCE", &installation.product);
        command.env("TEGATA_GATES", gate).env("TEGATA_TLS_CA", &installation.tls_ca);
        command.env("NODE_EXTRA_CA_CERTS", &installation.tls_ca).env("HOST", "127.0.0.1");
        command.env("PORT", port.to_string()).current_dir(at);
        let mut process = Process::start("the application", &mut command, &at.join("log"));
        eventually("the application listens", Duration::from_secs(20), || {
            assert!(process.is_running(), "it ended: {}", process.log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let (origin, tls_ca) = (format!("http://127.0.0.1:{port}"), installation.tls_ca.clone());
        Self { process, origin, tls_ca, _folder: place.folder }
    }

    /// The page without a backend, at `http://localhost:PORT/`, with the addresses of an installation.
    #[must_use]
    pub fn page(installation: &RunningInstallation, port: u16) -> Self {
        let place = RecipePlace { port, ..RecipePlace::new("page") };
        let page = fs::read_to_string(recipes().join("page.html")).expect("the page");
        let lines = page.lines().skip_while(|line| !line.starts_with("<script")).skip(1);
        let lines = lines.take_while(|line| !line.starts_with("</script")).count();
        assert!(lines <= 15, "the script has {lines} lines");
        assert!(page.contains("https://ca.example.jp"), "the issuer is to be filled in");
        place.file("index.html", &page.replace("https://ca.example.jp", &installation.issuer));
        let mut command = Command::new("python3");
        command.args(["-m", "http.server", &port.to_string(), "--bind", "127.0.0.1"]);
        let process =
            Process::start("the page", command.current_dir(&place.folder), &place.folder.path().join("log"));
        eventually("the page is there", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let (origin, tls_ca) = (format!("http://localhost:{port}"), installation.tls_ca.clone());
        Self { process, origin, tls_ca, _folder: place.folder }
    }
}

fn recipes() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes/people")
}

/// With the packages of `tests/clients`.
fn node(at: &Path, program: &str) -> Command {
    symlink(clients::packages(), at.join("node_modules")).expect("a link");
    let mut command = Command::new("node");
    command.arg(program);
    command
}

fn uvicorn(port: u16) -> Command {
    let packages = fs::read_to_string(recipes().join("requirements.txt")).expect("packages");
    let packages: Vec<_> = packages.lines().collect();
    let mut command = Command::new(python::environment(&packages).join("uvicorn"));
    command.args(["app:app", "--host", "127.0.0.1", "--no-server-header", "--port", &port.to_string()]);
    command
}
