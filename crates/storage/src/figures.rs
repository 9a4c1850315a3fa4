//! Numbers of a fleet, counted by the database: devices by state and platform, and renewals by week.
//!
//! Of one tenant they are counted from its sites on; of everybody by one reading of all devices, which takes seconds where there
//! are a million: whoever shows them keeps them for a while.

use crate::engine::{Engine, on_read};
use crate::scope::on_scoped_read;
use crate::{Ledger, Result, ScopedLedger};
use std::time::Duration;
use tegata_core::policy::Platform;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{DeviceState, SiteId, TenantId, Timestamp};

const DAY: Duration = Duration::from_hours(24);
const WEEK_MILLIS: i64 = 7 * 24 * 3600 * 1000;

/// How many devices are in one state and of one platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FleetCount {
    /// What they count as, their tenant's state included.
    pub state: DeviceState,
    /// What they were when they last came, where that is known.
    pub platform: Option<Platform>,
    /// How many there are.
    pub devices: u64,
}

/// When renewals are due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RenewalWeek {
    /// The last certificate has ended: nothing but a new invitation helps.
    Ended,
    /// It is due now.
    Now,
    /// It will be due within the week of this number, from 0.
    Week(u32),
}

/// How much there is of what devices belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PlaceCounts {
    /// Tenants that are not suspended.
    pub tenants: u64,
    /// Tenants that are suspended.
    pub suspended_tenants: u64,
    /// Sites of all of them.
    pub sites: u64,
    /// People with an account.
    pub people: u64,
    /// Gates that are in use.
    pub gates: u64,
}

/// From the tables in `$from`, which end in `WHERE`.
macro_rules! fleet {
    ($from:literal) => {
        concat!(
            "SELECT CASE WHEN d.state = 'active' AND t.state = 'suspended' THEN 'suspended' ELSE d.state END AS state, \
             d.platform, COUNT(*) AS devices FROM ",
            $from,
            " d.role = 'device' AND t.id <> $3 AND ($2 IS NULL OR $2 LIKE '%' || d.site || '%') \
             GROUP BY 1, 2 ORDER BY 1, 2"
        )
    };
}

const FLEET_OF_ALL: &str =
    fleet!("device d JOIN tenant t ON t.id = d.tenant WHERE ($1 IS NULL OR d.tenant = $1) AND");

/// CROSS JOIN: SQLite keeps the order, from the sites of the tenant to their devices.
const FLEET_OF_TENANT: &str = fleet!(
    "site s CROSS JOIN device d CROSS JOIN tenant t WHERE s.tenant = $1 \
     AND ($2 IS NULL OR $2 LIKE '%' || s.id || '%') AND d.site = s.id AND d.tenant = $1 AND t.id = $1 AND"
);

/// A certificate is due by the rule of [`RenewalPolicy::due_at`]; the rules of places, which move the hour, are not known here.
/// -2 has ended, -1 is due.
macro_rules! renewals {
    ($from:literal) => {
        concat!(
            "SELECT CASE WHEN q.not_after < $4 THEN -2 WHEN q.due_at < $4 THEN -1 ELSE (q.due_at - $4) / $7 END AS week, \
             COUNT(*) AS devices FROM (SELECT c.not_after, CASE WHEN c.not_before + (c.not_after - c.not_before) * 2 / 3 \
             > c.not_after - $5 THEN c.not_before + (c.not_after - c.not_before) * 2 / 3 ELSE c.not_after - $5 END AS due_at FROM ",
            $from,
            " c.state IN ('issued', 'delivered', 'in_use') AND d.state = 'active' AND d.role = 'device' AND t.state = 'active' \
             AND t.id <> $3 AND ($2 IS NULL OR $2 LIKE '%' || d.site || '%') AND NOT EXISTS (SELECT 1 FROM certificate n \
             WHERE n.device = c.device AND n.generation > c.generation AND n.state IN ('issued', 'delivered', 'in_use'))) q \
             WHERE q.due_at < $6 GROUP BY 1 ORDER BY 1"
        )
    };
}

const RENEWALS_OF_ALL: &str = renewals!(
    "certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant WHERE ($1 IS NULL OR d.tenant = $1) AND"
);
const RENEWALS_OF_TENANT: &str = renewals!(
    "site s CROSS JOIN device d CROSS JOIN tenant t CROSS JOIN certificate c WHERE s.tenant = $1 \
     AND ($2 IS NULL OR $2 LIKE '%' || s.id || '%') AND d.site = s.id AND d.tenant = $1 AND t.id = $1 AND c.device = d.id AND"
);

