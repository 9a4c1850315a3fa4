//! Companies, sites and licenses, kept in step with the vendor's register of customers.
//!
//! A list names them by the keys of that register. What it says is compared with what is there, and only what differs is done: the
//! same list a second time changes nothing. What a list does not name stays as it is, so that a part of the register can be given
//! alone. Everything that can be wrong is found before anything is written; a rehearsal ends there.

mod line;
mod plan;
#[cfg(test)]
mod tests;

pub use line::{CONTRACT_COLUMNS, CONTRACT_NEEDED, ListedContract};
pub use plan::{ContractPlan, PlannedContract};

use plan::KnownPlaces;
use std::error::Error;
use std::fmt;
use tegata_core::{Clock, Entropy, ExternalKey, Name, SiteId, TenantId};
use tegata_storage::{
    Actor, AuthoredTransaction, Ledger, LedgerError, License, Principal, Site, Tenant, Transaction,
    TransactionAuthor,
};

/// Lines in one transaction: few enough that others get their turn.
const TOGETHER: usize = 50;

/// One thing that a line changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ContractChange {
    /// A tenant that the register has and the ledger has not.
    AddTenant(Tenant, ExternalKey),
    /// A tenant of this name is the one that the register means.
    LinkTenant(TenantId, ExternalKey),
    /// The register calls it otherwise.
    RenameTenant(TenantId, Name),
    /// A site that the register has and the ledger has not.
    AddSite(Site, ExternalKey),
    /// A site of this name is the one that the register means.
    LinkSite(SiteId, ExternalKey),
    /// The register calls it otherwise.
    RenameSite(SiteId, Name),
    /// A product that was bought.
    Grant(License),
    /// A product that was given up.
    Withdraw(License),
}

impl ContractChange {
    /// Its word in reports.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AddTenant(..) => "tenant-added",
            Self::LinkTenant(..) => "tenant-linked",
            Self::RenameTenant(..) => "tenant-renamed",
            Self::AddSite(..) => "site-added",
            Self::LinkSite(..) => "site-linked",
            Self::RenameSite(..) => "site-renamed",
            Self::Grant(_) => "license-granted",
            Self::Withdraw(_) => "license-withdrawn",
        }
    }

    async fn apply(&self, transaction: &mut Transaction, actor: &Actor) -> Result<(), LedgerError> {
        match self {
            Self::AddTenant(tenant, key) => {
                transaction.add_tenant(tenant, actor).await?;
                transaction.set_tenant_key(&tenant.id, key, actor).await
            }
            Self::LinkTenant(tenant, key) => transaction.set_tenant_key(tenant, key, actor).await,
            Self::RenameTenant(tenant, name) => transaction.rename_tenant(tenant, name, actor).await,
            Self::AddSite(site, key) => {
                transaction.add_site(site, actor).await?;
                transaction.set_register_key(&site.id, key, actor).await
            }
            Self::LinkSite(site, key) => transaction.set_register_key(site, key, actor).await,
            Self::RenameSite(site, name) => transaction.rename_site(site, name, actor).await,
            Self::Grant(license) => transaction.grant_license(license, actor).await.map(drop),
            Self::Withdraw(license) => transaction.withdraw_license(license, actor).await.map(drop),
        }
    }
}

impl ContractPlan {
    /// Compares lines, each with its number in the file or what is wrong with it, with what is there. `products` are those that the
    /// installation has.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn make(
        ledger: &Ledger,
        lines: Vec<(u32, Result<ListedContract, String>)>,
        products: &[String],
        entropy: &dyn Entropy,
    ) -> Result<Self, LedgerError> {
        let made_at = ledger.audit_end().await?;
        let rows = ledger.within(Principal::system("contracts").scope());
        let licenses = rows.licenses().await?.into_iter().map(|(license, _)| license);
        let known = KnownPlaces::new(
            (rows.tenants().await?, rows.tenant_keys().await?),
            (rows.all_sites().await?, rows.register_keys().await?),
            licenses,
        );
        Ok(ContractPlan { made_at, ..known.plan(lines, products, entropy) })
    }

    /// Does it, some lines at a time. Whatever somebody else changes of companies, sites and licenses meanwhile ends it: the plan is
    /// of what was there before.
    ///
    /// # Errors
    /// What is done stays done, and the list can be given again.
    pub async fn perform(
        &self,
        ledger: &Ledger,
        clock: &dyn Clock,
        author: &dyn TransactionAuthor,
    ) -> Result<(), ContractFailure> {
        let mut seen = self.made_at;
        for (part, lines) in self.lines.chunks(TOGETHER).enumerate() {
            let changes: Vec<_> =
                lines.iter().filter_map(|line| line.outcome.as_ref().ok()).flatten().collect();
            if changes.is_empty() {
                continue;
            }
            let done = perform_some(ledger.begin(clock.now()).await, &changes, seen, author).await;
            seen = done.map_err(|error| ContractFailure { done: part * TOGETHER, error })?;
        }
        Ok(())
    }
}

/// Why a list was not worked off to its end.
#[derive(Debug)]
pub struct ContractFailure {
    /// How many lines are done, from the first on.
    pub done: usize,
    /// Why the next one was not.
    pub error: LedgerError,
}

impl fmt::Display for ContractFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {} lines are done", self.error, self.done)
    }
}

impl Error for ContractFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Gives the last entry of the audit log that is its own.
async fn perform_some(
    transaction: Result<Transaction, LedgerError>,
    changes: &[&ContractChange],
    seen: u64,
    author: &dyn TransactionAuthor,
) -> Result<u64, LedgerError> {
    let mut transaction = transaction?;
    let actor = author.enter(AuthoredTransaction::of(&mut transaction)).await?;
    transaction.require_unchanged_places(seen).await?;
    for change in changes {
        change.apply(&mut transaction, &actor).await?;
    }
    let end = transaction.audit_end();
    transaction.commit().await?;
    Ok(end)
}
