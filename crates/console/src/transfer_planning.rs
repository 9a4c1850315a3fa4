//! Plans of transfers: made, changed, and taken back by another plan once they are done.

use crate::acting::Acting;
use crate::acts::fits;
use crate::service::{ConsoleService, refusal};
use crate::transfers::{MustBe, guarded};
use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::transfer::{
    DeviceDecision, PersonDecision, PlannedSite, TransferChange, TransferPlan, TransferState,
};
use tegata_core::{Act, DeviceId, PersonId, Refusal, SiteId, TenantId, Thumbprint, Timestamp, TransferId};
use tegata_storage::{NewTransfer, ScopedLedger, TransferRevision, TransferTiming};

/// Hours after the minute in which a transfer may still begin.
const BEGIN_WITHIN: Duration = Duration::from_hours(4);

/// Hours for devices to get their new certificate by the old one, where nobody says otherwise.
pub(crate) const RENEWAL_HOURS: u32 = 72;

/// A transfer that somebody wants.
pub(crate) struct TransferWish {
    /// The tenant that gives.
    pub(crate) source: TenantId,
    /// The tenant that receives, by its code.
    pub(crate) target: TenantId,
    pub(crate) sites: Vec<SiteId>,
    pub(crate) at: Timestamp,
    pub(crate) renewal_hours: u32,
    /// Whether all devices and all people there move, as long as nobody decides otherwise.
    pub(crate) moves_devices: bool,
    pub(crate) moves_people: bool,
    /// Why, for the audit log.
    pub(crate) note: String,
}

/// What somebody decides about who moves, and when.
#[derive(Default)]
pub(crate) struct TransferDecisions {
    pub(crate) devices: Vec<(DeviceId, Option<DeviceDecision>)>,
    pub(crate) people: Vec<(PersonId, Option<PersonDecision>)>,
    pub(crate) at: Option<Timestamp>,
}

impl ConsoleService {
    /// Plans that sites go to another company.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::TransferPlanUnfit`].
    pub(crate) async fn plan_transfer(
        &self,
        by: &Acting,
        wish: &TransferWish,
    ) -> Result<TransferId, Refusal> {
        fits(&wish.note)?;
        self.noting(by, None, self.planned_transfer(by, wish).await).await
    }

    async fn planned_transfer(&self, by: &Acting, wish: &TransferWish) -> Result<TransferId, Refusal> {
        by.judge_tenant(Act::PlanTransfer, &wish.source)?;
        let entropy = self.context.entropy.as_ref();
        let becomes = || PlannedSite { becomes: SiteId::random(entropy), name: None };
        let change = TransferChange::Business {
            target: wish.target.clone(),
            sites: wish.sites.iter().map(|site| (site.clone(), becomes())).collect(),
            devices: BTreeMap::new(),
            people: BTreeMap::new(),
        };
        let at = wish.at.whole_second();
        let timing = TransferTiming { at, latest: at.plus(BEGIN_WITHIN), renewal_hours: wish.renewal_hours };
        let mut plan = timing.plan(wish.source.clone(), change);
        let rows = self.sight(by, Act::PlanTransfer)?.rows;
        let present = rows.present_at_sites(&plan).await.map_err(refusal)?;
        present.move_all(&mut plan, wish.moves_devices, wish.moves_people);
        self.add_plan(by, plan, &wish.note, None).await
    }

    /// Plans the way back of a transfer that is done.
    ///
    /// # Errors
    /// As [`ConsoleService::plan_transfer`]; [`Refusal::TransferStateOtherwise`] where it is not done.
    pub(crate) async fn reverse_transfer(
        &self,
        by: &Acting,
        id: &TransferId,
        at: Timestamp,
    ) -> Result<TransferId, Refusal> {
        self.noting(by, None, self.reversed_transfer(by, id, at).await).await
    }

    async fn reversed_transfer(
        &self,
        by: &Acting,
        id: &TransferId,
        at: Timestamp,
    ) -> Result<TransferId, Refusal> {
        let (transfer, rows) = self.known_transfer(by, id).await?;
        let source = transfer.plan.target().ok_or(Refusal::TransferStateOtherwise)?;
        by.judge_tenant(Act::PlanTransfer, source)?;
        if transfer.state != TransferState::Done {
            return Err(Refusal::TransferStateOtherwise);
        }
        let result = rows.transfer_result(id).await.map_err(refusal)?;
        let at = at.whole_second();
        let timing = TransferTiming { at, latest: at.plus(BEGIN_WITHIN), renewal_hours: RENEWAL_HOURS };
        let back = transfer.way_back(&result, &timing, self.context.entropy.as_ref());
        self.add_plan(by, back.ok_or(Refusal::TransferStateOtherwise)?, "", Some(transfer.id)).await
    }

