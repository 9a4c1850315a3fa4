//! What a pass is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;
use tegata_core::Timestamp;

/// What a pass does, to be awaited.
pub type PassFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that is done again and again.
pub trait Pass: Send + Sync + 'static {
    /// When, for how long and by whom it is done. Always the same.
    fn schedule(&self) -> Schedule;

    /// Does what there is to do at `now`. Done twice, or by two servers at once, it comes to the same as done once; dropped at any
    /// point, it has left nothing half done.
    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>>;

    /// Until there is something to do before the period is over. May be dropped and called again: no news is lost by that.
    fn news(&self) -> PassFuture<'_, ()> {
        Box::pin(pending())
    }

    /// Whether there is still anything it is for. It ends with the first no.
    fn is_wanted(&self) -> bool {
        true
    }
}

/// When, for how long and by whom a pass is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Its name: in the ledger, in metrics, in the log. Names a thing of the system, never a customer.
    pub name: String,
    /// From the end of a run to the next one, at most.
    pub period: Duration,
    /// From the start of the server to the first run.
    pub settling: Duration,
    /// After this time a run is given up.
    pub limit: Duration,
    /// Which of several servers do it.
    pub lease: Lease,
}

/// By which of several servers a pass is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lease {
    /// By each: what it keeps is the server's own.
    None,
    /// By one at a time, whoever has the lease of its name. The lease saves work; that two at once do no harm is seen to by what
    /// the pass writes with.
    Exclusive,
}

/// What a run did: how many of what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PassReport {
    /// The numbers by their names.
    pub counts: BTreeMap<String, u64>,
}

/// Why a run did not do what there was to do. Its text goes to the log and the ledger: no secret, nothing of a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PassError(String);

impl Schedule {
    /// From the start on, by every server, with half a minute for a run.
    pub fn every(period: Duration, name: impl Into<String>) -> Self {
        let limit = Duration::from_secs(30);
        Self { name: name.into(), period, settling: Duration::ZERO, limit, lease: Lease::None }
    }

    /// By one server at a time.
    #[must_use]
    pub fn exclusive(self) -> Self {
        Self { lease: Lease::Exclusive, ..self }
    }

    /// With another time limit for a run.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// For the first time so long after the start.
    #[must_use]
    pub fn after(self, settling: Duration) -> Self {
        Self { settling, ..self }
    }
}

impl PassReport {
    /// Nothing worth a number.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// With one more number.
    #[must_use]
    pub fn with(mut self, name: &str, count: usize) -> Self {
        self.counts.insert(name.to_owned(), u64::try_from(count).unwrap_or(u64::MAX));
        self
    }
}

impl PassError {
    /// Longer texts are cut.
    const LONGEST: usize = 200;

    /// From what stopped the run.
    pub fn new(why: impl Display) -> Self {
        Self(why.to_string().chars().take(Self::LONGEST).collect())
    }
}

impl From<tegata_storage::LedgerError> for PassError {
    fn from(error: tegata_storage::LedgerError) -> Self {
        Self::new(error)
    }
}
