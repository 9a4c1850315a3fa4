//! One run of an act: its file, its inputs, the system context, and the transcript.

use super::header::CeremonyHeader;
use super::outputs::{Outputs, must_be_new};
use super::transcript::Transcript;
use crate::ListenerTrust;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tegata_core::Timestamp;
use tegata_core::encoding::hex;
use tegata_installation::{
    CommittedExt, Config, Failure, FailureContext, KeyRing, SystemContext, config::KeysConfig, open_beside,
    open_ledger, pem,
};
use tegata_storage::Ledger;

/// What is said of a ceremony beside its file.
pub struct CeremonyOptions {
    /// The configuration file of the installation, for acts that need one.
    pub installation: PathBuf,
    /// The file that describes the act.
    pub file: PathBuf,
    /// Whether it is done. Otherwise it is only shown.
    pub perform: bool,
    /// The SHA-256 that the file must have, in hex.
    pub expect: Option<String>,
    /// The new file for the transcript.
    pub transcript: Option<PathBuf>,
}

/// A performance or a rehearsal.
pub struct CeremonyRun<'a> {
    pub header: &'a CeremonyHeader,
    pub perform: bool,
    pub system: &'a SystemContext,
    pub now: Timestamp,
    trust: &'a dyn ListenerTrust,
    installation: &'a Path,
    transcript: Transcript<'a>,
}

impl<'a> CeremonyRun<'a> {
    pub fn new(
        header: &'a CeremonyHeader,
        options: &'a CeremonyOptions,
        trust: &'a dyn ListenerTrust,
        system: &'a SystemContext,
        transcript: Transcript<'a>,
    ) -> Self {
        let CeremonyOptions { installation, perform, .. } = options;
        Self { header, perform: *perform, system, now: system.now(), trust, installation, transcript }
    }

    /// By whose rules, and when, a CA is judged before it is taken in.
    pub fn judge(&self) -> (&dyn ListenerTrust, Timestamp) {
        (self.trust, self.now)
    }

    /// Obtains consent to an act that ends something for ever, when it is about to be performed.
    pub fn obtain_consent(&mut self, what: &str) -> Result<(), Failure> {
        if self.perform { self.transcript.consent(what) } else { Ok(()) }
    }

    /// Says one thing, to those present and to the transcript.
    pub fn say(&mut self, what: &str, facts: &Value) -> Result<(), Failure> {
        self.transcript.say(what, facts)
    }

    /// What is about to be done, or would be.
    pub fn plan(&mut self, action: &str, facts: &Value) -> Result<(), Failure> {
        let what = if self.perform { action.to_owned() } else { format!("would {action}") };
        self.say(&what, facts)
    }

    /// An input as it is in its file. Its hash is noted before anything is made of it.
    pub fn read(&mut self, what: &str, file: &Path) -> Result<Vec<u8>, Failure> {
        let path = self.header.path(file);
        let bytes = std::fs::read(&path)
            .map_err(|error| Failure::misuse(format!("cannot read {}: {error}", path.display())))?;
        self.say(
            "input",
            &json!({"is": what, "file": path.display().to_string(), "sha256": sha256(&bytes)}),
        )?;
        Ok(bytes)
    }

    /// Reads an input as [`CeremonyRun::read`] does and decodes it if it is PEM.
    pub fn read_der(&mut self, what: &str, file: &Path) -> Result<Vec<u8>, Failure> {
        let bytes = self.read(what, file)?;
        Ok(pem::decode(&bytes).unwrap_or(bytes))
    }

    /// A file that will be written: it must not exist.
    pub fn new_file(&self, file: &Path) -> Result<PathBuf, Failure> {
        let path = self.header.path(file);
        must_be_new(&path).map(|()| path)
    }

    /// Writes what was made, and notes its hash.
    pub fn write(&mut self, outputs: &mut Outputs<'_>, path: &Path, content: &[u8]) -> Result<(), Failure> {
        outputs.write(path, content)?;
        self.say("wrote", &json!({"file": path.display().to_string(), "sha256": sha256(content)}))
    }

    /// The keys that an act names itself, where no installation is.
    pub fn keys(&self, keys: &KeysConfig) -> Result<KeyRing, Failure> {
        KeyRing::open_at(self.header.folder(), keys)
    }

    /// Reads the configuration of the installation that the command names.
    pub fn config(&self) -> Result<Config, Failure> {
        Config::read(self.installation)
    }

    /// The installation's ledger. A rehearsal looks at it as it is.
    pub async fn ledger(&self, config: &Config) -> Result<Ledger, Failure> {
        if self.perform { open_ledger(config, self.system).await } else { open_beside(config).await }
    }

    /// What every audit entry of an act says of it.
    pub fn detail(&self, more: &Value) -> Value {
        let mut detail = json!({"act": self.header.name, "script": self.header.sha256});
        if let (Some(detail), Some(more)) = (detail.as_object_mut(), more.as_object()) {
            detail.extend(more.clone());
        }
        detail
    }

    /// The audit entry of an act that changes nothing else in the ledger.
    pub async fn note(&self, ledger: &Ledger, more: &Value) -> Result<(), Failure> {
        const WHAT: &str = "cannot write the audit log";
        let mut transaction = ledger.begin(self.now).await.doing(WHAT)?;
        let detail = self.detail(more);
        transaction
            .audit(&SystemContext::operator(), "ceremony.performed", None, detail)
            .await
            .doing(WHAT)?;
        transaction.commit().await.committed(WHAT)
    }
}

/// In hex, as `sha256sum` writes it.
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}
