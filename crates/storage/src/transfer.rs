//! Transfers of business (事業譲渡): what was planned and approved, what will change, and the steps that change it.
//!
//! A device that moves ends with the tenant that gives, and another device begins with the one that receives; a site likewise. So
//! nothing of the past hangs on what the new tenant sees, and the old tenant keeps its own. A person moves with password and
//! second factor, and what the old tenant wrote about them stays there.

mod approving;
mod closing;
mod forecast;
mod handover;
mod moving;
mod people;
mod planning;
mod problems;
mod reading;
mod running;

pub use approving::NewTransferApproval;
pub use forecast::{ClientForecast, DeviceForecast, PersonForecast, SiteForecast, TransferForecast};
pub use handover::Handover;
pub use planning::NewTransfer;
pub use problems::TransferProblem;
pub use reading::{
    GivenApproval, Transfer, TransferResult, TransferSiteState, TransferredDevice, TransferredPerson,
    TransferredSite,
};
pub use running::{TransferHold, TransferStep};

use crate::actor::Actor;
use crate::{Result, Transaction};
use serde_json::{Value, json};
use tegata_core::TransferId;
use tegata_core::transfer::TransferPlan;

impl Transaction {
    /// Says to each tenant for itself what happened to a transfer: neither reads the other's entry.
    async fn audit_transfer(
        &mut self,
        (id, plan): (&TransferId, &TransferPlan),
        action: &'static str,
        detail: &Value,
        actor: &Actor,
    ) -> Result<()> {
        for tenant in [Some(&plan.source), plan.target()].into_iter().flatten() {
            let mut entry = json!({"tenant": tenant, "transfer": id});
            if let (Some(entry), Some(detail)) = (entry.as_object_mut(), detail.as_object()) {
                entry.extend(detail.clone());
            }
            self.audit(actor, action, None, entry).await?;
        }
        Ok(())
    }
}
