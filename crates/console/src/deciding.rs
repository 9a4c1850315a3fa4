//! Decisions about devices that wait: judged and done as [`crate::acts`] does it for devices.

use crate::acting::Acting;
use crate::acts::fits;
use crate::service::{ConsoleService, refusal};
use tegata_core::{Act, ApprovalId, Refusal};
use tegata_storage::{Approval, ApprovalState, LedgerError};

/// What is decided about a device that waits.
#[derive(Clone, Copy)]
pub(crate) enum Decision<'a> {
    Approve,
    Decline { reason: &'a str },
}

impl ConsoleService {
    /// Decides about a device that waits. Whoever invited it does not decide.
    ///
    /// # Errors
    /// What the person may not, or is not possible.
    pub(crate) async fn decide(
        &self,
        by: &Acting,
        id: &ApprovalId,
        decision: Decision<'_>,
    ) -> Result<Approval, Refusal> {
        if let Decision::Decline { reason } = &decision {
            fits(reason)?;
        }
        self.noting(by, None, self.decided(by, id, decision).await).await
    }

    async fn decided(
        &self,
        by: &Acting,
        id: &ApprovalId,
        decision: Decision<'_>,
    ) -> Result<Approval, Refusal> {
        let mut acting = self.begin(by, Act::DecideApproval).await?;
        let known = acting.rows.approval_in_hand(id).await.map_err(refusal)?;
        let known = known.filter(|known| acting.by.sees((&known.tenant, &known.site)));
        let known = known.ok_or(Refusal::ApprovalUnknown)?;
        acting.by.judge(Act::DecideApproval, (&known.tenant, &known.site), known.invited_by.as_ref())?;
        if known.state != ApprovalState::Waiting || known.is_over(by.at) {
            return Err(Refusal::ApprovalOver);
        }
        let actor = acting.by.actor();
        let decided = match decision {
            Decision::Approve => acting.rows.approve(id, &actor).await,
            Decision::Decline { reason } => acting.rows.decline(id, reason, &actor).await,
        };
        decided.map_err(guarded(Refusal::ApprovalOver))?;
        acting.commit().await?;
        Ok(known)
    }
}

/// A guard that did not hold is this refusal; whatever else is wrong is the ledger's.
pub(crate) fn guarded(otherwise: Refusal) -> impl Fn(LedgerError) -> Refusal {
    move |error| match error {
        LedgerError::Guard(_) => otherwise,
        error => refusal(error),
    }
}
