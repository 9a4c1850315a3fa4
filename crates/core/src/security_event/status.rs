//! Whether a stream flows (SSF 1.0 section 8.1.2).

use serde::{Deserialize, Serialize};

/// The status of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamStatus {
    /// Events are told.
    #[default]
    Enabled,
    /// Events are held.
    Paused,
    /// Events are dropped.
    Disabled,
}

impl StreamStatus {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Enabled, Self::Paused, Self::Disabled].into_iter().find(|status| status.word() == word)
    }
}
