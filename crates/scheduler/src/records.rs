//! What became of the runs of this server: one record a pass, for the ledger.

use crate::pass::{Lease, Schedule};
use crate::run::RunEnd;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tegata_core::Timestamp;
use tegata_storage::{PassOutcome, PassState};

/// The records, and which of them the ledger has not heard of.
#[derive(Default)]
pub(crate) struct PassRecords(Mutex<RecordTable>);

#[derive(Default)]
struct RecordTable {
    states: BTreeMap<String, PassState>,
    news: BTreeSet<String>,
    /// Passes that have ended for good.
    ended: BTreeSet<String>,
}

/// What the ledger has not heard of.
#[derive(Debug, Default)]
pub(crate) struct RecordNews {
    pub(crate) states: Vec<PassState>,
    pub(crate) ended: Vec<String>,
}

impl PassRecords {
    /// A pass that has not run yet. `due_at` is nothing while it waits for its lease.
    pub(crate) fn add(&self, schedule: &Schedule, due_at: Option<Timestamp>) {
        let state = PassState {
            name: schedule.name.clone(),
            exclusive: schedule.lease == Lease::Exclusive,
            period: schedule.period,
            limit: schedule.limit,
            started_at: None,
            ended_at: None,
            succeeded_at: None,
            due_at,
            outcome: None,
            error: None,
            duration: None,
            counts: BTreeMap::new(),
            server: String::new(),
            seen_at: Timestamp::default(),
        };
        let mut table = self.table();
        table.states.insert(schedule.name.clone(), state);
        table.news.insert(schedule.name.clone());
    }

    /// A run of this pass begins.
    pub(crate) fn started(&self, name: &str, at: Timestamp) {
        self.change(name, |state| {
            state.started_at = Some(at);
            state.due_at = None;
        });
    }

    /// A run has ended.
    pub(crate) fn ended(&self, name: &str, end: &RunEnd, at: Timestamp) {
        self.change(name, |state| {
            state.ended_at = Some(at);
            state.outcome = Some(end.outcome);
            state.error.clone_from(&end.error);
            state.duration = Some(end.took);
            state.counts.clone_from(&end.report.counts);
            if end.outcome == PassOutcome::Done {
                state.succeeded_at = Some(at);
            }
        });
    }

    /// When the next run begins; nothing where another server has the lease.
    pub(crate) fn due(&self, name: &str, at: Option<Timestamp>) {
        self.change(name, |state| state.due_at = at);
    }

    /// A pass has ended for good.
    pub(crate) fn remove(&self, name: &str) {
        let mut table = self.table();
        table.states.remove(name);
        table.ended.insert(name.to_owned());
    }

    /// What the ledger has not heard of. It is news again if the ledger does not take it.
    pub(crate) fn take_news(&self) -> RecordNews {
        let mut table = self.table();
        let (names, ended) = (std::mem::take(&mut table.news), std::mem::take(&mut table.ended));
        // One that has come back has not ended.
        let ended = ended.into_iter().filter(|name| !table.states.contains_key(name));
        RecordNews {
            ended: ended.collect(),
            states: names.iter().filter_map(|name| table.states.get(name).cloned()).collect(),
        }
    }

    /// The ledger did not take this.
    pub(crate) fn keep_news(&self, news: RecordNews) {
        let mut table = self.table();
        table.news.extend(news.states.into_iter().map(|state| state.name));
        table.ended.extend(news.ended);
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut PassState)) {
        let mut table = self.table();
        if let Some(state) = table.states.get_mut(name) {
            change(state);
            table.news.insert(name.to_owned());
        }
    }

    fn table(&self) -> MutexGuard<'_, RecordTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
