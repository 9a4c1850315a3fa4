//! Waiting for receipts: the only way in which anybody learns that what was stopped is stopped everywhere.

use super::expected::{ExpectedReceipt, SurfaceReceipt, confirmations, expected};
use crate::{Ledger, Result};
use std::time::Duration;
use tegata_core::Timestamp;
use tokio::time::{Instant, sleep};

/// How often the receipts are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Who has to confirm what is about to be stopped.
pub struct ReceiptWait {
    ledger: Ledger,
    expected: Vec<ExpectedReceipt>,
    gates_only: bool,
}

/// A change that is durable, while it is being confirmed.
pub struct PendingReceipts {
    ledger: Ledger,
    expected: Vec<ExpectedReceipt>,
    event: u64,
    since: Instant,
}

impl ReceiptWait {
    /// To be called before the change, so that nobody is missed who goes silent at that moment.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn begin(ledger: &Ledger, now: Timestamp) -> Result<Self> {
        let expected = read_expected(ledger, now).await?;
        Ok(Self { ledger: ledger.clone(), expected, gates_only: false })
    }

    /// Only gates have to confirm.
    #[must_use]
    pub fn of_gates(mut self) -> Self {
        self.gates_only = true;
        self
    }

    /// To be called as soon as the change is durable. Servers that have been started meanwhile are added: a server registers
    /// itself before it reads what is denied, so those that come later know of the change.
    ///
    /// # Errors
    /// The ledger cannot be read; the change holds all the same.
    pub async fn committed(self, event: u64, now: Timestamp) -> Result<PendingReceipts> {
        let since = Instant::now();
        let Self { ledger, mut expected, gates_only } = self;
        for one in read_expected(&ledger, now).await? {
            if !expected.iter().any(|known| known.is(&one)) {
                expected.push(one);
            }
        }
        expected.retain(|one| !gates_only || one.is_gates());
        Ok(PendingReceipts { ledger, expected, event, since })
    }
}

impl PendingReceipts {
    /// Whether there is anybody to wait for.
    pub fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    /// What is known at this moment.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn look(&self) -> Result<Vec<SurfaceReceipt>> {
        let receipts = self.ledger.receipts().await?;
        Ok(confirmations(&self.expected, &receipts, self.event, self.since.elapsed()))
    }

    /// Waits until everybody has confirmed, or for `limit` since the change. `meanwhile` sees what is known at each look.
    ///
    /// # Errors
    /// The ledger cannot be read, up to the end.
    pub async fn wait(
        &self,
        limit: Duration,
        mut meanwhile: impl FnMut(Duration, &[SurfaceReceipt]),
    ) -> Result<Vec<SurfaceReceipt>> {
        loop {
            let seen = self.look().await;
            let is_over = self.since.elapsed() >= limit;
            match seen {
                Ok(receipts) if is_over || receipts.iter().all(SurfaceReceipt::is_confirmed) => {
                    return Ok(receipts);
                }
                Ok(receipts) => meanwhile(self.since.elapsed(), &receipts),
                Err(error) if is_over => return Err(error),
                Err(_) => {}
            }
            sleep(LOOK).await;
        }
    }
}

/// Servers are read first: one that goes away between the two takes its receipts along, and is only waited for in vain until
/// its silence counts.
async fn read_expected(ledger: &Ledger, now: Timestamp) -> Result<Vec<ExpectedReceipt>> {
    let servers = ledger.servers(now).await?;
    Ok(expected(&servers, &ledger.receipts().await?, now))
}
