//! Accounts: a client's key, and the invitation it was bound to.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{AcmeAccountId, DeviceId, InvitationId, Refusal, Timestamp};

/// An account to write.
#[derive(Clone, Debug)]
pub struct NewAcmeAccount {
    /// The identifier that the account URL carries.
    pub id: AcmeAccountId,
    /// RFC 7638 thumbprint of its key, base64url.
    pub thumbprint: String,
    /// Its key in JSON (RFC 7517), the required members alone.
    pub jwk: String,
    /// What it is bound to.
    pub invitation: Option<InvitationId>,
    /// The binding as it was sent, in JSON.
    pub binding: Option<String>,
}

/// An account as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct AcmeAccount {
    pub id: AcmeAccountId,
    pub thumbprint: String,
    pub jwk: String,
    pub invitation: Option<InvitationId>,
    pub binding: Option<String>,
    pub is_valid: bool,
    pub created_at: Timestamp,
    /// Whether the ledger has it. An account without an invitation is not stored before its first order.
    pub is_stored: bool,
    /// The device that its invitation became through an order of its own.
    pub device: Option<DeviceId>,
}

impl AcmeAccount {
    /// Who acts when this account does.
    pub fn actor(&self) -> Actor {
        match (&self.device, &self.invitation) {
            (Some(device), _) => Actor::Device(device.clone()),
            (None, Some(invitation)) => Actor::Invitation(invitation.clone()),
            (None, None) => Actor::Anonymous,
        }
    }
}

impl Ledger {
    /// The account with this identifier.
    pub async fn acme_account(&self, id: &AcmeAccountId) -> Result<Option<AcmeAccount>> {
        self.acme_account_where(id.as_str(), "").await
    }

    /// The account of a key, by its thumbprint.
    pub async fn acme_account_of(&self, thumbprint: &str) -> Result<Option<AcmeAccount>> {
        self.acme_account_where("", thumbprint).await
    }

    async fn acme_account_where(&self, id: &str, thumbprint: &str) -> Result<Option<AcmeAccount>> {
        let row: Option<AcmeAccountRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT a.id, a.thumbprint, a.jwk, a.invitation, a.binding, a.state, a.created_at, (SELECT i.device FROM invitation i \
                 WHERE i.id = a.invitation AND EXISTS (SELECT 1 FROM acme_order o WHERE o.account = a.id \
                 AND o.key_hash = i.key_hash)) AS device \
                 FROM acme_account a WHERE a.id = $1 OR a.thumbprint = $2",
            )
            .bind(id)
            .bind(thumbprint)
            .fetch_optional(connection)
            .await?
        });
        row.map(AcmeAccount::try_from).transpose()
    }
}

