//! The revocation log, by which a restored ledger recovers what was revoked after its backup: a log that only grows,
//! on another disk.
//!
//! Every event of the feed, every blocked key, every step in the life of a CA and whether a person may sign in is a line there before the ledger
//! commits it. A ledger that was restored from a backup is older than the log, sees it by the hash of the last line it
//! contains, and does again what it lacks ([`crate::replay`]) before anybody is answered.
//!
//! The order is the promise:
//! 1. A writer holds the ledger's only right to write, and the ledger contains the log up to its end.
//! 2. Its lines are written behind that end, which must not have moved, and synced.
//! 3. The ledger commits.
//!
//! What ends between 2 and 3 is in the log and not in the ledger. It was never acknowledged, but it was asked for: the
//! next writer with this log does it before anything else.
//!
//! Servers without a common disk have a log each. Whoever writes to one first copies into it the events that others have
//! written meanwhile, so that any of them alone is a whole story up to its last line. Where two logs tell of a restored
//! ledger in another order than it happened, what stops somebody holds, and what lets somebody in again does not.
//!
//! A log that cannot be written stops every writer who has something to say there, with one exception ([`owed`]).

mod error;
mod file;
mod medium;
mod owed;
mod pending;
mod reading;
mod record;
#[cfg(test)]
mod tests;
mod writing;

pub use error::LogError;
pub(crate) use pending::PendingRecords;
pub use reading::LogReport;
pub(crate) use reading::{LogScan, WantedLogPlace};
pub(crate) use record::{
    BEGINNING, LogHeader, LogRecord, LoggedEvent, NamedCertificate, PersonRecordState, VERSION,
};
pub(crate) use writing::LogLines;

use file::LogFile;
use medium::{LogExtent, LogMedium};
use record::SealedRecord;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tegata_core::Installation;

/// Where the log of an installation is.
#[derive(Clone, Copy, Debug)]
pub struct LogPlace<'a> {
    /// The file. Its folder must exist.
    pub file: &'a Path,
    /// Whose it is: another installation's is refused.
    pub installation: &'a Installation,
}

/// The revocation log of one installation, with what is known of its end.
pub(crate) struct RevocationLog {
    medium: Box<dyn LogMedium>,
    pub(crate) installation: Installation,
    /// The end as it was last seen.
    seen: Mutex<Option<LogEnd>>,
}

/// The end of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogEnd {
    extent: LogExtent,
    /// The log's own name.
    pub(crate) log: String,
    /// The hash of the last whole line.
    pub(crate) hash: Vec<u8>,
    /// The number of the last event in it.
    pub(crate) last_event: u64,
    /// A crash left a piece of a line there.
    is_torn: bool,
}

impl LogEnd {
    /// The end of a log that tells the ledger's story only up to this event.
    pub(crate) fn telling_to(self, last_event: u64) -> Self {
        Self { last_event, ..self }
    }
}

impl RevocationLog {
    pub(crate) fn at(place: &LogPlace<'_>) -> Self {
        Self::on(Box::new(LogFile::new(place.file)), place.installation)
    }

    pub(crate) fn on(medium: Box<dyn LogMedium>, installation: &Installation) -> Self {
        Self { medium, installation: installation.clone(), seen: Mutex::default() }
    }

    /// The path of the file, for messages.
    pub(crate) fn name(&self) -> String {
        self.medium.place()
    }

    pub(crate) fn exists(&self) -> Result<bool, LogError> {
        Ok(self.extent()?.is_some())
    }

    /// The end as it is now. One look at the log's size while nobody else writes.
    pub(crate) fn end(&self) -> Result<LogEnd, LogError> {
        let extent = self.extent()?.ok_or_else(|| LogError::Missing(self.name()))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = seen.as_ref().filter(|end| end.extent == extent) {
            return Ok(end.clone());
        }
        let end = self.read_end(extent)?;
        *seen = Some(end.clone());
        Ok(end)
    }

    fn extent(&self) -> Result<Option<LogExtent>, LogError> {
        let part = self.medium.read_from(u64::MAX).map_err(|error| self.failed(&error))?;
        Ok(part.map(|part| part.extent))
    }

    fn remember(&self, end: &LogEnd) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end.clone());
    }

    fn failed(&self, error: &io::Error) -> LogError {
        LogError::Medium { file: self.name(), error: error.to_string() }
    }
}
