//! What is shown of devices that were found.

use super::rows::CandidateRow;
use super::sieve::Hit;
use super::{FoundDevice, FoundPerson};
use crate::device::device_columns;
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::scope::on_scoped_read;
use crate::{Device, LedgerError, ListedDevice, Result, ScopedLedger};
use std::collections::HashMap;
use tegata_core::search::TimeHint;
use tegata_core::{DeviceId, PersonId, Platform, Timestamp};

impl From<FoundDevice> for ListedDevice {
    fn from(found: FoundDevice) -> Self {
        Self { device: found.device, seen_at: found.seen_at.map(Timestamp::millis) }
    }
}

/// People who are shown of a device that many use.
const MOST_PEOPLE: usize = 3;

#[derive(sqlx::FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    device: Device,
    platform: Option<String>,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    device: String,
    id: String,
    name: String,
    login: String,
    assigned: i64,
    at: i64,
}

static FOUND: BatchStatement = BatchStatement::with(
    1,
    "WITH new (id) AS (VALUES ",
    1,
    concat!(
        ") SELECT ",
        device_columns!(),
        ", d.platform FROM new n CROSS JOIN device d CROSS JOIN tenant t CROSS JOIN site s \
         WHERE d.id = n.id AND t.id = d.tenant AND s.id = d.site AND ($1 IS NULL OR d.tenant = $1)"
    ),
);

static USERS: BatchStatement = BatchStatement::with(
    1,
    "WITH new (id) AS (VALUES ",
    1,
    ") SELECT u.device, p.id, p.name, p.login, CAST(1 AS BIGINT) AS assigned, CAST(0 AS BIGINT) AS at \
     FROM new n CROSS JOIN device_person u CROSS JOIN person p \
     WHERE u.device = n.id AND p.id = u.person AND ($1 IS NULL OR p.tenant = $1) \
     UNION ALL SELECT u.device, p.id, p.name, p.login, CAST(0 AS BIGINT), u.signed_in_at \
     FROM new n CROSS JOIN person_device u CROSS JOIN person p \
     WHERE u.device = n.id AND p.id = u.person AND ($1 IS NULL OR p.tenant = $1)",
);

/// `$1` and `$2` are the ends of the time, `$3` the scope. Sessions and sign-ins say when exactly; a certificate when it was first
/// used.
static USED: BatchStatement = BatchStatement::with(
    3,
    "WITH new (id) AS (VALUES ",
    1,
    ") SELECT u.id, MAX(u.at) FROM (\
     SELECT n.id, x.used_at AS at FROM new n CROSS JOIN session x WHERE x.device = n.id \
     UNION ALL SELECT n.id, x.created_at FROM new n CROSS JOIN session x WHERE x.device = n.id \
     UNION ALL SELECT n.id, x.signed_in_at FROM new n CROSS JOIN person_device x WHERE x.device = n.id \
     UNION ALL SELECT n.id, x.used_at FROM new n CROSS JOIN certificate x WHERE x.device = n.id \
     UNION ALL SELECT n.id, x.seen_at FROM new n CROSS JOIN device x WHERE x.id = n.id) u \
     CROSS JOIN device d WHERE d.id = u.id AND u.at BETWEEN $1 AND $2 AND ($3 IS NULL OR d.tenant = $3) GROUP BY u.id",
);

impl ScopedLedger {
    /// In the order of the hits. One that is gone meanwhile is left out.
    pub(super) async fn described(&self, hits: Vec<Hit>) -> Result<Vec<FoundDevice>> {
        let ids: Vec<_> = hits.iter().map(|hit| hit.id.clone()).collect();
        let mut rows = self.found_rows(&ids).await?;
        let mut people = self.people_of(&ids).await?;
        let described = hits.into_iter().filter_map(|hit| {
            let FoundRow { device, platform } = rows.remove(&hit.id)?;
            Some(FoundDevice {
                device,
                platform: platform.as_deref().and_then(Platform::parse),
                seen_at: hit.seen_at.map(Timestamp::from_millis),
                people: people.remove(&hit.id).unwrap_or_default(),
                by: hit.by,
                used_at: hit.used_at,
            })
        });
        Ok(described.collect())
    }

