//! Somebody who is sent security events, with a JOSE library that others wrote.

use crate::recipe::self_signed_server;
use crate::{Process, RunningInstallation, clients, ports};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A receiver of security events that runs until it is killed, and can be started again at the same place.
#[derive(Debug)]
pub struct Receiver {
    id: String,
    tenant: Option<String>,
    folder: PathBuf,
    port: u16,
    argument: Value,
    process: Option<Process>,
}

impl Receiver {
    /// One that is ready to be configured; `rejects` is the end of the type of events that it will not take.
    pub fn new(
        installation: &RunningInstallation,
        id: &str,
        tenant: Option<&str>,
        rejects: Option<&str>,
    ) -> Self {
        let folder = installation.folder(id);
        self_signed_server(&folder);
        let port = ports::free();
        let authorization = format!("Bearer of-{id}");
        std::fs::write(folder.join("authorization"), format!("{authorization}\n")).expect("a file");
        let argument = json!({
            "port": port, "folder": folder, "ca": installation.tls_ca, "portal": installation.portal,
            "audience": audience(id), "authorization": authorization, "rejects": rejects,
        });
        Self { id: id.into(), tenant: tenant.map(Into::into), folder, port, argument, process: None }
    }

    /// Its part of `tegata.toml`.
    pub fn configuration(&self) -> String {
        let Self { id, port, folder, .. } = self;
        let folder = folder.display();
        let tenant =
            self.tenant.as_ref().map_or_else(String::new, |tenant| format!("tenant = \"{tenant}\"\n"));
        format!(
            "\n[[receiver]]\nid = \"{id}\"\naudience = \"{}\"\n{tenant}[receiver.push]\n\
             endpoint = \"https://localhost:{port}/events\"\nauthorization = \"{folder}/authorization\"\n\
             ca = \"{folder}/server.pem\"\n",
            audience(id)
        )
    }

    /// Listens, and gives what it found out about the transmitter.
    pub fn start(&mut self) -> Value {
        let mut command = clients::node("receiver.mjs");
        command.arg(self.argument.to_string());
        let process = Process::start("receiver.mjs", &mut command, &self.folder.join("log"));
        self.process.insert(process).line_as_json()
    }

    /// Is gone at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// The next thing it took or refused.
    pub fn hears(&mut self) -> Value {
        self.process.as_mut().expect("it was started").line_as_json()
    }
}

fn audience(id: &str) -> String {
    format!("https://{id}.example")
}