impl Transaction {
    /// Inserts an account and binds it to its invitation, if it came with one.
    ///
    /// # Errors
    /// [`Refusal::InvitationUsed`] when another account is bound to the invitation, [`Refusal::AcmeKeyTaken`] when the key
    /// has an account.
    pub async fn add_acme_account(&mut self, new: &NewAcmeAccount) -> Result<()> {
        let now = self.now.millis();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO acme_account (id, thumbprint, jwk, invitation, state, created_at, binding) \
                 VALUES ($1, $2, $3, $4, 'valid', $5, $6) ON CONFLICT DO NOTHING",
            )
            .bind(new.id.as_str())
            .bind(new.thumbprint.as_str())
            .bind(new.jwk.as_str())
            .bind(new.invitation.as_ref().map(InvitationId::as_str))
            .bind(now)
            .bind(new.binding.as_deref())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if added != 1 {
            let refusal = if self.has_acme_key(&new.thumbprint).await? {
                Refusal::AcmeKeyTaken
            } else {
                Refusal::InvitationUsed
            };
            return Err(LedgerError::Refused(refusal));
        }
        let actor = new.invitation.clone().map_or(Actor::Anonymous, Actor::Invitation);
        let detail = json!({"account": new.id, "key": new.thumbprint});
        self.audit(&actor, "acme.account_added", None, detail).await
    }

    /// Writes the account of somebody who was not invited, now that they have shown an invitation. One that is there stays.
    pub async fn keep_acme_account(&mut self, account: &AcmeAccount) -> Result<()> {
        let AcmeAccount { id, thumbprint, jwk, invitation, binding, .. } = account.clone();
        match self.add_acme_account(&NewAcmeAccount { id, thumbprint, jwk, invitation, binding }).await {
            Err(LedgerError::Refused(Refusal::AcmeKeyTaken)) => Ok(()),
            added => added,
        }
    }

    /// Gives an account another key in place of the one it has.
    ///
    /// # Errors
    /// [`Refusal::AcmeKeyTaken`] when that key has an account, [`Refusal::AcmeAccountClosed`] when the account no longer
    /// is what it was.
    pub async fn change_acme_key(
        &mut self,
        account: &AcmeAccount,
        thumbprint: &str,
        jwk: &str,
    ) -> Result<()> {
        if self.has_acme_key(thumbprint).await? {
            return Err(LedgerError::Refused(Refusal::AcmeKeyTaken));
        }
        let changed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE acme_account SET thumbprint = $3, jwk = $4 \
                 WHERE id = $1 AND thumbprint = $2 AND state = 'valid'",
            )
            .bind(account.id.as_str())
            .bind(account.thumbprint.as_str())
            .bind(thumbprint)
            .bind(jwk)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if changed != 1 {
            return Err(LedgerError::Refused(Refusal::AcmeAccountClosed));
        }
        let detail = json!({"account": account.id, "key": thumbprint});
        self.audit(&account.actor(), "acme.key_changed", account.device.as_ref(), detail).await
    }

    /// Closes an account for ever, with its unfinished orders. Its certificates live on.
    ///
    /// # Errors
    /// [`Refusal::AcmeAccountClosed`] when it was closed before.
    pub async fn close_acme_account(&mut self, account: &AcmeAccount) -> Result<()> {
        let closed = on_transaction!(self.engine, connection => {
            let closed = sqlx::query("UPDATE acme_account SET state = 'deactivated' WHERE id = $1 AND state = 'valid'")
                .bind(account.id.as_str())
                .execute(&mut *connection)
                .await?
                .rows_affected();
            sqlx::query(
                "UPDATE acme_order SET state = 'invalid', authorization_state = 'deactivated' \
                 WHERE account = $1 AND state IN ('pending', 'ready')",
            )
            .bind(account.id.as_str())
            .execute(connection)
            .await?;
            closed
        });
        if closed != 1 {
            return Err(LedgerError::Refused(Refusal::AcmeAccountClosed));
        }
        let detail = json!({"account": account.id});
        self.audit(&account.actor(), "acme.account_closed", account.device.as_ref(), detail).await
    }

    async fn has_acme_key(&mut self, thumbprint: &str) -> Result<bool> {
        let found: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM acme_account WHERE thumbprint = $1")
                .bind(thumbprint)
                .fetch_optional(connection)
                .await?
        });
        Ok(found.is_some())
    }
}

#[derive(sqlx::FromRow)]
struct AcmeAccountRow {
    #[sqlx(try_from = "String")]
    id: AcmeAccountId,
    thumbprint: String,
    jwk: String,
    invitation: Option<String>,
    binding: Option<String>,
    state: String,
    created_at: i64,
    device: Option<String>,
}

impl TryFrom<AcmeAccountRow> for AcmeAccount {
    type Error = LedgerError;

    fn try_from(row: AcmeAccountRow) -> Result<Self> {
        let unreadable = LedgerError::Unreadable("acme_account.invitation");
        let invitation = row.invitation.map(InvitationId::try_from).transpose().map_err(|_| unreadable)?;
        Ok(Self {
            id: row.id,
            thumbprint: row.thumbprint,
            jwk: row.jwk,
            invitation,
            binding: row.binding,
            is_valid: row.state == "valid",
            is_stored: true,
            created_at: row.created_at.into(),
            device: row.device.as_deref().and_then(DeviceId::parse),
        })
    }
}
