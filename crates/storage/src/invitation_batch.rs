//! Invitations that were made together, and how far each of them is.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceId, InvitationBatchId, InvitationId, Name, Role, SiteId, TenantId, Timestamp};

/// Batches that are listed, the newest.
const MOST: i64 = 20;

/// A batch as its maker began it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvitationBatch {
    /// The identifier that its maker has chosen.
    pub id: InvitationBatchId,
    /// The tenant whose devices are invited.
    pub tenant: TenantId,
    /// What its maker called it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An invitation, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct SentInvitation {
    pub id: InvitationId,
    pub tenant: TenantId,
    pub site: SiteId,
    pub site_name: String,
    pub label: String,
    pub role: Role,
    pub expires_at: Timestamp,
    /// The device that it became.
    pub device: Option<DeviceId>,
    pub progress: InvitationProgress,
}

/// How far an invitation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvitationProgress {
    /// Nobody has used it yet.
    Waiting,
    /// A device waits for somebody's approval.
    AwaitsApproval,
    /// Its certificate was made and fetched, and not used yet.
    Fetched,
    /// Its certificate is in use.
    Enrolled,
    /// Its time is over, and nobody has used it.
    Expired,
    /// It was taken back.
    Withdrawn,
}

impl InvitationProgress {
    /// All of them, in the order in which an invitation goes through them.
    pub const ALL: &'static [Self] =
        &[Self::Waiting, Self::AwaitsApproval, Self::Fetched, Self::Enrolled, Self::Expired, Self::Withdrawn];

    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::AwaitsApproval => "awaits_approval",
            Self::Fetched => "fetched",
            Self::Enrolled => "enrolled",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether a new code can be made in place of the old one.
    pub const fn may_be_sent_again(self) -> bool {
        matches!(self, Self::Waiting | Self::Expired)
    }

    /// Whether it can be taken back.
    pub const fn may_be_withdrawn(self) -> bool {
        matches!(self, Self::Waiting | Self::AwaitsApproval | Self::Expired)
    }
}

/// What is read of an invitation: `$1` is the scope, `$2` the time.
macro_rules! sent {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.tenant, i.site, s.name AS site_name, i.label, i.role, i.state, i.expires_at, i.device, \
             (SELECT COUNT(*) FROM approval a WHERE a.invitation = i.id AND a.state = 'waiting' AND a.expires_at >= $2) AS waiting, \
             (SELECT COUNT(*) FROM certificate c WHERE c.device = i.device AND c.used_at IS NOT NULL) AS used \
             FROM invitation i JOIN site s ON s.id = i.site WHERE ($1 IS NULL OR i.tenant = $1) AND i.kitting IS NULL AND ",
            $rest
        )
    };
}

impl ScopedLedger {
    /// Batches of a tenant, the newest first.
    pub async fn invitation_batches(&self, tenant: &TenantId) -> Result<Vec<InvitationBatch>> {
        let rows: Vec<BatchRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, tenant, name, created_at FROM invitation_batch WHERE tenant = $1 \
                 AND ($2 IS NULL OR tenant = $2) ORDER BY created_at DESC, id LIMIT $3",
            )
            .bind(tenant.as_str())
            .bind(self.scope.bound())
            .bind(MOST)
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// A batch, if it is one of the scope.
    pub async fn invitation_batch(&self, id: &InvitationBatchId) -> Result<Option<InvitationBatch>> {
        let row: Option<BatchRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, tenant, name, created_at FROM invitation_batch WHERE id = $1 AND ($2 IS NULL OR tenant = $2)",
            )
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(Into::into))
    }

    /// The invitations of a batch, by site and label.
    pub async fn invitations_of_batch(
        &self,
        batch: &InvitationBatchId,
        now: Timestamp,
    ) -> Result<Vec<SentInvitation>> {
        let rows: Vec<SentRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(sent!("i.batch = $3 ORDER BY s.name, i.label, i.id"))
                .bind(self.scope.bound())
                .bind(now.millis())
                .bind(batch.as_str())
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(|row| row.read(now)).collect()
    }

    /// Invitations that were made one by one and that nobody has used: those that wait, and those that ended since a moment.
    pub async fn unused_invitations(&self, since: Timestamp, now: Timestamp) -> Result<Vec<SentInvitation>> {
        let rows: Vec<SentRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(sent!(
                "i.batch IS NULL AND i.state = 'open' AND i.expires_at >= $3 ORDER BY i.expires_at, i.id"
            ))
            .bind(self.scope.bound())
            .bind(now.millis())
            .bind(since.millis())
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(|row| row.read(now)).collect()
    }

    /// One invitation and how far it is.
    pub async fn sent_invitation(&self, id: &InvitationId, now: Timestamp) -> Result<Option<SentInvitation>> {
        let row: Option<SentRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(sent!("i.id = $3"))
                .bind(self.scope.bound())
                .bind(now.millis())
                .bind(id.as_str())
                .fetch_optional(connection)
                .await?
        });
        row.map(|row| row.read(now)).transpose()
    }
}

