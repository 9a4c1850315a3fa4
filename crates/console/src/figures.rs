//! The numbers behind the pictures: of what somebody may see, and for whoever sees how the installation does, of refusals too.

use crate::acting::{Acting, Sight};
use crate::confirmations::Confirmations;
use crate::fleet::{CountedFleet, CountedPlaces};
use crate::service::{ConsoleService, refusal};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Act, Refusal};
use tegata_storage::{DeviceChange, RefusalHour};

/// Refusals are told for a week.
pub(crate) const REFUSAL_HOURS: u32 = 7 * 24;

/// The newest changes whose milliseconds are told.
const CHANGES: u32 = 100;

/// How soon changes were confirmed by one kind of surface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SurfaceFigure {
    pub(crate) kind: String,
    /// How many changes all of its kind confirmed.
    pub(crate) changes: usize,
    /// How many changes not all of its kind confirmed while they were waited for.
    pub(crate) unconfirmed: usize,
    /// Of those that were confirmed; 0 where none was.
    pub(crate) median: u64,
    pub(crate) slowest: u64,
}

/// Everything that is shown.
pub(crate) struct Figures {
    pub(crate) fleet: Arc<CountedFleet>,
    pub(crate) receipts: Vec<SurfaceFigure>,
    /// Nothing for those who do not see how the installation does.
    pub(crate) refusals: Option<Vec<RefusalHour>>,
}

impl ConsoleService {
    /// The numbers as somebody may see them.
    pub(crate) async fn figures(&self, by: &Acting) -> Result<Figures, Refusal> {
        let sight = self.sight(by, Act::SeeDevices)?;
        let fleet = self.fleet(by, &sight).await?;
        // A change is of a device, and those of other sites are nobody's who is bound to some.
        let receipts = match sight.within {
            Some(_) => Vec::new(),
            None => surfaces(&sight.rows.confirmed_changes(CHANGES).await.map_err(refusal)?),
        };
        let since = RefusalHour::begin_of(by.at.minus(Duration::from_hours(u64::from(REFUSAL_HOURS - 1))));
        let refusals = match &self.health {
            Some(health) if by.reach(Act::SeeHealth).is_ok() => Some(health.refusals(since).await?),
            _ => None,
        };
        Ok(Figures { fleet, receipts, refusals })
    }

    async fn fleet(&self, by: &Acting, sight: &Sight) -> Result<Arc<CountedFleet>, Refusal> {
        let (clock, policy) = (self.context.clock.as_ref(), self.context.renewal);
        let tenant = (!sight.is_everywhere).then(|| by.tenant());
        let places = CountedPlaces { tenant, within: sight.within.clone() };
        self.fleet_cache.fleet((&sight.rows, &places), policy, by.at, clock).await.map_err(refusal)
    }
}

/// By kind of surface. A change counts as confirmed where all that had to confirm it did.
fn surfaces(changes: &[DeviceChange]) -> Vec<SurfaceFigure> {
    let mut all: BTreeMap<String, (Vec<u64>, usize)> = BTreeMap::new();
    for change in changes {
        let confirmed = change.confirmed.as_deref().unwrap_or_default();
        let Ok(known) = serde_json::from_str::<Confirmations>(confirmed) else { continue };
        for surface in known.surfaces {
            let took = surface.milliseconds.and_then(|took| u64::try_from(took).ok());
            let (times, unconfirmed) = all.entry(surface.kind).or_default();
            if surface.confirmed < surface.of {
                *unconfirmed += 1;
            } else {
                // Those that all confirmed by their silence have no time.
                times.extend(took);
            }
        }
    }
    let figure = |(kind, (mut took, unconfirmed)): (String, (Vec<u64>, usize))| {
        took.sort_unstable();
        let slowest = took.last().copied().unwrap_or(0);
        let median = took.get(took.len() / 2).copied().unwrap_or(0);
        SurfaceFigure { kind, changes: took.len(), unconfirmed, median, slowest }
    };
    all.into_iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;
    use tegata_core::{DeviceId, PersonId, Timestamp};
    use tegata_storage::ChangeAuthor;

    fn change(event: u64, confirmed: Option<&str>) -> DeviceChange {
        let entropy = Seeded::new(1);
        DeviceChange {
            event,
            device: DeviceId::random(&entropy),
            action: "device.suspended".into(),
            by: ChangeAuthor::Person(PersonId::random(&entropy)),
            reason: None,
            ticket: None,
            at: Timestamp::from_seconds(1_800_000_000),
            confirmed: confirmed.map(str::to_owned),
        }
    }

    #[test]
    fn the_slowest_and_the_middle_of_each_surface_are_told() {
        let said = |milliseconds: u64| {
            format!(
                "{{\"is_over\":true,\"surfaces\":[{{\"kind\":\"gate\",\"of\":1,\"confirmed\":1,\"silent\":0,\
                 \"milliseconds\":{milliseconds}}},{{\"kind\":\"ocsp\",\"of\":1,\"confirmed\":0,\"silent\":0,\
                 \"milliseconds\":null}}]}}"
            )
        };
        let mut changes: Vec<_> =
            [9, 1, 500].into_iter().zip(1..).map(|(took, event)| change(event, Some(&said(took)))).collect();
        changes.extend([change(8, None), change(9, Some("nonsense"))]);
        let gates =
            SurfaceFigure { kind: "gate".into(), changes: 3, unconfirmed: 0, median: 9, slowest: 500 };
        let ocsp = SurfaceFigure { kind: "ocsp".into(), changes: 0, unconfirmed: 3, median: 0, slowest: 0 };
        assert_eq!(surfaces(&changes), [gates, ocsp], "what nobody has confirmed has no milliseconds");
        let some = "{\"is_over\":true,\"surfaces\":[{\"kind\":\"gate\",\"of\":5,\"confirmed\":1,\"silent\":0,\"milliseconds\":7}]}";
        let [gates] = &surfaces(&[change(1, Some(some))])[..] else { panic!("one kind") };
        assert_eq!((gates.changes, gates.unconfirmed), (0, 1), "one of five is not all of them");
        assert_eq!(surfaces(&[]), []);
    }
}
