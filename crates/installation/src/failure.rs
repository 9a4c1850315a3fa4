//! The failure of a command: a sentence that says what to do, and an exit code.

use std::fmt::Display;
use tegata_storage::LedgerError;

/// Something is wrong (exit code 1), or the command was used wrongly (exit code 2).
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Found or met something wrong.
    #[error("{0}")]
    Wrong(String),
    /// The command was used wrongly.
    #[error("{0}")]
    Misuse(String),
}

impl Failure {
    /// Reports that something is wrong (exit code 1).
    pub fn wrong(message: impl Display) -> Self {
        Self::Wrong(message.to_string())
    }

    /// The command was used wrongly.
    pub fn misuse(message: impl Display) -> Self {
        Self::Misuse(message.to_string())
    }

    /// The exit code that scripts rely on.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Wrong(_) => 1,
            Self::Misuse(_) => 2,
        }
    }
}

/// Says truly how a change ended.
pub trait CommittedExt<T> {
    /// `otherwise` is said where nothing was changed and nothing will be.
    fn committed(self, otherwise: &str) -> Result<T, Failure>;
}

impl<T> CommittedExt<T> for Result<T, LedgerError> {
    fn committed(self, otherwise: &str) -> Result<T, Failure> {
        self.map_err(|error| {
            if error.may_be_done() {
                Failure::wrong(error)
            } else {
                Failure::wrong(format!("{otherwise}: {error}"))
            }
        })
    }
}

/// Adds to an error what was being done.
pub trait FailureContext<T> {
    /// Puts `what` before the error, as in `"cannot read the ledger: …"`.
    fn doing(self, what: impl Display) -> Result<T, Failure>;
}

impl<T, E: Display> FailureContext<T> for Result<T, E> {
    fn doing(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::wrong(format!("{what}: {error}")))
    }
}
