//! Who has to approve.

use super::plan::{TransferChange, TransferPlan};
use crate::access::{Act, ActTarget, Justification, PersonRole, RoleHolder, Roles};
use crate::device::text_form;
use crate::id::{PersonId, TenantId};
use crate::refusal::Refusal;
use crate::thumbprint::Thumbprint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// For whom somebody approves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferSide {
    /// The tenant that gives.
    Source,
    /// The tenant that receives.
    Target,
    /// The support of the vendor.
    Support,
}

text_form! {
    TransferSide { Source = "source", Target = "target", Support = "support" }
}

/// That somebody approved of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferApproval {
    /// For whom it was given.
    pub side: TransferSide,
    /// The person who approved.
    pub person: PersonId,
    /// The hash of the plan as it was then.
    pub plan: Thumbprint,
}

impl TransferPlan {
    /// Who has to approve: an administrator of each tenant, and a lead of the vendor's support.
    pub fn sides(&self) -> &'static [TransferSide] {
        match self.change {
            TransferChange::Business { .. } => {
                &[TransferSide::Source, TransferSide::Target, TransferSide::Support]
            }
            TransferChange::Shares { .. } => &[TransferSide::Source, TransferSide::Support],
        }
    }

    /// For whom a person may approve, by their tenant and roles.
    pub fn sides_of(&self, tenant: &TenantId, roles: &Roles) -> Vec<TransferSide> {
        let has = |role| roles.iter().any(|own| own == role);
        let stands_for = |side: &TransferSide| match side {
            TransferSide::Source => has(PersonRole::TenantAdmin) && *tenant == self.source,
            TransferSide::Target => has(PersonRole::TenantAdmin) && Some(tenant) == self.target(),
            TransferSide::Support => has(PersonRole::SupportLead),
        };
        self.sides().iter().copied().filter(stands_for).collect()
    }

    /// For whom a person decides about it now. `is_planner`: they asked for it or have changed the plan.
    ///
    /// # Errors
    /// Those of [`RoleHolder::may`].
    pub fn side_for(
        &self,
        holder: &RoleHolder,
        is_planner: bool,
        because: Option<&Justification>,
    ) -> Result<TransferSide, Refusal> {
        let side = self.sides_of(&holder.tenant, &holder.roles).first().copied();
        let side = side.ok_or(Refusal::RoleMayNot)?;
        let tenant = if side == TransferSide::Support { &self.source } else { &holder.tenant };
        let requested_by = is_planner.then_some(&holder.person);
        let on = ActTarget { tenant, sites: &[], person: None, requested_by };
        holder.may(Act::ApproveTransfer, &on, because)?;
        Ok(side)
    }
}

/// Whether nobody is missing: each side approved of exactly this plan, each by another person.
pub fn is_approved(plan: &TransferPlan, approvals: &[TransferApproval]) -> bool {
    let hash = plan.hash();
    let of_this = || approvals.iter().filter(|approval| approval.plan == hash);
    let people: BTreeSet<_> = of_this().map(|approval| &approval.person).collect();
    let sides: BTreeSet<_> = of_this().map(|approval| approval.side).collect();
    plan.sides().iter().all(|side| sides.contains(side)) && people.len() >= plan.sides().len()
}
