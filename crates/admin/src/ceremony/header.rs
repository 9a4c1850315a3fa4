//! The part of a ceremony file that every act has.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The act by its name, why it is done, and who is there.
pub struct CeremonyHeader {
    pub file: PathBuf,
    /// Of the file, in hex.
    pub sha256: String,
    pub name: StepName,
    pub why: String,
    pub present: Vec<Participant>,
}

/// Somebody who takes part. This is no certificate: names are welcome.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    pub role: String,
    pub name: String,
}

/// Its name in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepName {
    CreateRoot,
    RequestIssuing,
    SignIssuing,
    InstallIssuing,
    CreateIssuing,
    SignRootCrl,
    InstallRootCrl,
    RestIssuing,
    RetireIssuing,
    RevokeIssuing,
    TenantIssuing,
}

impl CeremonyHeader {
    /// Paths in the file begin at its folder.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder().join(path)
    }

    /// The folder of the ceremony file.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }
}
