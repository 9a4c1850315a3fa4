//! Licenses: which products the devices of a tenant, or of one site, may ask tokens for.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::policy::NO_PLACE;
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction};
use serde_json::json;
use tegata_core::{SiteId, TenantId, Timestamp};

/// What a license covers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct License {
    /// The product, as `aud` of its tokens.
    pub product: String,
    /// The tenant whose devices are covered.
    pub tenant: TenantId,
    /// At this site; at all of them, also those to come, where there is none.
    pub site: Option<SiteId>,
}

impl Ledger {
    /// Whether a license covers the devices of a site.
    pub async fn is_licensed(&self, product: &str, tenant: &TenantId, site: &SiteId) -> Result<bool> {
        let found: Option<(i64,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT granted_at FROM licence WHERE tenant = $1 AND product = $2 AND site IS NULL \
                 UNION ALL SELECT granted_at FROM licence WHERE site = $3 AND product = $2 AND tenant = $1 LIMIT 1",
            )
            .bind(tenant.as_str())
            .bind(product)
            .bind(site.as_str())
            .fetch_optional(connection)
            .await?
        });
        Ok(found.is_some())
    }
}

impl ScopedLedger {
    /// All licenses with when they were granted: by product and tenant, those of whole tenants first.
    pub async fn licenses(&self) -> Result<Vec<(License, Timestamp)>> {
        let rows: Vec<(String, String, Option<String>, i64)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT product, tenant, site, granted_at FROM licence WHERE $1 IS NULL OR tenant = $1 \
                 ORDER BY product, tenant, CASE WHEN site IS NULL THEN 0 ELSE 1 END, site",
            )
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(read).collect()
    }
}

impl Transaction {
    /// Grants a license. Gives whether it is new; once more changes nothing.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant, or the site is not one of its sites.
    pub async fn grant_license(&mut self, license: &License, actor: &Actor) -> Result<bool> {
        if !self.scope.holds(&license.tenant) || !self.has_place(license).await? {
            return Err(NO_PLACE);
        }
        let now = self.now.millis();
        let granted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO licence (product, tenant, site, granted_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            )
            .bind(license.product.as_str())
            .bind(license.tenant.as_str())
            .bind(license.site.as_ref().map(SiteId::as_str))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        self.note_license(granted, "licence.granted", license, actor).await
    }

    /// Withdraws a license: exactly this one. One for a whole tenant leaves those of its sites in force. Gives whether there
    /// was one.
    pub async fn withdraw_license(&mut self, license: &License, actor: &Actor) -> Result<bool> {
        if !self.scope.holds(&license.tenant) {
            return Ok(false);
        }
        let withdrawn = on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM licence WHERE product = $1 AND tenant = $2 AND COALESCE(site, '') = COALESCE($3, '')",
            )
            .bind(license.product.as_str())
            .bind(license.tenant.as_str())
            .bind(license.site.as_ref().map(SiteId::as_str))
            .execute(connection)
            .await?
            .rows_affected()
        });
        self.note_license(withdrawn, "licence.withdrawn", license, actor).await
    }

    async fn has_place(&mut self, license: &License) -> Result<bool> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            let query = match &license.site {
                Some(site) => {
                    sqlx::query_as("SELECT id FROM site WHERE tenant = $1 AND id = $2 AND closed_at IS NULL")
                        .bind(license.tenant.as_str())
                        .bind(site.as_str())
                }
                None => sqlx::query_as("SELECT id FROM tenant WHERE id = $1").bind(license.tenant.as_str()),
            };
            query.fetch_optional(connection).await?
        });
        Ok(found.is_some())
    }

    async fn note_license(
        &mut self,
        changed: u64,
        action: &'static str,
        license: &License,
        actor: &Actor,
    ) -> Result<bool> {
        if changed == 0 {
            return Ok(false);
        }
        let detail = json!({"product": license.product, "tenant": license.tenant, "site": license.site});
        self.audit(actor, action, None, detail).await?;
        Ok(true)
    }
}

fn read(row: (String, String, Option<String>, i64)) -> Result<(License, Timestamp)> {
    let (product, tenant, site, granted_at) = row;
    let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("licence.tenant"))?;
    let site = site.map(SiteId::try_from).transpose();
    let site = site.map_err(|_| LedgerError::Unreadable("licence.site"))?;
    Ok((License { product, tenant, site }, granted_at.into()))
}
