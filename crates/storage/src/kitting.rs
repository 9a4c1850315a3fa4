//! Kitting: one code that admits many devices of one site. Each takes a *place*, which is an invitation for its key alone,
//! and then goes the way of every invitation.

mod places;
mod reading;

pub use places::{KittingPlace, TakePlace};

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::id::InvitationCode;
use tegata_core::{KittingId, Name, Network, Refusal, SiteId, TenantId, TenantState, Timestamp};

/// What stands for the number of a device.
const NUMBER: &str = "{n}";

/// A kitting code to write.
pub struct NewKitting<'a> {
    /// The identifier that the operator sees.
    pub id: KittingId,
    /// Its secret; only the hash is stored.
    pub code: &'a InvitationCode,
    /// The tenant that the devices will belong to.
    pub tenant: TenantId,
    /// Where they will stand.
    pub site: SiteId,
    /// What they are called; `{n}` stands for the number.
    pub label: String,
    /// How many devices may enroll with it.
    pub places: u32,
    /// How many in any minute.
    pub per_minute: u32,
    /// From where; from everywhere if it is empty.
    pub networks: Vec<Network>,
    /// When it ceases to work.
    pub expires_at: Timestamp,
}

/// A kitting code as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Kitting {
    pub id: KittingId,
    pub tenant: TenantId,
    pub tenant_name: String,
    pub tenant_state: TenantState,
    pub site: SiteId,
    pub site_name: String,
    /// The label of devices that get no label of their own.
    pub label: String,
    pub places: u32,
    /// How many are taken now.
    pub taken: u32,
    pub per_minute: u32,
    pub networks: Vec<Network>,
    /// Whether the operator ended it.
    pub ended: bool,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Kitting {
    /// Whether it admits anybody, or why not.
    pub fn admits(&self, now: Timestamp) -> std::result::Result<(), Refusal> {
        if self.ended {
            Err(Refusal::InvitationWithdrawn)
        } else if now > self.expires_at {
            Err(Refusal::InvitationExpired)
        } else if self.tenant_state != TenantState::Active {
            Err(Refusal::TenantSuspended)
        } else {
            Ok(())
        }
    }

    /// The most devices that one code admits.
    pub const MOST_PLACES: u32 = 500;

    /// What devices are called by a code: with `{n}` once, where the number goes, so that two of them can be told apart.
    pub fn label_template(text: &str) -> Option<Name> {
        let longest = text.replace(NUMBER, &Self::MOST_PLACES.to_string());
        let has_number = text.matches(NUMBER).count() == 1;
        if has_number && Name::label(&longest).is_ok() { Name::label(text).ok() } else { None }
    }

    /// What the device of this number is called. Numbers are as long as the highest, so that names sort.
    pub fn label_of(&self, number: u32) -> String {
        let width = self.places.to_string().len();
        self.label.replace(NUMBER, &format!("{number:0width$}"))
    }
}

impl Transaction {
    /// Writes a kitting code.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the site is not one of the tenant's.
    pub async fn add_kitting(&mut self, new: &NewKitting<'_>, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let networks = written(&new.networks);
        let inserted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO kitting (id, code_hash, tenant, site, label, places, per_minute, networks, state, \
                 created_at, expires_at) SELECT $1, $2, s.tenant, s.id, $5, $6, $7, $8, 'open', $9, $10 \
                 FROM site s WHERE s.tenant = $3 AND s.id = $4 AND s.closed_at IS NULL AND ($11 IS NULL OR s.tenant = $11)",
            )
            .bind(new.id.as_str())
            .bind(new.code.hash())
            .bind(new.tenant.as_str())
            .bind(new.site.as_str())
            .bind(new.label.as_str())
            .bind(i64::from(new.places))
            .bind(i64::from(new.per_minute))
            .bind(networks.as_str())
            .bind(now)
            .bind(new.expires_at.millis())
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(inserted, "the site does not belong to the tenant, or was handed over")?;
        let detail = json!({
            "kitting": new.id, "tenant": new.tenant, "site": new.site, "label": new.label, "places": new.places,
            "per_minute": new.per_minute, "networks": networks, "expires_at": new.expires_at,
        });
        self.audit(actor, "kitting.added", None, detail).await
    }

    /// Ends a kitting code at once: nobody takes a place any more, and whoever has just taken one gets nothing.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is none, or it was ended.
    pub async fn end_kitting(&mut self, id: &KittingId, actor: &Actor) -> Result<()> {
        let ended = on_transaction!(self.engine, connection => {
            let ended: Option<(String, String)> = sqlx::query_as(
                "UPDATE kitting SET state = 'ended' WHERE id = $1 AND state = 'open' AND ($2 IS NULL OR tenant = $2) \
                 RETURNING tenant, label",
            )
                .bind(id.as_str())
                .bind(self.scope.bound())
                .fetch_optional(&mut *connection)
                .await?;
            sqlx::query("UPDATE invitation SET state = 'withdrawn' WHERE kitting = $1 AND state = 'open' \
                 AND ($2 IS NULL OR tenant = $2)")
                .bind(id.as_str())
                .bind(self.scope.bound())
                .execute(connection)
                .await?;
            ended
        });
        let (tenant, label) = ended.ok_or(LedgerError::Guard("the kitting code is not open"))?;
        let detail = json!({"tenant": tenant, "kitting": id, "label": label});
        self.audit(actor, "kitting.ended", None, detail).await
    }
}

fn written(networks: &[Network]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
