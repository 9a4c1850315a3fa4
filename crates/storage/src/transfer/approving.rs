//! Approvals: an administrator of each tenant, and a lead of the vendor's support.

use super::reading::Transfer;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::person::read_roles;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::transfer::{TransferApproval, TransferEvent, TransferSide, TransferState, is_approved};
use tegata_core::{Justification, TenantId, TransferId};

/// An approval to be given.
#[derive(Clone, Debug)]
pub struct NewTransferApproval {
    /// Who approves, for whom, and of which plan.
    pub approval: TransferApproval,
    /// Why somebody of the vendor's support does, and under which number.
    pub because: Option<Justification>,
}

impl Transaction {
    /// Notes that somebody approves of a plan. With the last approval that is missing the transfer is [`TransferState::Approved`],
    /// and begins at its minute. Gives how it stands then.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the plan is another by now, the person may not approve for that side, asked for the transfer
    /// themselves, or has approved for another side; or when the side has approved.
    pub async fn approve_transfer(
        &mut self,
        id: &TransferId,
        new: &NewTransferApproval,
        actor: &Actor,
    ) -> Result<TransferState> {
        let transfer = self.transfer_in_hand(id).await?;
        let TransferApproval { side, person, plan } = &new.approval;
        let is_stale =
            transfer.state == TransferState::Approved && !self.is_fully_approved(&transfer).await?;
        if transfer.state != TransferState::Draft && !is_stale {
            return Err(LedgerError::Guard("everybody has approved already, or the transfer is over"));
        }
        if *side == TransferSide::Support && new.because.is_none() {
            return Err(LedgerError::Guard("support says why, and under which number"));
        }
        if transfer.plan.hash() != *plan {
            return Err(LedgerError::Guard("the plan was changed since it was looked at: look at it again"));
        }
        if transfer.is_planned_by(person) {
            return Err(LedgerError::Guard(
                "whoever asked for a transfer or changed its plan does not approve of it",
            ));
        }
        let known: Option<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT tenant, roles FROM person WHERE id = $1 AND state = 'active' AND break_glass IS NULL")
                .bind(person.as_str())
                .fetch_optional(connection)
                .await?
        });
        let (tenant, roles) = known.ok_or(LedgerError::Guard("there is no such person who may sign in"))?;
        let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("person.tenant"))?;
        if !transfer.plan.sides_of(&tenant, &read_roles(&roles)?).contains(side) {
            return Err(LedgerError::Guard(
                "for a tenant one of its administrators approves, and for the vendor a lead of its support",
            ));
        }
        self.drop_stale_approval(&transfer, *side).await?;
        self.write_approval(id, new).await?;
        let given = self.approvals_in_hand(&transfer).await?;
        let is_last = is_approved(&transfer.plan, &given);
        let next = transfer.state.after(TransferEvent::Approve { is_last }).unwrap_or(transfer.state);
        if next == TransferState::Approved && transfer.state != next {
            self.move_transfer(id, transfer.state, next).await?;
        }
        let because = new.because.as_ref();
        let detail = json!({
            "plan": plan, "side": side, "person": person, "state": next,
            "reason": because.map(Justification::reason), "ticket": because.map(Justification::ticket),
        });
        self.audit_transfer((id, &transfer.plan), "transfer.approved", (*side, &detail), actor).await?;
        Ok(next)
    }

    /// Makes room for another approval where the one of this side counts no longer.
    async fn drop_stale_approval(&mut self, transfer: &Transfer, side: TransferSide) -> Result<()> {
        let given = self.approvals_in_hand(transfer).await?;
        if given.iter().any(|approval| approval.side == side) {
            return Ok(());
        }
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM transfer_approval WHERE transfer = $1 AND side = $2")
                .bind(transfer.id.as_str())
                .bind(side.as_str())
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    async fn write_approval(&mut self, id: &TransferId, new: &NewTransferApproval) -> Result<()> {
        let (now, because) = (self.now.millis(), new.because.as_ref());
        let TransferApproval { side, person, plan } = &new.approval;
        let written = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO transfer_approval (transfer, side, person, plan_hash, reason, ticket, at) \
                 SELECT x.id, $2, $3, $4, $5, $6, $7 FROM transfer x WHERE x.id = $1 \
                 AND NOT EXISTS (SELECT 1 FROM transfer_approval o WHERE o.transfer = $1 AND (o.side = $2 OR o.person = $3))",
            )
            .bind(id.as_str())
            .bind(side.as_str())
            .bind(person.as_str())
            .bind(plan.as_bytes().to_vec())
            .bind(because.map(|because| because.reason().to_owned()))
            .bind(because.map(|because| because.ticket().to_owned()))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(written, "this side has approved, or the person has approved for another side")
    }

    /// From one state to the next.
    pub(super) async fn move_transfer(
        &mut self,
        id: &TransferId,
        from: TransferState,
        to: TransferState,
    ) -> Result<()> {
        let now = self.now.millis();
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE transfer SET state = $3, held = NULL, changed_at = $4, \
                 begun_at = CASE WHEN $3 = 'running' THEN $4 ELSE begun_at END, \
                 ended_at = CASE WHEN $3 IN ('done', 'aborted', 'lapsed') THEN $4 ELSE ended_at END \
                 WHERE id = $1 AND state = $2",
            )
            .bind(id.as_str())
            .bind(from.as_str())
            .bind(to.as_str())
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(moved, "the transfer is not in a state that allows this")
    }
}
