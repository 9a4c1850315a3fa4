//! What a list changes, found by comparing it with what is there; later lines see what earlier ones will have done.

use super::ContractChange;
use super::line::{ListedContract, ReadContract};
use std::collections::{HashMap, HashSet};
use tegata_core::name::comparison_key;
use tegata_core::{Entropy, ExternalKey, Name, SiteId, TenantId};
use tegata_storage::{License, Site, Tenant};

/// What becomes of each line.
#[derive(Debug)]
pub struct ContractPlan {
    /// In the order of the file.
    pub lines: Vec<PlannedContract>,
    /// The last entry of the audit log before anything was read.
    pub(super) made_at: u64,
}

/// What becomes of one line.
#[derive(Debug)]
pub struct PlannedContract {
    /// Its number in the file.
    pub number: u32,
    /// The keys that it names, as they were written.
    pub keys: (String, Option<String>),
    /// What it changes, or what is wrong with it: nothing is done for such a line.
    pub outcome: Result<Vec<ContractChange>, String>,
}

/// The places of the ledger, and what lines before have made of them.
pub(super) struct KnownPlaces {
    tenants: Places<TenantId>,
    sites: HashMap<TenantId, Places<SiteId>>,
    licenses: HashSet<License>,
    /// Places that a line has spoken of: a second one would undo the first.
    said: HashSet<(TenantId, Option<SiteId>)>,
    /// What lines have called companies.
    called: HashMap<TenantId, Name>,
}

impl PlannedContract {
    /// created, changed, unchanged or refused.
    pub fn word(&self) -> &'static str {
        let is_new = |change: &ContractChange| {
            matches!(change, ContractChange::AddTenant(..) | ContractChange::AddSite(..))
        };
        match &self.outcome {
            Err(_) => "refused",
            Ok(changes) if changes.is_empty() => "unchanged",
            Ok(changes) if changes.iter().any(is_new) => "created",
            Ok(_) => "changed",
        }
    }
}

impl KnownPlaces {
    pub(super) fn new(
        (tenants, tenant_keys): (Vec<Tenant>, Vec<(TenantId, ExternalKey)>),
        (sites, site_keys): (Vec<Site>, Vec<(SiteId, ExternalKey)>),
        licenses: impl Iterator<Item = License>,
    ) -> Self {
        let tenant_keys: HashMap<_, _> = tenant_keys.into_iter().collect();
        let site_keys: HashMap<_, _> = site_keys.into_iter().collect();
        let mut known = Places::default();
        for tenant in tenants.into_iter().filter(|tenant| !tenant.is_system()) {
            let key = tenant_keys.get(&tenant.id).cloned();
            known.add(tenant.id, tenant.name, key);
        }
        let mut by_tenant: HashMap<_, Places<_>> = HashMap::new();
        for site in sites {
            let key = site_keys.get(&site.id).cloned();
            by_tenant.entry(site.tenant).or_default().add(site.id, site.name, key);
        }
        Self {
            tenants: known,
            sites: by_tenant,
            licenses: licenses.collect(),
            said: HashSet::new(),
            called: HashMap::new(),
        }
    }

    pub(super) fn plan(
        mut self,
        lines: Vec<(u32, Result<ListedContract, String>)>,
        products: &[String],
        entropy: &dyn Entropy,
    ) -> ContractPlan {
        let mut planned = Vec::with_capacity(lines.len());
        for (number, listed) in lines {
            let keys = listed
                .as_ref()
                .map_or((String::new(), None), |listed| (listed.tenant_key.clone(), listed.site_key.clone()));
            let outcome = listed.and_then(|listed| listed.read(products));
            let outcome = outcome.and_then(|read| self.changes(&read, entropy));
            planned.push(PlannedContract { number, keys, outcome });
        }
        ContractPlan { lines: planned, made_at: 0 }
    }

    /// A line that is refused has changed nothing of what later ones see.
    fn changes(&mut self, line: &ReadContract, entropy: &dyn Entropy) -> Result<Vec<ContractChange>, String> {
        let (key, name) = &line.tenant;
        let tenant = self.tenants.settle(key, name, || TenantId::random(entropy))?;
        if self.called.get(&tenant.id).is_some_and(|called| called != name) {
            return Err("an earlier line calls the company otherwise".into());
        }
        let sites = self.sites.entry(tenant.id.clone()).or_default();
        let site = match &line.site {
            Some((key, name)) => Some((sites.settle(key, name, || SiteId::random(entropy))?, key, name)),
            None => None,
        };
        let place = (tenant.id.clone(), site.as_ref().map(|(site, ..)| site.id.clone()));
        if !self.said.insert(place.clone()) {
            return Err("an earlier line is about the same company or site".into());
        }
        self.called.insert(tenant.id.clone(), name.clone());
        let mut changes = Vec::new();
        if let Some((site, key, name)) = site {
            sites.take(&site, key, name);
            let tenant = tenant.id.clone();
            changes = site.changes(
                |id| ContractChange::AddSite(Site { id, tenant, name: name.as_str().into() }, key.clone()),
                |id| ContractChange::LinkSite(id, key.clone()),
                |id| ContractChange::RenameSite(id, name.clone()),
            );
        }
        self.tenants.take(&tenant, key, name);
        let of_tenant = tenant.changes(
            |id| ContractChange::AddTenant(Tenant::new(id, name.clone()), key.clone()),
            |id| ContractChange::LinkTenant(id, key.clone()),
            |id| ContractChange::RenameTenant(id, name.clone()),
        );
        changes.splice(0..0, of_tenant);
        changes.extend(self.licenses(&place.0, place.1.as_ref(), line.products.as_deref()));
        Ok(changes)
    }

