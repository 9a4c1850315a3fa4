//! Devices and their renewals, counted and kept for a while.

use crate::kept::Kept;
use std::sync::Arc;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{Clock, SiteId, TenantId, Timestamp};
use tegata_storage::{FleetCount, LedgerError, RenewalWeek, ScopedLedger};

/// Renewals are told for a quarter of a year.
pub(crate) const WEEKS: u32 = 13;

/// What devices were counted to lately, of everybody's, of a tenant and of some of its sites. A million take seconds to count, and
/// nobody reads the number to the second: no more than a hundredth of the time is spent on each.
#[derive(Default)]
pub(crate) struct FleetCache(Kept<CountedPlaces, CountedFleet>);

/// Of whom devices are counted.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct CountedPlaces {
    /// The company; none where everybody's are counted.
    pub(crate) tenant: Option<TenantId>,
    /// At these sites alone, where some are named.
    pub(crate) within: Option<Vec<SiteId>>,
}

/// Devices and their renewals, counted at one moment.
pub(crate) struct CountedFleet {
    pub(crate) at: Timestamp,
    pub(crate) devices: Vec<FleetCount>,
    pub(crate) renewals: Vec<(RenewalWeek, u64)>,
}

impl FleetCache {
    /// The devices of these places, counted anew where that was long ago.
    pub(crate) async fn fleet(
        &self,
        (rows, places): (&ScopedLedger, &CountedPlaces),
        policy: RenewalPolicy,
        at: Timestamp,
        clock: &dyn Clock,
    ) -> Result<Arc<CountedFleet>, LedgerError> {
        let count = async {
            let counted = CountedFleet::count((rows, places.within.as_deref()), policy, at).await?;
            let took = clock.now().since(at);
            Ok((counted, at.plus(took * 100)))
        };
        self.0.get(places, at, Box::pin(count)).await
    }
}

impl CountedFleet {
    /// Counts what these rows show, at these sites alone where some are named.
    pub(crate) async fn count(
        (rows, within): (&ScopedLedger, Option<&[SiteId]>),
        policy: RenewalPolicy,
        at: Timestamp,
    ) -> Result<Self, LedgerError> {
        let devices = rows.fleet_counts(within).await?;
        let renewals = rows.renewal_weeks(within, policy, (at, WEEKS)).await?;
        Ok(Self { at, devices, renewals })
    }

    /// How many are due within the week of this number.
    pub(crate) fn renewals_in(&self, week: RenewalWeek) -> u64 {
        self.renewals.iter().find(|(known, _)| *known == week).map_or(0, |(_, devices)| *devices)
    }
}
