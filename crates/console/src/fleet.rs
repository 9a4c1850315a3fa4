//! Devices and their renewals, counted; everybody's are kept for a while.

use std::sync::Arc;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{Clock, SiteId, Timestamp};
use tegata_storage::{FleetCount, LedgerError, RenewalWeek, ScopedLedger};
use tokio::sync::Mutex;

/// Renewals are told for a quarter of a year.
pub(crate) const WEEKS: u32 = 13;

/// What everybody's devices were counted to lately. A million take seconds to count, and nobody reads the number to the second: no
/// more than a hundredth of the time is spent on it.
#[derive(Default)]
pub(crate) struct FleetCache(Mutex<Option<Arc<CountedFleet>>>);

/// Devices and their renewals, counted at one moment.
pub(crate) struct CountedFleet {
    pub(crate) at: Timestamp,
    pub(crate) devices: Vec<FleetCount>,
    pub(crate) renewals: Vec<(RenewalWeek, u64)>,
    /// Until when they are good enough.
    until: Timestamp,
}

impl FleetCache {
    /// Everybody's devices, counted anew where that was long ago. Whoever asks meanwhile waits for the same counting.
    pub(crate) async fn fleet(
        &self,
        rows: &ScopedLedger,
        policy: RenewalPolicy,
        at: Timestamp,
        clock: &dyn Clock,
    ) -> Result<Arc<CountedFleet>, LedgerError> {
        let mut kept = self.0.lock().await;
        match &*kept {
            Some(fleet) if fleet.at <= at && at < fleet.until => Ok(fleet.clone()),
            _ => {
                let counted = CountedFleet::count((rows, None), policy, at, clock).await?;
                Ok(kept.insert(Arc::new(counted)).clone())
            }
        }
    }
}

impl CountedFleet {
    /// Counts what these rows show, at these sites alone where some are named.
    pub(crate) async fn count(
        (rows, within): (&ScopedLedger, Option<&[SiteId]>),
        policy: RenewalPolicy,
        at: Timestamp,
        clock: &dyn Clock,
    ) -> Result<Self, LedgerError> {
        let devices = rows.fleet_counts(within).await?;
        let renewals = rows.renewal_weeks(within, policy, (at, WEEKS)).await?;
        let took = clock.now().since(at);
        Ok(Self { at, devices, renewals, until: at.plus(took * 100) })
    }

    /// How many are due within the week of this number.
    pub(crate) fn renewals_in(&self, week: RenewalWeek) -> u64 {
        self.renewals.iter().find(|(known, _)| *known == week).map_or(0, |(_, devices)| *devices)
    }
}
