//! strongSwan's `pki`: an EST client that others wrote.

use crate::command::CommandOutcome;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its default is TLS 1.2, which the device listener does not speak.
const SETTINGS: &str = "pki {\n  tls {\n    version_max = 1.3\n  }\n}\n";

/// The program, in a folder of its own.
#[derive(Debug)]
pub struct StrongSwan {
    folder: PathBuf,
}

impl StrongSwan {
    /// With its settings in this folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        std::fs::write(folder.join("strongswan.conf"), SETTINGS).expect("its settings");
        Self { folder }
    }

    /// `pki ARGUMENTS`, what it writes in a file of the folder.
    pub fn pki(&self, arguments: &[&str], output: &str) -> CommandOutcome {
        let script = "output=$1; shift; exec pki \"$@\" >\"$output\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", output]).args(arguments).current_dir(&self.folder);
        CommandOutcome::of(command.env("STRONGSWAN_CONF", self.folder.join("strongswan.conf")))
    }

    /// A new P-256 key and a request for it: `NAME.key` and `NAME.csr`, DER. The request asks for another name.
    pub fn request(&self, name: &str) {
        let (key, csr) = (format!("{name}.key"), format!("{name}.csr"));
        self.pki(&["--gen", "--type", "ecdsa", "--size", "256"], &key).good();
        let request = ["--req", "--in", &key, "--type", "priv", "--dn", "CN=somebody else"];
        self.pki(&request, &csr).good();
    }

    /// The path of a file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The path of a file in its folder, as an argument.
    pub fn path(&self, name: &str) -> String {
        show(&self.file(name))
    }
}

/// A path as an argument.
pub fn show(path: &Path) -> String {
    path.display().to_string()
}
