//! Ceremonies, as people hold them: a file, a rehearsal, a performance.

use crate::binary::tegata;
use crate::command::CommandOutcome;
use crate::installation::RunningInstallation;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine on which acts are performed: its folder, and the installation it runs, if it runs one.
#[derive(Clone, Debug)]
pub struct Ceremony {
    folder: PathBuf,
    data: Option<PathBuf>,
    passphrase: String,
}

/// An act, written down.
#[derive(Clone, Debug)]
pub struct CeremonyAct {
    file: PathBuf,
    machine: Ceremony,
}

impl Ceremony {
    /// On the machine of a running installation.
    #[must_use]
    pub fn of(installation: &RunningInstallation) -> Self {
        Self::at(&installation.folder("ceremony"), Some(&installation.data()))
    }

    /// On a machine with this folder, whose installation, if it has one, is in `data`.
    #[must_use]
    pub fn at(folder: &Path, data: Option<&Path>) -> Self {
        let passphrase = "a passphrase that is never written down".to_owned();
        Self { folder: folder.to_owned(), data: data.map(Path::to_owned), passphrase }
    }

    /// What unlocks the keys of a machine without an installation.
    pub fn passphrase(&self) -> &str {
        &self.passphrase
    }

    /// An act with these details, in TOML.
    pub fn act(&self, name: &str, details: &str) -> CeremonyAct {
        let count = std::fs::read_dir(&self.folder).expect("the folder").count();
        let text = format!(
            "act = \"{name}\"\nwhy = \"a test\"\n[[present]]\nrole = \"witness\"\nname = \"若葉 太郎\"\n[details]\n{details}"
        );
        let file = self.file(&format!("{count:02}-{name}.toml"));
        std::fs::write(&file, text).expect("a file");
        CeremonyAct { file, machine: self.clone() }
    }

    /// An act that is in a file of the folder already.
    pub fn written(&self, file: &str) -> CeremonyAct {
        CeremonyAct { file: self.file(file), machine: self.clone() }
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl CeremonyAct {
    /// Shows what would be done.
    pub fn rehearse(&self) -> CommandOutcome {
        self.run(&[])
    }

    /// Does it.
    pub fn perform(&self) -> CommandOutcome {
        self.run(&["--perform", "--yes"])
    }

    /// Does it, which must succeed, and gives the lines of its transcript.
    #[allow(clippy::return_self_not_must_use, reason = "often the deed is all that is wanted")]
    pub fn done(&self) -> Vec<Value> {
        let outcome = self.run(&["--perform", "--yes", "--json"]).good();
        let lines = outcome.stdout.lines();
        lines.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// `tegata ceremony FILE` with more arguments.
    pub fn run(&self, arguments: &[&str]) -> CommandOutcome {
        let mut command = Command::new(tegata());
        command.arg("ceremony").arg(&self.file).args(arguments);
        match &self.machine.data {
            Some(data) => command.arg("--data").arg(data),
            None => command.env("TEGATA_PASSPHRASE", &self.machine.passphrase),
        };
        CommandOutcome::of(&mut command)
    }

    /// Its file.
    pub fn file(&self) -> &Path {
        &self.file
    }
}
