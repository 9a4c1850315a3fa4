//! The index of names takes in devices that came a moment ago, and after an update whatever there is.
//!
//! Exclusive to save work. Each part is a transaction of its own, and a row that is in the index already is passed over.

use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_storage::Ledger;
use tokio::time::sleep;

/// How often there is a look. Until then new devices are found one by one.
const PERIOD: Duration = Duration::from_secs(30);

/// A ledger of a million devices that gets the index takes minutes; what was not done is done by the next run.
const LIMIT: Duration = Duration::from_mins(30);

/// Between two parts writers get their turn.
const BETWEEN_PARTS: Duration = Duration::from_millis(20);

/// Fills the index, a part at a time.
pub struct SearchIndexPass {
    ledger: Ledger,
}

impl SearchIndexPass {
    /// A pass over this ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    async fn once(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let mut filled = 0;
        loop {
            let part = self.ledger.fill_search_index(now).await?;
            if part == 0 {
                return Ok(PassReport::nothing().with("filled", filled));
            }
            filled += part;
            sleep(BETWEEN_PARTS).await;
        }
    }
}

impl Pass for SearchIndexPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "search-index").exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
