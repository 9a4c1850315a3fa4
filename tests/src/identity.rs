//! A machine that was enrolled from the command line.

use crate::binary::tegata;
use crate::command::CommandOutcome;
use crate::installation::{RunningInstallation, text_of};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// A folder with `key.pem`, `cert.pem` and `chain.pem`, and what it stands for.
#[derive(Clone, Debug)]
pub struct DeviceIdentity {
    /// The folder.
    pub folder: PathBuf,
    /// The device's identifier, which is its OAuth client too.
    pub device: String,
    /// Which certificate of the device.
    pub generation: u64,
    /// Hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate, base64url.
    pub thumbprint: String,
}

impl DeviceIdentity {
    /// `tegata enroll INVITATION`.
    pub fn enroll(installation: &RunningInstallation, invitation: &str, name: &str) -> Self {
        let folder = installation.folder("identities").join(name);
        let mut command = Command::new(tegata());
        command.arg("enroll").arg(invitation).arg("--out").arg(&folder);
        command.arg("--tls-ca").arg(&installation.tls_ca).arg("--json");
        Self::told(folder, &CommandOutcome::of(&mut command).good().json())
    }

    /// `tegata renew`, into the same folder.
    #[must_use]
    pub fn renew(&self, installation: &RunningInstallation) -> Self {
        Self::told(self.folder.clone(), &self.renew_with(installation, &[]).good().json())
    }

    /// Renews the certificate with more options.
    #[must_use]
    pub fn renew_with(&self, installation: &RunningInstallation, options: &[&str]) -> CommandOutcome {
        let mut command = Command::new(tegata());
        command.arg("renew").arg(&self.folder).arg("--tls-ca").arg(&installation.tls_ca).arg("--json");
        CommandOutcome::of(command.args(options))
    }

    /// Renews the certificate and gives the token that came along.
    #[must_use]
    pub fn renew_with_token(&self, installation: &RunningInstallation) -> (Self, String) {
        let told = self.renew_with(installation, &["--token"]).good().json();
        let kept = std::fs::read(self.folder.join("token.json")).expect("a token");
        let kept: Value = serde_json::from_slice(&kept).expect("JSON");
        assert_eq!(kept["thumbprint"], told["thumbprint"]);
        (Self::told(self.folder.clone(), &told), text_of(&kept, "access_token"))
    }

    /// A copy of its files that a renewal leaves alone.
    #[must_use]
    pub fn kept_aside(&self) -> Self {
        let folder = self.folder.with_extension(format!("generation-{}", self.generation));
        std::fs::create_dir_all(&folder).expect("a folder");
        for name in ["key.pem", "cert.pem", "chain.pem"] {
            std::fs::copy(self.folder.join(name), folder.join(name)).expect("a copy");
        }
        Self { folder, ..self.clone() }
    }

    /// Somebody who names this device and shows the certificate of another.
    #[must_use]
    pub fn with_files_of(&self, other: &Self) -> Self {
        Self { folder: other.folder.clone(), ..self.clone() }
    }

    /// The path of one of its files.
    pub fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn told(folder: PathBuf, told: &Value) -> Self {
        Self {
            folder,
            device: text_of(told, "device"),
            generation: told["generation"].as_u64().expect("a generation"),
            serial: text_of(told, "serial"),
            thumbprint: text_of(told, "thumbprint"),
        }
    }
}
