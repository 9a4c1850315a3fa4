//! Transfers of business (事業譲渡): sites that change tenants at a set minute, and what becomes of the devices and people there.
//!
//! A [`TransferPlan`] says what is wanted; [`TransferState`] says how far it is; [`device_outcome`] and [`person_outcome`] say what
//! becomes of each. A dry run and the transfer itself ask these same two functions.

mod approval;
mod outcome;
mod plan;
mod state;

pub use approval::{TransferApproval, TransferSide, is_approved};
pub use outcome::{
    DeviceTransferOutcome, PersonTransferOutcome, device_outcome, person_outcome, roles_in_new_tenant,
};
pub use plan::{DeviceDecision, PersonDecision, PlannedSite, TransferChange, TransferPlan, UnfitPlan};
pub use state::{TransferEvent, TransferState};

#[cfg(test)]
mod tests;