impl Transaction {
    /// Begins a batch. The same identifier begins none twice.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is one of this identifier, or no such tenant.
    pub async fn add_invitation_batch(
        &mut self,
        id: &InvitationBatchId,
        tenant: &TenantId,
        name: &Name,
        actor: &Actor,
    ) -> Result<()> {
        let now = self.now.millis();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO invitation_batch (id, tenant, name, created_at) SELECT $1, t.id, $3, $4 FROM tenant t \
                 WHERE t.id = $2 AND ($5 IS NULL OR t.id = $5) ON CONFLICT (id) DO NOTHING",
            )
            .bind(id.as_str())
            .bind(tenant.as_str())
            .bind(name.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "there is a batch of this identifier, or no such tenant")?;
        let detail = json!({"tenant": tenant, "batch": id, "label": name.as_str()});
        self.audit(actor, "invitations.added", None, detail).await
    }

    /// Counts an invitation to a batch of its tenant.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such invitation or batch.
    pub async fn put_into_batch(
        &mut self,
        invitation: &InvitationId,
        batch: &InvitationBatchId,
    ) -> Result<()> {
        let put = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE invitation SET batch = $2 WHERE id = $1 AND ($3 IS NULL OR tenant = $3) AND EXISTS \
                 (SELECT 1 FROM invitation_batch b WHERE b.id = $2 AND b.tenant = invitation.tenant)",
            )
            .bind(invitation.as_str())
            .bind(batch.as_str())
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(put, "there is no such invitation or batch")
    }

    /// Lets a new invitation stand in the batch where another one stood, if it stood in one.
    pub async fn take_place_in_batch(&mut self, new: &InvitationId, former: &InvitationId) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            let taken = sqlx::query(
                "UPDATE invitation SET batch = (SELECT o.batch FROM invitation o WHERE o.id = $2) WHERE id = $1 \
                 AND ($3 IS NULL OR tenant = $3) AND tenant = (SELECT o.tenant FROM invitation o WHERE o.id = $2)",
            )
            .bind(new.as_str())
            .bind(former.as_str())
            .bind(self.scope.bound())
            .execute(&mut *connection)
            .await?
            .rows_affected();
            sqlx::query("UPDATE invitation SET batch = NULL WHERE id = $1 AND ($2 IS NULL OR tenant = $2)")
                .bind(former.as_str())
                .bind(self.scope.bound())
                .execute(connection)
                .await?;
            taken
        }))
    }
}

#[derive(sqlx::FromRow)]
struct BatchRow {
    #[sqlx(try_from = "String")]
    id: InvitationBatchId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    name: String,
    created_at: i64,
}

impl From<BatchRow> for InvitationBatch {
    fn from(row: BatchRow) -> Self {
        let BatchRow { id, tenant, name, created_at } = row;
        Self { id, tenant, name, created_at: created_at.into() }
    }
}

#[derive(sqlx::FromRow)]
struct SentRow {
    #[sqlx(try_from = "String")]
    id: InvitationId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    #[sqlx(try_from = "String")]
    site: SiteId,
    site_name: String,
    label: String,
    #[sqlx(try_from = "String")]
    role: Role,
    state: String,
    expires_at: i64,
    device: Option<String>,
    waiting: i64,
    used: i64,
}

impl SentRow {
    fn read(self, now: Timestamp) -> Result<SentInvitation> {
        let progress = match self.state.as_str() {
            "withdrawn" => InvitationProgress::Withdrawn,
            "claimed" if self.used > 0 => InvitationProgress::Enrolled,
            "claimed" => InvitationProgress::Fetched,
            "open" if self.expires_at < now.millis() => InvitationProgress::Expired,
            "open" if self.waiting > 0 => InvitationProgress::AwaitsApproval,
            "open" => InvitationProgress::Waiting,
            _ => return Err(LedgerError::Unreadable("invitation.state")),
        };
        Ok(SentInvitation {
            id: self.id,
            tenant: self.tenant,
            site: self.site,
            site_name: self.site_name,
            label: self.label,
            role: self.role,
            expires_at: self.expires_at.into(),
            device: self.device.as_deref().and_then(DeviceId::parse),
            progress,
        })
    }
}
