//! Policies: who may enroll a first device, by tenant and by site.

mod stored;

pub(crate) use stored::read_both;

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction};
use serde_json::json;
use stored::read;
use tegata_core::{DeviceId, EnrollmentPolicy, SiteId, TenantId, Timestamp};

/// The tenant or site that rules apply to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PolicyPlace {
    /// The tenant whose rules are meant, or whose site has them.
    pub tenant: TenantId,
    /// One site of it; where there is none, all of them.
    pub site: Option<SiteId>,
}

/// Whether the limits on devices admit a device `d` of tenant `t` at site `s`, itself included, at a time. A device has
/// its place until it is stopped for ever or has no certificate left that it could come with. One without any is about
/// to get its first in this very transaction: writers come one after the other, so nobody else sees the same last
/// place.
macro_rules! has_room {
    ($at:literal) => {
        concat!(
            "(d.role <> 'device' OR ((s.places IS NULL OR s.places >= (SELECT COUNT(*) FROM device o WHERE o.site = s.id \
             AND o.role = 'device' AND o.state IN ('active', 'suspended') AND \
             (NOT EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id) \
             OR EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id AND k.not_after >= ",
            $at,
            " AND k.state IN ('reserved', 'issued', 'delivered', 'in_use', 'retiring'))))) \
             AND (t.places IS NULL OR t.places >= (SELECT COUNT(*) FROM site h JOIN device o ON o.site = h.id \
             WHERE h.tenant = t.id AND o.role = 'device' AND o.state IN ('active', 'suspended') AND \
             (NOT EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id) \
             OR EXISTS (SELECT 1 FROM certificate k WHERE k.device = o.id AND k.not_after >= ",
            $at,
            " AND k.state IN ('reserved', 'issued', 'delivered', 'in_use', 'retiring')))))))"
        )
    };
}
pub(crate) use has_room;

impl ScopedLedger {
    /// All policies that have a rule: by tenant, those of whole tenants first.
    pub async fn policies(&self) -> Result<Vec<(PolicyPlace, EnrollmentPolicy)>> {
        let rows: Vec<PlaceRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id AS tenant, NULL AS site, policy FROM tenant \
                 WHERE policy IS NOT NULL AND ($1 IS NULL OR id = $1) \
                 UNION ALL SELECT tenant, id, policy FROM site \
                 WHERE policy IS NOT NULL AND ($1 IS NULL OR tenant = $1)",
            )
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        by_place(rows, |text| read(Some(text)))
    }
}

impl Transaction {
    /// The rules that hold at a place, by themselves.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant, or the site is not one of its sites.
    pub async fn policy(&mut self, place: &PolicyPlace) -> Result<EnrollmentPolicy> {
        if !self.scope.holds(&place.tenant) {
            return Err(NO_PLACE);
        }
        let row: Option<(Option<String>,)> = on_transaction!(self.engine, connection => {
            let query = match &place.site {
                Some(site) => sqlx::query_as("SELECT policy FROM site WHERE tenant = $1 AND id = $2")
                    .bind(place.tenant.as_str())
                    .bind(site.as_str()),
                None => sqlx::query_as("SELECT policy FROM tenant WHERE id = $1").bind(place.tenant.as_str()),
            };
            query.fetch_optional(connection).await?
        });
        let (text,) = row.ok_or(NO_PLACE)?;
        read(text.as_deref())
    }

    /// Puts rules in force at a place, instead of those that were there: for the next enrollment, on every server. Gives
    /// whether anything changed.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] as [`Transaction::policy`].
    pub async fn set_policy(
        &mut self,
        place: &PolicyPlace,
        policy: &EnrollmentPolicy,
        actor: &Actor,
    ) -> Result<bool> {
        if self.policy(place).await? == *policy {
            return Ok(false);
        }
        let text = serde_json::to_string(policy).map_err(|_| LedgerError::Unreadable("a policy"))?;
        let text = (!policy.is_empty()).then_some(text);
        on_transaction!(self.engine, connection => {
            let query = match &place.site {
                Some(site) => sqlx::query("UPDATE site SET policy = $1, places = $2 WHERE tenant = $3 AND id = $4")
                    .bind(text)
                    .bind(policy.devices.map(i64::from))
                    .bind(place.tenant.as_str())
                    .bind(site.as_str()),
                None => sqlx::query("UPDATE tenant SET policy = $1, places = $2 WHERE id = $3")
                    .bind(text)
                    .bind(policy.devices.map(i64::from))
                    .bind(place.tenant.as_str()),
            };
            query.execute(connection).await?;
        });
        let action = if policy.is_empty() { "policy.cleared" } else { "policy.set" };
        let detail = json!({"tenant": place.tenant, "site": place.site, "policy": policy});
        self.audit(actor, action, None, detail).await?;
        Ok(true)
    }

    /// Whether a device has a place by the rules of its tenant and site.
    pub(crate) async fn has_room(&mut self, device: &DeviceId, at: Timestamp) -> Result<bool> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(concat!(
                "SELECT d.id FROM device d JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site \
                 WHERE d.id = $1 AND ",
                has_room!("$2")
            ))
            .bind(device.as_str())
            .bind(at.millis())
            .fetch_optional(connection)
            .await?
        });
        Ok(found.is_some())
    }
}

/// What whoever names another place is answered.
pub(crate) const NO_PLACE: LedgerError =
    LedgerError::Guard("there is no such tenant, or the site is not one of its sites");

/// A tenant, perhaps one site of it, and what it says, as rows have them.
pub(crate) type PlaceRow = (String, Option<String>, String);

/// What places say, by tenant, and of each what holds for the whole tenant first.
pub(crate) fn by_place<T>(
    rows: Vec<PlaceRow>,
    read: impl Fn(&str) -> Result<T>,
) -> Result<Vec<(PolicyPlace, T)>> {
    let of = |(tenant, site, text): PlaceRow| {
        let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("tenant.id"))?;
        let site = site.map(SiteId::try_from).transpose().map_err(|_| LedgerError::Unreadable("site.id"))?;
        Ok((PolicyPlace { tenant, site }, read(&text)?))
    };
    let mut places = rows.into_iter().map(of).collect::<Result<Vec<_>>>()?;
    places.sort_by_key(|(place, _)| (place.tenant.to_string(), place.site.as_ref().map(ToString::to_string)));
    Ok(places)
}
