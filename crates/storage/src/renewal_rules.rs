//! When renewals fall: what a tenant and its sites say of their hours and days.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::policy::{NO_PLACE, PlaceRow, PolicyPlace, by_place};
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction};
use serde_json::json;
use tegata_core::SiteId;
use tegata_core::renewal::RenewalRules;

impl ScopedLedger {
    /// What places say, where they say anything: by tenant, what holds for whole tenants first. A place whose rules a newer
    /// version has written says nothing here: it must not stop the plan of all others.
    pub async fn renewal_rules(&self) -> Result<Vec<(PolicyPlace, RenewalRules)>> {
        let rows: Vec<PlaceRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id AS tenant, NULL AS site, renewal FROM tenant \
                 WHERE renewal IS NOT NULL AND ($1 IS NULL OR id = $1) \
                 UNION ALL SELECT tenant, id, renewal FROM site \
                 WHERE renewal IS NOT NULL AND ($1 IS NULL OR tenant = $1)",
            )
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        by_place(rows, |text| Ok(known(Some(text))))
    }

    /// What holds for the renewals of a site: its own rules with those of its tenant. Nothing of a site that is not there.
    pub async fn renewal_rules_of(&self, site: &SiteId) -> Result<RenewalRules> {
        let row: Option<(Option<String>, Option<String>)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT s.renewal, t.renewal FROM site s JOIN tenant t ON t.id = s.tenant \
                 WHERE s.id = $1 AND ($2 IS NULL OR s.tenant = $2)",
            )
            .bind(site.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let Some((site, tenant)) = row else { return Ok(RenewalRules::default()) };
        Ok(known(site.as_deref()).within(&known(tenant.as_deref())))
    }
}

impl Transaction {
    /// What exactly this place says of its renewals.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant, or the site is not one of its sites.
    pub async fn renewal_rules_at(&mut self, place: &PolicyPlace) -> Result<RenewalRules> {
        if !self.scope.holds(&place.tenant) {
            return Err(NO_PLACE);
        }
        let row: Option<(Option<String>,)> = on_transaction!(self.engine, connection => {
            let query = match &place.site {
                Some(site) => sqlx::query_as("SELECT renewal FROM site WHERE tenant = $1 AND id = $2")
                    .bind(place.tenant.as_str())
                    .bind(site.as_str()),
                None => sqlx::query_as("SELECT renewal FROM tenant WHERE id = $1").bind(place.tenant.as_str()),
            };
            query.fetch_optional(connection).await?
        });
        let (text,) = row.ok_or(NO_PLACE)?;
        read(text.as_deref())
    }

    /// Plans the renewals of a place by other rules from now on, on every server. `note` says why, for the audit log. Gives
    /// whether anything changed.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] as [`Transaction::renewal_rules_at`].
    pub async fn set_renewal_rules(
        &mut self,
        place: &PolicyPlace,
        rules: &RenewalRules,
        note: &str,
        actor: &Actor,
    ) -> Result<bool> {
        let before = self.renewal_rules_at(place).await?;
        if before == *rules {
            return Ok(false);
        }
        let text = serde_json::to_string(rules).map_err(|_| UNREADABLE)?;
        let text = (!rules.is_empty()).then_some(text);
        on_transaction!(self.engine, connection => {
            let query = match &place.site {
                Some(site) => sqlx::query("UPDATE site SET renewal = $1 WHERE tenant = $2 AND id = $3")
                    .bind(text)
                    .bind(place.tenant.as_str())
                    .bind(site.as_str()),
                None => sqlx::query("UPDATE tenant SET renewal = $1 WHERE id = $2")
                    .bind(text)
                    .bind(place.tenant.as_str()),
            };
            query.execute(connection).await?;
        });
        let detail = json!({
            "tenant": place.tenant, "site": place.site, "before": before, "after": rules, "note": note,
        });
        self.audit(actor, "renewal-rules.set", None, detail).await?;
        Ok(true)
    }
}

const UNREADABLE: LedgerError = LedgerError::Unreadable("the rules of renewals");

fn read(text: Option<&str>) -> Result<RenewalRules> {
    Ok(text.map(serde_json::from_str).transpose().map_err(|_| UNREADABLE)?.unwrap_or_default())
}

/// Rules for whoever plans by them. They are wishes: what cannot be read is none.
fn known(text: Option<&str>) -> RenewalRules {
    read(text).unwrap_or_else(|error| {
        tracing::warn!(%error, "rules of renewals that this version does not know count as none");
        RenewalRules::default()
    })
}
