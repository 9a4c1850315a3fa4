//! The guidance on pages for the staff of a tenant or a site: whom to call, and where to go on.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::policy::{NO_PLACE, PolicyPlace};
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tegata_core::{Guidance, SiteId};

/// Contact and link, as they are written.
type GuidanceRow = (Option<String>, Option<String>);

/// Contact and link of a site, followed by those of its tenant.
type BothRows = (Option<String>, Option<String>, Option<String>, Option<String>);

/// The row of a place, read within a transaction or outside of one.
macro_rules! said_at {
    ($place:ident, $connection:ident) => {{
        let query = match &$place.site {
            Some(site) => {
                sqlx::query_as("SELECT contact, product_link FROM site WHERE tenant = $1 AND id = $2")
                    .bind($place.tenant.as_str())
                    .bind(site.as_str())
            }
            None => sqlx::query_as("SELECT contact, product_link FROM tenant WHERE id = $1")
                .bind($place.tenant.as_str()),
        };
        query.fetch_optional($connection).await?
    }};
}

impl ScopedLedger {
    /// The guidance for the staff of a site: its own, or else its tenant's.
    pub async fn guidance_of(&self, site: &SiteId) -> Result<Guidance> {
        let row: Option<BothRows> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT s.contact, s.product_link, t.contact, t.product_link \
                 FROM site s JOIN tenant t ON t.id = s.tenant \
                 WHERE s.id = $1 AND ($2 IS NULL OR s.tenant = $2)",
            )
            .bind(site.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let Some((contact, product, wider_contact, wider_product)) = row else {
            return Ok(Guidance::default());
        };
        Ok(read((contact, product))?.or(read((wider_contact, wider_product))?))
    }

    /// The guidance of exactly this place.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such place.
    pub async fn guidance_at(&self, place: &PolicyPlace) -> Result<Guidance> {
        if !self.scope.holds(&place.tenant) {
            return Err(NO_PLACE);
        }
        let row: Option<GuidanceRow> = on_scoped_read!(self, connection => said_at!(place, connection));
        read(row.ok_or(NO_PLACE)?)
    }
}

impl Transaction {
    /// What the staff of a place are told from now on; where nothing is said, what is said further up holds. Gives whether
    /// anything changed.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such place.
    pub async fn set_guidance(
        &mut self,
        place: &PolicyPlace,
        wanted: &Guidance,
        actor: &Actor,
    ) -> Result<bool> {
        let known = self.guidance(place).await?;
        if known == *wanted {
            return Ok(false);
        }
        let (contact, product) = (wanted.contact.as_ref().map(written), wanted.product.as_ref().map(written));
        let (contact, product) = (contact.transpose()?, product.transpose()?);
        on_transaction!(self.engine, connection => {
            let query = match &place.site {
                Some(site) => sqlx::query("UPDATE site SET contact = $1, product_link = $2 WHERE tenant = $3 AND id = $4")
                    .bind(contact)
                    .bind(product)
                    .bind(place.tenant.as_str())
                    .bind(site.as_str()),
                None => sqlx::query("UPDATE tenant SET contact = $1, product_link = $2 WHERE id = $3")
                    .bind(contact)
                    .bind(product)
                    .bind(place.tenant.as_str()),
            };
            query.execute(connection).await?;
        });
        let detail = json!({
            "tenant": place.tenant, "site": place.site, "contact": wanted.contact, "product": wanted.product,
        });
        self.audit(actor, "guidance.set", None, detail).await?;
        Ok(true)
    }

    /// The transaction holds the right to write: what it reads stays so.
    async fn guidance(&mut self, place: &PolicyPlace) -> Result<Guidance> {
        if !self.scope.holds(&place.tenant) {
            return Err(NO_PLACE);
        }
        let row: Option<GuidanceRow> =
            on_transaction!(self.engine, connection => said_at!(place, connection));
        read(row.ok_or(NO_PLACE)?)
    }
}

fn written<T: Serialize>(said: &T) -> Result<String> {
    serde_json::to_string(said).map_err(|_| LedgerError::Unreadable("guidance"))
}

fn read((contact, product): GuidanceRow) -> Result<Guidance> {
    Ok(Guidance { contact: read_one(contact)?, product: read_one(product)? })
}

fn read_one<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>> {
    let read = text.map(|text| serde_json::from_str(&text)).transpose();
    read.map_err(|_| LedgerError::Unreadable("guidance"))
}
