//! Devices that may be meant, with as much of each as it takes to tell.

use super::candidates::NameCombination;
use crate::rows::{Batch, BatchStatement, MOST, bind_rows};
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger};
use std::collections::HashMap;
use tegata_core::{DeviceId, DeviceState, Role, SiteId, TenantId, TenantState};

/// Devices that are looked at for one search.
pub(super) const MOST_LOOKED_AT: usize = 5_000;

/// Those that came last, where a search of all tenants fits very many.
const LATEST: i64 = 3_000;

/// Devices of which people are looked up, where nothing else says that they are meant.
const MOST_WITH_PEOPLE: usize = 1_000;

/// A device that may be meant.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct CandidateRow {
    #[sqlx(try_from = "String")]
    pub(super) id: DeviceId,
    #[sqlx(try_from = "String")]
    pub(super) tenant: TenantId,
    pub(super) tenant_name: String,
    #[sqlx(try_from = "String")]
    pub(super) tenant_state: TenantState,
    #[sqlx(try_from = "String")]
    pub(super) site: SiteId,
    pub(super) site_name: String,
    pub(super) label: String,
    #[sqlx(try_from = "String")]
    pub(super) state: DeviceState,
    #[sqlx(try_from = "String")]
    pub(super) role: Role,
    pub(super) created_at: i64,
    pub(super) seen_at: Option<i64>,
    /// Of the person by whom it was found.
    pub(super) person: Option<String>,
}

/// Where devices may be: `$1` a tenant, `$2` sites with spaces around each, `$3` how many.
#[derive(Clone, Debug)]
pub(super) struct SearchExtent {
    pub(super) tenant: Option<TenantId>,
    pub(super) sites: Option<String>,
}

macro_rules! candidates {
    ($person:literal, $from:literal, $where:literal) => {
        candidates!($person, $from, $where, "LIMIT $3")
    };
    ($person:literal, $from:literal, $where:literal, $end:literal) => {
        concat!(
            "SELECT d.id, d.tenant, t.name AS tenant_name, t.state AS tenant_state, d.site, s.name AS site_name, \
             d.label, d.state, d.role, d.created_at, ",
            "COALESCE(d.seen_at, (SELECT MAX(c.used_at) FROM certificate c WHERE c.device = d.id)) AS seen_at, ",
            $person,
            " AS person FROM ",
            $from,
            " WHERE ",
            $where,
            " AND ($1 IS NULL OR d.tenant = $1) AND ($2 IS NULL OR $2 LIKE '% ' || d.site || ' %') ",
            $end
        )
    };
}

/// A statement after the table of what is looked for.
macro_rules! looked_for {
    ($columns:literal, $count:literal, $($rest:tt)*) => {
        BatchStatement::with(3, concat!("WITH new (", $columns, ") AS (VALUES "), $count, concat!(") ", candidates!($($rest)*)))
    };
}

static OF_TENANTS: BatchStatement = looked_for!(
    "number",
    1,
    "CAST(NULL AS TEXT)",
    "new n CROSS JOIN tenant t CROSS JOIN site s CROSS JOIN device d",
    "t.search_number = n.number AND s.tenant = t.id AND d.site = s.id"
);

static OF_SITES: BatchStatement = looked_for!(
    "name",
    1,
    "CAST(NULL AS TEXT)",
    "new n CROSS JOIN site s CROSS JOIN tenant t CROSS JOIN device d",
    "s.search_name = n.name AND t.id = s.tenant AND d.site = s.id"
);

static OF_LABELS: BatchStatement = looked_for!(
    "name",
    1,
    "CAST(NULL AS TEXT)",
    "new n CROSS JOIN device d CROSS JOIN site s CROSS JOIN tenant t",
    "d.search_name = n.name AND s.id = d.site AND t.id = d.tenant"
);

static OF_SITES_AND_LABELS: BatchStatement = looked_for!(
    "site, label",
    2,
    "CAST(NULL AS TEXT)",
    "new n CROSS JOIN site s CROSS JOIN tenant t CROSS JOIN device d",
    "s.search_name = n.site AND t.id = s.tenant AND d.search_name = n.label AND d.site = s.id"
);

static OF_ASSIGNED: BatchStatement = looked_for!(
    "name",
    1,
    "p.name",
    "new n CROSS JOIN person p CROSS JOIN device_person u CROSS JOIN device d CROSS JOIN site s CROSS JOIN tenant t",
    "p.search_name = n.name AND u.person = p.id AND d.id = u.device AND s.id = d.site AND t.id = d.tenant"
);

static OF_SIGNED_IN: BatchStatement = looked_for!(
    "name",
    1,
    "p.name",
    "new n CROSS JOIN person p CROSS JOIN person_device u CROSS JOIN device d CROSS JOIN site s CROSS JOIN tenant t",
    "p.search_name = n.name AND u.person = p.id AND d.id = u.device AND s.id = d.site AND t.id = d.tenant"
);

