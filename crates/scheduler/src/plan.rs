//! What will be renewed and when: the plan of each certificate, by the rules of its place.

use std::collections::HashMap;
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

/// What is to be renewed before a moment and has not ended yet, the earliest first; and what ended without a successor, the
/// oldest first. Changes nothing.
///
/// # Errors
/// The ledger cannot be read, or holds rules that this version does not know.
pub async fn plan(
    rows: &ScopedLedger,
    policy: &RenewalPolicy,
    until: Timestamp,
    now: Timestamp,
) -> Result<(Vec<PlannedCertificate>, Vec<DueRenewal>)> {
    let rules = PlaceRules::read(rows).await?;
    let candidates = rows.ending_before(rules.horizon(*policy, until)).await?;
    let (overdue, alive): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|one| one.not_after < now);
    let planned = alive.into_iter().map(|certificate| {
        let plan = rules.plan(*policy, &certificate);
        PlannedCertificate { certificate, plan }
    });
    let mut planned: Vec<_> = planned.filter(|one| one.plan.from <= until).collect();
    planned.sort_by_key(|one| one.plan.from);
    Ok((planned, overdue))
}

/// The rules of all places that have any, so that a million certificates cost no more reading than one.
struct PlaceRules {
    tenants: HashMap<TenantId, RenewalRules>,
    sites: HashMap<SiteId, RenewalRules>,
}

impl PlaceRules {
    async fn read(rows: &ScopedLedger) -> Result<Self> {
        let mut rules = Self { tenants: HashMap::new(), sites: HashMap::new() };
        for (PolicyPlace { tenant, site }, of_place) in rows.renewal_rules().await? {
            match site {
                None => drop(rules.tenants.insert(tenant, of_place)),
                // Tenants come first.
                Some(site) => {
                    let of_tenant = rules.tenants.get(&tenant).cloned().unwrap_or_default();
                    rules.sites.insert(site, of_place.within(&of_tenant));
                }
            }
        }
        Ok(rules)
    }

    /// Nothing that ends later than this is planned for before `until`. Whoever is in a hurry wants to know of everything.
    fn horizon(&self, policy: RenewalPolicy, until: Timestamp) -> Timestamp {
        let mut all = self.tenants.values().chain(self.sites.values());
        if all.any(|rules| rules.urgent_since.is_some()) {
            return Timestamp::END;
        }
        // The ledger is asked for what ends before; what ends in that very moment is planned as well.
        until.plus(policy.longest_notice()).plus(std::time::Duration::from_millis(1))
    }

    fn plan(&self, policy: RenewalPolicy, certificate: &DueRenewal) -> PlannedRenewal {
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
