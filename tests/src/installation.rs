//! An installation of one's own: `tegata dev` in a folder that is gone when the test is over.

use crate::another_server::AnotherServer;
use crate::binary::tegata;
use crate::command::CommandOutcome;
use crate::curl::Curl;
use crate::gate::GateProcess;
use crate::identity::DeviceIdentity;
use crate::ports;
use crate::process::Process;
use crate::recipe::issued_server;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A running installation.
#[derive(Debug)]
pub struct RunningInstallation {
    // Before the folder, so that the server is gone first.
    server: Process,
    /// Where people and JSON clients go.
    pub portal: String,
    /// Where a certificate is asked for.
    pub device: String,
    /// Where CRL, OCSP and CA certificates are.
    pub public: String,
    /// The issuer of tokens.
    pub issuer: String,
    /// The root, PEM.
    pub ca: PathBuf,
    /// Root and issuing CA, PEM.
    pub chain: PathBuf,
    /// What verifies the HTTPS listeners, PEM.
    pub tls_ca: PathBuf,
    /// A link nobody has used yet.
    pub invitation: String,
    /// The link that makes the first operator, until somebody has used it.
    pub setup: Option<String>,
    /// What tokens are for, as the configuration has it.
    pub product: String,
    /// What every command of it finds in its environment, beside what the test has.
    environment: Vec<(String, String)>,
    folder: TempDir,
}

