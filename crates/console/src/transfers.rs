//! What people do to transfers of business: one way for pages and API. A transfer is of two companies; each sees what it needs to
//! decide about its own, and whoever reaches all tenants sees both.

use crate::acting::{Acting, ActingTransaction};
use crate::acts::fits;
use crate::service::{ConsoleService, refusal};
use tegata_core::transfer::{TransferApproval, TransferState};
use tegata_core::{Act, Refusal, TenantId, Thumbprint, TransferId};
use tegata_storage::{
    DeclinedTransfer, LedgerError, NewTransferApproval, ScopedLedger, SeenForecast, Transfer, TransferResult,
};

/// How somebody ends a transfer that has not begun.
#[derive(Clone, Copy)]
pub(crate) enum TransferEnding {
    /// Whoever planned it takes it back.
    Abort,
    /// One side wants nothing of it.
    Decline,
}

impl ConsoleService {
    /// The transfers that somebody may see, the newest minute first.
    pub(crate) async fn transfers_seen(&self, by: &Acting) -> Result<Vec<Transfer>, Refusal> {
        self.sight(by, Act::PlanTransfer)?.rows.transfers().await.map_err(refusal)
    }

    /// A transfer that somebody may see, and the rows that they see it by.
    ///
    /// # Errors
    /// [`Refusal::TransferUnknown`], and those of [`Acting::reach`].
    pub(crate) async fn transfer_seen(
        &self,
        by: &Acting,
        id: &TransferId,
    ) -> Result<(Transfer, ScopedLedger), Refusal> {
        self.noting(by, None, self.known_transfer(by, id).await).await
    }

    pub(crate) async fn known_transfer(
        &self,
        by: &Acting,
        id: &TransferId,
    ) -> Result<(Transfer, ScopedLedger), Refusal> {
        let rows = self.sight(by, Act::PlanTransfer)?.rows;
        let known = rows.transfer(id).await.map_err(refusal)?;
        Ok((known.ok_or(Refusal::TransferUnknown)?, rows))
    }

    /// What a transfer will change as things stand, as far as somebody may see it.
    ///
    /// # Errors
    /// [`Refusal::TransferStateOtherwise`] where it has begun or ended, and those of [`ConsoleService::transfer_seen`].
    pub(crate) async fn transfer_forecast(
        &self,
        by: &Acting,
        id: &TransferId,
    ) -> Result<(Transfer, SeenForecast), Refusal> {
        let (transfer, rows) = self.transfer_seen(by, id).await?;
        if !transfer.state.is_open() {
            return Err(Refusal::TransferStateOtherwise);
        }
        let seen = rows.transfer_forecast(id, by.at).await.map_err(refusal)?;
        let seen = seen.ok_or(Refusal::TransferUnknown)?;
        let source = transfer.plan.source.clone();
        Ok((transfer, masked_forecast(by, &source, seen)))
    }

    /// What became of everything, as far as somebody may see it.
    ///
    /// # Errors
    /// Those of [`ConsoleService::transfer_seen`].
    pub(crate) async fn transfer_result(
        &self,
        by: &Acting,
        id: &TransferId,
    ) -> Result<(Transfer, TransferResult), Refusal> {
        let (transfer, rows) = self.transfer_seen(by, id).await?;
        let mut result = rows.transfer_result(id).await.map_err(refusal)?;
        for person in &mut result.people {
            // Whoever reaches both tenants belongs to neither.
            let is_own = [Some(&transfer.plan.source), transfer.plan.target()].contains(&Some(&by.tenant()));
            if let (false, Some(login)) = (is_own, &person.login) {
                person.login = Some(by.login_of(&transfer.plan.source, login).to_string());
            }
        }
        Ok((transfer, result))
    }

    /// Approves of a plan for one's side, as it was seen.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::OwnRequest`] for whoever planned it; [`Refusal::TransferChangedMeanwhile`];
    /// [`Refusal::TransferStateOtherwise`].
    pub(crate) async fn approve_transfer(
        &self,
        by: &Acting,
        (id, seen): (&TransferId, &Thumbprint),
    ) -> Result<TransferState, Refusal> {
        self.noting(by, None, self.approved_transfer(by, (id, seen)).await).await
    }

