//! Tenants and their sites.

mod directory;
mod register;
mod sign_in_policy;
mod suspending;

pub use directory::DirectorySite;
pub use sign_in_policy::{CreatesPeople, SignInAccounts, SignInPolicy};
pub use suspending::TenantAction;
pub(crate) use suspending::moved_to;

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::scope::on_scoped_read;
use crate::search::NameKind;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::{SiteId, TenantId, TenantState};

/// A legal entity (法人).
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Tenant {
    /// The identifier that certificates and tokens carry.
    #[sqlx(try_from = "String")]
    pub id: TenantId,
    /// The display name, which may change.
    pub name: String,
    /// Whose issuing CAs serve it.
    #[sqlx(try_from = "String")]
    pub issuing: TenantIssuers,
    /// Whether its devices are accepted.
    #[sqlx(try_from = "String")]
    pub state: TenantState,
}

impl Tenant {
    /// The system tenant, which an installation keeps for the canary's devices. It is no customer.
    pub fn system() -> Self {
        Self::new(TenantId::system(), "canary")
    }

    /// Whether it is [`Tenant::system`].
    pub fn is_system(&self) -> bool {
        self.id.is_system()
    }

    /// A tenant that the shared issuing CAs serve.
    pub fn new(id: TenantId, name: impl Into<String>) -> Self {
        Self { id, name: name.into(), issuing: TenantIssuers::Pool, state: TenantState::Active }
    }
}

/// Whose issuing CAs serve a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TenantIssuers {
    /// The issuing CAs that all tenants share.
    #[default]
    Pool,
    /// Its own alone: without an active one, it gets no certificates.
    Silo,
}

impl TenantIssuers {
    /// Its name in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Silo => "silo",
        }
    }
}

impl TryFrom<String> for TenantIssuers {
    type Error = LedgerError;

    fn try_from(word: String) -> Result<Self> {
        match word.as_str() {
            "pool" => Ok(Self::Pool),
            "silo" => Ok(Self::Silo),
            _ => Err(LedgerError::Unreadable("tenant.issuing")),
        }
    }
}

/// A site of a tenant: a store (店舗).
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Site {
    /// The identifier, which never changes.
    #[sqlx(try_from = "String")]
    pub id: SiteId,
    /// Whose store it is.
    #[sqlx(try_from = "String")]
    pub tenant: TenantId,
    /// The display name, which may change.
    pub name: String,
}

impl Ledger {
    /// The tenants that are served by their own CAs alone.
    pub async fn silos(&self) -> Result<Vec<TenantId>> {
        let rows: Vec<(String,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id FROM tenant WHERE issuing = 'silo' ORDER BY id").fetch_all(connection).await?
        });
        let read = |id| TenantId::try_from(id).map_err(|_| LedgerError::Unreadable("tenant.id"));
        rows.into_iter().map(|(id,)| read(id)).collect()
    }
}

impl ScopedLedger {
    /// All tenants, by name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as("SELECT id, name, issuing, state FROM tenant WHERE $1 IS NULL OR id = $1 ORDER BY name")
                .bind(self.scope.bound())
                .fetch_all(connection)
                .await?
        }))
    }

    /// The sites of all tenants, by tenant and name, without those that were handed over.
    pub async fn all_sites(&self) -> Result<Vec<Site>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT s.id, s.tenant, s.name FROM site s JOIN tenant t ON t.id = s.tenant \
                 WHERE s.closed_at IS NULL AND ($1 IS NULL OR s.tenant = $1) ORDER BY t.name, s.name, s.id",
            )
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }

    /// One site, unless it was handed over.
    pub async fn site(&self, site: &SiteId) -> Result<Option<Site>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, tenant, name FROM site WHERE id = $1 AND closed_at IS NULL AND ($2 IS NULL OR tenant = $2)",
            )
            .bind(site.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        }))
    }

    /// The sites of a tenant, by name; so many at most.
    pub async fn some_sites(&self, tenant: &TenantId, most: u32) -> Result<Vec<Site>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, tenant, name FROM site WHERE tenant = $1 AND closed_at IS NULL AND ($2 IS NULL OR tenant = $2) \
                 ORDER BY name, id LIMIT $3",
            )
            .bind(tenant.as_str())
            .bind(self.scope.bound())
            .bind(i64::from(most))
            .fetch_all(connection)
            .await?
        }))
    }

    /// The sites of a tenant, by name, without those that were handed over.
    pub async fn sites(&self, tenant: &TenantId) -> Result<Vec<Site>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, tenant, name FROM site WHERE tenant = $1 AND closed_at IS NULL AND ($2 IS NULL OR tenant = $2) ORDER BY name",
            )
                .bind(tenant.as_str())
                .bind(self.scope.bound())
                .fetch_all(connection)
                .await?
        }))
    }
}

impl Transaction {
    /// Adds a tenant, as active.
    pub async fn add_tenant(&mut self, tenant: &Tenant, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO tenant (id, name, issuing, created_at) VALUES ($1, $2, $3, $4)")
                .bind(tenant.id.as_str())
                .bind(tenant.name.as_str())
                .bind(tenant.issuing.as_str())
                .bind(now)
                .execute(connection)
                .await?;
        });
        self.set_indexed_name(&tenant.id, NameKind::Tenant, tenant.id.as_str(), &tenant.name).await?;
        let detail = json!({"tenant": tenant.id, "name": tenant.name, "issuing": tenant.issuing.as_str()});
        self.audit(actor, "tenant.added", None, detail).await
    }

    /// Decides whose issuing CAs serve a tenant from now on. Certificates that exist stay as they are.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant.
    pub async fn set_issuing(
        &mut self,
        tenant: &TenantId,
        issuing: TenantIssuers,
        actor: &Actor,
    ) -> Result<()> {
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE tenant SET issuing = $2 WHERE id = $1")
                .bind(tenant.as_str())
                .bind(issuing.as_str())
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(changed, "there is no such tenant")?;
        let detail = json!({"tenant": tenant, "issuing": issuing.as_str()});
        self.audit(actor, "tenant.issuing", None, detail).await
    }

    /// Adds a site to its tenant.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant.
    pub async fn add_site(&mut self, site: &Site, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO site (id, tenant, name, created_at) SELECT $1, t.id, $3, $4 FROM tenant t \
                 WHERE t.id = $2 AND ($5 IS NULL OR t.id = $5)",
            )
            .bind(site.id.as_str())
            .bind(site.tenant.as_str())
            .bind(site.name.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "there is no such tenant")?;
        self.set_indexed_name(&site.tenant, NameKind::Site, site.id.as_str(), &site.name).await?;
        self.audit(
            actor,
            "site.added",
            None,
            json!({"tenant": site.tenant, "site": site.id, "name": site.name}),
        )
        .await
    }
}
