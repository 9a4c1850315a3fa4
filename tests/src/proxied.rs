//! An installation whose devices come through a proxy that terminates TLS.

use crate::curl::Curl;
use crate::installation::RunningInstallation;
use crate::ports;
use crate::process::Process;
use crate::recipe::self_signed_server;
use crate::stopwatch::eventually;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Devices know the proxy's address alone; the listener for proxies is `behind` it.
#[derive(Debug)]
pub struct Proxied {
    // Before the installation, so that the proxy is gone first.
    _nginx: Process,
    origin: String,
    /// `installation.device` is the proxy's address.
    pub installation: RunningInstallation,
    /// `https://localhost:PORT` of the listener for proxies.
    pub behind: String,
    /// The device listener itself.
    pub direct: String,
}

impl Proxied {
    /// nginx as `docs/proxy.md` has it, known by its certificate and its address.
    #[must_use]
    pub fn by_nginx() -> Self {
        let mut installation = RunningInstallation::start();
        let (port, behind) = (ports::free(), ports::free());
        let own = installation.folder("proxy");
        self_signed_server(&own);
        let certificate = own.join("server.pem");
        let more = format!("certificate = {:?}\n", certificate.display().to_string());
        configure(&mut installation, port, behind, "nginx", &format!("trusted = [\"127.0.0.1\"]\n{more}"));
        let nginx = nginx(&installation, port, behind, &own);
        let origin = format!("https://localhost:{port}");
        let direct = std::mem::replace(&mut installation.device, origin.clone());
        trust(&mut installation, &certificate);
        Self { _nginx: nginx, origin, installation, behind: format!("https://localhost:{behind}"), direct }
    }

    /// Where devices go.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A request past the proxy, to the listener behind it.
    pub fn behind(&self, path: &str) -> Curl {
        Curl::to(&format!("{}{path}", self.behind)).trusting(&self.installation.tls_ca)
    }

    /// The certificate and key by which the proxy is known.
    pub fn own(&self) -> [String; 2] {
        ["server.pem", "server.key"]
            .map(|name| self.installation.folder("proxy").join(name).display().to_string())
    }

    /// Another certificate of the same name, and its key.
    pub fn impostor(&self) -> [String; 2] {
        let folder = self.installation.folder("impostor");
        self_signed_server(&folder);
        ["server.pem", "server.key"].map(|name| folder.join(name).display().to_string())
    }
}

/// The recipe of the guide at `port`, in front of the listener at `behind`. It presents its one certificate on both
/// sides.
fn nginx(installation: &RunningInstallation, port: u16, behind: u16, own: &Path) -> Process {
    let shown = |path: PathBuf| path.display().to_string();
    let (certificate, key) = (shown(own.join("server.pem")), shown(own.join("server.key")));
    let replacements = [
        ("127.0.0.1:9446", format!("127.0.0.1:{behind}")),
        ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
        ("*.probe.example.jp", "*.probe.localhost".into()),
        ("device.example.jp", "localhost".into()),
        ("/etc/nginx/device.pem", certificate.clone()),
        ("/etc/nginx/device.key", key.clone()),
        ("/etc/nginx/proxy.pem", certificate),
        ("/etc/nginx/proxy.key", key),
        ("/etc/nginx/tegata-chain.pem", shown(installation.chain.clone())),
        ("/etc/nginx/tegata-tls.pem", shown(installation.tls_ca.clone())),
    ];
    let recipe = include_str!("../../docs/recipes/nginx-devices.conf").to_owned();
    let recipe = replacements.iter().fold(recipe, |text, (from, to)| {
        assert!(text.contains(from), "the recipe still says {from}");
        text.replace(from, to)
    });
    let at = shown(own.to_owned());
    let path = |kind: &str| format!("{kind}_temp_path {at}/{kind};");
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(path).concat();
    let whole = format!(
        "daemon off; master_process off; pid {at}/pid; error_log stderr;\n\
         events {{}}\nhttp {{\naccess_log off;\n{paths}\n{recipe}}}\n"
    );
    let file = own.join("nginx.conf");
    std::fs::write(&file, whole).expect("a file");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(own).arg("-c").arg(file);
    let process = Process::start("nginx", &mut command, &own.join("log"));
    eventually("nginx listens", Duration::from_secs(10), || ports::answers(port));
    process
}

/// From now on clients verify this server as well.
fn trust(installation: &mut RunningInstallation, certificate: &Path) {
    let both = installation.folder("trust").join("ca.pem");
    let text = [&*installation.tls_ca, certificate].map(|file| std::fs::read_to_string(file).expect("PEM"));
    std::fs::write(&both, text.concat()).expect("a file");
    installation.tls_ca = both;
}

/// Writes the section, in place of another, with the address under which devices come, and starts the server again.
pub fn configure(installation: &mut RunningInstallation, port: u16, behind: u16, format: &str, trust: &str) {
    let section =
        format!("[device.proxy]\nlisten = \"127.0.0.1:{behind}\"\nformat = \"{format}\"\n{trust}\n");
    let own = format!("url = \"{}\"", installation.device);
    installation.reconfigure(|text| {
        assert!(text.contains(&own), "{own} in {text}");
        let text = without_section(text).replace(&own, &format!("url = \"https://localhost:{port}\""));
        text.replace("[public]", &format!("{section}[public]"))
    });
}

fn without_section(text: String) -> String {
    let Some((before, rest)) = text.split_once("[device.proxy]\nlisten") else { return text };
    let (_, after) = rest.split_once("[public]").expect("what comes after");
    format!("{before}[public]{after}")
}
