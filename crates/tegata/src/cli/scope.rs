//! `--tenant` and `--site`: what a command is about.

use tegata_installation::Failure;
use tegata_storage::{Ledger, ScopedLedger};

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
