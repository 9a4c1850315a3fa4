//! Tenants and their sites.

use crate::audit::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, Result, Transaction};
use serde_json::json;
use tegata_core::{SiteId, TenantId};

/// A legal entity (法人).
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Tenant {
    /// Its identifier.
    #[sqlx(try_from = "String")]
    pub id: TenantId,
    /// Its display name.
    pub name: String,
}

/// A store (店舗).
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Site {
    /// Its identifier.
    #[sqlx(try_from = "String")]
    pub id: SiteId,
    /// Whose store it is.
    #[sqlx(try_from = "String")]
    pub tenant: TenantId,
    /// Its display name.
    pub name: String,
}

impl Ledger {
    /// All tenants, by name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as("SELECT id, name FROM tenant ORDER BY name").fetch_all(connection).await?
        }))
    }

    /// The sites of a tenant, by name.
    pub async fn sites(&self, tenant: &TenantId) -> Result<Vec<Site>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as("SELECT id, tenant, name FROM site WHERE tenant = $1 ORDER BY name")
                .bind(tenant.as_str())
                .fetch_all(connection)
                .await?
        }))
    }
}

impl Transaction {
    /// Adds a tenant.
    pub async fn add_tenant(&mut self, tenant: &Tenant, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO tenant (id, name, created_at) VALUES ($1, $2, $3)")
                .bind(tenant.id.as_str())
                .bind(tenant.name.as_str())
                .bind(now)
                .execute(connection)
                .await?;
        });
        self.audit(actor, "tenant.added", None, json!({"tenant": tenant.id, "name": tenant.name})).await
    }

    /// Adds a site to its tenant.
    pub async fn add_site(&mut self, site: &Site, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO site (id, tenant, name, created_at) VALUES ($1, $2, $3, $4)")
                .bind(site.id.as_str())
                .bind(site.tenant.as_str())
                .bind(site.name.as_str())
                .bind(now)
                .execute(connection)
                .await?;
        });
        self.audit(
            actor,
            "site.added",
            None,
            json!({"tenant": site.tenant, "site": site.id, "name": site.name}),
        )
        .await
    }
}
