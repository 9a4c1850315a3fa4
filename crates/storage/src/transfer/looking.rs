//! What will change, as each side may see it: the tenant that gives sees all of it, the one that receives what comes to it.

use super::forecast::TransferForecast;
use super::problems::TransferProblem;
use super::reading::Transfer;
use crate::{Ledger, Result, Scope, ScopedLedger, Transaction};
use serde::Serialize;
use std::collections::BTreeSet;
use tegata_core::transfer::{DeviceTransferOutcome, PersonTransferOutcome, TransferPlan, TransferSide};
use tegata_core::{SiteId, Timestamp, TransferId};

/// A forecast, as far as its reader may see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum SeenForecast {
    /// For the tenant that gives, and for whoever looks after both.
    Whole(TransferForecast),
    /// For the tenant that receives.
    Received(ReceivedForecast),
}

/// What comes to the tenant that receives: enough to approve of it, and nothing of the other tenant besides. Its devices, sites and
/// people have no identifiers here, and what stays is not said.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct ReceivedForecast {
    /// What this tenant can see to.
    pub problems: Vec<TransferProblem>,
    pub sites: Vec<ReceivedSite>,
    pub people: Vec<ReceivedPerson>,
    /// Whether anything stands in the way that only the other tenant can see to.
    pub other_problems: bool,
}

/// A site that comes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ReceivedSite {
    pub site: SiteId,
    pub name: String,
    /// What the devices that come are called.
    pub devices: Vec<String>,
    /// Products that the site has a license for.
    pub licenses: Vec<String>,
}

/// A person who comes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ReceivedPerson {
    pub login: String,
    pub roles: String,
    pub sites: Vec<SiteId>,
    /// Whether they can sign in with what they have.
    pub may_sign_in: bool,
}

impl Ledger {
    /// A transfer, everything that it will change as things stand, and which sides have approved of it. It is read from one and the same state, and nobody who writes
    /// waits for it.
    pub(super) async fn forecast(
        &self,
        id: &TransferId,
        now: Timestamp,
    ) -> Result<(Transfer, TransferForecast, Vec<TransferSide>)> {
        let mut looking = Transaction::looking(&self.engine, self.shared.clone(), now).await?;
        let transfer = looking.transfer_in_hand(id).await?;
        let forecast = looking.forecast_of(&transfer).await?;
        let approved = looking.approvals_in_hand(&transfer).await?;
        Ok((transfer, forecast, approved.into_iter().map(|approval| approval.side).collect()))
    }
}

impl ScopedLedger {
    /// What a transfer will change as things stand, as far as the scope may see it; nothing where no tenant of the scope takes part
    /// in it.
    pub async fn transfer_forecast(&self, id: &TransferId, now: Timestamp) -> Result<Option<SeenForecast>> {
        if self.transfer(id).await?.is_none() {
            return Ok(None);
        }
        let (transfer, forecast, approved) = self.ledger.forecast(id, now).await?;
        Ok(Some(SeenForecast::within(&self.scope, (&transfer, &approved), forecast)))
    }
}

impl SeenForecast {
    /// A plan names the other tenant by its mere code: until that tenant has approved of it, nothing of it is told.
    fn within(
        scope: &Scope,
        (transfer, approved): (&Transfer, &[TransferSide]),
        forecast: TransferForecast,
    ) -> Self {
        let knows_target = transfer.plan.target().is_none_or(|target| scope.holds(target));
        if !scope.holds(&transfer.plan.source) {
            Self::Received(forecast.received())
        } else if knows_target || approved.contains(&TransferSide::Target) {
            Self::Whole(forecast)
        } else {
            Self::Whole(forecast.without_target(&transfer.plan))
        }
    }

    /// What should be seen to.
    pub fn problems(&self) -> &[TransferProblem] {
        match self {
            Self::Whole(forecast) => &forecast.problems,
            Self::Received(forecast) => &forecast.problems,
        }
    }
}

impl TransferForecast {
    /// What the tenant that gives can say of itself: logins, names, places and licenses of the other one are left out.
    fn without_target(mut self, plan: &TransferPlan) -> Self {
        let is_own = |problem: &TransferProblem| match problem {
            TransferProblem::SiteNameTaken { .. }
            | TransferProblem::LoginTaken { .. }
            | TransferProblem::PersonCannotSignIn { .. }
            | TransferProblem::NoRoom { .. }
            | TransferProblem::ProductNotLicensed { .. } => false,
            TransferProblem::TenantSuspended { tenant } => *tenant == plan.source,
            _ => true,
        };
        self.problems.retain(is_own);
        for site in &mut self.sites {
            let planned = plan.sites().find(|(moving, _)| **moving == site.site);
            let wanted = planned.and_then(|(_, planned)| planned.name.as_ref());
            site.new_name = wanted.unwrap_or(&site.name).clone();
        }
        for person in &mut self.people {
            if person.outcome == PersonTransferOutcome::LoginTaken {
                person.outcome = PersonTransferOutcome::Moved;
            }
            person.may_sign_in = true;
        }
        self
    }

    fn received(self) -> ReceivedForecast {
        let is_seen = |problem: &TransferProblem| {
            matches!(
                problem,
                TransferProblem::NotApproved
                    | TransferProblem::NoRoom { .. }
                    | TransferProblem::ProductNotLicensed { .. }
            )
        };
        let (problems, others): (Vec<_>, Vec<_>) = self.problems.into_iter().partition(is_seen);
        let comes: BTreeSet<_> = self.sites.iter().map(|site| site.becomes.clone()).collect();
        let moving = self.people.into_iter().filter(|one| one.outcome == PersonTransferOutcome::Moved);
        ReceivedForecast {
            problems,
            other_problems: !others.is_empty(),
            sites: self
                .sites
                .into_iter()
                .map(|site| ReceivedSite {
                    site: site.becomes,
                    name: site.new_name,
                    devices: site
                        .devices
                        .into_iter()
                        .filter(|one| one.outcome == DeviceTransferOutcome::Moved)
                        .map(|one| one.label)
                        .collect(),
                    licenses: site.licenses,
                })
                .collect(),
            people: moving
                .map(|one| ReceivedPerson {
                    login: one.login,
                    roles: one.roles,
                    sites: one.gets.into_iter().filter(|site| comes.contains(site)).collect(),
                    may_sign_in: one.may_sign_in,
                })
                .collect(),
        }
    }
}
