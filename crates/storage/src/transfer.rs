//! Transfers of business (事業譲渡): what was planned and approved, what will change, and the steps that change it.
//!
//! A device that moves ends with the tenant that gives, and another device begins with the one that receives; a site likewise. So
//! nothing of the past hangs on what the new tenant sees, and the old tenant keeps its own. A person moves with password and
//! second factor, and what the old tenant wrote about them stays there.

mod acting;
mod approving;
mod closing;
mod drafting;
mod forecast;
mod handover;
mod identifiers;
mod judging;
mod looking;
mod moving;
mod people;
mod planning;
mod problems;
mod reading;
mod running;
mod windows;

pub use acting::{DeclinedTransfer, TransferRevision};
pub use approving::NewTransferApproval;
pub use drafting::{PresentAtSites, TransferTiming};
pub use forecast::{ClientForecast, DeviceForecast, SiteForecast, TransferForecast};
pub use handover::Handover;
pub use judging::PersonForecast;
pub use looking::{ReceivedForecast, ReceivedPerson, ReceivedSite, SeenForecast};
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
use tegata_core::transfer::{TransferPlan, TransferSide};

/// Who acts towards the tenant on the other side: its log has no person of this one.
const ACROSS: Actor = Actor::System("transfer");

/// What a tenant may read of what was done for the other one. Names, notes and tickets are the other's own.
const SEEN_ACROSS: [&str; 4] = ["plan", "at", "side", "state"];

impl Transaction {
    /// Says to each tenant for itself what happened to a transfer: neither reads the other's entry. What was done for one side is
    /// told to the other without who did it, and without their words.
    async fn audit_transfer(
        &mut self,
        (id, plan): (&TransferId, &TransferPlan),
        action: &'static str,
        (side, detail): (TransferSide, &Value),
        actor: &Actor,
    ) -> Result<()> {
        let sides = [(TransferSide::Source, Some(&plan.source)), (TransferSide::Target, plan.target())];
        for (told, tenant) in sides {
            let Some(tenant) = tenant else { continue };
            let is_own = side == told || side == TransferSide::Support;
            let mut entry = json!({"tenant": tenant, "transfer": id});
            if let (Some(entry), Some(detail)) = (entry.as_object_mut(), detail.as_object()) {
                let seen = detail.iter().filter(|(name, _)| is_own || SEEN_ACROSS.contains(&name.as_str()));
                entry.extend(seen.map(|(name, value)| (name.clone(), value.clone())));
            }
            if is_own {
                self.audit(actor, action, None, entry).await?;
            } else {
                let kept = (self.because.take(), self.program.take());
                self.audit(&ACROSS, action, None, entry).await?;
                (self.because, self.program) = kept;
            }
        }
        Ok(())
    }
}