static NUMBERED: BatchStatement = looked_for!(
    "first, last, tail",
    3,
    "CAST(NULL AS TEXT)",
    "new n CROSS JOIN device d CROSS JOIN site s CROSS JOIN tenant t",
    "((d.id >= n.first AND d.id <= n.last) OR d.number_tail = n.tail) AND s.id = d.site AND t.id = d.tenant"
);

static IDENTIFIED: BatchStatement = looked_for!(
    "id",
    1,
    "CAST(NULL AS TEXT)",
    "new n CROSS JOIN device d CROSS JOIN site s CROSS JOIN tenant t",
    "d.id = n.id AND s.id = d.site AND t.id = d.tenant"
);

/// In no order: all devices of a tenant, or at some sites.
const ANYWHERE: &str = candidates!(
    "CAST(NULL AS TEXT)",
    "tenant t CROSS JOIN site s CROSS JOIN device d",
    "($1 IS NULL OR t.id = $1) AND ($2 IS NULL OR $2 LIKE '% ' || s.id || ' %') AND s.tenant = t.id AND d.site = s.id"
);

const UNINDEXED: &str = candidates!(
    "CAST(NULL AS TEXT)",
    "(SELECT * FROM device WHERE search_name IS NULL LIMIT $3) d CROSS JOIN site s CROSS JOIN tenant t",
    "s.id = d.site AND t.id = d.tenant"
);

const LATEST_SEEN: &str = candidates!(
    "CAST(NULL AS TEXT)",
    "(SELECT * FROM device ORDER BY COALESCE(seen_at, 0) DESC LIMIT $3) d CROSS JOIN site s CROSS JOIN tenant t",
    "s.id = d.site AND t.id = d.tenant",
    "ORDER BY COALESCE(d.seen_at, 0) DESC"
);

/// The smallest and the largest identifier that begins so, and the second group that begins so.
#[derive(Clone, Debug)]
pub(super) struct NumberRange {
    first: String,
    last: String,
    tail: String,
}

impl NumberRange {
    /// Identifiers are of base 32 and have one length, so that every collation has them in one order.
    pub(super) fn of(number: &str) -> Self {
        /// Characters of a device's identifier.
        const LENGTH: usize = 26;
        let filled = |with: &str| {
            let filler = with.repeat(LENGTH.saturating_sub(number.len()));
            format!("{number}{filler}")
        };
        Self { first: filled("0"), last: filled("z"), tail: number.chars().take(4).collect() }
    }
}

impl ScopedLedger {
    /// Devices that have one of these combinations of names; nothing where there are more than are looked at.
    pub(super) async fn devices_named(
        &self,
        combinations: &[NameCombination],
        extent: &SearchExtent,
    ) -> Result<(Vec<CandidateRow>, bool)> {
        let mut found = Vec::new();
        let pick = |of: fn(&NameCombination) -> Option<(i64, i64)>| -> Vec<(i64, i64)> {
            combinations.iter().filter_map(of).collect()
        };
        let people = pick(|names| names.person.map(|name| (name, 0)));
        let shapes: [(&'static BatchStatement, Vec<(i64, i64)>); 6] = [
            (&OF_SITES_AND_LABELS, pick(|names| Some((names.site?, names.label?)))),
            (&OF_LABELS, pick(|names| names.label.filter(|_| names.site.is_none()).map(|name| (name, 0)))),
            (&OF_SITES, pick(|names| names.site.filter(|_| names.label.is_none()).map(|name| (name, 0)))),
            (&OF_ASSIGNED, people.clone()),
            (&OF_SIGNED_IN, people),
            (
                &OF_TENANTS,
                pick(|names| {
                    let alone = names.site.is_none() && names.label.is_none() && names.person.is_none();
                    alone.then_some((names.tenant, 0))
                }),
            ),
        ];
        for (statement, names) in shapes {
            for some in names.chunks(MOST) {
                let left = (MOST_LOOKED_AT + 1).saturating_sub(found.len());
                if left == 0 {
                    break;
                }
                found.extend(
                    self.named(statement.of(some.len()), some, statement.columns(), extent, left).await?,
                );
            }
        }
        let is_complete = found.len() <= MOST_LOOKED_AT;
        Ok((found, is_complete))
    }

    async fn named(
        &self,
        batch: Batch,
        names: &[(i64, i64)],
        columns: usize,
        extent: &SearchExtent,
        most: usize,
    ) -> Result<Vec<CandidateRow>> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        Ok(on_scoped_read!(self, connection => {
            let query = sqlx::query_as(batch.text(&*connection))
                .bind(extent.tenant.as_ref().map(TenantId::as_str))
                .bind(extent.sites.as_deref())
                .bind(most);
            let query = if columns == 2 {
                bind_rows!(query, names, batch.size, pair => [pair.0, pair.1])
            } else {
                bind_rows!(query, names, batch.size, pair => [pair.0])
            };
            query.fetch_all(connection).await?
        }))
    }