    /// The hits as devices of a list. One that is gone meanwhile is left out.
    pub(super) async fn listed(&self, hits: Vec<Hit>) -> Result<Vec<ListedDevice>> {
        let ids: Vec<_> = hits.iter().map(|hit| hit.id.clone()).collect();
        let mut rows = self.found_rows(&ids).await?;
        let listed = hits.into_iter().filter_map(|hit| {
            let row = rows.remove(&hit.id)?;
            Some(ListedDevice { device: row.device, seen_at: hit.seen_at })
        });
        Ok(listed.collect())
    }

    /// Who uses a device: those whom it is for; where it is for everybody, who signed in last.
    pub async fn users_of(&self, device: &DeviceId) -> Result<Vec<FoundPerson>> {
        let mut people = self.people_of(std::slice::from_ref(device)).await?;
        Ok(people.remove(device).unwrap_or_default())
    }

    async fn found_rows(&self, ids: &[DeviceId]) -> Result<HashMap<DeviceId, FoundRow>> {
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(MOST) {
            let batch = FOUND.of(some.len());
            let rows: Vec<FoundRow> = on_scoped_read!(self, connection => {
                let query = sqlx::query_as(batch.text(&*connection)).bind(self.scope.bound());
                bind_rows!(query, some, batch.size, id => [id.as_str()]).fetch_all(connection).await?
            });
            found.extend(rows.into_iter().map(|row| (row.device.id.clone(), row)));
        }
        Ok(found)
    }

    async fn people_of(&self, ids: &[DeviceId]) -> Result<HashMap<DeviceId, Vec<FoundPerson>>> {
        let mut users: HashMap<DeviceId, Vec<UserRow>> = HashMap::new();
        for some in ids.chunks(MOST) {
            let batch = USERS.of(some.len());
            let rows: Vec<UserRow> = on_scoped_read!(self, connection => {
                let query = sqlx::query_as(batch.text(&*connection)).bind(self.scope.bound());
                bind_rows!(query, some, batch.size, id => [id.as_str()]).fetch_all(connection).await?
            });
            for row in rows {
                let device = DeviceId::parse(&row.device).ok_or(LedgerError::Unreadable("device.id"))?;
                users.entry(device).or_default().push(row);
            }
        }
        users.into_iter().map(|(device, rows)| Ok((device, shown(rows)?))).collect()
    }

    /// The last recorded use of each device within a time.
    pub(super) async fn used_between(
        &self,
        ids: &[DeviceId],
        time: &TimeHint,
    ) -> Result<HashMap<DeviceId, Timestamp>> {
        let mut used = HashMap::new();
        for some in ids.chunks(MOST) {
            let batch = USED.of(some.len());
            let rows: Vec<(String, i64)> = on_scoped_read!(self, connection => {
                let query = sqlx::query_as(batch.text(&*connection))
                    .bind(time.from.millis())
                    .bind(time.until.millis())
                    .bind(self.scope.bound());
                bind_rows!(query, some, batch.size, id => [id.as_str()]).fetch_all(connection).await?
            });
            used.extend(rows.into_iter().filter_map(|(id, at)| Some((DeviceId::parse(&id)?, at.into()))));
        }
        Ok(used)
    }
}

/// Whose it is; where it is everybody's, who signed in last.
fn shown(mut rows: Vec<UserRow>) -> Result<Vec<FoundPerson>> {
    if rows.iter().any(|row| row.assigned > 0) {
        rows.retain(|row| row.assigned > 0);
        rows.sort_by(|one, other| one.name.cmp(&other.name));
    } else {
        rows.sort_by_key(|row| std::cmp::Reverse(row.at));
        rows.truncate(1);
    }
    let person = |row: UserRow| {
        let id = PersonId::parse(&row.id).ok_or(LedgerError::Unreadable("person.id"))?;
        Ok(FoundPerson { id, name: row.name, login: row.login })
    };
    rows.into_iter().take(MOST_PEOPLE).map(person).collect()
}

impl CandidateRow {
    /// A device of a list, as it is looked at.
    pub(super) fn of(listed: &ListedDevice) -> Self {
        let device = &listed.device;
        Self {
            id: device.id.clone(),
            tenant: device.tenant.clone(),
            tenant_name: device.tenant_name.clone(),
            tenant_state: device.tenant_state,
            site: device.site.clone(),
            site_name: device.site_name.clone(),
            label: device.label.clone(),
            state: device.state,
            role: device.role,
            created_at: device.created_at.millis(),
            seen_at: listed.seen_at().map(Timestamp::millis),
            person: None,
        }
    }
}
