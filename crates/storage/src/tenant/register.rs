//! Tenants and sites as the vendor's register of customers knows them: by keys of its own, which no tenant's directory changes.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::{ExternalKey, SiteId, TenantId};

/// Whatever entries say of tenants, their sites and what they bought.
const CHANGES: &str = "SELECT COUNT(*) FROM audit WHERE seq > $1 AND (entry LIKE '%\"action\":\"tenant.%' \
     OR entry LIKE '%\"action\":\"site.%' OR entry LIKE '%\"action\":\"licence.%')";

impl Ledger {
    /// The last entry of the audit log: what is read afterwards is no older.
    pub async fn audit_end(&self) -> Result<u64> {
        let (end,): (i64,) = on_read!(self, connection => {
            sqlx::query_as("SELECT audit_seq FROM head WHERE id = 1").fetch_one(connection).await?
        });
        Ok(end.unsigned_abs())
    }
}

impl ScopedLedger {
    /// What the register calls tenants, where it does.
    pub async fn tenant_keys(&self) -> Result<Vec<(TenantId, ExternalKey)>> {
        let rows: Vec<(String, String)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, external_key FROM tenant WHERE external_key IS NOT NULL AND ($1 IS NULL OR id = $1) ORDER BY id",
            )
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        let read = |(id, key): (String, String)| {
            let id = TenantId::try_from(id).map_err(|_| LedgerError::Unreadable("tenant.id"))?;
            Ok((id, read_key(&key, "tenant.external_key")?))
        };
        rows.into_iter().map(read).collect()
    }

    /// What the register calls sites, where it does.
    pub async fn register_keys(&self) -> Result<Vec<(SiteId, ExternalKey)>> {
        let rows: Vec<(String, String)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, register_key FROM site WHERE register_key IS NOT NULL AND ($1 IS NULL OR tenant = $1) ORDER BY id",
            )
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        let read = |(id, key): (String, String)| {
            let id = SiteId::try_from(id).map_err(|_| LedgerError::Unreadable("site.id"))?;
            Ok((id, read_key(&key, "site.register_key")?))
        };
        rows.into_iter().map(read).collect()
    }
}

fn read_key(text: &str, column: &'static str) -> Result<ExternalKey> {
    ExternalKey::parse(text).map_err(|_| LedgerError::Unreadable(column))
}

impl Transaction {
    /// The last entry of the audit log, this transaction's own included.
    pub fn audit_end(&self) -> u64 {
        self.head.audit_seq.unsigned_abs()
    }

    /// Holds what somebody has planned against what has happened since: they read tenants, sites and licenses after this entry.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when any of them was changed.
    pub async fn require_unchanged_places(&mut self, since: u64) -> Result<()> {
        let (changes,): (i64,) = on_transaction!(self.engine, connection => {
            sqlx::query_as(CHANGES)
                .bind(i64::try_from(since).unwrap_or(i64::MAX))
                .fetch_one(connection)
                .await?
        });
        if changes == 0 {
            Ok(())
        } else {
            Err(LedgerError::Guard("companies, sites or licenses were changed meanwhile"))
        }
    }

    /// Says what the register calls a tenant.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant, it has another key, or another one has this key.
    pub async fn set_tenant_key(
        &mut self,
        tenant: &TenantId,
        key: &ExternalKey,
        actor: &Actor,
    ) -> Result<()> {
        let set = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE tenant SET external_key = $2 WHERE id = $1 AND (external_key IS NULL OR external_key = $2) \
                 AND NOT EXISTS (SELECT 1 FROM tenant o WHERE o.external_key = $2 AND o.id <> $1)",
            )
            .bind(tenant.as_str())
            .bind(key.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(set, "there is no such tenant, it has another key, or another one has this key")?;
        self.audit(actor, "tenant.external_key", None, json!({"tenant": tenant})).await
    }

    /// Says what the register calls a site.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such site, it has another key, or another of the tenant has this key.
    pub async fn set_register_key(&mut self, site: &SiteId, key: &ExternalKey, actor: &Actor) -> Result<()> {
        let set: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE site SET register_key = $2 WHERE id = $1 AND closed_at IS NULL AND ($3 IS NULL OR tenant = $3) \
                 AND (register_key IS NULL OR register_key = $2) AND NOT EXISTS \
                 (SELECT 1 FROM site o WHERE o.tenant = site.tenant AND o.register_key = $2 AND o.id <> $1) RETURNING tenant",
            )
            .bind(site.as_str())
            .bind(key.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let none = "there is no such site, it has another key, or another one has this key";
        let (tenant,) = set.ok_or(LedgerError::Guard(none))?;
        self.audit(actor, "site.register_key", None, json!({"tenant": tenant, "site": site})).await
    }
}
