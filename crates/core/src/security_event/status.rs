//! The status of an event stream (SSF 1.0 section 8.1.2).

use serde::{Deserialize, Serialize};

/// The status of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamStatus {
    /// Events are delivered to the receiver.
    #[default]
    Enabled,
    /// Events are held until the stream is enabled again.
    Paused,
    /// Events are dropped: the receiver never gets those that happen now.
    Disabled,
}

impl StreamStatus {
    /// The word that SSF uses for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// Reads the word that SSF uses; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Enabled, Self::Paused, Self::Disabled].into_iter().find(|status| status.word() == word)
    }
}
