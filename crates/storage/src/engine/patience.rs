//! How long servers and commands wait for the database.

use std::time::Duration;

/// How long a caller can wait for the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Patience {
    /// A server: others wait for it, and hear within two seconds that the ledger is out of reach.
    Server,
    /// A command: one person waits for it.
    #[default]
    Command,
}

impl Patience {
    /// The time limit for opening a connection.
    pub(crate) const fn connect(self) -> Duration {
        match self {
            Self::Server => Duration::from_secs(1),
            Self::Command => Duration::from_secs(15),
        }
    }

    /// For the right to write, while another process has it.
    pub(crate) const fn lock(self) -> Duration {
        match self {
            Self::Server => Duration::from_millis(500),
            Self::Command => Duration::from_secs(10),
        }
    }

    /// For the right to write, while others in this process have it.
    pub(crate) const fn turn(self) -> Duration {
        match self {
            Self::Server => Duration::from_millis(600),
            Self::Command => Duration::from_secs(10),
        }
    }

    /// How much slower than a server a command may be.
    pub(crate) const fn factor(self) -> u32 {
        match self {
            Self::Server => 1,
            Self::Command => 10,
        }
    }
}
