//! Orders whose key waits for somebody's approval. The client is told that its order is being processed (RFC 8555 section
//! 7.4) and asks again; what it was finalized with is on record with the approval.

use super::AcmeServer;
use super::problem::{AcmeError, AcmeResult};
use serde_json::Value;
use tegata_ca::ParsedRequest;
use tegata_core::Refusal;
use tegata_storage::{AcmeAccount, AcmeOrder, AcmeState, Actor, Approval, ApprovalState};

/// The state of an order as the client sees it.
pub(super) struct OrderStatus {
    pub(super) status: &'static str,
    /// Whether it should ask again.
    pub(super) waits: bool,
    pub(super) error: Option<Value>,
}

impl AcmeServer {
    /// Where an order stands by the clock and by what was decided.
    pub(super) async fn standing(&self, order: &AcmeOrder) -> AcmeResult<OrderStatus> {
        let state = self.state(order);
        let approval = match state {
            AcmeState::Ready | AcmeState::Invalid => self.approval_of(order).await?,
            AcmeState::Pending | AcmeState::Valid => None,
        };
        let waits = state == AcmeState::Ready && approval.is_some();
        let declined = approval.is_some_and(|approval| approval.state == ApprovalState::Declined);
        Ok(OrderStatus {
            status: if waits { "processing" } else { state.as_str() },
            waits,
            error: declined.then(|| AcmeError::from(Refusal::ApprovalDeclined).member()),
        })
    }

    /// The order after whatever was decided meanwhile: a certificate, or nothing.
    pub(super) async fn gone_on(&self, account: &AcmeAccount, order: AcmeOrder) -> AcmeResult<AcmeOrder> {
        if self.state(&order) != AcmeState::Ready {
            return Ok(order);
        }
        let Some(approval) = self.approval_of(&order).await? else { return Ok(order) };
        if approval.state == ApprovalState::Waiting && !approval.is_over(self.now()) {
            return Ok(order);
        }
        if approval.state != ApprovalState::Granted {
            return self.given_up(&order).await;
        }
        let request = ParsedRequest::parse(&approval.request)?;
        let issued = self.issue(account, &order, &request).await;
        if let Err(error) = &issued
            && !error.is_passing()
        {
            // The approval is still good, for another order with this key.
            self.given_up(&order).await?;
        }
        issued
    }

    async fn given_up(&self, order: &AcmeOrder) -> AcmeResult<AcmeOrder> {
        let actor = Actor::Invitation(order.invitation.clone());
        let ledger = &self.service.context.ledger;
        let mut transaction = ledger.begin(self.now()).await?;
        transaction.end_acme_order(&order.id, order.authorization, &actor).await?;
        transaction.commit().await?;
        Ok(ledger.acme_order(&order.id).await?.ok_or(Refusal::Internal)?)
    }

    async fn approval_of(&self, order: &AcmeOrder) -> AcmeResult<Option<Approval>> {
        match &order.key_hash {
            Some(key) => Ok(self.service.context.ledger.approval_for(&order.invitation, key).await?),
            None => Ok(None),
        }
    }
}
