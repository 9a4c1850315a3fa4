//! A device moves to another site of its tenant. Its certificate stays: it names no site by which anything is decided.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::feed::TokenHolder;
use tegata_core::{DeviceId, Refusal, SiteId};

impl Transaction {
    /// Moves a device that is in use or suspended to another open site of its tenant. Its tokens name the site that it leaves, so
    /// they and the sessions on it end, and every server reads anew where it is. For whom it is named stays. Gives the number of
    /// the event that gates acknowledge.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such device or site, or the device is there already;
    /// [`LedgerError::Refused`] when the rules of the site leave no place for it, or one of the sites goes to another tenant by a
    /// transfer that was approved: who and what stands there is what was approved of.
    pub async fn move_device_to(
        &mut self,
        device: &DeviceId,
        site: &SiteId,
        note: &str,
        actor: &Actor,
    ) -> Result<u64> {
        let former: Option<(String, String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT d.tenant, d.site, s.name FROM device d JOIN site s ON s.id = d.site \
                 WHERE d.id = $1 AND ($2 IS NULL OR d.tenant = $2)",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let (tenant, before, before_name) = former.ok_or(LedgerError::Guard("there is no such device"))?;
        self.require_sites_that_stay([&before, site.as_str()]).await?;
        let after_name = self.stand_at_site(device, site, &before).await?;
        if !self.has_room(device, self.now).await? {
            return Err(LedgerError::Refused(Refusal::SiteFull));
        }
        let event = self.deny_tokens(&TokenHolder::Device(device.clone()), None, note, actor).await?;
        let detail = json!({
            "tenant": tenant, "site": site, "note": note, "event": event,
            "before": {"site": before, "name": before_name}, "after": {"site": site, "name": after_name},
        });
        self.audit(actor, "device.moved", Some(device), detail).await?;
        Ok(event)
    }

    async fn require_sites_that_stay(&mut self, sites: [&str; 2]) -> Result<()> {
        let [before, after] = sites;
        let going: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT y.site FROM transfer_site y JOIN transfer x ON x.id = y.transfer WHERE y.site IN ($1, $2) \
                 AND x.state IN ('approved', 'running') LIMIT 1",
            )
            .bind(before)
            .bind(after)
            .fetch_optional(connection)
            .await?
        });
        if going.is_some() { Err(LedgerError::Refused(Refusal::SiteChangesHands)) } else { Ok(()) }
    }

    /// Gives what the site is called.
    async fn stand_at_site(&mut self, device: &DeviceId, site: &SiteId, before: &str) -> Result<String> {
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE device SET site = $2 WHERE id = $1 AND site = $3 AND site <> $2 \
                 AND state IN ('active', 'suspended') AND EXISTS (SELECT 1 FROM site s WHERE s.id = $2 \
                 AND s.tenant = device.tenant AND s.closed_at IS NULL)",
            )
            .bind(device.as_str())
            .bind(site.as_str())
            .bind(before)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(
            moved,
            "there is no such site of its tenant, the device is there already, or it has ended",
        )?;
        let (name,): (String,) = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT name FROM site WHERE id = $1").bind(site.as_str()).fetch_one(connection).await?
        });
        Ok(name)
    }
}