    async fn add_plan(
        &self,
        by: &Acting,
        plan: TransferPlan,
        note: &str,
        reverses: Option<TransferId>,
    ) -> Result<TransferId, Refusal> {
        plan.check(by.at).map_err(|_| Refusal::TransferPlanUnfit)?;
        let mut acting = self.begin(by, Act::PlanTransfer).await?;
        acting.by.judge_tenant(Act::PlanTransfer, &plan.source)?;
        let id = TransferId::random(self.context.entropy.as_ref());
        let requested_by = Some(acting.by.who.person()?.holder.person.clone());
        let new = NewTransfer { id: id.clone(), plan, requested_by, note: note.to_owned(), reverses };
        let added = acting.rows.add_transfer(&new, &acting.by.actor()).await;
        added.map_err(guarded(Refusal::TransferPlanUnfit))?;
        acting.commit().await?;
        Ok(id)
    }

    /// Changes who moves, or when. Whoever had approved had approved of another plan.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::TransferChangedMeanwhile`] where the plan is not the one that was `seen`;
    /// [`Refusal::TransferPlanUnfit`]; [`Refusal::DeviceUnknown`] and [`Refusal::PersonUnknown`] for those who are not there.
    pub(crate) async fn decide_transfer(
        &self,
        by: &Acting,
        (id, seen): (&TransferId, &Thumbprint),
        decisions: TransferDecisions,
    ) -> Result<(), Refusal> {
        self.noting(by, None, self.decided_transfer(by, (id, seen), decisions).await).await
    }

    async fn decided_transfer(
        &self,
        by: &Acting,
        (id, seen): (&TransferId, &Thumbprint),
        decisions: TransferDecisions,
    ) -> Result<(), Refusal> {
        let (known, rows) = self.known_transfer(by, id).await?;
        by.judge_tenant(Act::PlanTransfer, &known.plan.source)?;
        let rows = rows.narrowed(&known.plan.source).ok_or(Refusal::RoleMayNot)?;
        let plan = self.revised(&rows, &known.plan, decisions).await?;
        plan.check(by.at).map_err(|_| Refusal::TransferPlanUnfit)?;
        let mut acting = self.begin(by, Act::PlanTransfer).await?;
        acting.by.judge_tenant(Act::PlanTransfer, &plan.source)?;
        let before = acting.transfer(id).await?.must_be(seen)?.plan;
        if before != known.plan {
            return Err(Refusal::TransferChangedMeanwhile);
        }
        let by = acting.by.who.person()?.holder.person.clone();
        let revision = TransferRevision { before: &before, plan: &plan, by: Some(&by) };
        let changed = acting.rows.change_transfer(id, &revision, &acting.by.actor()).await;
        changed.map_err(guarded(Refusal::TransferStateOtherwise))?;
        acting.commit().await
    }

    /// The plan with these decisions about devices and people of the tenant that gives.
    async fn revised(
        &self,
        rows: &ScopedLedger,
        before: &TransferPlan,
        decisions: TransferDecisions,
    ) -> Result<TransferPlan, Refusal> {
        let mut plan = before.clone();
        let present = rows.present_at_sites(before).await.map_err(refusal)?;
        let sites = rows.sites(&before.source).await.map_err(refusal)?;
        for (device, decided) in decisions.devices {
            let is_there = present.devices.iter().any(|one| one.device.id == device);
            if decided.is_some() && !is_there {
                return Err(Refusal::DeviceUnknown);
            }
            if let Some(DeviceDecision::Stay { at }) = &decided {
                sites.iter().find(|site| site.id == *at).ok_or(Refusal::LineSiteUnknown)?;
            }
            plan.decide_device(device, decided);
        }
        for (person, decided) in decisions.people {
            if decided.is_some() && rows.person(&person).await.map_err(refusal)?.is_none() {
                return Err(Refusal::PersonUnknown);
            }
            plan.decide_person(person, decided);
        }
        if let Some(at) = decisions.at {
            plan.put_off_to(at);
        }
        Ok(plan)
    }
}