impl RunningInstallation {
    /// Starts a new one on free ports, and waits until it serves.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-e2e-").tempdir().expect("a folder");
        Self::start_in(folder, Vec::new())
    }

    /// Starts an installation in a folder where something may be already, with more in its environment.
    #[must_use]
    pub fn start_in(folder: TempDir, environment: Vec<(String, String)>) -> Self {
        let ports = ["--portal-port", "0", "--device-port", "0", "--public-port", "0"];
        let (server, ready) = serve(folder.path(), &ports, &environment);
        let text = |name: &str| text_of(&ready, name);
        Self {
            server,
            portal: text("portal"),
            device: text("device"),
            public: text("public"),
            issuer: text("issuer"),
            ca: text("ca").into(),
            chain: text("chain").into(),
            tls_ca: text("tls_ca").into(),
            invitation: text("invitation"),
            setup: ready["setup"].as_str().map(str::to_owned),
            product: first_product(folder.path()),
            environment,
            folder,
        }
    }

    /// The server, killed without a chance to clean up.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Whether the server still runs.
    pub fn is_running(&mut self) -> bool {
        self.server.is_running()
    }

    /// The server once more, with the same ports and the same data.
    pub fn start_again(&mut self) {
        self.kill();
        let port = |url: &str| ports::of(url).to_string();
        let (portal, device, public) = (port(&self.portal), port(&self.device), port(&self.public));
        let arguments = ["--portal-port", &portal, "--device-port", &device, "--public-port", &public];
        let (server, ready) = serve(&self.data(), &arguments, &self.environment);
        assert_eq!(text_of(&ready, "issuer"), self.issuer, "the issuer is the same after a restart");
        self.server = server;
        self.invitation = text_of(&ready, "invitation");
        self.setup = ready["setup"].as_str().map(str::to_owned);
    }

    /// The server once more, with `change` made to its configuration.
    pub fn reconfigure(&mut self, change: impl FnOnce(String) -> String) {
        let file = self.data().join("tegata.toml");
        let text = std::fs::read_to_string(&file).expect("the configuration");
        std::fs::write(&file, change(text)).expect("the configuration is written");
        self.start_again();
    }

    /// What the server wrote to standard error.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// From the next start on, and for the next commands: another environment.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.environment = environment;
    }

    /// What its commands find in their environment.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A folder of the test's own that lives as long as the installation.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join("of-the-test").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Files and connections that the server holds open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.server.id());
        std::fs::read_dir(folder).expect("a running server").count()
    }

    /// A command on this installation, for somebody else to run: `tegata ARGUMENTS --data DIR --json`.
    pub fn command_line(&self, arguments: &[&str]) -> Vec<String> {
        let data = self.folder.path().display().to_string();
        let program = tegata().display().to_string();
        let all = [&[&*program], arguments, &["--data", &data, "--json"]].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    /// A command on this installation: `tegata ARGUMENTS --data DIR --json`.
    pub fn command(&self, arguments: &[&str]) -> CommandOutcome {
        let line = self.command_line(arguments);
        CommandOutcome::of(Command::new(&line[0]).args(&line[1..]).envs(self.environment.iter().cloned()))
    }

    /// A command that speaks to people only: `tegata ARGUMENTS --data DIR`.
    pub fn command_without_json(&self, arguments: &[&str]) -> CommandOutcome {
        let mut line = self.command_line(arguments);
        line.pop();
        CommandOutcome::of(Command::new(&line[0]).args(&line[1..]).envs(self.environment.iter().cloned()))
    }

    /// The JSON of a command that must succeed.
    pub fn tell(&self, arguments: &[&str]) -> Value {
        self.command(arguments).good().json()
    }

    /// The JSON of a list, and the exit code that it must have: 1 for a list of nothing.
    pub fn listed(&self, arguments: &[&str]) -> Value {
        let outcome = self.command(arguments);
        let list = outcome.json();
        let is_nothing = list.as_array().is_none_or(Vec::is_empty);
        assert_eq!(outcome.code, i32::from(is_nothing), "{}", outcome.said());
        list
    }

    /// `tegata device VERB`, with the consent that what cannot be undone asks for.
    pub fn act_on(&self, device: &str, verb: &str) -> Value {
        let consent: &[&str] = if verb == "revoke" { &["--yes"] } else { &[] };
        self.tell(&[&["device", verb, device][..], consent].concat())
    }

    /// A fresh invitation for a device.
    pub fn invite(&self, label: &str) -> String {
        text_of(&self.tell(&["invite", "--label", label]), "url")
    }

    /// A fresh invitation for a gate.
    pub fn invite_gate(&self, name: &str) -> String {
        text_of(&self.tell(&["invite", "--gate", name]), "url")
    }

    /// A device, invited and enrolled from a command line.
    pub fn enroll(&self, label: &str) -> DeviceIdentity {
        DeviceIdentity::enroll(self, &self.invite(label), label)
    }

    /// A gate's certificate.
    pub fn enroll_gate(&self, name: &str) -> DeviceIdentity {
        DeviceIdentity::enroll(self, &self.invite_gate(name), name)
    }

    /// `tegata gate` for the product, as nginx asks it.
    pub fn gate(&self) -> GateProcess {
        self.gate_reading("nginx")
    }

    /// A gate for a proxy that writes certificates in another format.
    pub fn gate_reading(&self, format: &str) -> GateProcess {
        GateProcess::asked(self, &self.product, format)
    }

    /// `tegata gate --upstream`: between a proxy that writes certificates in this format and a product on this port.
    pub fn gate_before(&self, product: u16, format: &str) -> GateProcess {
        GateProcess::before(self, product, format)
    }

    /// `tegata gate --upstream` that terminates TLS itself, with `server.pem` and `server.key` of this folder.
    pub fn gate_alone(&self, product: u16, folder: &Path) -> GateProcess {
        GateProcess::alone(self, product, folder)
    }

    /// The folder with the certificate by which browsers know gates: `server.pem`, `server.key` and its CA in `ca.pem`.
    pub fn front(&self) -> PathBuf {
        let folder = self.folder("front");
        if !folder.join("server.key").exists() {
            issued_server(&folder);
        }
        folder
    }

    /// Starts a gate that takes tokens of keys, for a product at this origin.
    pub fn gate_by_key(&self, origin: &str) -> GateProcess {
        GateProcess::asked_by_key(self, origin)
    }

    /// Starts a gate with sessions that terminates TLS at this port, before a product on that one.
    pub fn gate_for_browsers(&self, product: u16, port: u16) -> GateProcess {
        GateProcess::for_browsers(self, product, port)
    }

    /// Starts a gate with sessions that nginx asks, where browsers find the product at this port.
    pub fn gate_asked_for_browsers(&self, origin: u16) -> GateProcess {
        GateProcess::asked_for_browsers(self, origin)
    }

    /// Starts a gate with sessions of devices that a proxy asks, which writes certificates in this format, where browsers find
    /// the product at this port.
    pub fn gate_asked_for_devices(&self, format: &str, origin: u16) -> GateProcess {
        GateProcess::asked_for_devices(self, format, origin)
    }

    /// Starts a gate with sessions of devices between such a proxy and the product on that port.
    pub fn gate_before_for_devices(&self, product: u16, format: &str, origin: u16) -> GateProcess {
        GateProcess::before_for_devices(self, product, format, origin)
    }

    /// The keys of all gates with sessions.
    pub fn gate_keys(&self) -> PathBuf {
        self.folder("gate-keys").join("session.keys")
    }

    /// Lets browsers find the product at these ports of this machine.
    pub fn serve_product_at(&mut self, ports: &[u16]) {
        let audience = format!("audience = \"{}\"", self.product);
        let origins = ports.iter().map(|port| format!("\"https://localhost:{port}\"")).collect::<Vec<_>>();
        let origins = format!("{audience}\norigins = [{}]", origins.join(", "));
        self.reconfigure(|text| {
            assert!(text.contains(&audience), "the product is configured");
            text.replacen(&audience, &origins, 1)
        });
    }

    /// `tegata gate` that finds another server beside this one.
    pub fn gate_beside(&self, another: &AnotherServer) -> GateProcess {
        GateProcess::beside(self, another)
    }

    /// Stops the server's clock, as a machine that hangs looks from outside; or lets it run again.
    pub fn freeze(&self, is_frozen: bool) {
        let signal = if is_frozen { "-STOP" } else { "-CONT" };
        CommandOutcome::of(Command::new("kill").args([signal, &self.server.id().to_string()])).good();
    }

    /// `tegata gate` for another audience than tokens have here.
    pub fn gate_for(&self, audience: &str) -> GateProcess {
        GateProcess::asked(self, audience, "nginx")
    }

    /// A request to the portal.
    pub fn at_portal(&self, path: &str) -> Curl {
        Curl::to(&format!("{}{path}", self.portal)).trusting(&self.tls_ca)
    }

    /// A request to the listener that asks for certificates.
    pub fn at_device(&self, path: &str) -> Curl {
        Curl::to(&format!("{}{path}", self.device)).trusting(&self.tls_ca)
    }

    /// What the OAuth metadata says under this name.
    pub fn oauth(&self, name: &str) -> Curl {
        let metadata = Curl::to(&format!("{}/.well-known/oauth-authorization-server", self.issuer));
        let metadata = metadata.trusting(&self.tls_ca).send().json();
        Curl::to(&text_of(&metadata, name)).trusting(&self.tls_ca)
    }
}

fn serve(data: &Path, arguments: &[&str], environment: &[(String, String)]) -> (Process, Value) {
    let mut command = Command::new(tegata());
    command.args(["dev", "--json", "--data"]).arg(data).args(arguments).envs(environment.iter().cloned());
    let mut server = Process::start("tegata dev", &mut command, &data.join("server.log"));
    let ready = server.line();
    let ready = serde_json::from_str(&ready).unwrap_or_else(|error| panic!("{error} in {ready:?}"));
    (server, ready)
}

fn first_product(data: &Path) -> String {
    let config = std::fs::read_to_string(data.join("tegata.toml")).expect("the configuration");
    let (_, product) = config.split_once("[[product]]").expect("a product");
    let audience = product.lines().find_map(|line| line.strip_prefix("audience = "));
    audience.expect("its audience").trim_matches('"').to_owned()
}

/// A text of a JSON object.
pub fn text_of(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no text {name} in {value}")).to_owned()
}
