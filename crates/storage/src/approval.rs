//! Approvals: first certificates that wait until somebody has decided, each for one key.
//!
//! ```text
//! waiting ─→ granted      (that key may use the invitation, while it is open)
//!    ├─────→ declined
//!    └─ ─ ─→ over         (by the clock; the same key may ask again)
//! ```

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::scope::on_scoped_read;
use crate::{Ledger, LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use std::net::IpAddr;
use std::time::Duration;
use tegata_core::{ApprovalId, InvitationId, PersonId, Platform, Refusal, SiteId, TenantId, Timestamp};

/// Keys that may wait by one invitation. An honest person has one, and another one after closing the page.
const PER_INVITATION: i64 = 5;

/// Keys that may wait at one site.
const PER_SITE: i64 = 200;

/// How long somebody waits at most; never longer than the invitation lives.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Where an approval stands. That nobody has decided in time is the clock's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApprovalState {
    /// Nobody has decided yet.
    Waiting,
    /// The key may use the invitation.
    Granted,
    /// The key may not use the invitation.
    Declined,
}

/// Somebody who asks for a first certificate where that needs an approval.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// The identifier that the operator decides by.
    pub id: ApprovalId,
    /// The invitation that the request came with.
    pub invitation: InvitationId,
    /// SHA-256 of the public key.
    pub key_hash: [u8; 32],
    /// The request, PKCS#10 in DER.
    pub request: Vec<u8>,
    /// What the device calls itself.
    pub platform: Platform,
    /// From where it came, if that is known.
    pub address: Option<IpAddr>,
}

/// An approval as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Approval {
    pub id: ApprovalId,
    pub invitation: InvitationId,
    pub tenant: TenantId,
    pub tenant_name: String,
    pub site: SiteId,
    pub site_name: String,
    /// What the device is to be called.
    pub label: String,
    /// SHA-256 of the public key.
    pub key_hash: Vec<u8>,
    /// The request, PKCS#10 in DER.
    pub request: Vec<u8>,
    pub platform: Platform,
    pub address: Option<String>,
    pub state: ApprovalState,
    /// The reason that the operator gave for declining it.
    pub reason: String,
    pub asked_at: Timestamp,
    /// Until when it waits.
    pub expires_at: Timestamp,
    /// Who made the invitation, where a person did.
    pub invited_by: Option<PersonId>,
}

impl ApprovalState {
    /// Its name in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Declined => "declined",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Granted, Self::Declined].into_iter().find(|state| state.as_str() == word)
    }
}

impl Approval {
    /// Whether nobody has decided in time.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.state == ApprovalState::Waiting && self.expires_at < now
    }
}

/// What is read of each.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.invitation, i.tenant, t.name AS tenant_name, i.site, s.name AS site_name, i.label, a.key_hash, \
             a.request, a.platform, a.address, a.state, a.reason, a.asked_at, a.expires_at, i.invited_by FROM approval a \
             JOIN invitation i ON i.id = a.invitation JOIN tenant t ON t.id = i.tenant JOIN site s ON s.id = i.site ",
            $rest
        )
    };
}

impl Ledger {
    /// What was decided about this key and this invitation, or is still to be.
    pub async fn approval_for(&self, invitation: &InvitationId, key_hash: &[u8]) -> Result<Option<Approval>> {
        let row: Option<ApprovalRow> = on_read!(self, connection => {
            sqlx::query_as(select!("WHERE a.invitation = $1 AND a.key_hash = $2"))
                .bind(invitation.as_str())
                .bind(key_hash.to_vec())
                .fetch_optional(connection)
                .await?
        });
        row.map(Approval::try_from).transpose()
    }
}

impl ScopedLedger {
    /// The approval with this identifier.
    pub async fn approval(&self, id: &ApprovalId) -> Result<Option<Approval>> {
        let row: Option<ApprovalRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!("WHERE a.id = $1 AND ($2 IS NULL OR i.tenant = $2)"))
                .bind(id.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        row.map(Approval::try_from).transpose()
    }

    /// Who waits now, the longest first.
    pub async fn waiting(&self, now: Timestamp) -> Result<Vec<Approval>> {
        let rows: Vec<ApprovalRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(select!(
                "WHERE a.state = 'waiting' AND a.expires_at >= $1 AND ($2 IS NULL OR i.tenant = $2) \
                 ORDER BY a.asked_at, a.id"
            ))
                .bind(now.millis())
                .bind(self.scope.bound())
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(Approval::try_from).collect()
    }
}