    /// Exactly these products, where any are said.
    fn licenses(
        &self,
        tenant: &TenantId,
        site: Option<&SiteId>,
        wanted: Option<&[String]>,
    ) -> Vec<ContractChange> {
        let Some(wanted) = wanted else { return Vec::new() };
        let license = |product: &String| License {
            product: product.clone(),
            tenant: tenant.clone(),
            site: site.cloned(),
        };
        let new = wanted.iter().map(license).filter(|license| !self.licenses.contains(license));
        let is_here = |license: &&License| license.tenant == *tenant && license.site.as_ref() == site;
        let mut over: Vec<_> = self
            .licenses
            .iter()
            .filter(is_here)
            .filter(|license| !wanted.contains(&license.product))
            .cloned()
            .collect();
        over.sort_by(|one, other| one.product.cmp(&other.product));
        new.map(ContractChange::Grant).chain(over.into_iter().map(ContractChange::Withdraw)).collect()
    }
}

/// Places of one kind, of which no two have one key or one name.
struct Places<Id> {
    all: Vec<KnownPlace<Id>>,
    by_key: HashMap<ExternalKey, usize>,
    by_name: HashMap<String, usize>,
}

struct KnownPlace<Id> {
    id: Id,
    name: String,
    key: Option<ExternalKey>,
}

/// What has to be done so that a place is as a line says.
struct Settled<Id> {
    id: Id,
    is_new: bool,
    is_linked: bool,
    is_renamed: bool,
}

impl<Id> Default for Places<Id> {
    fn default() -> Self {
        Self { all: Vec::new(), by_key: HashMap::new(), by_name: HashMap::new() }
    }
}

impl<Id: Clone + PartialEq> Places<Id> {
    fn add(&mut self, id: Id, name: String, key: Option<ExternalKey>) {
        let place = self.all.len();
        self.by_key.extend(key.clone().map(|key| (key, place)));
        self.by_name.insert(comparison_key(&name), place);
        self.all.push(KnownPlace { id, name, key });
    }

    /// The place with this key; or the one of this name that the register has not spoken of; or a new one. Nothing else is called so.
    fn settle(
        &self,
        key: &ExternalKey,
        name: &Name,
        fresh: impl FnOnce() -> Id,
    ) -> Result<Settled<Id>, String> {
        let named = self.by_name.get(&name.key()).copied();
        let keyed = self.by_key.get(key).copied();
        let known = match (keyed, named) {
            (Some(keyed), Some(named)) if keyed != named => None,
            (None, Some(named)) if self.all[named].key.is_some() => None,
            (Some(known), _) | (None, Some(known)) => Some(&self.all[known]),
            (None, None) => {
                return Ok(Settled { id: fresh(), is_new: true, is_linked: false, is_renamed: false });
            }
        };
        let known = known.ok_or_else(|| format!("another one is called {:?} already", name.as_str()))?;
        Ok(Settled {
            id: known.id.clone(),
            is_new: false,
            is_linked: known.key.is_none(),
            is_renamed: known.name != name.as_str(),
        })
    }

    /// From now on it is so.
    fn take(&mut self, settled: &Settled<Id>, key: &ExternalKey, name: &Name) {
        if settled.is_new {
            self.add(settled.id.clone(), name.as_str().into(), Some(key.clone()));
            return;
        }
        let Some(place) = self.all.iter().position(|known| known.id == settled.id) else { return };
        let known = &mut self.all[place];
        if settled.is_renamed {
            self.by_name.remove(&comparison_key(&known.name));
            known.name = name.as_str().into();
            self.by_name.insert(name.key(), place);
        }
        if settled.is_linked {
            known.key = Some(key.clone());
            self.by_key.insert(key.clone(), place);
        }
    }
}

impl<Id: Clone> Settled<Id> {
    fn changes(
        self,
        add: impl FnOnce(Id) -> ContractChange,
        link: impl FnOnce(Id) -> ContractChange,
        rename: impl FnOnce(Id) -> ContractChange,
    ) -> Vec<ContractChange> {
        if self.is_new {
            return vec![add(self.id)];
        }
        let linked = self.is_linked.then(|| link(self.id.clone()));
        let renamed = self.is_renamed.then(|| rename(self.id));
        linked.into_iter().chain(renamed).collect()
    }
}
