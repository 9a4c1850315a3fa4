//! Logs of companies take in the entries of the audit log that came a moment ago, and after an update whatever there is.
//!
//! Exclusive to save work. Each part is a transaction of its own and goes on where the one before ended.

use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_storage::Ledger;
use tokio::time::sleep;

/// How often there is a look. Until then new entries are found by a walk over the end of the audit log.
const PERIOD: Duration = Duration::from_secs(30);

/// A long log takes minutes after an update; what was not done is done by the next run.
const LIMIT: Duration = Duration::from_mins(30);

/// Between two parts writers get their turn.
const BETWEEN_PARTS: Duration = Duration::from_millis(20);

/// Fills the index of companies' logs, a part at a time.
pub struct TrailIndexPass {
    ledger: Ledger,
}

impl TrailIndexPass {
    /// A pass over this ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    async fn once(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let mut walked = 0;
        loop {
            let part = self.ledger.fill_trail(now).await?;
            if part == 0 {
                return Ok(PassReport::nothing().with("walked", walked));
            }
            walked += part;
            sleep(BETWEEN_PARTS).await;
        }
    }
}

impl Pass for TrailIndexPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "trail-index").exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
