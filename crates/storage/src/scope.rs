//! Who asks, whose rows they see, and the handle that shows no others.
//!
//! Whoever acts for a tenant does so through [`ScopedLedger`] and [`ScopedTransaction`]. Every statement of theirs names the
//! tenant, so another tenant's row answers as one that does not exist. On PostgreSQL row-level security stands behind the
//! statements: a transaction of theirs says whose it is (`tegata.tenant`, for as long as it lasts), and the policies of the
//! tables show it no other rows, whatever a statement has forgotten.
//!
//! A [`Scope`] cannot be made up: it comes from a [`Principal`], and a principal from something that was verified.

mod extent;
mod principal;
mod transaction;

pub use extent::{Scope, TenantScope};
pub use principal::Principal;
pub use transaction::ScopedTransaction;

use crate::Ledger;
use crate::engine::Engine;
use tegata_core::TenantId;

/// The ledger as one scope sees it. Cloning shares the ledger.
#[derive(Clone)]
pub struct ScopedLedger {
    pub(crate) ledger: Ledger,
    pub(crate) scope: Scope,
}

impl Ledger {
    /// The ledger as a scope sees it.
    pub fn within(&self, scope: impl Into<Scope>) -> ScopedLedger {
        ScopedLedger { ledger: self.clone(), scope: scope.into() }
    }
}

impl ScopedLedger {
    /// Whose rows it shows.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What is left of it for one tenant; nothing where that tenant is not within the scope.
    #[must_use]
    pub fn narrowed(&self, tenant: &TenantId) -> Option<Self> {
        let scope = Scope::Tenant(tenant.clone());
        self.scope.holds(tenant).then(|| Self { ledger: self.ledger.clone(), scope })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.ledger.engine
    }
}

/// Reads on a connection that shows the scope's rows alone, as `on_read` does for everybody's.
macro_rules! on_scoped_read {
    ($scoped:expr, $connection:ident => $body:expr) => {
        match $scoped.engine() {
            $crate::engine::Engine::Sqlite { read, .. } => {
                let mut acquired = read.take().await?;
                let output = {
                    let $connection = &mut *acquired;
                    $body
                };
                acquired.end();
                output
            }
            $crate::engine::Engine::Postgres(database) => {
                let mut acquired = database.take_within(&$scoped.scope).await?;
                let work = async {
                    let $connection = &mut *acquired;
                    Ok::<_, $crate::LedgerError>($body)
                };
                let output = database.within(work).await?;
                acquired.end_reading();
                output
            }
        }
    };
}
pub(crate) use on_scoped_read;
