//! What a transaction has to say to the log so far.

use super::LogEnd;
use super::error::LogError;
use super::record::LogRecord;

/// What a transaction will write to the log, and behind which end.
pub(crate) struct PendingRecords {
    /// The ledger has a log.
    pub(crate) has_log: bool,
    pub(crate) end: std::result::Result<LogEnd, LogError>,
    pub(super) records: Vec<LogRecord>,
    /// Somebody's way in on the day when nothing else works: it does not wait for the log's disk, and is owed to the log.
    pub(crate) is_emergency: bool,
}

impl PendingRecords {
    /// For a ledger without a log, or one that was opened without it.
    pub(crate) fn none(has_log: bool) -> Self {
        Self { has_log, ..Self::behind(Err(LogError::NotOpened)) }
    }

    pub(crate) fn behind(end: std::result::Result<LogEnd, LogError>) -> Self {
        Self { has_log: true, end, records: Vec::new(), is_emergency: false }
    }
}
