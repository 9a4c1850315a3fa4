//! The audit log lets go of what need not be kept.
//!
//! Exclusive to save work. Each part is cut out by one transaction that notes how far it came, under the lock of all writers.

use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_storage::{AuditRetention, Ledger};
use tokio::time::sleep;

/// How often the log is looked at.
const PERIOD: Duration = Duration::from_mins(5);

/// A log of years that is let go of for the first time takes its time; what was not done is done by the next run.
const LIMIT: Duration = Duration::from_mins(30);

/// Between two parts writers get their turn.
const BETWEEN_PARTS: Duration = Duration::from_millis(20);

/// Lets go of it, a part at a time.
pub struct AuditRetentionPass {
    ledger: Ledger,
    retention: AuditRetention,
}

impl AuditRetentionPass {
    /// A pass over this ledger by these rules.
    pub fn new(ledger: Ledger, retention: AuditRetention) -> Self {
        Self { ledger, retention }
    }

    async fn once(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let responders = self.ledger.forget_responders(now).await?;
        let mut parts = 0;
        while self.ledger.retain_audit(&self.retention, now).await? {
            parts += 1;
            sleep(BETWEEN_PARTS).await;
        }
        let responders = usize::try_from(responders).unwrap_or(usize::MAX);
        Ok(PassReport::nothing().with("responders", responders).with("parts", parts))
    }
}

impl Pass for AuditRetentionPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "audit-retention").exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
