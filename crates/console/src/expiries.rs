//! When certificates of a company's devices end, week by week: what the page and the API have in common.

use crate::acting::{Acting, Sight};
use crate::service::{ConsoleService, refusal};
use std::time::Duration;
use tegata_core::{Act, Refusal, TenantId, Timestamp};
use tegata_storage::ExpiryWeeks;
use tegata_web::japan_date::in_japan;

/// A quarter of a year.
pub(crate) const WEEKS: u32 = 13;

const DAY: Duration = Duration::from_hours(24);

/// A week, and how many devices in use come to their end in it.
pub(crate) struct ExpiryWeek {
    /// Its Monday in Japan, as it begins.
    pub(crate) from: Timestamp,
    pub(crate) devices: u64,
}

impl ConsoleService {
    /// The weeks from this one on; nothing where whoever reaches all companies has named none.
    ///
    /// # Errors
    /// What keeps them from looking at devices.
    pub(crate) async fn expiries_seen(
        &self,
        by: &Acting,
        tenant: Option<TenantId>,
    ) -> Result<Option<Vec<ExpiryWeek>>, Refusal> {
        let Sight { rows, within, is_everywhere } = self.sight(by, Act::SeeDevices)?;
        let own = (!is_everywhere).then(|| by.tenant());
        let Some(tenant) = tenant.or(own) else { return Ok(None) };
        let from = monday(by.at);
        let weeks = ExpiryWeeks { tenant, within, from, weeks: WEEKS };
        let ends = rows.expiries(&weeks).await.map_err(refusal)?;
        let week = |(number, devices)| ExpiryWeek { from: from.plus(DAY * (7 * number)), devices };
        Ok(Some((0_u32..).zip(ends).map(week).collect()))
    }
}

/// When the week began that a moment is in.
fn monday(at: Timestamp) -> Timestamp {
    let time = in_japan(at);
    let days = u32::from(time.weekday().number_days_from_monday());
    let (hour, minute, second) = time.to_hms();
    let seconds = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
    at.whole_second().minus(DAY * days + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_in_japan() {
        let at = |text| Timestamp::parse(text).unwrap();
        for moment in ["2026-11-29T15:00:00Z", "2026-12-01T03:04:05Z", "2026-12-06T14:59:59Z"] {
            assert_eq!(monday(at(moment)), at("2026-11-29T15:00:00Z"), "{moment}");
        }
    }
}
