//! Who asks, whose rows they see, and the handle that shows no others.
//!
//! Whoever acts for a tenant does so through [`ScopedLedger`] and [`ScopedTransaction`]. Every statement of theirs names the
//! tenant, so another tenant's row answers as one that does not exist. On PostgreSQL row-level security stands behind the
//! statements: a transaction of theirs says whose it is (`tegata.tenant`, for as long as it lasts), and the policies of the
//! tables show it no other rows, whatever a statement has forgotten.
//!
//! A [`Scope`] cannot be made up: it comes from a [`Principal`], and a principal from something that was verified.

mod transaction;

pub use transaction::ScopedTransaction;

use crate::engine::Engine;
use crate::{Actor, CertificateHolder, Invitation, Ledger, LiveSession, Result};
use tegata_core::{TenantId, Timestamp};

/// Whose rows a handle sees and changes. Only [`Principal::scope`] gives one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Everybody's: the operator's, and the program's own passes.
    #[non_exhaustive]
    Installation,
    /// What belongs to this tenant alone.
    #[non_exhaustive]
    Tenant(TenantId),
}

/// Who asks, as it was verified, and with what scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    actor: Actor,
    scope: Scope,
}

/// The ledger as one scope sees it. Cloning shares the ledger.
#[derive(Clone)]
pub struct ScopedLedger {
    pub(crate) ledger: Ledger,
    pub(crate) scope: Scope,
}

impl Scope {
    /// The tenant to compare rows with; nothing where all of them count.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Installation => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }

    /// Whether what belongs to this tenant lies within.
    pub fn holds(&self, tenant: &TenantId) -> bool {
        self.tenant().is_none_or(|own| own == tenant)
    }

    /// What statements bind where they compare a row's tenant: `($n IS NULL OR tenant = $n)`.
    pub(crate) fn bound(&self) -> Option<&str> {
        self.tenant().map(TenantId::as_str)
    }
}

impl Principal {
    /// A device or a gate by its certificate, as [`StatusCache`](crate::StatusCache) judged it: it sees its own tenant.
    pub fn device(holder: &CertificateHolder) -> Self {
        Self { actor: Actor::Device(holder.device.clone()), scope: Scope::Tenant(holder.tenant.clone()) }
    }

    /// Whoever showed the code of an invitation, or the key that claimed it: they see its tenant.
    pub fn invited(invitation: &Invitation) -> Self {
        let scope = Scope::Tenant(invitation.tenant.clone());
        Self { actor: Actor::Invitation(invitation.id.clone()), scope }
    }

    /// A person whose session was presented by its device: they see their own tenant. What they may do there is
    /// [`tegata_core::access`]'s to say.
    pub fn person(session: &LiveSession) -> Self {
        Self { actor: Actor::Person(session.person.clone()), scope: Scope::Tenant(session.tenant.clone()) }
    }

    /// A registered client whose certificate was verified, for one of the tenants that its registration names.
    pub fn client(client: &str, tenant: &TenantId) -> Self {
        Self { actor: Actor::Client(client.to_owned()), scope: Scope::Tenant(tenant.clone()) }
    }

    /// A person at the machine itself: with the whole installation, or with the one tenant they named.
    pub fn operator(name: impl Into<String>, tenant: Option<&TenantId>) -> Self {
        let scope = tenant.map_or(Scope::Installation, |tenant| Scope::Tenant(tenant.clone()));
        Self { actor: Actor::Operator(name.into()), scope }
    }

    /// A part of the program that serves all tenants: a pass, or a service that judges rights itself.
    pub fn system(part: &'static str) -> Self {
        Self { actor: Actor::System(part), scope: Scope::Installation }
    }

    /// Who it is to the audit log.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whose rows they see.
    pub fn scope(&self) -> Scope {
        self.scope.clone()
    }
}

impl Ledger {
    /// The ledger as a scope sees it.
    pub fn within(&self, scope: Scope) -> ScopedLedger {
        ScopedLedger { ledger: self.clone(), scope }
    }
}

impl ScopedLedger {
    /// Whose rows it shows.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Opens a write transaction of this scope at a time. Other writers wait until it ends.
    pub async fn begin(&self, now: Timestamp) -> Result<ScopedTransaction> {
        ScopedTransaction::begin(&self.ledger, &self.scope, now).await
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
