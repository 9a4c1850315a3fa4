//! Invitations: a one-time right to enroll one device, kept as the hash of its code.

mod row;

pub use row::{Invitation, InvitationState};

use crate::actor::Actor;
use crate::certificate::may_claim;
use crate::engine::{on_read, on_transaction};
use crate::lookup::FoundByHash;
use crate::rows::BatchStatement;
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction, changed_one};
use row::{InvitationRow, select};
use serde_json::json;
use tegata_core::id::InvitationCode;
use tegata_core::{DeviceId, InvitationId, Refusal, Role, SiteId, TenantId, Timestamp};

/// An invitation to write.
pub struct NewInvitation<'a> {
    /// The identifier that the operator sees.
    pub id: InvitationId,
    /// Its secret; only the hash is stored.
    pub code: &'a InvitationCode,
    /// The tenant that the device will belong to.
    pub tenant: TenantId,
    /// The site where the device will stand.
    pub site: SiteId,
    /// For a device or a gate.
    pub role: Role,
    /// What the device will be called.
    pub label: String,
    /// When it ceases to work.
    pub expires_at: Timestamp,
}

/// Whether an invitation was claimed and its device has never presented a certificate; nor has anybody stopped the device, or
/// revoked one of its certificates for another reason than that a next one took its place.
macro_rules! never_used {
    ($invitation:literal) => {
        concat!(
            $invitation,
            ".state = 'claimed' AND EXISTS (SELECT 1 FROM device d WHERE d.id = ",
            $invitation,
            ".device AND d.state = 'active') AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.device = ",
            $invitation,
            ".device AND (c.used_at IS NOT NULL OR c.state IN ('in_use', 'retiring', 'retired') \
             OR (c.state = 'revoked' AND c.reason <> 'superseded')))"
        )
    };
}

static BY_CODES: BatchStatement = BatchStatement::new(
    "WITH asked (hash) AS (VALUES ",
    1,
    concat!(") ", select!("JOIN asked a ON a.hash = i.code_hash")),
);

impl FoundByHash for Invitation {
    type Row = InvitationRow;

    fn statement() -> &'static BatchStatement {
        &BY_CODES
    }

    fn take_hash(row: &mut InvitationRow) -> Vec<u8> {
        std::mem::take(&mut row.code_hash)
    }
}

impl Ledger {
    /// The invitation with this code.
    pub async fn find_invitation(&self, code: &InvitationCode) -> Result<Option<Invitation>> {
        self.invitations.find(code.hash()).await
    }

    /// The invitation with this hash of a short code, while the code lives.
    pub async fn find_invitation_by_short_code(
        &self,
        hash: &[u8],
        now: Timestamp,
    ) -> Result<Option<Invitation>> {
        let row: Option<InvitationRow> = on_read!(self, connection => {
            sqlx::query_as(select!("WHERE i.short_hash = $1 AND i.short_until >= $2"))
            .bind(hash.to_vec())
            .bind(now.millis())
            .fetch_optional(connection)
            .await?
        });
        row.map(TryInto::try_into).transpose()
    }
}

