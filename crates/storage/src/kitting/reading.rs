//! Reads kitting codes.

use super::Kitting;
use crate::engine::on_read;
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger};
use tegata_core::id::InvitationCode;
use tegata_core::{KittingId, SiteId, TenantId, TenantState};

/// What is read of each.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.tenant, t.name AS tenant_name, t.state AS tenant_state, k.site, s.name AS site_name, k.label, k.places, \
             k.per_minute, k.networks, k.state, k.created_at, k.expires_at, \
             (SELECT COUNT(*) FROM invitation i WHERE i.kitting = k.id AND i.state <> 'withdrawn') AS taken \
             FROM kitting k JOIN tenant t ON t.id = k.tenant JOIN site s ON s.id = k.site ",
            $rest
        )
    };
}

pub(super) use select;

impl Ledger {
    /// The kitting code with this secret.
    pub async fn find_kitting(&self, code: &InvitationCode) -> Result<Option<Kitting>> {
        let row: Option<KittingRow> = on_read!(self, connection => {
            sqlx::query_as(select!("WHERE k.code_hash = $1")).bind(code.hash()).fetch_optional(connection).await?
        });
        row.map(TryInto::try_into).transpose()
    }
}

impl ScopedLedger {
    /// The kitting code with this identifier.
    pub async fn kitting(&self, id: &KittingId) -> Result<Option<Kitting>> {
        let row: Option<KittingRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!("WHERE k.id = $1 AND ($2 IS NULL OR k.tenant = $2)"))
                .bind(id.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// All of them, the newest first.
    pub async fn kittings(&self) -> Result<Vec<Kitting>> {
        let rows: Vec<KittingRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!("WHERE $1 IS NULL OR k.tenant = $1 ORDER BY k.created_at DESC, k.id"))
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct KittingRow {
    #[sqlx(try_from = "String")]
    id: KittingId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    tenant_name: String,
    #[sqlx(try_from = "String")]
    tenant_state: TenantState,
    #[sqlx(try_from = "String")]
    site: SiteId,
    site_name: String,
    label: String,
    places: i64,
    per_minute: i64,
    networks: String,
    state: String,
    created_at: i64,
    expires_at: i64,
    taken: i64,
}

impl TryFrom<KittingRow> for Kitting {
    type Error = LedgerError;

    fn try_from(row: KittingRow) -> Result<Self> {
        let networks = row.networks.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>();
        Ok(Self {
            id: row.id,
            tenant: row.tenant,
            tenant_name: row.tenant_name,
            tenant_state: row.tenant_state,
            site: row.site,
            site_name: row.site_name,
            label: row.label,
            places: count(row.places)?,
            taken: count(row.taken)?,
            per_minute: count(row.per_minute)?,
            // A restriction that cannot be read is not one that is not there.
            networks: networks.map_err(|_| LedgerError::Unreadable("kitting.networks"))?,
            ended: row.state != "open",
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
        })
    }
}

pub(super) fn count(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| LedgerError::Unreadable("a number of kitting"))
}
