//! Sites as an outside directory knows them: by a key of its own.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::person::read_external_key;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction};
use serde_json::json;
use tegata_core::{ExternalKey, SiteId, TenantId};

/// A site of a tenant, with what an outside directory calls it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectorySite {
    /// Identifier of the site.
    pub id: SiteId,
    /// Name of the site.
    pub name: String,
    /// What an outside directory calls it.
    pub external_key: Option<ExternalKey>,
}

/// The open sites of a tenant, by name: on a connection for reading, or on that of a transaction.
macro_rules! sites_of_tenant {
    ($connection:expr, $scope:expr, $tenant:expr) => {
        sqlx::query_as(
            "SELECT id, name, external_key FROM site WHERE tenant = $1 AND closed_at IS NULL AND ($2 IS NULL OR tenant = $2) \
             ORDER BY name, id",
        )
        .bind($tenant.as_str())
        .bind($scope.bound())
        .fetch_all($connection)
        .await?
    };
}

impl ScopedLedger {
    /// The sites of a tenant, by name.
    pub async fn directory_sites(&self, tenant: &TenantId) -> Result<Vec<DirectorySite>> {
        read(on_scoped_read!(self, connection => sites_of_tenant!(connection, self.scope, tenant)))
    }
}

impl Transaction {
    /// The sites of a tenant while the transaction holds the right to write, by name.
    pub async fn directory_sites_in_hand(&mut self, tenant: &TenantId) -> Result<Vec<DirectorySite>> {
        read(on_transaction!(self.engine, connection => sites_of_tenant!(connection, self.scope, tenant)))
    }

    /// Says what an outside directory calls a site, or that it calls it nothing.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such site, or another of the tenant has the key.
    pub async fn set_site_key(
        &mut self,
        site: &SiteId,
        key: Option<&ExternalKey>,
        actor: &Actor,
    ) -> Result<()> {
        let set: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE site SET external_key = $2 WHERE id = $1 AND closed_at IS NULL AND ($3 IS NULL OR tenant = $3) AND NOT EXISTS \
                 (SELECT 1 FROM site o WHERE o.tenant = site.tenant AND o.external_key = $2 AND o.id <> $1) \
                 RETURNING tenant",
            )
            .bind(site.as_str())
            .bind(key.map(ExternalKey::as_str))
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let (tenant,) =
            set.ok_or(LedgerError::Guard("there is no such site, or another one has the external key"))?;
        let detail = json!({"tenant": tenant, "site": site, "has_key": key.is_some()});
        self.audit(actor, "site.external_key", None, detail).await
    }
}

fn read(rows: Vec<(String, String, Option<String>)>) -> Result<Vec<DirectorySite>> {
    let read = |(id, name, key): (String, String, Option<String>)| {
        let id = SiteId::try_from(id).map_err(|_| LedgerError::Unreadable("site.id"))?;
        Ok(DirectorySite { id, name, external_key: read_external_key(key.as_deref())? })
    };
    rows.into_iter().map(read).collect()
}
