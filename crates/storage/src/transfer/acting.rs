//! What people do to transfers, whose rows are two tenants': each method asks first whether the tenant of the scope takes part in it,
//! and sees both for as long as it takes.

use super::approving::NewTransferApproval;
use super::planning::NewTransfer;
use super::reading::Transfer;
use crate::actor::Actor;
use crate::{LedgerError, Result, Scope, ScopedTransaction, Transaction};
use tegata_core::transfer::{TransferPlan, TransferSide, TransferState};
use tegata_core::{PersonId, TransferId};

/// A change of a plan.
#[derive(Clone, Copy, Debug)]
pub struct TransferRevision<'a> {
    /// The plan as whoever changes it has read it.
    pub before: &'a TransferPlan,
    /// What it is to be.
    pub plan: &'a TransferPlan,
    /// Who changes it, where it is a person with an account: they do not approve of it.
    pub by: Option<&'a PersonId>,
}

/// That one side wants nothing of it.
#[derive(Clone, Copy, Debug)]
pub struct DeclinedTransfer<'a> {
    /// For whom it is declined.
    pub side: TransferSide,
    /// Why, for the audit log. No names of persons.
    pub reason: &'a str,
}

impl Transaction {
    /// Adds a transfer that gives something of the scope's.
    pub(crate) async fn scoped_add_transfer(&mut self, new: &NewTransfer, actor: &Actor) -> Result<()> {
        if !self.scope.holds(&new.plan.source) {
            return Err(NOT_THERE);
        }
        let scope = self.scope.clone();
        self.widen().await?;
        self.add_transfer(new, actor).await?;
        self.narrow_again(&scope).await
    }

    async fn own_transfer(&mut self, id: &TransferId) -> Result<Transfer> {
        let transfer = self.transfer_in_hand(id).await?;
        let takes_part = self.scope.holds(&transfer.plan.source)
            || transfer.plan.target().is_some_and(|target| self.scope.holds(target));
        if takes_part { Ok(transfer) } else { Err(NOT_THERE) }
    }

    /// Whose rows it sees is both tenants' from here on, where one of them is the scope's. Gives the scope as it was.
    async fn widen_for(&mut self, id: &TransferId) -> Result<Scope> {
        self.own_transfer(id).await?;
        let scope = self.scope.clone();
        self.widen().await?;
        Ok(scope)
    }

    async fn narrow_again(&mut self, scope: &Scope) -> Result<()> {
        self.write_entries().await?;
        self.narrow(scope).await
    }
}

const NOT_THERE: LedgerError = LedgerError::Guard("there is no such transfer");

impl ScopedTransaction {
    /// A transfer in which a tenant of the scope takes part, as it stands while this transaction lasts.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is none.
    pub async fn transfer_in_hand(&mut self, id: &TransferId) -> Result<Transfer> {
        self.inner().own_transfer(id).await
    }

    /// [`Transaction::add_transfer`] of something that is the scope's.
    ///
    /// # Errors
    /// As there.
    pub async fn add_transfer(&mut self, new: &NewTransfer, actor: &Actor) -> Result<()> {
        self.inner().scoped_add_transfer(new, actor).await
    }

    /// Changes the plan of a transfer of the scope: [`Transaction::change_transfer`].
    ///
    /// # Errors
    /// As there.
    pub async fn change_transfer(
        &mut self,
        id: &TransferId,
        revision: &TransferRevision<'_>,
        actor: &Actor,
    ) -> Result<()> {
        let scope = self.inner().widen_for(id).await?;
        self.inner().change_transfer(id, revision, actor).await?;
        self.inner().narrow_again(&scope).await
    }

    /// Notes an approval of a transfer of the scope: [`Transaction::approve_transfer`].
    ///
    /// # Errors
    /// As there.
    pub async fn approve_transfer(
        &mut self,
        id: &TransferId,
        new: &NewTransferApproval,
        actor: &Actor,
    ) -> Result<TransferState> {
        let scope = self.inner().widen_for(id).await?;
        let state = self.inner().approve_transfer(id, new, actor).await?;
        self.inner().narrow_again(&scope).await?;
        Ok(state)
    }

    /// Says for one side that it wants nothing of a transfer: [`Transaction::decline_transfer`].
    ///
    /// # Errors
    /// As there.
    pub async fn decline_transfer(
        &mut self,
        id: &TransferId,
        declined: &DeclinedTransfer<'_>,
        actor: &Actor,
    ) -> Result<()> {
        let scope = self.inner().widen_for(id).await?;
        self.inner().decline_transfer(id, declined, actor).await?;
        self.inner().narrow_again(&scope).await
    }

    /// Takes back a transfer of the scope: [`Transaction::abort_transfer`].
    ///
    /// # Errors
    /// As there.
    pub async fn abort_transfer(&mut self, id: &TransferId, note: &str, actor: &Actor) -> Result<()> {
        let scope = self.inner().widen_for(id).await?;
        self.inner().abort_transfer(id, note, actor).await?;
        self.inner().narrow_again(&scope).await
    }
}
