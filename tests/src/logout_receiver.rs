//! A product that hears that sessions have ended, with Express and a JOSE library that others wrote.

use crate::recipe::self_signed_server;
use crate::{Process, RunningInstallation, clients, ports};
use serde_json::{Value, json};
use std::path::PathBuf;

/// One that listens once it is started.
#[derive(Debug)]
pub struct TestLogoutReceiver {
    folder: PathBuf,
    argument: Value,
    process: Option<Process>,
}

impl TestLogoutReceiver {
    /// For a client; it refuses so many times before it takes anything.
    pub fn new(installation: &RunningInstallation, client_id: &str, refusals: u32) -> Self {
        let folder = installation.folder("logout");
        self_signed_server(&folder);
        let argument = json!({
            "port": ports::free(), "folder": folder, "ca": installation.tls_ca, "issuer": installation.issuer,
            "client_id": client_id, "refusals": refusals,
        });
        Self { folder, argument, process: None }
    }

    /// What a client registers.
    pub fn uri(&self) -> String {
        format!("https://localhost:{}/logout", self.argument["port"])
    }

    /// The certificate that verifies it.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    /// It asks the installation for nothing: this is its metadata, and these are its keys.
    pub fn knowing(&mut self, metadata: &Value, jwks: &Value) {
        self.argument["known"] = json!({"metadata": metadata, "jwks": jwks});
    }

    /// Listens.
    pub fn start(&mut self) {
        let mut command = clients::node("logout-receiver.mjs");
        command.arg(self.argument.to_string());
        let process = Process::start("logout-receiver.mjs", &mut command, &self.folder.join("log"));
        self.process.insert(process).line_as_json();
    }

    /// The next thing that it took or refused.
    pub fn hears(&mut self) -> Value {
        self.process.as_mut().expect("it was started").line_as_json()
    }
}
