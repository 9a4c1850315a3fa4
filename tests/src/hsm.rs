//! `SoftHSM`: a PKCS#11 token in a folder that is gone when the test is over.

use crate::binary::tegata;
use crate::command::CommandOutcome;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const LABEL: &str = "pharmacy ca";
const PIN: &str = "314159-2653";

/// A token, and a file with its PIN.
#[derive(Debug)]
pub struct Hsm {
    folder: TempDir,
}

impl Hsm {
    /// An empty token.
    ///
    /// # Panics
    /// Where `SoftHSM` is not installed.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tegata-hsm-").tempdir().expect("a folder");
        let hsm = Self { folder };
        let tokens = hsm.file("tokens");
        std::fs::create_dir(&tokens).expect("a folder");
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(hsm.file("softhsm2.conf"), text).expect("a file");
        hsm.write_pin(PIN);
        let mut init = Command::new("softhsm2-util");
        init.args(["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "271828-1828"]);
        CommandOutcome::of(init.envs(hsm.environment())).good();
        hsm
    }

    /// Where the library finds the token.
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![("SOFTHSM2_CONF".to_owned(), self.file("softhsm2.conf").display().to_string())]
    }

    /// `tegata init` with the CA keys on the token.
    pub fn init(&self, data: &Path) -> CommandOutcome {
        let mut command = Command::new(tegata());
        command.args(["init", "--pkcs11-module", module(), "--pkcs11-token", LABEL, "--pkcs11-pin"]);
        command.arg(self.file("pin")).arg("--data").arg(data);
        CommandOutcome::of(command.envs(self.environment()))
    }

    /// The PIN that the server is told; the token's own stays.
    pub fn write_pin(&self, pin: &str) {
        let file = self.file("pin");
        std::fs::write(&file, format!("{pin}\n")).expect("a file");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode");
    }

    /// The right one.
    pub fn pin(&self) -> &'static str {
        PIN
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Default for Hsm {
    fn default() -> Self {
        Self::new()
    }
}

fn module() -> &'static str {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"];
    places
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("libsofthsm2.so: apt-get install softhsm2")
}
