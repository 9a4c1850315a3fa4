//! `tegata gate`: the checkpoint that a proxy asks.

use crate::binary::tegata;
use crate::curl::Curl;
use crate::installation::Installation;
use crate::ports;
use crate::process::Process;
use crate::stopwatch::eventually;
use std::process::Command;
use std::time::Duration;

/// A running gate with its own certificate.
#[derive(Debug)]
pub struct GateProcess {
    process: Process,
    /// Where it answers, on 127.0.0.1.
    pub port: u16,
    /// Its own identifier.
    pub id: String,
}

impl GateProcess {
    /// Enrols and starts a gate for `audience`, and waits until it decides.
    pub(crate) fn start(installation: &Installation, audience: &str) -> Self {
        let port = ports::free();
        let name = format!("gate-{port}");
        let identity = installation.enroll_gate(&name);
        let state = installation.folder(&format!("{name}-state"));
        let mut command = Command::new(tegata());
        command.args(["gate", "--issuer", &installation.issuer, "--audience", audience]);
        command.arg("--identity").arg(&identity.folder).arg("--tls-ca").arg(&installation.tls_ca);
        command.arg("--state").arg(&state).arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.args(["--certificate-header", "nginx", "--trusted", "127.0.0.1"]);
        let process = Process::start("tegata gate", &mut command, &state.with_extension("log"));
        let gate = Self { process, port, id: identity.device };
        eventually("the gate decides", Duration::from_secs(20), || gate.is_deciding());
        gate
    }

    /// Whether it decides, as its health says.
    pub fn is_deciding(&self) -> bool {
        let health = Curl::to(&format!("http://127.0.0.1:{}/health", self.port)).attempt();
        health.is_ok_and(|answer| answer.status == 200)
    }

    /// Ends it without a farewell.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
