//! Why the ledger did not do what it was asked.

use crate::revocation_log::LogError;
use tegata_core::Refusal;

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The engine refused, or the way to it failed before anything was committed: nothing was changed.
    #[error("the ledger cannot be reached or refused a statement: {0}")]
    Engine(#[from] sqlx::Error),
    /// The engine does not answer, or those who write do not come to an end: nothing was changed.
    #[error("the ledger does not answer")]
    OutOfReach,
    /// It is in the revocation log, and the ledger could not take it: the next writer does it.
    #[error(
        "it was accepted and is in the revocation log, but the ledger could not take it now ({0}). It will be done as soon \
         as the ledger can be written; nothing has to be said twice"
    )]
    Accepted(String),
    /// The answer to a commit was lost: it was done or it was not. It is not done later.
    #[error("the ledger's answer was lost ({0}): it was done or it was not. Look before you do it again")]
    InDoubt(String),
    /// The schema could not be brought up to date.
    #[error("the ledger's schema could not be brought up to date: {0}")]
    Migration(sqlx::migrate::MigrateError),
    /// The URL names no engine.
    #[error("the ledger's URL must begin with sqlite: or postgres:")]
    Url,
    /// The URL leads to no place that can be written.
    #[error("the ledger's URL cannot be used: {0}")]
    BadUrl(&'static str),
    /// A commit would wait for fewer stand-bys than the configuration demands: nothing was changed.
    #[error(
        "a commit has to wait for {demanded} synchronous stand-bys and would wait for {waits_for}: nothing is written. Set \
         synchronous_standby_names (and synchronous_commit to on) in PostgreSQL, or lower require_synchronous_standbys \
         under [storage]"
    )]
    Unprotected {
        /// Demanded by the configuration.
        demanded: u32,
        /// Waited for by PostgreSQL's settings.
        waits_for: u32,
    },
    /// A row says something this program cannot read.
    #[error("the ledger holds something this version cannot read: {0}")]
    Unreadable(&'static str),
    /// The guard of an update did not hold: the thing is not in the state the caller assumed.
    #[error("{0}")]
    Guard(&'static str),
    /// The requester can do something about it.
    #[error("refused: {}", .0.code())]
    Refused(Refusal),
    /// The revocation log is not to be believed, or cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The ledger is older than it was: somebody restored a backup while this process was running.
    #[error(
        "the ledger is older than it was a moment ago: it was restored beneath this process, which opens it again"
    )]
    WentBack,
    /// The writer of grouped operations has stopped.
    #[error("the ledger is closing")]
    Closing,
}

/// The guard of a write stands in its `WHERE`: where it did not hold, nothing was changed, and `otherwise` says why.
pub(crate) fn changed_one(rows: u64, otherwise: &'static str) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(LedgerError::Guard(otherwise)) }
}

impl LedgerError {
    /// The refusal to show for it.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Accepted(_) | Self::Log(LogError::InPart { .. }) => Refusal::Accepted,
            Self::InDoubt(_) => Refusal::InDoubt,
            Self::Engine(_)
            | Self::OutOfReach
            | Self::Closing
            | Self::WentBack
            | Self::Unprotected { .. }
            | Self::Log(_) => Refusal::Unavailable,
            _ => Refusal::Internal,
        }
    }

    /// Whether something may have been done, or will be, though this is an error.
    pub fn may_be_done(&self) -> bool {
        matches!(self, Self::Accepted(_) | Self::InDoubt(_) | Self::Log(LogError::InPart { .. }))
    }

    /// For one more of those who waited for the same.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Accepted(why) => Self::Accepted(why.clone()),
            Self::InDoubt(why) => Self::InDoubt(why.clone()),
            Self::Log(why) => Self::Log(why.clone()),
            Self::WentBack => Self::WentBack,
            Self::Guard(why) => Self::Guard(why),
            Self::Unreadable(what) => Self::Unreadable(what),
            Self::Refused(refusal) => Self::Refused(*refusal),
            Self::OutOfReach | Self::Engine(_) => Self::OutOfReach,
            Self::Unprotected { demanded, waits_for } => {
                Self::Unprotected { demanded: *demanded, waits_for: *waits_for }
            }
            Self::Migration(_) | Self::Url | Self::BadUrl(_) | Self::Closing => Self::Closing,
        }
    }
}

/// The result of a storage call.
pub type Result<T, E = LedgerError> = std::result::Result<T, E>;

/// What a requester is told. The cause goes to the log here, and nowhere else; lines within a request carry its identifier.
impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        let refusal = error.refusal();
        if refusal.status() >= 500 {
            tracing::error!(%error, code = refusal.code(), "the ledger did not do its part");
        } else {
            tracing::debug!(%error, code = refusal.code(), "the ledger refused");
        }
        refusal
    }
}
