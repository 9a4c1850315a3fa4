//! What plans are made of: who is there now, and the way back of what was done.

use super::reading::{Transfer, TransferResult, TransferSiteState};
use crate::{DeviceFilter, ListedDevice, Person, Result, ScopedLedger};
use std::collections::BTreeMap;
use tegata_core::transfer::{
    DeviceDecision, DeviceTransferOutcome, PersonDecision, PersonTransferOutcome, PlannedSite,
    TransferChange, TransferPlan,
};
use tegata_core::{DeviceState, Entropy, Role, SiteId, Timestamp};

/// Who is at the sites of a plan.
#[derive(Clone, Debug, Default)]
pub struct PresentAtSites {
    /// Devices that are in use or suspended. Gates are left where they are, and do not count.
    pub devices: Vec<ListedDevice>,
    /// People who work there.
    pub people: Vec<Person>,
}

/// When a plan is for, and how long its parts have.
#[derive(Clone, Copy, Debug)]
pub struct TransferTiming {
    /// The minute at which it happens.
    pub at: Timestamp,
    /// When it is too late to begin.
    pub latest: Timestamp,
    /// Hours for devices to get their new certificate by the old one.
    pub renewal_hours: u32,
}

impl ScopedLedger {
    /// Who is at the sites of a plan now.
    pub async fn present_at_sites(&self, plan: &TransferPlan) -> Result<PresentAtSites> {
        let Some(of_source) = self.narrowed(&plan.source) else { return Ok(PresentAtSites::default()) };
        let moves = |site: &SiteId| plan.sites().any(|(moving, _)| moving == site);
        let mut present = PresentAtSites::default();
        for (site, _) in plan.sites() {
            let filter = DeviceFilter { site: Some(site.clone()), ..DeviceFilter::default() };
            let is_there = |state| matches!(state, DeviceState::Active | DeviceState::Suspended);
            let devices = of_source.devices(&filter).await?.into_iter();
            present
                .devices
                .extend(devices.filter(|one| one.device.role == Role::Device && is_there(one.device.state)));
        }
        let mut people = of_source.people().await?;
        people.retain(|person| person.sites.iter().any(|site| moves(&site.id)));
        present.people = people;
        Ok(present)
    }
}

impl PresentAtSites {
    /// Decides that they all move: the devices, the people, or both.
    pub fn move_all(&self, plan: &mut TransferPlan, devices: bool, people: bool) {
        for one in self.devices.iter().filter(|_| devices) {
            plan.decide_device(one.device.id.clone(), Some(DeviceDecision::Move));
        }
        for one in self.people.iter().filter(|_| people) {
            plan.decide_person(one.id.clone(), Some(PersonDecision::Move));
        }
    }
}

impl TransferTiming {
    /// A plan for this minute.
    pub fn plan(&self, source: tegata_core::TenantId, change: TransferChange) -> TransferPlan {
        let Self { at, latest, renewal_hours } = *self;
        TransferPlan { source, at, latest, renewal_hours, change }
    }
}

impl Transfer {
    /// The way back of a transfer that is done: sites, devices and people that moved go back. What became otherwise since is decided
    /// by whoever changes the plan. Nothing where only a name was changed, which is given back by another change of the name.
    pub fn way_back(
        &self,
        result: &TransferResult,
        timing: &TransferTiming,
        entropy: &dyn Entropy,
    ) -> Option<TransferPlan> {
        let target = self.plan.target()?;
        let done = result.sites.iter().filter(|site| site.state == TransferSiteState::Done);
        let planned = |becomes: SiteId| PlannedSite { becomes, name: None };
        let sites: BTreeMap<_, _> =
            done.map(|site| (site.becomes.clone(), planned(SiteId::random(entropy)))).collect();
        let devices = result.devices.iter().filter(|one| one.outcome == DeviceTransferOutcome::Moved);
        let people = result.people.iter().filter(|one| one.outcome == PersonTransferOutcome::Moved);
        let change = TransferChange::Business {
            target: self.plan.source.clone(),
            sites,
            devices: devices.filter_map(|one| Some((one.successor.clone()?, DeviceDecision::Move))).collect(),
            people: people.map(|one| (one.person.clone(), PersonDecision::Move)).collect(),
        };
        Some(timing.plan(target.clone(), change))
    }
}
