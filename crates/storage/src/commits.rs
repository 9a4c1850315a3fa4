//! Counters of the group commit, read by the metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the classes that commit times are counted in, in microseconds.
pub const COMMIT_BOUNDS: [u64; 8] = [500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000];

/// What the writer has done since the ledger was opened.
#[derive(Default)]
pub(crate) struct CommitCounter {
    groups: AtomicU64,
    operations: AtomicU64,
    micros: AtomicU64,
    classes: [AtomicU64; COMMIT_BOUNDS.len()],
}

/// The values of the counters at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitCounts {
    /// How many transactions were committed.
    pub groups: u64,
    /// Operations in them, tokens included.
    pub operations: u64,
    /// From the first operation taken to the answer, in microseconds, all together.
    pub micros: u64,
    /// How many commits took at most as long as each of [`COMMIT_BOUNDS`] and longer than the one before.
    pub classes: [u64; COMMIT_BOUNDS.len()],
}

impl CommitCounter {
    pub(crate) fn note(&self, operations: usize, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.operations.fetch_add(operations as u64, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(class) = COMMIT_BOUNDS.iter().position(|bound| micros <= *bound) {
            self.classes[class].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> CommitCounts {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        CommitCounts {
            groups: read(&self.groups),
            operations: read(&self.operations),
            micros: read(&self.micros),
            classes: std::array::from_fn(|class| read(&self.classes[class])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_watches_sees_how_large_groups_are_and_how_long_they_take() {
        let commits = CommitCounter::default();
        commits.note(3, Duration::from_micros(600));
        commits.note(1, Duration::from_secs(5));
        assert_eq!(commits.groups.load(Ordering::Relaxed), 2);
        assert_eq!(commits.operations.load(Ordering::Relaxed), 4);
        assert_eq!(commits.classes[1].load(Ordering::Relaxed), 1);
        assert_eq!(commits.classes.iter().map(|class| class.load(Ordering::Relaxed)).sum::<u64>(), 1);
    }
}
