//! What tenants, sites and devices are called from now on. Certificates and tokens carry identifiers, so nobody is refused for it.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::search::NameKind;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceId, Name, SiteId, TenantId};

impl Transaction {
    /// Calls a tenant otherwise. Its devices are found by the new name at once; none of their rows changes.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant, it is the installation's own, or another is called so.
    pub async fn rename_tenant(&mut self, tenant: &TenantId, name: &Name, actor: &Actor) -> Result<()> {
        if tenant.is_system() {
            return Err(LedgerError::Guard("the installation's own tenant keeps its name"));
        }
        let select = "SELECT id, name FROM tenant WHERE id = $1 AND ($2 IS NULL OR id = $2)";
        let before = self.called(select, tenant.as_str()).await?.ok_or(NO_TENANT)?.1;
        let update = "UPDATE tenant SET name = $2 WHERE id = $1 AND name = $3 \
                      AND NOT EXISTS (SELECT 1 FROM tenant o WHERE o.name = $2 AND o.id <> $1)";
        self.call(update, tenant.as_str(), name, &before).await?;
        self.change_indexed_name(tenant, NameKind::Tenant, tenant.as_str(), name.as_str()).await?;
        let detail = json!({"tenant": tenant, "before": before, "after": name.as_str()});
        self.audit(actor, "tenant.renamed", None, detail).await
    }

    /// Calls a site otherwise.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such site, or another of its tenant is called so.
    pub async fn rename_site(&mut self, site: &SiteId, name: &Name, actor: &Actor) -> Result<()> {
        let select = "SELECT tenant, name FROM site WHERE id = $1 AND ($2 IS NULL OR tenant = $2)";
        let called = self.called(select, site.as_str()).await?;
        let (tenant, before) = called.ok_or(LedgerError::Guard("there is no such site"))?;
        let update = "UPDATE site SET name = $2 WHERE id = $1 AND name = $3 AND NOT EXISTS \
                      (SELECT 1 FROM site o WHERE o.tenant = site.tenant AND o.name = $2 AND o.id <> $1)";
        self.call(update, site.as_str(), name, &before).await?;
        self.change_indexed_name(&tenant, NameKind::Site, site.as_str(), name.as_str()).await?;
        let detail = json!({"tenant": tenant, "site": site, "before": before, "after": name.as_str()});
        self.audit(actor, "site.renamed", None, detail).await
    }

    /// Calls a device or a gate otherwise. Its certificate keeps the name that it was issued with, until it is renewed.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such device.
    pub async fn rename_device(&mut self, device: &DeviceId, name: &Name, actor: &Actor) -> Result<()> {
        let select = "SELECT tenant, label FROM device WHERE id = $1 AND ($2 IS NULL OR tenant = $2)";
        let called = self.called(select, device.as_str()).await?;
        let (tenant, before) = called.ok_or(LedgerError::Guard("there is no such device"))?;
        let update = "UPDATE device SET label = $2 WHERE id = $1 AND label = $3";
        self.call(update, device.as_str(), name, &before).await?;
        self.change_indexed_name(&tenant, NameKind::Label, device.as_str(), name.as_str()).await?;
        let detail = json!({"before": before, "after": name.as_str()});
        self.audit(actor, "device.renamed", Some(device), detail).await
    }

    /// Puts a changed name into the index, and takes the former out where nothing else is called so.
    pub(crate) async fn change_indexed_name(
        &mut self,
        tenant: &TenantId,
        kind: NameKind,
        id: &str,
        name: &str,
    ) -> Result<()> {
        let statement = match kind {
            NameKind::Tenant => "SELECT search_name FROM tenant WHERE id = $1",
            NameKind::Site => "SELECT search_name FROM site WHERE id = $1",
            NameKind::Person => "SELECT search_name FROM person WHERE id = $1",
            NameKind::Label => "SELECT search_name FROM device WHERE id = $1",
        };
        let former: Option<(Option<i64>,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(statement).bind(id).fetch_optional(connection).await?
        });
        self.set_indexed_name(tenant, kind, id, name).await?;
        match former {
            Some((Some(former),)) => self.forget_indexed_name(former).await,
            _ => Ok(()),
        }
    }

    /// Whose it is, and what it is called.
    async fn called(&mut self, select: &'static str, id: &str) -> Result<Option<(TenantId, String)>> {
        let row: Option<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(select).bind(id).bind(self.scope.bound()).fetch_optional(connection).await?
        });
        let read = |(tenant, name)| {
            let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("tenant.id"))?;
            Ok((tenant, name))
        };
        row.map(read).transpose()
    }

    async fn call(&mut self, update: &'static str, id: &str, name: &Name, before: &str) -> Result<()> {
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query(update).bind(id).bind(name.as_str()).bind(before).execute(connection).await?.rows_affected()
        });
        changed_one(changed, "something else is called so")
    }
}

const NO_TENANT: LedgerError = LedgerError::Guard("there is no such tenant");
