//! `--tenant` and `--site`: what a command is about.

use tegata_installation::Failure;
use tegata_storage::{Ledger, PolicyPlace, ScopedLedger};

pub use tegata_installation::{TenantDirectory, TenantSite, rows};

/// Restricts what a command lists to one tenant or site.
#[derive(Clone, Default, clap::Args)]
pub struct ScopeArgs {
    /// Of this tenant alone: name or identifier
    #[arg(long)]
    pub tenant: Option<String>,
    /// Of this site alone: name or identifier
    #[arg(long)]
    pub site: Option<String>,
}

/// Names the one tenant, or the one site of it, that something is done to.
#[derive(Clone, Default, clap::Args)]
pub struct ScopeTarget {
    /// Name or identifier of the tenant; not needed where there is only one, or where the site tells
    #[arg(long)]
    pub tenant: Option<String>,
    /// Name or identifier of one site. Without: the tenant, with all of its sites
    #[arg(long)]
    pub site: Option<String>,
}

impl ScopeArgs {
    /// What a list shows: the rows of the tenant that it is restricted to, or everybody's.
    pub fn rows(&self, directory: &TenantDirectory, ledger: &Ledger) -> Result<ScopedLedger, Failure> {
        Ok(rows(ledger, self.find_in(directory)?.map(|place| &place.tenant.id)))
    }

    /// What a list is restricted to; nothing where it is of everything.
    pub fn find_in<'a>(&self, directory: &'a TenantDirectory) -> Result<Option<TenantSite<'a>>, Failure> {
        if self.tenant.is_none() && self.site.is_none() {
            return Ok(None);
        }
        directory.place(self.tenant.as_deref(), self.site.as_deref()).map(Some)
    }
}

impl ScopeTarget {
    /// What something is done to.
    pub fn find_in<'a>(&self, directory: &'a TenantDirectory) -> Result<TenantSite<'a>, Failure> {
        directory.place(self.tenant.as_deref(), self.site.as_deref())
    }
}

/// The places that say something, with what they say: of what is restricted to a site, its own and its tenant's, which counts
/// there too. By tenant, as the directory names them.
pub fn places_that_count<'a, T>(
    directory: &'a TenantDirectory,
    scope: Option<TenantSite<'a>>,
    rules: &'a [(PolicyPlace, T)],
) -> Vec<(TenantSite<'a>, &'a T)> {
    let only = scope.and_then(|scope| scope.site);
    let mut places = Vec::new();
    for tenant in directory.tenants_in(scope) {
        for (of, said) in rules.iter().filter(|(of, _)| of.tenant == tenant.id) {
            if of.site.as_ref().is_none_or(|site| only.is_none_or(|only| only.id == *site)) {
                let site = directory.sites.iter().find(|site| of.site.as_ref() == Some(&site.id));
                places.push((TenantSite { tenant, site }, said));
            }
        }
    }
    places
}
