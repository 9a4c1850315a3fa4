//! Which certificates will have to be renewed.

use crate::policy::PolicyPlace;
use crate::scope::on_scoped_read;
use crate::{Result, ScopedLedger};
use futures_util::TryStreamExt;
use tegata_core::{DeviceId, Platform, Role, SiteId, TenantId, Timestamp};

/// A certificate whose renewal the operator should know of.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct DueRenewal {
    #[sqlx(try_from = "String")]
    pub device: DeviceId,
    #[sqlx(try_from = "String")]
    pub tenant: TenantId,
    #[sqlx(try_from = "String")]
    pub site: SiteId,
    pub label: String,
    #[sqlx(try_from = "String")]
    role: Role,
    platform: Option<String>,
    pub tenant_name: String,
    pub site_name: String,
    pub generation: i64,
    /// When its serial number was reserved: what it begins with may be earlier.
    #[sqlx(try_from = "i64")]
    pub made_at: Timestamp,
    #[sqlx(try_from = "i64")]
    pub not_before: Timestamp,
    #[sqlx(try_from = "i64")]
    pub not_after: Timestamp,
}

impl DueRenewal {
    /// Whether nobody sits before it: a program renews there, and no page is opened.
    pub fn is_program(&self) -> bool {
        self.role == Role::Gate || self.platform.as_deref() == Some(Platform::Other.as_str())
    }
}

/// How far the renewal of everything at once is, at one site.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct SiteProgress {
    /// Identifier of the site.
    #[sqlx(try_from = "String")]
    pub site: SiteId,
    /// Name of the site.
    pub site_name: String,
    /// Devices that work there.
    pub devices: i64,
    /// Those that have made themselves another certificate, whether they were seen with it yet or not.
    pub renewed: i64,
}

/// What is read of each.
macro_rules! due_columns {
    () => {
        "SELECT c.device, d.tenant, d.site, d.label, d.role, d.platform, t.name AS tenant_name, s.name AS site_name, c.generation, \
         c.reserved_at AS made_at, c.not_before, c.not_after "
    };
}

/// Of each device that is at work one certificate: the newest that was seen, or else the newest there is. What was made and never
/// seen does not take the place of what works.
macro_rules! one_of_each {
    () => {
        "c.state IN ('issued', 'delivered', 'in_use') AND d.state = 'active' AND (t.state = 'active' OR d.role = 'gate') \
         AND NOT EXISTS (SELECT 1 FROM certificate n WHERE n.device = c.device \
         AND ((n.state = 'in_use' AND (c.state <> 'in_use' OR n.generation > c.generation)) \
         OR (n.state IN ('issued', 'delivered') AND c.state <> 'in_use' AND n.generation > c.generation)))"
    };
}

impl ScopedLedger {
    /// The certificates that active devices work with and that end before `before`, one of each device, the earliest end
    /// first.
    pub async fn ending_before(&self, before: Timestamp) -> Result<Vec<DueRenewal>> {
        let mut found = Vec::new();
        self.each_ending_before(before, |one| found.push(one)).await?;
        Ok(found)
    }

    /// Hands the certificates of [`ScopedLedger::ending_before`] to `visit` one by one, and holds no two of them.
    pub async fn each_ending_before(
        &self,
        before: Timestamp,
        mut visit: impl FnMut(DueRenewal) + Send,
    ) -> Result<()> {
        on_scoped_read!(self, connection => {
            let query = match self.scope.bound() {
                // From the tenant's sites to their devices: other tenants' certificates are not looked at.
                Some(tenant) => sqlx::query_as(concat!(
                    due_columns!(),
                    "FROM tenant t CROSS JOIN site s CROSS JOIN device d CROSS JOIN certificate c \
                     WHERE t.id = $2 AND s.tenant = t.id AND d.site = s.id AND d.tenant = t.id AND c.device = d.id \
                     AND c.not_after < $1 AND ",
                    one_of_each!(),
                    " ORDER BY c.not_after"
                ))
                .bind(before.millis())
                .bind(tenant),
                None => sqlx::query_as(concat!(
                    due_columns!(),
                    "FROM certificate c JOIN device d ON d.id = c.device JOIN site s ON s.id = d.site \
                     JOIN tenant t ON t.id = d.tenant WHERE c.not_after < $1 AND ",
                    one_of_each!(),
                    " ORDER BY c.not_after"
                ))
                .bind(before.millis()),
            };
            let mut rows = query.fetch(connection);
            while let Some(row) = rows.try_next().await? {
                visit(row);
            }
        });
        Ok(())
    }

    /// The certificates of a place that were made before `made_before` and end at `ending_from` or later, one of each device
    /// that has not made itself another since. Reads the devices of the place and no others.
    pub async fn made_before(
        &self,
        place: &PolicyPlace,
        made_before: Timestamp,
        ending_from: Timestamp,
    ) -> Result<Vec<DueRenewal>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(concat!(
                due_columns!(),
                "FROM tenant t CROSS JOIN site s CROSS JOIN device d CROSS JOIN certificate c \
                 WHERE t.id = $1 AND s.tenant = t.id AND ($2 IS NULL OR s.id = $2) AND d.site = s.id AND c.device = d.id \
                 AND c.reserved_at < $3 AND c.not_after >= $4 AND ($5 IS NULL OR d.tenant = $5) \
                 AND NOT EXISTS (SELECT 1 FROM certificate m WHERE m.device = c.device AND m.reserved_at >= $3 \
                 AND m.state IN ('issued', 'delivered', 'in_use')) AND ",
                one_of_each!(),
                " ORDER BY c.not_after"
            ))
            .bind(place.tenant.as_str())
            .bind(place.site.as_ref().map(|site| site.as_str().to_owned()))
            .bind(made_before.millis())
            .bind(ending_from.millis())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }

    /// How many devices of each site of a place have made themselves a certificate since then, of those with one that has not
    /// ended.
    pub async fn renewed_since(
        &self,
        place: &PolicyPlace,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<SiteProgress>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT x.site, x.site_name, COUNT(*) AS devices, \
                 COUNT(CASE WHEN x.newest >= $3 THEN 1 END) AS renewed FROM \
                 (SELECT s.id AS site, s.name AS site_name, d.id, MAX(c.reserved_at) AS newest \
                 FROM tenant t CROSS JOIN site s CROSS JOIN device d CROSS JOIN certificate c \
                 WHERE t.id = $1 AND s.tenant = t.id AND ($2 IS NULL OR s.id = $2) AND d.site = s.id AND c.device = d.id \
                 AND d.state = 'active' AND (t.state = 'active' OR d.role = 'gate') \
                 AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.not_after >= $4 \
                 AND ($5 IS NULL OR d.tenant = $5) GROUP BY s.id, s.name, d.id) x \
                 GROUP BY x.site, x.site_name ORDER BY x.site_name, x.site",
            )
            .bind(place.tenant.as_str())
            .bind(place.site.as_ref().map(|site| site.as_str().to_owned()))
            .bind(since.millis())
            .bind(now.millis())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }
}
