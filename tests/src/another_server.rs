//! A second server of an installation, beside the first on the same ledger.

use crate::binary::tegata;
use crate::command::CommandOutcome;
use crate::curl::Curl;
use crate::installation::RunningInstallation;
use crate::ports;
use crate::process::Process;
use crate::stopwatch::eventually;
use std::fs;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Longer than a server takes to start or to end on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Another server with its own copy of configuration and keys, at other ports of 127.0.0.1. Whoever asks it uses the names
/// of the installation, and is led to these ports.
#[derive(Debug)]
pub struct AnotherServer {
    // Before the folder, so that the server is gone first.
    process: Process,
    folder: TempDir,
    /// Each port of the installation's URLs, and its own.
    ports: [(u16, u16); 3],
}

impl AnotherServer {
    /// Starts it with a change made to its configuration, and waits until it answers.
    pub fn start(installation: &RunningInstallation, change: impl FnOnce(String) -> String) -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-another-").tempdir().expect("a folder");
        copy(&installation.data().display().to_string(), &folder.path().display().to_string());
        let urls = [&installation.portal, &installation.device, &installation.public];
        let ports = urls.map(|url| (ports::of(url), ports::free()));
        let file = folder.path().join("tegata.toml");
        let mut text = fs::read_to_string(&file).expect("the configuration");
        // `tegata dev` was told other ports than its configuration says.
        for ((theirs, own), configured) in ports.into_iter().zip([8443, 9443, 8080]) {
            let listen = format!("listen = \"127.0.0.1:{configured}\"");
            assert!(text.contains(&listen), "{listen} in {text}");
            text = text.replace(&listen, &format!("listen = \"127.0.0.1:{own}\""));
            text = text.replace(&format!(":{configured}\"\n"), &format!(":{theirs}\"\n"));
        }
        fs::write(&file, change(text)).expect("the configuration is written");
        let mut command = Command::new(tegata());
        command.args(["serve", "--data"]).arg(folder.path());
        command.envs(installation.environment().iter().cloned());
        let process = Process::start("tegata serve", &mut command, &folder.path().join("server.log"));
        let another = Self { process, folder, ports };
        let metadata = format!("{}/.well-known/oauth-authorization-server", installation.issuer);
        eventually("the other server answers", PATIENCE, || {
            let asked = another.leads(Curl::to(&metadata).trusting(&installation.tls_ca));
            asked.attempt().is_ok_and(|answer| answer.status == 200)
        });
        another
    }

    /// This request goes here, whatever of the installation it is for.
    #[must_use]
    pub fn leads(&self, request: Curl) -> Curl {
        // Whatever the host: ports tell the listeners apart.
        let rule = |(theirs, own): (u16, u16)| format!(":{theirs}:127.0.0.1:{own}");
        self.ports.into_iter().fold(request, |request, ports| request.option("--connect-to", &rule(ports)))
    }

    /// What a gate is told so that it finds both servers.
    pub fn rules(&self) -> Vec<String> {
        let [portal, device, _] = self.ports;
        let of = |(theirs, own): (u16, u16)| {
            [theirs, own].map(|port| format!("localhost:{theirs}=127.0.0.1:{port}"))
        };
        [portal, device].into_iter().flat_map(of).collect()
    }

    /// The port of its public listener.
    pub fn public_port(&self) -> u16 {
        self.ports[2].1
    }

    /// Ends it in order.
    pub fn stop(mut self) {
        CommandOutcome::of(Command::new("kill").arg(self.process.id().to_string())).good();
        eventually("the other server has ended", PATIENCE, || !self.process.is_running());
    }

    /// What it wrote to standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }
}

fn copy(from: &str, to: &str) {
    CommandOutcome::of(Command::new("cp").args(["-a", &format!("{from}/."), to])).good();
}
