//! Why the revocation log was not written or not believed.

/// Why the revocation log was not written or not believed. Each says what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LogError {
    /// The file system failed before anything was written.
    #[error("the revocation log {file} cannot be used: {error}. Without it nothing is revoked")]
    Medium {
        /// The path of the log.
        file: String,
        /// The error of the operating system.
        error: String,
    },
    /// The medium failed when it had taken a part, and does not give it back.
    #[error(
        "the revocation log {file} took only a part of it: {error}. What it took will be done as soon as the ledger can be \
         written: look what is left, and do that again"
    )]
    InPart {
        /// The path of the log.
        file: String,
        /// The error of the operating system.
        error: String,
    },
    /// There is none where one should be.
    #[error(
        "the revocation log {0} is missing. Put it back, or correct `log` under [revocations]. If it is lost for ever \
         and this ledger was not restored from a backup, `tegata revocations new-log` begins another. A further server \
         without a common disk begins its own with `tegata revocations add-log`"
    )]
    Missing(String),
    /// It belongs to another ledger.
    #[error("{0} is the revocation log of another installation: correct `log` under [revocations]")]
    Foreign(String),
    /// There is one where none should be.
    #[error("{0} exists: name another file for the new revocation log, or move this one away")]
    Exists(String),
    /// The file is no such log, or of a later version.
    #[error("{0} is no revocation log that this version can read")]
    Unreadable(String),
    /// It goes on in words that came after this version.
    #[error(
        "line {line} of the revocation log {file} was written by a newer version of tegata, and this one cannot do what it \
         says: go on with the newer version"
    )]
    Newer {
        /// The path of the log.
        file: String,
        /// The number of the line, counted from 1.
        line: u64,
    },
    /// A line was changed or taken away.
    #[error(
        "line {line} of the revocation log {file} does not follow its predecessor: it was changed, or lines before it \
         were taken away. Put back a copy of the log that is whole"
    )]
    Broken {
        /// The path of the log.
        file: String,
        /// The number of the line, counted from 1.
        line: u64,
    },
    /// Ledger and log both went on without each other.
    #[error(
        "the ledger and the revocation log {file} disagree about event {seq}: one of them went on without the other. \
         Keep both, and restore a backup of the ledger from before that event: the log brings it up to date"
    )]
    Diverged {
        /// The path of the log.
        file: String,
        /// The first event known to differ, at the latest.
        seq: u64,
    },
    /// Somebody else wrote at the same moment.
    #[error("the revocation log has moved on meanwhile: try again")]
    Moved,
    /// The first log of a ledger has to be there before a further one.
    #[error("this ledger has no revocation log yet: the first server that starts begins it")]
    NoFirst,
    /// A ledger with a log was opened without it.
    #[error("this ledger has a revocation log and was opened without it: nothing can be revoked")]
    NotOpened,
}