    /// Devices whose number begins so, or the second group of it.
    pub(super) async fn devices_numbered_so(
        &self,
        numbers: &[NumberRange],
        extent: &SearchExtent,
    ) -> Result<Vec<CandidateRow>> {
        let mut found = Vec::new();
        for some in numbers.chunks(MOST) {
            let batch = NUMBERED.of(some.len());
            let rows: Vec<CandidateRow> = on_scoped_read!(self, connection => {
                let query = sqlx::query_as(batch.text(&*connection))
                    .bind(extent.tenant.as_ref().map(TenantId::as_str))
                    .bind(extent.sites.as_deref())
                    .bind(i64::try_from(MOST_LOOKED_AT).unwrap_or(i64::MAX));
                bind_rows!(query, some, batch.size, range => [
                    range.first.as_str(),
                    range.last.as_str(),
                    range.tail.as_str(),
                ])
                .fetch_all(connection)
                .await?
            });
            found.extend(rows);
        }
        Ok(found)
    }

    /// These devices, as far as they are within the extent.
    pub(super) async fn devices_identified(
        &self,
        devices: &[DeviceId],
        extent: &SearchExtent,
    ) -> Result<Vec<CandidateRow>> {
        let mut found = Vec::new();
        for some in devices.chunks(MOST) {
            let batch = IDENTIFIED.of(some.len());
            let rows: Vec<CandidateRow> = on_scoped_read!(self, connection => {
                let query = sqlx::query_as(batch.text(&*connection))
                    .bind(extent.tenant.as_ref().map(TenantId::as_str))
                    .bind(extent.sites.as_deref())
                    .bind(i64::try_from(MOST).unwrap_or(i64::MAX));
                bind_rows!(query, some, batch.size, id => [id.as_str()]).fetch_all(connection).await?
            });
            found.extend(rows);
        }
        Ok(found)
    }

    /// Devices that are not in the index yet, at most this many.
    pub(super) async fn unindexed_devices(
        &self,
        extent: &SearchExtent,
        most: i64,
    ) -> Result<Vec<CandidateRow>> {
        self.some_devices(UNINDEXED, extent, most).await
    }

    /// Devices of a narrow extent in no order, or of all tenants those that came last; whether that was all of them.
    pub(super) async fn likely_devices(&self, extent: &SearchExtent) -> Result<(Vec<CandidateRow>, bool)> {
        if extent.tenant.is_none() && extent.sites.is_none() {
            let found = self.some_devices(LATEST_SEEN, extent, LATEST).await?;
            let is_complete = i64::try_from(found.len()).is_ok_and(|found| found < LATEST);
            return Ok((found, is_complete));
        }
        let most = i64::try_from(MOST_LOOKED_AT).unwrap_or(i64::MAX);
        let found = self.some_devices(ANYWHERE, extent, most.saturating_add(1)).await?;
        let is_complete = found.len() <= MOST_LOOKED_AT;
        Ok((found, is_complete))
    }

    async fn some_devices(
        &self,
        statement: &'static str,
        extent: &SearchExtent,
        most: i64,
    ) -> Result<Vec<CandidateRow>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(statement)
                .bind(extent.tenant.as_ref().map(TenantId::as_str))
                .bind(extent.sites.as_deref())
                .bind(most)
                .fetch_all(connection)
                .await?
        }))
    }

    /// Names of the people who use these devices; whether all devices were looked at.
    pub(super) async fn names_of_users(
        &self,
        devices: &[DeviceId],
    ) -> Result<(HashMap<DeviceId, Vec<String>>, bool)> {
        let mut names: HashMap<DeviceId, Vec<String>> = HashMap::new();
        for some in devices.iter().take(MOST_WITH_PEOPLE).collect::<Vec<_>>().chunks(MOST) {
            let batch = USERS.of(some.len());
            let rows: Vec<(String, String)> = on_scoped_read!(self, connection => {
                let query = sqlx::query_as(batch.text(&*connection)).bind(self.scope.bound());
                bind_rows!(query, some, batch.size, id => [id.as_str()]).fetch_all(connection).await?
            });
            for (device, name) in rows {
                if let Some(device) = DeviceId::parse(&device) {
                    names.entry(device).or_default().push(name);
                }
            }
        }
        Ok((names, devices.len() <= MOST_WITH_PEOPLE))
    }
}

static USERS: BatchStatement = BatchStatement::with(
    1,
    "WITH new (id) AS (VALUES ",
    1,
    ") SELECT n.id, p.name FROM new n CROSS JOIN device_person u CROSS JOIN person p WHERE u.device = n.id \
     AND p.id = u.person AND ($1 IS NULL OR p.tenant = $1) UNION ALL \
     SELECT n.id, p.name FROM new n CROSS JOIN person_device u CROSS JOIN person p WHERE u.device = n.id \
     AND p.id = u.person AND ($1 IS NULL OR p.tenant = $1)",
);