impl Transaction {
    /// An approval as it stands while the transaction holds the right to write.
    pub async fn approval_in_hand(&mut self, id: &ApprovalId) -> Result<Option<Approval>> {
        let row: Option<ApprovalRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(select!("WHERE a.id = $1 AND ($2 IS NULL OR i.tenant = $2)"))
                .bind(id.as_str())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        row.map(Approval::try_from).transpose()
    }

    /// Writes down that a key waits, unless it is known already; gives where it stands.
    ///
    /// # Errors
    /// [`Refusal::TooManyWaiting`]; and what the invitation says when it is no longer open.
    pub async fn ask_approval(&mut self, new: &NewApproval, actor: &Actor) -> Result<ApprovalState> {
        if let Some(known) = self.known_approval(new).await? {
            return Ok(known);
        }
        let until = self.refuse_waiting(&new.invitation, &new.key_hash).await?;
        let now = self.now.millis();
        let until = until.min(self.now.plus(LONGEST).millis());
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO approval (id, invitation, key_hash, request, platform, address, state, reason, asked_at, \
                 expires_at) VALUES ($1, $2, $3, $4, $5, $6, 'waiting', '', $7, $8)",
            )
            .bind(new.id.as_str())
            .bind(new.invitation.as_str())
            .bind(new.key_hash.to_vec())
            .bind(new.request.clone())
            .bind(new.platform.as_str())
            .bind(new.address.map(|address| address.to_canonical().to_string()))
            .bind(now)
            .bind(until)
            .execute(connection)
            .await?;
        });
        let (tenant, label) = self.asked_for(&new.id).await?;
        let detail = json!({
            "tenant": tenant, "approval": new.id, "invitation": new.invitation, "platform": new.platform, "label": label,
        });
        self.audit(actor, "approval.asked", None, detail).await?;
        Ok(ApprovalState::Waiting)
    }

    /// Lets this key use its invitation.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when it does not wait, the invitation is not open, or another key was approved for it.
    pub async fn approve(&mut self, id: &ApprovalId, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let granted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE approval SET state = 'granted', decided_at = $2 \
                 WHERE id = $1 AND state = 'waiting' AND expires_at >= $2 \
                 AND EXISTS (SELECT 1 FROM invitation i WHERE i.id = approval.invitation AND i.state = 'open' \
                 AND ($3 IS NULL OR i.tenant = $3)) \
                 AND NOT EXISTS (SELECT 1 FROM approval o WHERE o.invitation = approval.invitation AND o.state = 'granted')",
            )
            .bind(id.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(
            granted,
            "it does not wait any more, its invitation is not open, or another key was approved for it",
        )?;
        let (tenant, label) = self.asked_for(id).await?;
        let detail = json!({"tenant": tenant, "approval": id, "label": label});
        self.audit(actor, "approval.granted", None, detail).await
    }

    /// Whose an approval is, and for what it was asked.
    async fn asked_for(&mut self, id: &ApprovalId) -> Result<(String, String)> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT i.tenant, i.label FROM approval a JOIN invitation i ON i.id = a.invitation \
                 WHERE a.id = $1 AND ($2 IS NULL OR i.tenant = $2)",
            )
            .bind(id.as_str())
            .bind(self.scope.bound())
            .fetch_one(connection)
            .await?
        }))
    }

    /// What was granted before there was a key is for this one, as long as its invitation is open: whoever asked made it
    /// since, or makes another because the last came to nothing.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when it was not granted, its invitation is not open, or somebody decides about this very key.
    pub async fn pass_approval_on(
        &mut self,
        id: &ApprovalId,
        key_hash: &[u8; 32],
        request: &[u8],
        actor: &Actor,
    ) -> Result<()> {
        let passed: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE approval SET key_hash = $2, request = $3 WHERE id = $1 AND state = 'granted' \
                 AND EXISTS (SELECT 1 FROM invitation i WHERE i.id = approval.invitation AND i.state = 'open') \
                 AND NOT EXISTS (SELECT 1 FROM approval o WHERE o.invitation = approval.invitation AND o.key_hash = $2) \
                 RETURNING (SELECT i.tenant FROM invitation i WHERE i.id = approval.invitation)",
            )
            .bind(id.as_str())
            .bind(key_hash.to_vec())
            .bind(request.to_vec())
            .fetch_optional(connection)
            .await?
        });
        let (tenant,) = passed.ok_or(LedgerError::Guard(
            "it was not granted, its invitation is not open, or this key has an approval of its own",
        ))?;
        self.audit(actor, "approval.passed_on", None, json!({"tenant": tenant, "approval": id})).await
    }

    /// Decides against a key that waits.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when it does not wait.
    pub async fn decline(&mut self, id: &ApprovalId, reason: &str, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let declined = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE approval SET state = 'declined', reason = $2, decided_at = $3 WHERE id = $1 AND state = 'waiting' \
                 AND EXISTS (SELECT 1 FROM invitation i WHERE i.id = approval.invitation AND ($4 IS NULL OR i.tenant = $4))",
            )
            .bind(id.as_str())
            .bind(reason)
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(declined, "it does not wait any more")?;
        let (tenant, label) = self.asked_for(id).await?;
        let detail = json!({"tenant": tenant, "approval": id, "label": label, "reason": reason});
        self.audit(actor, "approval.declined", None, detail).await
    }

    /// Forgets whatever was asked and over before: requests and addresses are not kept for longer than they are needed.
    /// Gives how many.
    pub async fn forget_approvals(&mut self, before: Timestamp) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM approval WHERE expires_at < $1")
                .bind(before.millis())
                .execute(connection)
                .await?
                .rows_affected()
        }))
    }

    /// One whose time is over makes room for itself.
    async fn known_approval(&mut self, new: &NewApproval) -> Result<Option<ApprovalState>> {
        let now = self.now.millis();
        let known: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM approval WHERE invitation = $1 AND key_hash = $2 AND state = 'waiting' AND expires_at < $3",
            )
            .bind(new.invitation.as_str())
            .bind(new.key_hash.to_vec())
            .bind(now)
            .execute(&mut *connection)
            .await?;
            sqlx::query_as("SELECT state FROM approval WHERE invitation = $1 AND key_hash = $2")
                .bind(new.invitation.as_str())
                .bind(new.key_hash.to_vec())
                .fetch_optional(connection)
                .await?
        });
        let parse =
            |(word,): (String,)| ApprovalState::parse(&word).ok_or(LedgerError::Unreadable("approval.state"));
        known.map(parse).transpose()
    }

    /// Gives until when the invitation is open.
    async fn refuse_waiting(&mut self, invitation: &InvitationId, key_hash: &[u8]) -> Result<i64> {
        let now = self.now.millis();
        let row: Option<(i64, i64, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT i.expires_at, \
                 (SELECT COUNT(*) FROM approval a WHERE a.invitation = i.id AND a.state = 'waiting' AND a.expires_at >= $2), \
                 (SELECT COUNT(*) FROM approval a JOIN invitation o ON o.id = a.invitation \
                 WHERE o.site = i.site AND a.state = 'waiting' AND a.expires_at >= $2) \
                 FROM invitation i WHERE i.id = $1 AND i.state = 'open' AND i.expires_at >= $2",
            )
            .bind(invitation.as_str())
            .bind(now)
            .fetch_optional(connection)
            .await?
        });
        match row {
            Some((_, PER_INVITATION.., _) | (_, _, PER_SITE..)) => {
                Err(LedgerError::Refused(Refusal::TooManyWaiting))
            }
            Some((until, ..)) => Ok(until),
            None => Err(self.why_not_claimed(invitation, key_hash).await?),
        }
    }
}

