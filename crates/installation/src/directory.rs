//! Which tenant and which site an operator means.
//!
//! Either is named by its identifier or its name; a name counts without regard to width, case and spaces, unless another
//! has exactly it. A site needs no tenant where its name is the only one. What is ambiguous is refused with the choices.

use crate::{Failure, FailureContext, SystemContext};
use std::fmt::Write;
use tegata_core::name::is_same;
use tegata_storage::{Ledger, Site, Tenant};

/// The choices shown where several are meant; more are counted.
const CHOICES: usize = 20;

/// The tenants and sites of an installation, without the system's own.
pub struct TenantDirectory {
    /// All of them, by name.
    pub tenants: Vec<Tenant>,
    /// By tenant and name.
    pub sites: Vec<Site>,
}

/// A tenant, or one site of it.
#[derive(Clone, Copy)]
pub struct TenantSite<'a> {
    /// The tenant that is meant.
    pub tenant: &'a Tenant,
    /// One site of it; all of them where none is named.
    pub site: Option<&'a Site>,
}

impl TenantDirectory {
    /// Reads all tenants and sites but the system's own.
    pub async fn read(ledger: &Ledger) -> Result<Self, Failure> {
        let what = "cannot read the tenants and sites";
        let rows = ledger.within(SystemContext::principal(None).scope());
        let mut tenants = rows.tenants().await.doing(what)?;
        tenants.retain(|tenant| !tenant.is_system());
        let mut sites = rows.all_sites().await.doing(what)?;
        sites.retain(|site| !site.tenant.is_system());
        Ok(Self { tenants, sites })
    }

    /// The tenant of this name or identifier; the only one, where nothing is named.
    pub fn tenant(&self, named: Option<&str>) -> Result<&Tenant, Failure> {
        let Some(named) = named else {
            return match self.tenants.as_slice() {
                [only] => Ok(only),
                [] => Err(Failure::misuse("there is no tenant yet: tegata tenant add NAME")),
                _ => Err(ambiguous("there are several tenants: name one with --tenant", &self.all_tenants())),
            };
        };
        match meant(self.tenants.iter(), named, |tenant| (tenant.id.as_str(), &tenant.name)).as_slice() {
            [only] => Ok(only),
            [] => {
                Err(Failure::misuse(format!("there is no tenant {named:?}: tegata tenant list shows them")))
            }
            several => Err(ambiguous(
                &format!("several tenants are called {named:?}: give the identifier of one"),
                &several.iter().map(|&tenant| TenantSite { tenant, site: None }).collect::<Vec<_>>(),
            )),
        }
    }

    /// The tenant of this name or identifier, by itself.
    pub fn into_tenant(self, named: &str) -> Result<Tenant, Failure> {
        self.tenant(Some(named)).cloned()
    }

    /// The site of this name or identifier, of this tenant if one is named.
    pub fn site(&self, tenant: Option<&str>, named: &str) -> Result<TenantSite<'_>, Failure> {
        let tenant = tenant.map(|tenant| self.tenant(Some(tenant))).transpose()?;
        let sites = self.sites_of(tenant);
        match meant(sites, named, |site| (site.id.as_str(), &site.name)).as_slice() {
            [only] => self.place_of(only),
            [] => Err(Failure::misuse(match tenant {
                Some(tenant) => format!("{} has no site {named:?}: tegata site list shows them", tenant.name),
                None => format!("there is no site {named:?}: tegata site list shows them"),
            })),
            several => Err(ambiguous(
                &format!(
                    "several sites are called {named:?}: name its tenant with --tenant, or give the identifier"
                ),
                &several.iter().filter_map(|site| self.place_of(site).ok()).collect::<Vec<_>>(),
            )),
        }
    }

    /// The one site that is meant: the only one there is, where none is named.
    pub fn one_site(&self, tenant: Option<&str>, site: Option<&str>) -> Result<TenantSite<'_>, Failure> {
        if let Some(site) = site {
            return self.site(tenant, site);
        }
        let tenant = tenant.map(|tenant| self.tenant(Some(tenant))).transpose()?;
        match self.sites_of(tenant).collect::<Vec<_>>().as_slice() {
            [only] => self.place_of(only),
            [] => Err(Failure::misuse("there is no site yet: tegata site add NAME")),
            several => Err(ambiguous(
                "there are several sites: name one with --site",
                &several.iter().filter_map(|site| self.place_of(site).ok()).collect::<Vec<_>>(),
            )),
        }
    }

    /// A tenant with all of its sites, or the one site that is named.
    pub fn place(&self, tenant: Option<&str>, site: Option<&str>) -> Result<TenantSite<'_>, Failure> {
        match site {
            Some(site) => self.site(tenant, site),
            None => Ok(TenantSite { tenant: self.tenant(tenant)?, site: None }),
        }
    }

    /// The tenants that a list is of.
    pub fn tenants_in(&self, scope: Option<TenantSite<'_>>) -> impl Iterator<Item = &Tenant> {
        let only = scope.map(|place| place.tenant.id.clone());
        self.tenants.iter().filter(move |tenant| only.as_ref().is_none_or(|only| tenant.id == *only))
    }

    fn sites_of(&self, tenant: Option<&Tenant>) -> impl Iterator<Item = &Site> {
        let only = tenant.map(|tenant| tenant.id.clone());
        self.sites.iter().filter(move |site| only.as_ref().is_none_or(|only| site.tenant == *only))
    }

    /// A site with its tenant.
    pub fn place_of<'a>(&'a self, site: &'a Site) -> Result<TenantSite<'a>, Failure> {
        let tenant = self.tenants.iter().find(|tenant| tenant.id == site.tenant);
        let tenant = tenant.ok_or_else(|| Failure::wrong("the site was added just now: do it again"))?;
        Ok(TenantSite { tenant, site: Some(site) })
    }

    fn all_tenants(&self) -> Vec<TenantSite<'_>> {
        self.tenants.iter().map(|tenant| TenantSite { tenant, site: None }).collect()
    }
}

