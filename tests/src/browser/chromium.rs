//! Chromium looks for certificates in an NSS database below the home.

use super::{create_certificate_store, store, temporary};
use crate::command::run;
use crate::installation::RunningInstallation;
use crate::policy::Policy;
use crate::ports;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// At all hosts of the device listener, and at gates on these ports, the browser chooses by itself.
pub(super) fn policy(installation: &RunningInstallation, gates: &[u16]) -> Policy {
    let port = ports::of(&installation.device);
    let hosts =
        ["localhost", "127.0.0.1", "[*.]probe.localhost"].map(|host| format!("https://{host}:{port}"));
    let gates = gates.iter().map(|port| format!("https://localhost:{port}"));
    Policy::auto_select(&hosts.into_iter().chain(gates).collect::<Vec<_>>())
}

/// The policy for an installation at a host name of its own.
pub(super) fn policy_for(host: &str, port: u16) -> Policy {
    let hosts = [host.to_owned(), format!("[*.]probe.{host}")];
    Policy::auto_select(&hosts.map(|host| format!("https://{host}:{port}")))
}

pub(super) fn home(tls_ca: &Path) -> TempDir {
    let home = temporary();
    create_certificate_store(&database(home.path()), tls_ca);
    home
}

/// Trusts the servers of one more CA.
pub(super) fn trust(home: &Path, ca: &Path) {
    super::trust(&database(home), "gate", ca);
}

pub(super) fn import(home: &Path, file: &Path, password: &str) {
    let (file, store) = (file.display().to_string(), store(&database(home)));
    run("pk12util", &["-i", &file, "-d", &store, "-W", password]);
}

/// Where Chromium looks first.
fn database(home: &Path) -> PathBuf {
    home.join(".pki/nssdb")
}