impl ScopedLedger {
    /// Invitations that can be used still, by the time they end. Places of kitting codes are not among them.
    pub async fn open_invitations(&self, now: Timestamp) -> Result<Vec<Invitation>> {
        let rows: Vec<InvitationRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!(
                "WHERE i.state = 'open' AND i.kitting IS NULL AND i.expires_at >= $1 \
                 AND ($2 IS NULL OR i.tenant = $2) ORDER BY i.expires_at, i.id"
            ))
            .bind(now.millis())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// The invitation that became this device, if it came by one.
    pub async fn invitation_of(&self, device: &DeviceId) -> Result<Option<InvitationId>> {
        let row: Option<(String,)> = on_scoped_read!(self, connection => {
            sqlx::query_as("SELECT id FROM invitation WHERE device = $1 AND ($2 IS NULL OR tenant = $2)")
                .bind(device.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        row.map(|(id,)| InvitationId::parse(&id).ok_or(LedgerError::Unreadable("invitation.id"))).transpose()
    }

    /// The invitation with this identifier.
    pub async fn invitation(&self, id: &InvitationId) -> Result<Option<Invitation>> {
        let row: Option<InvitationRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!("WHERE i.id = $1 AND ($2 IS NULL OR i.tenant = $2)"))
                .bind(id.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        row.map(TryInto::try_into).transpose()
    }

    /// Whether another key may still take the place of the one that claimed this invitation.
    pub async fn is_replaceable(&self, id: &InvitationId) -> Result<bool> {
        let row: Option<(String,)> = on_scoped_read!(self, connection => {
            sqlx::query_as(concat!(
                "SELECT i.id FROM invitation i WHERE i.id = $1 AND i.kitting IS NULL AND ($2 IS NULL OR i.tenant = $2) AND ",
                never_used!("i")
            ))
                .bind(id.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        Ok(row.is_some())
    }
}

impl Transaction {
    /// Inserts an invitation and an audit entry about it.
    pub async fn invite(&mut self, new: &NewInvitation<'_>, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let inserted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO invitation (id, code_hash, tenant, site, role, label, state, created_at, expires_at, invited_by) \
                 SELECT $1, $2, s.tenant, s.id, $5, $6, 'open', $7, $8, $10 FROM site s \
                 WHERE s.tenant = $3 AND s.id = $4 AND s.closed_at IS NULL AND ($9 IS NULL OR s.tenant = $9)",
            )
            .bind(new.id.as_str())
            .bind(new.code.hash())
            .bind(new.tenant.as_str())
            .bind(new.site.as_str())
            .bind(new.role.as_str())
            .bind(new.label.as_str())
            .bind(now)
            .bind(new.expires_at.millis())
            .bind(self.scope.bound())
            .bind(actor.person().map(|person| person.as_str().to_owned()))
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(inserted, "the site does not belong to the tenant, or was handed over")?;
        let detail = json!({
            "invitation": new.id, "tenant": new.tenant, "site": new.site, "role": new.role, "label": new.label,
            "expires_at": new.expires_at,
        });
        self.audit(actor, "invitation.added", None, detail).await
    }

    /// Gives an open invitation a short code until `until`, in place of an earlier one.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the invitation is not open, or another living one has this code.
    pub async fn set_short_code(
        &mut self,
        id: &InvitationId,
        hash: &[u8],
        until: Timestamp,
        actor: &Actor,
    ) -> Result<()> {
        let now = self.now.millis();
        let set: Option<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE invitation SET short_hash = NULL WHERE short_hash = $1 AND short_until < $2")
                .bind(hash.to_vec())
                .bind(now)
                .execute(&mut *connection)
                .await?;
            let set = sqlx::query_as(
                "UPDATE invitation SET short_hash = $2, short_until = $3 WHERE id = $1 AND state = 'open' \
                 AND ($4 IS NULL OR tenant = $4) AND NOT EXISTS (SELECT 1 FROM invitation o WHERE o.short_hash = $2 AND o.id <> $1) \
                 RETURNING tenant, label",
            )
            .bind(id.as_str())
            .bind(hash.to_vec())
            .bind(until.millis())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await;
            match set {
                Ok(set) => set,
                // The row of another tenant that has it is not seen from within a scope.
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => None,
                Err(error) => return Err(error.into()),
            }
        });
        let (tenant, label) =
            set.ok_or(LedgerError::Guard("the invitation is not open, or the code is taken"))?;
        let detail = json!({"tenant": tenant, "invitation": id, "label": label, "until": until});
        self.audit(actor, "invitation.short_code", None, detail).await
    }

    /// Takes an unused invitation back.
    pub async fn withdraw_invitation(&mut self, id: &InvitationId, actor: &Actor) -> Result<()> {
        let withdrawn: Option<(String, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE invitation SET state = 'withdrawn' WHERE id = $1 AND state = 'open' \
                 AND ($2 IS NULL OR tenant = $2) RETURNING tenant, label",
            )
                .bind(id.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        let (tenant, label) = withdrawn.ok_or(LedgerError::Guard("the invitation is not open"))?;
        let detail = json!({"tenant": tenant, "invitation": id, "label": label});
        self.audit(actor, "invitation.withdrawn", None, detail).await
    }

    /// Claims an open invitation for a key and a device as it names it; one of any number of claimants wins.
    pub(crate) async fn claim(
        &mut self,
        id: &InvitationId,
        key_hash: &[u8],
        device: &DeviceId,
    ) -> Result<()> {
        const CLAIM: &str = concat!(
            "UPDATE invitation SET state = 'claimed', key_hash = $2, device = $3 \
             WHERE id = $1 AND EXISTS (SELECT 1 FROM device d WHERE d.id = $3 AND ",
            may_claim!(at "$4"),
            ")"
        );
        self.claim_by(CLAIM, id, key_hash, device).await
    }

    /// Gives a claimed invitation to another key, as long as its device has never presented a certificate: whoever made the first
    /// key lost it before it was of use. One of any number of keys wins, and what the device holds is taken back by the caller. An
    /// invitation whose device somebody stopped, or whose certificate somebody revoked, stays used. An ACME account that was opened
    /// with the first key knows the device by that key, and no longer.
    pub(crate) async fn claim_instead(
        &mut self,
        id: &InvitationId,
        key_hash: &[u8],
        device: &DeviceId,
    ) -> Result<()> {
        const CLAIM: &str = concat!(
            "UPDATE invitation SET key_hash = $2 WHERE id = $1 AND device = $3 AND expires_at >= $4 AND ",
            never_used!("invitation")
        );
        self.claim_by(CLAIM, id, key_hash, device).await
    }

    /// Lets the key that has claimed an invitation come again for the same device.
    pub(crate) async fn claim_again(
        &mut self,
        id: &InvitationId,
        key_hash: &[u8],
        device: &DeviceId,
    ) -> Result<()> {
        const CLAIM: &str = "UPDATE invitation SET state = 'claimed' \
             WHERE id = $1 AND state = 'claimed' AND key_hash = $2 AND device = $3 AND expires_at >= $4";
        self.claim_by(CLAIM, id, key_hash, device).await
    }

    /// A statement that changes the invitation `$1` where the key `$2` and the device `$3` may have it at `$4`.
    async fn claim_by(
        &mut self,
        statement: &'static str,
        id: &InvitationId,
        key_hash: &[u8],
        device: &DeviceId,
    ) -> Result<()> {
        let now = self.now.millis();
        let claimed = on_transaction!(self.engine, connection => {
            sqlx::query(statement)
                .bind(id.as_str())
                .bind(key_hash.to_vec())
                .bind(device.as_str())
                .bind(now)
                .execute(connection)
                .await?
                .rows_affected()
        });
        if claimed == 1 { Ok(()) } else { Err(self.why_not_claimed(id, key_hash).await?) }
    }

    /// The transaction holds the right to write, so what it reads now is what stopped the claim. The order is that of
    /// [`Invitation::admits`].
    pub(crate) async fn why_not_claimed(
        &mut self,
        id: &InvitationId,
        key_hash: &[u8],
    ) -> Result<LedgerError> {
        let row: Option<(String, Option<Vec<u8>>, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT state, key_hash, expires_at FROM invitation WHERE id = $1")
                .bind(id.as_str())
                .fetch_optional(connection)
                .await?
        });
        let Some((state, claimed_by, expires_at)) = row else {
            return Ok(LedgerError::Refused(Refusal::InvitationUnknown));
        };
        let refusal = match state.as_str() {
            "withdrawn" => Refusal::InvitationWithdrawn,
            "claimed" if claimed_by.as_deref() != Some(key_hash) => Refusal::InvitationUsed,
            _ if expires_at < self.now.millis() => Refusal::InvitationExpired,
            "claimed" => Refusal::InvitationUsed,
            _ => return Ok(LedgerError::Guard("the invitation does not name this device")),
        };
        Ok(LedgerError::Refused(refusal))
    }
}
