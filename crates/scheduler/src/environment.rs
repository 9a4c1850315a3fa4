//! What is around the passes of a server.

use crate::leases::LeaseBook;
use crate::records::PassRecords;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Clock, Entropy, Timestamp};
use tegata_storage::PassOutcome;

/// Whoever counts how runs end.
pub trait PassObserver: Send + Sync + 'static {
    /// A run has ended at `at`, after so long.
    fn ended(&self, pass: &str, outcome: PassOutcome, took: Duration, at: Timestamp);
}

/// Shared by the drivers of all passes.
pub(crate) struct PassEnvironment {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) observer: Arc<dyn PassObserver>,
    pub(crate) leases: LeaseBook,
    pub(crate) records: PassRecords,
}