const PLACES: &str = "SELECT (SELECT COUNT(*) FROM tenant x WHERE x.state = 'active' AND x.id <> $1) AS tenants, \
     (SELECT COUNT(*) FROM tenant x WHERE x.state <> 'active') AS suspended_tenants, \
     (SELECT COUNT(*) FROM site x WHERE x.tenant <> $1) AS sites, \
     (SELECT COUNT(*) FROM person x WHERE x.state = 'active') AS people, \
     (SELECT COUNT(*) FROM device x WHERE x.role = 'gate' AND x.state = 'active' AND x.tenant <> $1) AS gates";

impl ScopedLedger {
    /// Devices by state and platform, without gates and the system's own; at these sites alone, where some are named.
    pub async fn fleet_counts(&self, within: Option<&[SiteId]>) -> Result<Vec<FleetCount>> {
        let statement = if self.scope.bound().is_some() { FLEET_OF_TENANT } else { FLEET_OF_ALL };
        let rows: Vec<(String, Option<String>, i64)> = on_scoped_read!(self, connection => {
            sqlx::query_as(statement)
                .bind(self.scope.bound())
                .bind(listed(within))
                .bind(TenantId::system().as_str().to_owned())
                .fetch_all(connection)
                .await?
        });
        let read = |(state, platform, devices): (String, Option<String>, i64)| {
            let platform = platform.as_deref().and_then(Platform::parse);
            Some(FleetCount { state: DeviceState::parse(&state)?, platform, devices: devices.unsigned_abs() })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// How many devices are due for renewal in each of `weeks` weeks after `from`, before it, and too late; the earliest first.
    pub async fn renewal_weeks(
        &self,
        within: Option<&[SiteId]>,
        policy: RenewalPolicy,
        (from, weeks): (Timestamp, u32),
    ) -> Result<Vec<(RenewalWeek, u64)>> {
        let statement = if self.scope.bound().is_some() { RENEWALS_OF_TENANT } else { RENEWALS_OF_ALL };
        let notice = i64::try_from((DAY * policy.due_days).as_millis()).unwrap_or(i64::MAX);
        let until = from.millis().saturating_add(i64::from(weeks) * WEEK_MILLIS);
        let rows: Vec<(i64, i64)> = on_scoped_read!(self, connection => {
            sqlx::query_as(statement)
                .bind(self.scope.bound())
                .bind(listed(within))
                .bind(TenantId::system().as_str().to_owned())
                .bind(from.millis())
                .bind(notice)
                .bind(until)
                .bind(WEEK_MILLIS)
                .fetch_all(connection)
                .await?
        });
        let read = |(week, devices): (i64, i64)| {
            let week = match week {
                -2 => RenewalWeek::Ended,
                -1 => RenewalWeek::Now,
                week => RenewalWeek::Week(u32::try_from(week).unwrap_or(u32::MAX)),
            };
            (week, devices.unsigned_abs())
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

impl Ledger {
    /// How many tenants, sites, people and gates there are, without the system's own.
    pub async fn place_counts(&self) -> Result<PlaceCounts> {
        let row: (i64, i64, i64, i64, i64) = on_read!(self, connection => {
            sqlx::query_as(PLACES).bind(TenantId::system().as_str().to_owned()).fetch_one(connection).await?
        });
        let (tenants, suspended_tenants, sites, people, gates) = row;
        Ok(PlaceCounts {
            tenants: tenants.unsigned_abs(),
            suspended_tenants: suspended_tenants.unsigned_abs(),
            sites: sites.unsigned_abs(),
            people: people.unsigned_abs(),
            gates: gates.unsigned_abs(),
        })
    }

    /// The name of the engine that keeps the ledger.
    pub fn engine_name(&self) -> &'static str {
        match &self.engine {
            Engine::Sqlite { .. } => "SQLite",
            Engine::Postgres(_) => "PostgreSQL",
        }
    }
}

fn listed(sites: Option<&[SiteId]>) -> Option<String> {
    let sites: Vec<_> = sites?.iter().map(SiteId::as_str).collect();
    Some(sites.join(" "))
}