fn ambiguous(what: &str, choices: &[TenantSite<'_>]) -> Failure {
    let mut text = what.to_owned();
    for TenantSite { tenant, site } in choices.iter().take(CHOICES) {
        let _ = match site {
            Some(site) => write!(text, "\n  {}  {}  {}", site.id, tenant.name, site.name),
            None => write!(text, "\n  {}  {}", tenant.id, tenant.name),
        };
    }
    if choices.len() > CHOICES {
        let _ = write!(text, "\n  and {} more", choices.len() - CHOICES);
    }
    Failure::misuse(text)
}

impl TenantSite<'_> {
    /// Whether something of this tenant and site lies in it.
    pub fn holds(&self, tenant: &tegata_core::TenantId, site: &tegata_core::SiteId) -> bool {
        self.tenant.id == *tenant && self.site.is_none_or(|only| only.id == *site)
    }

    /// The name of the site, or that all are meant.
    pub fn site_name(&self) -> &str {
        self.site.map_or("(all sites)", |site| &site.name)
    }
}

/// Those that a word names: by identifier, or else by exactly this name, or else by a name like it.
fn meant<'a, T>(
    all: impl Iterator<Item = &'a T>,
    named: &str,
    identity: impl Fn(&T) -> (&str, &str),
) -> Vec<&'a T> {
    let all: Vec<_> = all.collect();
    let such = |fits: fn(&str, &str, &str) -> bool| -> Vec<&'a T> {
        let fits = |one: &&&T| {
            let (id, name) = identity(one);
            fits(id, name, named)
        };
        all.iter().filter(fits).copied().collect()
    };
    let ways: [fn(&str, &str, &str) -> bool; 3] =
        [|id, _, named| id == named, |_, name, named| name == named, |_, name, named| is_same(name, named)];
    ways.into_iter().map(such).find(|found| !found.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::{SiteId, TenantId};

    fn id(letter: char) -> String {
        letter.to_string().repeat(26)
    }

    fn directory() -> TenantDirectory {
        let tenant = |letter, name| Tenant::new(TenantId::try_from(id(letter)).expect("an identifier"), name);
        let site = |letter, of: &Tenant, name: &str| Site {
            id: SiteId::try_from(id(letter)).expect("an identifier"),
            tenant: of.id.clone(),
            name: name.to_owned(),
        };
        let (aoba, midori) = (tenant('a', "あおば薬局グループ"), tenant('b', "みどりPharma"));
        let sites = vec![site('c', &aoba, "本店"), site('d', &aoba, "駅前店"), site('e', &midori, "本店")];
        TenantDirectory { tenants: vec![aoba, midori], sites }
    }

    fn refused(error: Result<TenantSite<'_>, Failure>) -> String {
        match error {
            Err(Failure::Misuse(text)) => text,
            _ => panic!("misuse"),
        }
    }

    #[test]
    fn a_site_that_is_the_only_one_of_its_name_needs_no_tenant() {
        let directory = directory();
        let place = directory.site(None, "駅前店").expect("a site");
        assert_eq!((&*place.tenant.name, place.site_name()), ("あおば薬局グループ", "駅前店"));
        assert_eq!(
            directory.site(Some("みどりｐｈａｒｍａ"), "本店").expect("a site").tenant.name,
            "みどりPharma"
        );
        assert_eq!(directory.site(None, &id('e')).expect("a site").tenant.name, "みどりPharma");
    }

    #[test]
    fn an_ambiguous_site_is_refused_with_the_choices() {
        let directory = directory();
        let text = refused(directory.site(None, "本店"));
        for part in ["あおば薬局グループ", "みどりPharma", &id('c'), &id('e'), "--tenant"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(refused(directory.one_site(None, None)).contains("駅前店"));
        assert!(refused(directory.place(None, None)).contains("みどりPharma"));
    }

    #[test]
    fn whoever_names_what_is_not_there_is_told_where_to_look() {
        let directory = directory();
        assert!(refused(directory.site(None, "隣町店")).contains("tegata site list"));
        assert!(refused(directory.site(Some("みどりPharma"), "駅前店")).contains("みどりPharma has no site"));
        assert!(refused(directory.site(Some("くすのき"), "本店")).contains("tegata tenant list"));
    }
}
