//! What is to happen, and when.

use crate::id::{DeviceId, PersonId, SiteId, TenantId};
use crate::thumbprint::Thumbprint;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What two tenants have agreed on. Everything that is approved stands in it, so its [hash](TransferPlan::hash) is what is approved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferPlan {
    /// The tenant that gives.
    pub source: TenantId,
    /// The minute at which it happens.
    pub at: Timestamp,
    /// When it is too late to begin: a shop is not cut over in the middle of its day because a server was down at night.
    pub latest: Timestamp,
    /// For how long after its beginning a device that moves gets its new certificate by the old one.
    pub renewal_hours: u32,
    /// What changes at the minute.
    pub change: TransferChange,
}

/// What changes at the minute.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum TransferChange {
    /// Sites go to another tenant (事業譲渡). Who is not named is undecided.
    Business {
        /// The tenant that receives.
        target: TenantId,
        /// The sites that move, and what each becomes.
        sites: BTreeMap<SiteId, PlannedSite>,
        /// What was decided of devices at these sites.
        devices: BTreeMap<DeviceId, DeviceDecision>,
        /// What was decided of people.
        people: BTreeMap<PersonId, PersonDecision>,
    },
    /// The shares of the company were sold (株式譲渡): the company stays, and is called otherwise.
    Shares {
        /// What it is called from then on.
        name: String,
    },
}

/// What a site becomes in its new tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedSite {
    /// Its identifier there. Another one than before, so that nothing of the former tenant's past hangs on it.
    pub becomes: SiteId,
    /// What it is called there, where that is not its present name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What was decided of a device at a site that moves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceDecision {
    /// It goes along to the new tenant.
    Move,
    /// It stays with the tenant that gives, at another of its sites.
    Stay {
        /// The site where it goes.
        at: SiteId,
    },
}

/// What was decided of a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonDecision {
    /// The person goes along.
    Move,
    /// The person stays with the tenant that gives.
    Stay,
}

/// Why a plan cannot be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnfitPlan {
    /// A plan is for later.
    #[error("the minute is over: give a later one")]
    MinuteOver,
    /// The last moment to begin does not come after the minute, or more than a day after it.
    #[error("it may begin until a minute to a day after its time")]
    LatestUnfit,
    /// The window is shorter than an hour or longer than a month.
    #[error("devices have an hour to 31 days to get their new certificate by the old one")]
    WindowUnfit,
    /// Both sides are the same tenant.
    #[error("the tenant that gives and the one that receives are the same")]
    SameTenant,
    /// Nothing would move by it.
    #[error("a transfer moves one site at least")]
    NoSites,
    /// A device would stay at a site that moves.
    #[error("a device that stays goes to a site that stays")]
    StaysAtMovingSite,
    /// The installation's own tenant takes no part.
    #[error("the installation's own tenant takes no part in a transfer")]
    SystemTenant,
}

impl TransferPlan {
    /// What is approved: SHA-256 over the plan as it is kept.
    pub fn hash(&self) -> Thumbprint {
        // The members of a plan have no form that JSON could not write.
        Thumbprint::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// The tenant that receives, where there is one.
    pub fn target(&self) -> Option<&TenantId> {
        match &self.change {
            TransferChange::Business { target, .. } => Some(target),
            TransferChange::Shares { .. } => None,
        }
    }

    /// The sites that move, and what each becomes.
    pub fn sites(&self) -> impl Iterator<Item = (&SiteId, &PlannedSite)> {
        let sites = match &self.change {
            TransferChange::Business { sites, .. } => Some(sites),
            TransferChange::Shares { .. } => None,
        };
        sites.into_iter().flatten()
    }

    /// What was decided of a device; nothing where it is undecided.
    pub fn device(&self, device: &DeviceId) -> Option<&DeviceDecision> {
        match &self.change {
            TransferChange::Business { devices, .. } => devices.get(device),
            TransferChange::Shares { .. } => None,
        }
    }

    /// What was decided of a person; nothing where they are undecided.
    pub fn person(&self, person: &PersonId) -> Option<PersonDecision> {
        match &self.change {
            TransferChange::Business { people, .. } => people.get(person).copied(),
            TransferChange::Shares { .. } => None,
        }
    }

    /// The people who move, at a site that moves or not.
    pub fn moving_people(&self) -> BTreeSet<&PersonId> {
        match &self.change {
            TransferChange::Business { people, .. } => people
                .iter()
                .filter(|(_, decided)| **decided == PersonDecision::Move)
                .map(|(id, _)| id)
                .collect(),
            TransferChange::Shares { .. } => BTreeSet::new(),
        }
    }

    /// Says what becomes of a device; with nothing, it is undecided.
    pub fn decide_device(&mut self, device: DeviceId, decided: Option<DeviceDecision>) {
        let TransferChange::Business { devices, .. } = &mut self.change else { return };
        match decided {
            Some(decided) => drop(devices.insert(device, decided)),
            None => drop(devices.remove(&device)),
        }
    }

    /// Says what becomes of a person; with nothing, they are undecided.
    pub fn decide_person(&mut self, person: PersonId, decided: Option<PersonDecision>) {
        let TransferChange::Business { people, .. } = &mut self.change else { return };
        match decided {
            Some(decided) => drop(people.insert(person, decided)),
            None => drop(people.remove(&person)),
        }
    }

    /// Another minute; it may begin for as long after it as before.
    pub fn put_off_to(&mut self, at: Timestamp) {
        let (at, room) = (at.whole_second(), self.latest.since(self.at));
        (self.at, self.latest) = (at, at.plus(room));
    }

    /// For how long after its beginning the old certificates bring new ones.
    pub fn renewal_window(&self) -> Duration {
        Duration::from_secs(u64::from(self.renewal_hours) * 3600)
    }

    /// Whether it can be kept at `now`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, now: Timestamp) -> Result<(), UnfitPlan> {
        if self.at <= now {
            return Err(UnfitPlan::MinuteOver);
        }
        if !(MINUTE..=DAY).contains(&self.latest.since(self.at)) {
            return Err(UnfitPlan::LatestUnfit);
        }
        if !(1..=31 * 24).contains(&self.renewal_hours) {
            return Err(UnfitPlan::WindowUnfit);
        }
        if self.source.is_system() || self.target().is_some_and(TenantId::is_system) {
            return Err(UnfitPlan::SystemTenant);
        }
        let TransferChange::Business { target, sites, devices, .. } = &self.change else { return Ok(()) };
        if *target == self.source {
            return Err(UnfitPlan::SameTenant);
        }
        if sites.is_empty() {
            return Err(UnfitPlan::NoSites);
        }
        let stays = |decided: &DeviceDecision| matches!(decided, DeviceDecision::Stay { at } if sites.contains_key(at));
        if devices.values().any(stays) { Err(UnfitPlan::StaysAtMovingSite) } else { Ok(()) }
    }
}

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
