//! What is done to a site: what is open there ends, its licenses go along, and it is closed.

use super::identifiers::short;
use super::reading::Transfer;
use super::running::AT_ONCE;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::license::License;
use crate::search::NameKind;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::transfer::TransferChange;
use tegata_core::{InvitationId, KittingId, SiteId, TransferId};

impl Transaction {
    /// Ends some of what is open at a site, and closes it once nothing is. Its row, with all that happened there, stays with its
    /// tenant.
    pub(super) async fn close_site(
        &mut self,
        transfer: &Transfer,
        site: &SiteId,
        actor: &Actor,
    ) -> Result<()> {
        let TransferChange::Business { target, sites, .. } = &transfer.plan.change else { return Ok(()) };
        let planned = sites.get(site).ok_or(LedgerError::Guard("the site is not part of the transfer"))?;
        let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
        let kittings = self.open_kittings(site, limit).await?;
        for kitting in &kittings {
            self.end_kitting(kitting, actor).await?;
        }
        let invitations = self.open_invitations(site, limit).await?;
        for invitation in &invitations {
            self.withdraw_invitation(invitation, actor).await?;
        }
        if kittings.len() == AT_ONCE || invitations.len() == AT_ONCE {
            return Ok(());
        }
        let source = &transfer.plan.source;
        for product in self.site_licenses(site).await? {
            let theirs =
                License { product: product.clone(), tenant: source.clone(), site: Some(site.clone()) };
            self.withdraw_license(&theirs, actor).await?;
            let new = License { product, tenant: target.clone(), site: Some(planned.becomes.clone()) };
            self.grant_license(&new, actor).await?;
        }
        on_transaction!(self.engine, connection => {
            // Nobody of the old tenant hears of what the site does now.
            sqlx::query("DELETE FROM notice_recipient WHERE site = $1").bind(site.as_str()).execute(connection).await?;
        });
        self.mark_closed(transfer, site).await?;
        self.mark_site(&transfer.id, site, "open", "done").await?;
        let detail = json!({"tenant": source, "site": site, "transfer": transfer.id});
        self.audit(actor, "site.closed", None, detail).await
    }

    /// Called otherwise from now on, so that a site of the name may come back.
    async fn mark_closed(&mut self, transfer: &Transfer, site: &SiteId) -> Result<()> {
        let (now, source) = (self.now.millis(), &transfer.plan.source);
        let name = self.open_site(source, site).await?.ok_or(LedgerError::Guard("there is no such site"))?;
        let name = format!("{name} (譲渡済 {})", short(&transfer.id));
        let closed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE site SET closed_at = $2, name = $3, external_key = NULL, register_key = NULL WHERE id = $1 AND closed_at IS NULL AND tenant = $4",
            )
            .bind(site.as_str())
            .bind(now)
            .bind(name.as_str())
            .bind(source.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(closed, "the site was closed")?;
        self.change_indexed_name(source, NameKind::Site, site.as_str(), &name).await
    }

    pub(super) async fn mark_site(
        &mut self,
        id: &TransferId,
        site: &SiteId,
        from: &str,
        to: &str,
    ) -> Result<()> {
        let marked = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE transfer_site SET state = $4 WHERE transfer = $1 AND site = $2 AND state = $3")
                .bind(id.as_str())
                .bind(site.as_str())
                .bind(from)
                .bind(to)
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(marked, "the site is not where the transfer is")
    }

    /// Invitations to a site that nobody has used, at most so many.
    pub(super) async fn open_invitations(&mut self, site: &SiteId, limit: i64) -> Result<Vec<InvitationId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM invitation WHERE site = $1 AND state = 'open' ORDER BY id LIMIT $2")
                .bind(site.as_str())
                .bind(limit)
                .fetch_all(connection)
                .await?
        });
        let read = |(id,)| InvitationId::try_from(id).map_err(|_| LedgerError::Unreadable("invitation.id"));
        rows.into_iter().map(read).collect()
    }

    pub(super) async fn open_kittings(&mut self, site: &SiteId, limit: i64) -> Result<Vec<KittingId>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM kitting WHERE site = $1 AND state = 'open' ORDER BY id LIMIT $2")
                .bind(site.as_str())
                .bind(limit)
                .fetch_all(connection)
                .await?
        });
        let read = |(id,)| KittingId::try_from(id).map_err(|_| LedgerError::Unreadable("kitting.id"));
        rows.into_iter().map(read).collect()
    }

    pub(super) async fn site_licenses(&mut self, site: &SiteId) -> Result<Vec<String>> {
        let rows: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT product FROM licence WHERE site = $1 ORDER BY product")
                .bind(site.as_str())
                .fetch_all(connection)
                .await?
        });
        Ok(rows.into_iter().map(|(product,)| product).collect())
    }
}
