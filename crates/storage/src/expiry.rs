//! When the devices of a tenant would come to an end, week by week, if nothing were renewed.

use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger};
use std::time::Duration;
use tegata_core::{SiteId, TenantId, Timestamp};

/// The time that one count is about.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// Which weeks are asked about.
#[derive(Clone, Debug)]
pub struct ExpiryWeeks {
    /// The tenant whose devices are counted.
    pub tenant: TenantId,
    /// Of these sites alone: as far as whoever asks may see.
    pub within: Option<Vec<SiteId>>,
    /// When the first week begins.
    pub from: Timestamp,
    /// How many weeks there are.
    pub weeks: u32,
}

impl ScopedLedger {
    /// How many devices in use have their last certificate end in each of the weeks, the first week first.
    pub async fn expiries(&self, asked: &ExpiryWeeks) -> Result<Vec<u64>> {
        let within = asked.within.as_ref().map(|sites| {
            let sites: Vec<_> = sites.iter().map(SiteId::as_str).collect();
            sites.join(" ")
        });
        let rows: Vec<(i64, i64)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT (e.ends_at - $3) / $5 AS week, COUNT(*) FROM (\
                 SELECT MAX(c.not_after) AS ends_at FROM site s CROSS JOIN device d CROSS JOIN certificate c \
                 WHERE s.tenant = $1 AND d.site = s.id AND c.device = d.id AND d.state = 'active' \
                 AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND ($2 IS NULL OR d.tenant = $2) \
                 AND ($6 IS NULL OR $6 LIKE '%' || s.id || '%') GROUP BY d.id) e \
                 WHERE e.ends_at >= $3 AND e.ends_at < $4 GROUP BY week",
            )
            .bind(asked.tenant.as_str().to_owned())
            .bind(self.scope.bound())
            .bind(asked.from.millis())
            .bind(asked.from.plus(WEEK * asked.weeks).millis())
            .bind(i64::try_from(WEEK.as_millis()).unwrap_or(i64::MAX))
            .bind(within)
            .fetch_all(connection)
            .await?
        });
        let mut weeks = vec![0; asked.weeks as usize];
        for (week, devices) in rows {
            if let Some(known) = usize::try_from(week).ok().and_then(|week| weeks.get_mut(week)) {
                *known = devices.unsigned_abs();
            }
        }
        Ok(weeks)
    }
}
