//! Plans: written, changed and taken back.

use super::acting::{DeclinedTransfer, TransferRevision};
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::transfer::{TransferPlan, TransferSide};
use tegata_core::{PersonId, TenantId, TransferId};

/// A transfer to be planned.
#[derive(Clone, Debug)]
pub struct NewTransfer {
    /// The identifier, which no other has.
    pub id: TransferId,
    /// What is to happen.
    pub plan: TransferPlan,
    /// Who asks for it, where it is a person with an account: they do not approve of it.
    pub requested_by: Option<PersonId>,
    /// Why, for the audit log. No names of persons.
    pub note: String,
    /// The transfer that it takes back.
    pub reverses: Option<TransferId>,
}

impl Transaction {
    /// Writes a plan, of which nobody has approved yet.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the plan makes no sense, a tenant is not there, or a site is not the tenant's, was handed over
    /// before, or is part of another transfer.
    pub async fn add_transfer(&mut self, new: &NewTransfer, actor: &Actor) -> Result<()> {
        new.plan.check(self.now).map_err(|_| UNFIT)?;
        let (now, plan) = (self.now.millis(), written(&new.plan)?);
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO transfer (id, source, target, state, due_at, latest_at, plan, requested_by, note, reverses, \
                 created_at, changed_at, source_called, target_called) SELECT $1, t.id, $3, 'draft', $4, $5, $6, $7, $8, $9, $10, \
                 $10, t.name, (SELECT o.name FROM tenant o WHERE o.id = $3) FROM tenant t \
                 WHERE t.id = $2 AND ($3 IS NULL OR EXISTS (SELECT 1 FROM tenant o WHERE o.id = $3)) \
                 AND ($7 IS NULL OR EXISTS (SELECT 1 FROM person p WHERE p.id = $7))",
            )
            .bind(new.id.as_str())
            .bind(new.plan.source.as_str())
            .bind(new.plan.target().map(TenantId::as_str))
            .bind(new.plan.at.millis())
            .bind(new.plan.latest.millis())
            .bind(plan)
            .bind(new.requested_by.as_ref().map(PersonId::as_str))
            .bind(new.note.as_str())
            .bind(new.reverses.as_ref().map(TransferId::as_str))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "a tenant is not there, or whoever asks for it has no account")?;
        self.put_sites(&new.id, &new.plan).await?;
        let detail =
            json!({"plan": new.plan.hash(), "at": new.plan.at, "note": new.note, "reverses": new.reverses});
        self.audit_transfer((&new.id, &new.plan), "transfer.planned", (TransferSide::Source, &detail), actor)
            .await
    }

    /// Replaces the plan of a transfer that has not begun. Whoever had approved had approved of another plan.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when it has begun or ended, was changed since it was read, or as [`Transaction::add_transfer`].
    pub async fn change_transfer(
        &mut self,
        id: &TransferId,
        revision: &TransferRevision<'_>,
        actor: &Actor,
    ) -> Result<()> {
        let TransferRevision { before, plan, by } = *revision;
        plan.check(self.now).map_err(|_| UNFIT)?;
        if (&before.source, before.target()) != (&plan.source, plan.target()) {
            return Err(LedgerError::Guard("the tenants of a transfer stay: abort it and plan another"));
        }
        let (now, former, text) = (self.now.millis(), written(before)?, written(plan)?);
        let authors = self.authors_with(id, by).await?;
        let changed = on_transaction!(self.engine, connection => {
            let changed = sqlx::query(
                "UPDATE transfer SET plan = $3, due_at = $4, latest_at = $5, state = 'draft', held = NULL, changed_at = $6, \
                 changed_by = $7 WHERE id = $1 AND plan = $2 AND state IN ('draft', 'approved')",
            )
            .bind(id.as_str())
            .bind(former)
            .bind(text)
            .bind(plan.at.millis())
            .bind(plan.latest.millis())
            .bind(now)
            .bind(authors)
            .execute(&mut *connection)
            .await?
            .rows_affected();
            for statement in
                ["DELETE FROM transfer_approval WHERE transfer = $1", "DELETE FROM transfer_site WHERE transfer = $1"]
            {
                sqlx::query(statement).bind(id.as_str()).execute(&mut *connection).await?;
            }
            changed
        });
        changed_one(changed, "the transfer has begun or ended, or somebody else has changed its plan")?;
        self.put_sites(id, plan).await?;
        let detail = json!({"before": before.hash(), "plan": plan.hash(), "at": plan.at, "by": by});
        self.audit_transfer((id, plan), "transfer.changed", (TransferSide::Source, &detail), actor).await
    }

    /// Takes a transfer back that has not begun.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is none, or it has begun or ended.
    pub async fn abort_transfer(&mut self, id: &TransferId, note: &str, actor: &Actor) -> Result<()> {
        let plan = self.end_open_transfer(id).await?;
        self.audit_transfer(
            (id, &plan),
            "transfer.aborted",
            (TransferSide::Source, &json!({"note": note})),
            actor,
        )
        .await
    }

    /// Takes a transfer back that has not begun, because one side wants nothing of it.
    ///
    /// # Errors
    /// As [`Transaction::abort_transfer`].
    pub async fn decline_transfer(
        &mut self,
        id: &TransferId,
        declined: &DeclinedTransfer<'_>,
        actor: &Actor,
    ) -> Result<()> {
        let plan = self.end_open_transfer(id).await?;
        let detail = json!({"side": declined.side, "note": declined.reason});
        self.audit_transfer((id, &plan), "transfer.declined", (declined.side, &detail), actor).await
    }

    async fn end_open_transfer(&mut self, id: &TransferId) -> Result<TransferPlan> {
        let plan = self.transfer_in_hand(id).await?.plan;
        let now = self.now.millis();
        let aborted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE transfer SET state = 'aborted', held = NULL, changed_at = $2, ended_at = $2 \
                 WHERE id = $1 AND state IN ('draft', 'approved')",
            )
            .bind(id.as_str())
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(
            aborted,
            "the transfer has begun or ended: plan its reverse with `tegata transfer reverse`",
        )?;
        Ok(plan)
    }

    /// Everybody who has changed the plan, as the ledger keeps it.
    async fn authors_with(&mut self, id: &TransferId, by: Option<&PersonId>) -> Result<String> {
        let mut authors = self.transfer_in_hand(id).await?.changed_by;
        authors.extend(by.filter(|by| !authors.contains(by)).cloned());
        serde_json::to_string(&authors).map_err(|_| LedgerError::Unreadable("transfer.changed_by"))
    }

    async fn put_sites(&mut self, id: &TransferId, plan: &TransferPlan) -> Result<()> {
        for (site, planned) in plan.sites() {
            let added = on_transaction!(self.engine, connection => {
                sqlx::query(
                    "INSERT INTO transfer_site (transfer, site, becomes, state) SELECT $1, s.id, $3, 'waiting' FROM site s \
                     WHERE s.id = $2 AND s.tenant = $4 AND s.closed_at IS NULL AND NOT EXISTS \
                     (SELECT 1 FROM transfer_site o JOIN transfer x ON x.id = o.transfer WHERE o.site = s.id \
                     AND o.transfer <> $1 AND x.state IN ('draft', 'approved', 'running'))",
                )
                .bind(id.as_str())
                .bind(site.as_str())
                .bind(planned.becomes.as_str())
                .bind(plan.source.as_str())
                .execute(connection)
                .await?
                .rows_affected()
            });
            changed_one(
                added,
                "a site is not the tenant's, was handed over before, or is part of another transfer",
            )?;
        }
        Ok(())
    }
}

const UNFIT: LedgerError = LedgerError::Guard("the plan makes no sense as it is, or its minute is over");

fn written(plan: &TransferPlan) -> Result<String> {
    serde_json::to_string(plan).map_err(|_| LedgerError::Unreadable("a plan of a transfer"))
}
