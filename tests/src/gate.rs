//! `tegata gate`: the checkpoint that a proxy asks.

use crate::another_server::AnotherServer;
use crate::binary::tegata;
use crate::curl::Curl;
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

impl GateProcess {
    /// Enrolls and starts a gate for `audience` that proxies ask, and waits until it decides. The certificate comes in
    /// this format.
    pub(crate) fn asked(installation: &RunningInstallation, audience: &str, format: &str) -> Self {
        let port = ports::free();
        Self::start(installation, audience, format, [port, port], &[])
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
