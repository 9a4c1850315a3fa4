//! What will be renewed and when: the plan of each certificate, by the rules of its place.

use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tegata_core::renewal::{PlannedRenewal, RenewalPolicy, RenewalRules, RenewalSubject};
use tegata_core::{SiteId, TenantId, Timestamp};
use tegata_storage::{DueRenewal, PolicyPlace, Result, ScopedLedger};

/// A certificate that is to be renewed, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedCertificate {
    /// Whose it is, and how long it lasts.
    pub certificate: DueRenewal,
    /// When it is to be renewed.
    pub plan: PlannedRenewal,
}

/// How many certificates are to be renewed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DueCounts {
    /// Those that should be renewed now.
    pub due: usize,
    /// Those that ended without a successor.
    pub overdue: usize,
}

/// What is to be renewed before a moment and has not ended yet, the earliest first; and what ended without a successor, the
/// oldest first. Changes nothing.
///
/// # Errors
/// The ledger cannot be read.
pub async fn plan(
    rows: &ScopedLedger,
    policy: &RenewalPolicy,
    until: Timestamp,
    now: Timestamp,
) -> Result<(Vec<PlannedCertificate>, Vec<DueRenewal>)> {
    let (mut planned, mut overdue) = (Vec::new(), Vec::new());
    each_planned(rows, policy, until, now, |found| match found {
        Found::Planned(one) => planned.push(one),
        Found::Overdue(one) => overdue.push(one),
    })
    .await?;
    planned.sort_by_key(|one| one.plan.from);
    Ok((planned, overdue))
}

/// How many should be renewed now and how many are too late, without holding any of them.
///
/// # Errors
/// The ledger cannot be read.
pub async fn count_due(rows: &ScopedLedger, policy: &RenewalPolicy, now: Timestamp) -> Result<DueCounts> {
    let mut counts = DueCounts::default();
    each_planned(rows, policy, now, now, |found| match found {
        Found::Planned(_) => counts.due += 1,
        Found::Overdue(_) => counts.overdue += 1,
    })
    .await?;
    Ok(counts)
}

enum Found {
    Planned(PlannedCertificate),
    Overdue(DueRenewal),
}

async fn each_planned(
    rows: &ScopedLedger,
    policy: &RenewalPolicy,
    until: Timestamp,
    now: Timestamp,
    mut visit: impl FnMut(Found) + Send,
) -> Result<()> {
    let rules = PlaceRules::read(rows).await?;
    // The ledger is asked for what ends before; what ends in that very moment is planned as well.
    let horizon = until.plus(policy.longest_notice()).plus(Duration::from_millis(1));
    let mut sort = |certificate: DueRenewal| {
        if certificate.not_after < now {
            visit(Found::Overdue(certificate));
            return;
        }
        let plan = rules.plan(*policy, &certificate);
        if plan.from <= until {
            visit(Found::Planned(PlannedCertificate { certificate, plan }));
        }
    };
    rows.each_ending_before(horizon, &mut sort).await?;
    // Whoever is in a hurry wants to know of what ends later, too: of its own devices, and nobody pays for others.
    let mut known = HashSet::new();
    for (place, since) in &rules.hurries {
        let found = rows.made_before(place, *since, horizon.max(now)).await?;
        // A site may be in a hurry of its own and in its tenant's.
        found.into_iter().filter(|one| known.insert(one.device.clone())).for_each(&mut sort);
    }
    Ok(())
}

/// The rules of all places that have any, so that a million certificates cost no more reading than one.
pub(crate) struct PlaceRules {
    tenants: HashMap<TenantId, RenewalRules>,
    /// With those of their tenants.
    sites: HashMap<SiteId, RenewalRules>,
    /// Where everything that was made before is to be renewed at once.
    hurries: Vec<(PolicyPlace, Timestamp)>,
}

impl PlaceRules {
    pub(crate) async fn read(rows: &ScopedLedger) -> Result<Self> {
        let mut rules = Self { tenants: HashMap::new(), sites: HashMap::new(), hurries: Vec::new() };
        for (place, of_place) in rows.renewal_rules().await? {
            rules.add(place, of_place);
        }
        Ok(rules)
    }

    /// Tenants come before their sites.
    fn add(&mut self, place: PolicyPlace, of_place: RenewalRules) {
        if let Some(since) = of_place.urgent_since {
            self.hurries.push((place.clone(), since));
        }
        match place.site {
            None => drop(self.tenants.insert(place.tenant, of_place)),
            Some(site) => {
                let of_tenant = self.tenants.get(&place.tenant).cloned().unwrap_or_default();
                self.sites.insert(site, of_place.within(&of_tenant));
            }
        }
    }

    pub(crate) fn plan(&self, policy: RenewalPolicy, certificate: &DueRenewal) -> PlannedRenewal {
        let rules = self.sites.get(&certificate.site).or_else(|| self.tenants.get(&certificate.tenant));
        let subject = RenewalSubject {
            device: &certificate.device,
            generation: u32::try_from(certificate.generation).unwrap_or(u32::MAX),
            made_at: certificate.made_at,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
        };
        policy.plan(rules.unwrap_or(&RenewalRules::default()), &subject)
    }
}