    async fn approved_transfer(
        &self,
        by: &Acting,
        (id, seen): (&TransferId, &Thumbprint),
    ) -> Result<TransferState, Refusal> {
        let mut acting = self.begin(by, Act::ApproveTransfer).await?;
        let transfer = acting.transfer(id).await?;
        let holder = &acting.by.who.person()?.holder;
        let is_planner = transfer.is_planned_by(&holder.person);
        let side = transfer.plan.side_for(holder, is_planner, acting.by.because())?;
        let person = holder.person.clone();
        let transfer = transfer.must_be(seen)?;
        let new = NewTransferApproval {
            approval: TransferApproval { side, person, plan: transfer.plan.hash() },
            because: acting.by.because().cloned(),
        };
        let state = acting.rows.approve_transfer(id, &new, &acting.by.actor()).await;
        let state = state.map_err(guarded(Refusal::TransferStateOtherwise))?;
        acting.commit().await?;
        Ok(state)
    }

    /// Ends a transfer that has not begun, as it was seen.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::TransferChangedMeanwhile`]; [`Refusal::TransferStateOtherwise`].
    pub(crate) async fn end_transfer(
        &self,
        by: &Acting,
        (id, seen): (&TransferId, &Thumbprint),
        (ending, reason): (TransferEnding, &str),
    ) -> Result<(), Refusal> {
        fits(reason)?;
        self.noting(by, None, self.ended_transfer(by, (id, seen), (ending, reason)).await).await
    }

    async fn ended_transfer(
        &self,
        by: &Acting,
        (id, seen): (&TransferId, &Thumbprint),
        (ending, reason): (TransferEnding, &str),
    ) -> Result<(), Refusal> {
        let mut acting = self.begin(by, ending.act()).await?;
        let transfer = acting.transfer(id).await?;
        let actor = acting.by.actor();
        let ended = match ending {
            TransferEnding::Abort => {
                acting.by.judge_tenant(Act::PlanTransfer, &transfer.plan.source)?;
                transfer.must_be(seen)?;
                acting.rows.abort_transfer(id, reason, &actor).await
            }
            TransferEnding::Decline => {
                let side =
                    transfer.plan.side_for(&acting.by.who.person()?.holder, false, acting.by.because())?;
                transfer.must_be(seen)?;
                let declined = DeclinedTransfer { side, reason };
                acting.rows.decline_transfer(id, &declined, &actor).await
            }
        };
        ended.map_err(guarded(Refusal::TransferStateOtherwise))?;
        acting.commit().await
    }
}

impl TransferEnding {
    const fn act(self) -> Act {
        match self {
            Self::Abort => Act::PlanTransfer,
            Self::Decline => Act::ApproveTransfer,
        }
    }
}

impl ActingTransaction {
    /// A transfer in which the tenant of whoever acts takes part, or which they reach.
    pub(crate) async fn transfer(&mut self, id: &TransferId) -> Result<Transfer, Refusal> {
        self.rows.transfer_in_hand(id).await.map_err(guarded(Refusal::TransferUnknown))
    }
}

/// What was looked at is what is there.
pub(crate) trait MustBe: Sized {
    /// Gives it back where it is.
    ///
    /// # Errors
    /// [`Refusal::TransferChangedMeanwhile`].
    fn must_be(self, seen: &Thumbprint) -> Result<Self, Refusal>;
}

impl MustBe for Transfer {
    fn must_be(self, seen: &Thumbprint) -> Result<Self, Refusal> {
        if self.plan.hash() == *seen { Ok(self) } else { Err(Refusal::TransferChangedMeanwhile) }
    }
}

/// With logins as the reader may see them.
fn masked_forecast(by: &Acting, source: &TenantId, seen: SeenForecast) -> SeenForecast {
    let shown = |login: &str| by.login_of(source, login).to_string();
    match seen {
        SeenForecast::Whole(mut forecast) => {
            for person in &mut forecast.people {
                person.login = shown(&person.login);
            }
            SeenForecast::Whole(forecast)
        }
        SeenForecast::Received(mut forecast) => {
            for person in &mut forecast.people {
                person.login = shown(&person.login);
            }
            SeenForecast::Received(forecast)
        }
    }
}

/// A guard that did not hold is this refusal; whatever else is wrong is the ledger's.
pub(crate) fn guarded(otherwise: Refusal) -> impl Fn(LedgerError) -> Refusal {
    move |error| match error {
        LedgerError::Guard(_) => otherwise,
        error => refusal(error),
    }
}
