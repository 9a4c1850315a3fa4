//! How the dates of the audit log run.

use std::time::Duration;
use tegata_core::Timestamp;

/// A step back by more than this is no matter of two servers whose clocks are a little apart.
const STEP: Duration = Duration::from_mins(1);

/// How the dates of the audit log run: it is written with every change.
#[derive(Default)]
pub struct SignedDates {
    pub last: Option<(u64, Timestamp)>,
    /// The last entry before a clock was set back, and the first after it.
    pub back: Vec<[(u64, Timestamp); 2]>,
}

impl SignedDates {
    pub fn follow(&mut self, seq: u64, at: Timestamp) {
        if let Some(last) = self.last.filter(|(_, last)| last.since(at) > STEP) {
            self.back.push([last, (seq, at)]);
        }
        self.last = Some((seq, at));
    }

    /// Up to when a clock was ahead that was set right since.
    pub fn ahead(&self) -> Timestamp {
        self.back.iter().map(|[(_, ahead), _]| *ahead).max().unwrap_or_default()
    }
}
