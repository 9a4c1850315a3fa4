//! `tegata gate`: the checkpoint that a proxy asks.

use crate::another_server::AnotherServer;
use crate::binary::tegata;
use crate::command::CommandOutcome;
use crate::curl::Curl;
use crate::identity::DeviceIdentity;
use crate::installation::RunningInstallation;
use crate::process::Process;
use crate::stopwatch::eventually;
use crate::{openssl, ports};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A running gate with its own certificate.
#[derive(Debug)]
pub struct GateProcess {
    process: Process,
    /// Where it is asked, or with an upstream where requests come in, on 127.0.0.1.
    pub port: u16,
    /// Where it tells its health.
    health: u16,
    /// Its own identifier.
    pub id: String,
    /// The URI in its certificate.
    pub uri: String,
}

/// For a product that browsers find at this port. A person has to sign in, or the device is enough.
fn session_options(installation: &RunningInstallation, session: &str, origin: u16) -> Vec<String> {
    let keys = installation.gate_keys().display().to_string();
    let (chain, origin) = (installation.chain.display().to_string(), format!("https://localhost:{origin}"));
    let options = [session, "--session-key", &keys, "--client-ca", &chain, "--origin", &origin];
    options.map(str::to_owned).into()
}

const PERSON: &str = "--session";
const DEVICE: &str = "--session=device";

impl GateProcess {
    /// Enrolls and starts a gate for `audience` that proxies ask, and waits until it decides. The certificate comes in
    /// this format.
    pub(crate) fn asked(installation: &RunningInstallation, audience: &str, format: &str) -> Self {
        let port = ports::free();
        Self::start(installation, audience, format, [port, port], &[])
    }

    /// A gate that a proxy asks for a product at this origin, to which no certificate gets: tokens of keys are taken.
    pub(crate) fn asked_by_key(installation: &RunningInstallation, origin: &str) -> Self {
        let port = ports::free();
        Self::start(installation, &installation.product, "nginx", [port, port], &["--dpop", origin])
    }

    /// A gate that is told where both servers are.
    pub(crate) fn beside(installation: &RunningInstallation, another: &AnotherServer) -> Self {
        let port = ports::free();
        let rules = another.rules();
        let rules: Vec<_> = rules.iter().flat_map(|rule| ["--connect-to", rule]).collect();
        Self::start(installation, &installation.product, "nginx", [port, port], &rules)
    }

    /// A gate that passes requests on to a product on this port.
    pub(crate) fn before(installation: &RunningInstallation, product: u16, format: &str) -> Self {
        let [port, health] = [ports::free(), ports::free()];
        let upstream = format!("http://127.0.0.1:{product}");
        let own = ["--upstream", &upstream, "--health", &format!("127.0.0.1:{health}")];
        Self::start(installation, &installation.product, format, [port, health], &own)
    }

    /// A gate that terminates TLS itself, with `server.pem` and `server.key` of this folder.
    pub(crate) fn alone(installation: &RunningInstallation, product: u16, folder: &Path) -> Self {
        let [port, health] = [ports::free(), ports::free()];
        let file = |name: &str| folder.join(name).display().to_string();
        let (upstream, health_at) = (format!("http://127.0.0.1:{product}"), format!("127.0.0.1:{health}"));
        let own = ["--upstream", &upstream, "--health", &health_at, "--certificate", &file("server.pem")];
        let chain = installation.chain.display().to_string();
        let tls = ["--key", &file("server.key"), "--client-ca", &chain];
        Self::start(installation, &installation.product, "nginx", [port, health], &[&own[..], &tls].concat())
    }

    /// A gate with sessions, before a product on this port, which terminates TLS itself.
    pub(crate) fn for_browsers(installation: &RunningInstallation, product: u16, port: u16) -> Self {
        let health = ports::free();
        let (upstream, health_at) = (format!("http://127.0.0.1:{product}"), format!("127.0.0.1:{health}"));
        let folder = installation.front();
        let file = |name: &str| folder.join(name).display().to_string();
        let front = ["--upstream", &upstream, "--health", &health_at, "--certificate", &file("server.pem")];
        let key = ["--key", &file("server.key")];
        let sessions = session_options(installation, PERSON, port);
        let sessions: Vec<_> = sessions.iter().map(String::as_str).collect();
        let more = [&front[..], &key, &sessions].concat();
        Self::start(installation, &installation.product, "nginx", [port, health], &more)
    }