#[derive(sqlx::FromRow)]
struct ApprovalRow {
    #[sqlx(try_from = "String")]
    id: ApprovalId,
    #[sqlx(try_from = "String")]
    invitation: InvitationId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    tenant_name: String,
    #[sqlx(try_from = "String")]
    site: SiteId,
    site_name: String,
    label: String,
    key_hash: Vec<u8>,
    request: Vec<u8>,
    #[sqlx(try_from = "String")]
    platform: Platform,
    address: Option<String>,
    state: String,
    reason: String,
    asked_at: i64,
    expires_at: i64,
    invited_by: Option<String>,
}

impl TryFrom<ApprovalRow> for Approval {
    type Error = LedgerError;

    fn try_from(row: ApprovalRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            invitation: row.invitation,
            tenant: row.tenant,
            tenant_name: row.tenant_name,
            site: row.site,
            site_name: row.site_name,
            label: row.label,
            key_hash: row.key_hash,
            request: row.request,
            platform: row.platform,
            address: row.address,
            state: ApprovalState::parse(&row.state).ok_or(LedgerError::Unreadable("approval.state"))?,
            reason: row.reason,
            asked_at: row.asked_at.into(),
            expires_at: row.expires_at.into(),
            // Somebody who cannot be read is nobody whom anything is compared with, so the row is not read either.
            invited_by: row
                .invited_by
                .map(PersonId::try_from)
                .transpose()
                .map_err(|_| LedgerError::Unreadable("invitation.invited_by"))?,
        })
    }
}