    /// A gate with sessions that nginx asks, for a product that browsers find at this port.
    pub(crate) fn asked_for_browsers(installation: &RunningInstallation, origin: u16) -> Self {
        let port = ports::free();
        let sessions = session_options(installation, PERSON, origin);
        let sessions: Vec<_> = sessions.iter().map(String::as_str).collect();
        Self::start(installation, &installation.product, "nginx", [port, port], &sessions)
    }

    /// A gate with sessions of devices, asked by a proxy that writes certificates in this format, for a product that browsers
    /// find at this port.
    pub(crate) fn asked_for_devices(installation: &RunningInstallation, format: &str, origin: u16) -> Self {
        let port = ports::free();
        let sessions = session_options(installation, DEVICE, origin);
        let sessions: Vec<_> = sessions.iter().map(String::as_str).collect();
        Self::start(installation, &installation.product, format, [port, port], &sessions)
    }

    /// A gate with sessions of devices between such a proxy and the product on this port.
    pub(crate) fn before_for_devices(
        installation: &RunningInstallation,
        product: u16,
        format: &str,
        origin: u16,
    ) -> Self {
        let [port, health] = [ports::free(), ports::free()];
        let (upstream, health_at) = (format!("http://127.0.0.1:{product}"), format!("127.0.0.1:{health}"));
        let own = ["--upstream", &upstream, "--health", &health_at];
        let sessions = session_options(installation, DEVICE, origin);
        let sessions: Vec<_> = sessions.iter().map(String::as_str).collect();
        let more = [&own[..], &sessions].concat();
        Self::start(installation, &installation.product, format, [port, health], &more)
    }

    fn start(
        installation: &RunningInstallation,
        audience: &str,
        format: &str,
        [port, health]: [u16; 2],
        more: &[&str],
    ) -> Self {
        let name = format!("gate-{port}");
        let identity = installation.enroll_gate(&name);
        let text = openssl::text(&identity.file("cert.pem"));
        let (_, names) = text.split_once("Subject Alternative Name").expect("names");
        let uri = openssl::url_after(names, "URI:");
        let state = installation.folder(&format!("{name}-state"));
        let mut command = Command::new(tegata());
        command.args(["gate", "--issuer", &installation.issuer, "--audience", audience]);
        command.arg("--identity").arg(&identity.folder).arg("--tls-ca").arg(&installation.tls_ca);
        command.arg("--state").arg(&state).arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.args(["--certificate-header", format, "--trusted", "127.0.0.1"]).args(more);
        let process = Process::start("tegata gate", &mut command, &state.with_extension("log"));
        let gate = Self { process, port, health, uri, id: identity.device };
        eventually("the gate decides", Duration::from_secs(20), || gate.is_deciding());
        gate
    }

    /// What a gate answers who is started with these options beside the usual ones, and should not start.
    pub fn misused(
        installation: &RunningInstallation,
        identity: &DeviceIdentity,
        audience: &str,
        more: &[&str],
    ) -> CommandOutcome {
        let mut command = Command::new(tegata());
        command.args(["gate", "--issuer", &installation.issuer, "--audience", audience]);
        command.arg("--identity").arg(&identity.folder).arg("--tls-ca").arg(&installation.tls_ca);
        CommandOutcome::of(command.args(["--listen", "127.0.0.1:0"]).args(more))
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Whether it decides, as its health says.
    pub fn is_deciding(&self) -> bool {
        let health = Curl::to(&format!("http://127.0.0.1:{}/health", self.health)).attempt();
        health.is_ok_and(|answer| answer.status == 200)
    }

    /// Kills it without a chance to clean up.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
