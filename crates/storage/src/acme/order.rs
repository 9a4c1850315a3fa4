//! Orders, each with its one authorization and challenge.
//!
//! ```text
//! pending ─→ ready ─→ valid
//!    └─────────┴────→ invalid
//! ```

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::{AcmeAccountId, AcmeOrderId, DeviceId, InvitationId, Refusal, Thumbprint, Timestamp};

/// Orders of one account in an hour at most. An honest client needs one a certificate.
const PER_HOUR: i64 = 20;

/// What a client calls itself in an order (RFC 8555 section 9.7.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcmeIdentifier {
    /// A DNS name, for clients that know nothing else.
    Dns,
    /// RFC 4043's permanent identifier.
    Permanent,
}

/// Where an order stands. Expiry is the clock's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcmeState {
    /// The challenge is open.
    Pending,
    /// A certificate may be asked for.
    Ready,
    /// The certificate was issued and can be fetched.
    Valid,
    /// It came to nothing.
    Invalid,
}

/// Where an order's authorization stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthorizationState {
    /// The challenge is open.
    Pending,
    /// The client may call itself so.
    Valid,
    /// The challenge was failed.
    Invalid,
    /// The client gave it up.
    Deactivated,
}

/// An order to write.
#[derive(Clone, Debug)]
pub struct NewAcmeOrder {
    /// The identifier that the order URL carries.
    pub id: AcmeOrderId,
    /// The invitation by whose right a certificate will be issued.
    pub invitation: InvitationId,
    /// What the client calls itself…
    pub kind: AcmeIdentifier,
    /// …sealed where it is a secret.
    pub identifier: Vec<u8>,
    /// The token of its challenge.
    pub token: String,
    /// Whether the client may call itself so without a challenge.
    pub is_authorized: bool,
    /// The certificate it is to replace.
    pub replaces: Option<Thumbprint>,
    /// Until when it may be finalized.
    pub expires_at: Timestamp,
}

/// An order as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct AcmeOrder {
    pub id: AcmeOrderId,
    pub account: AcmeAccountId,
    pub invitation: InvitationId,
    pub kind: AcmeIdentifier,
    pub identifier: Vec<u8>,
    pub token: String,
    pub state: AcmeState,
    pub authorization: AuthorizationState,
    /// SHA-256 of the public key that an attestation spoke of.
    pub attested_key: Option<Vec<u8>>,
    /// SHA-256 of the public key that it is being finalized with.
    pub key_hash: Option<Vec<u8>>,
    /// The certificate it is to replace.
    pub replaces: Option<Thumbprint>,
    /// The certificate it became.
    pub certificate: Option<Thumbprint>,
    pub expires_at: Timestamp,
}

impl AcmeIdentifier {
    /// Its name in the protocol and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Permanent => "permanent-identifier",
        }
    }

    /// Reads the word that [`Self::as_str`] writes; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Dns, Self::Permanent].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl AcmeState {
    /// Its name in the protocol and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Ready, Self::Valid, Self::Invalid]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

impl AuthorizationState {
    /// Its name in the protocol and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Deactivated => "deactivated",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let all = [Self::Pending, Self::Valid, Self::Invalid, Self::Deactivated];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

impl Ledger {
    /// The order with this identifier.
    pub async fn acme_order(&self, id: &AcmeOrderId) -> Result<Option<AcmeOrder>> {
        let row: Option<AcmeOrderRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, account, invitation, kind, identifier, token, state, authorization_state, attested_key, \
                 key_hash, replaces, certificate, expires_at FROM acme_order WHERE id = $1",
            )
            .bind(id.as_str())
            .fetch_optional(connection)
            .await?
        });
        row.map(AcmeOrder::try_from).transpose()
    }

    /// The newest orders of an account.
    pub async fn acme_orders_of(&self, account: &AcmeAccountId, limit: u32) -> Result<Vec<AcmeOrderId>> {
        let rows: Vec<(String,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id FROM acme_order WHERE account = $1 ORDER BY created_at DESC, id LIMIT $2")
                .bind(account.as_str())
                .bind(i64::from(limit))
                .fetch_all(connection)
                .await?
        });
        let id = |(id,): (String,)| {
            AcmeOrderId::try_from(id).map_err(|_| LedgerError::Unreadable("acme_order.id"))
        };
        rows.into_iter().map(id).collect()
    }

    /// Whether a certificate came from an order of this account.
    pub async fn is_acme_certificate_of(
        &self,
        account: &AcmeAccountId,
        certificate: &Thumbprint,
    ) -> Result<bool> {
        let row: Option<(String,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id FROM acme_order WHERE account = $1 AND certificate = $2 LIMIT 1")
                .bind(account.as_str())
                .bind(certificate.as_bytes().to_vec())
                .fetch_optional(connection)
                .await?
        });
        Ok(row.is_some())
    }
}

impl Transaction {
    /// Writes an order of a valid account.
    ///
    /// # Errors
    /// [`Refusal::TooManyRequests`] past 20 in an hour, [`Refusal::AcmeAlreadyReplaced`] when another order has replaced
    /// the certificate, [`Refusal::AcmeAccountClosed`].
    pub async fn add_acme_order(
        &mut self,
        account: &AcmeAccountId,
        new: &NewAcmeOrder,
        actor: &Actor,
    ) -> Result<()> {
        self.refuse_acme_order(account, new).await?;
        let now = self.now.millis();
        let [state, authorization] =
            if new.is_authorized { ["ready", "valid"] } else { ["pending", "pending"] };
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO acme_order (id, account, invitation, kind, identifier, token, state, authorization_state, \
                 replaces, created_at, expires_at) SELECT $1, a.id, $3, $4, $5, $6, $7, $8, $9, $10, $11 \
                 FROM acme_account a WHERE a.id = $2 AND a.state = 'valid'",
            )
            .bind(new.id.as_str())
            .bind(account.as_str())
            .bind(new.invitation.as_str())
            .bind(new.kind.as_str())
            .bind(new.identifier.clone())
            .bind(new.token.as_str())
            .bind(state)
            .bind(authorization)
            .bind(new.replaces.map(|thumbprint| thumbprint.as_bytes().to_vec()))
            .bind(now)
            .bind(new.expires_at.millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if added != 1 {
            return Err(LedgerError::Refused(Refusal::AcmeAccountClosed));
        }
        let detail = json!({"account": account, "order": new.id, "invitation": new.invitation});
        self.audit(actor, "acme.order_added", None, detail).await
    }

    /// The challenge was met, with an attested key or without: what was pending is ready.
    ///
    /// # Errors
    /// [`Refusal::AcmeOrderNotReady`] when nothing was pending.
    pub async fn authorize_acme_order(
        &mut self,
        order: &AcmeOrderId,
        attested_key: Option<&[u8; 32]>,
        actor: &Actor,
    ) -> Result<()> {
        let now = self.now.millis();
        let authorized = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE acme_order SET state = 'ready', authorization_state = 'valid', attested_key = $2 \
                 WHERE id = $1 AND state = 'pending' AND expires_at >= $3",
            )
            .bind(order.as_str())
            .bind(attested_key.map(|key| key.to_vec()))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        let detail = json!({"order": order, "attested": attested_key.is_some()});
        self.moved(authorized, actor, "acme.order_authorized", detail).await
    }

    /// The challenge was failed, or the client gave up: what is unfinished comes to nothing.
    ///
    /// # Errors
    /// [`Refusal::AcmeOrderNotReady`] when it was finished.
    pub async fn end_acme_order(
        &mut self,
        order: &AcmeOrderId,
        authorization: AuthorizationState,
        actor: &Actor,
    ) -> Result<()> {
        let ended = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE acme_order SET state = 'invalid', authorization_state = $2 \
                 WHERE id = $1 AND state IN ('pending', 'ready')",
            )
            .bind(order.as_str())
            .bind(authorization.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        let detail = json!({"order": order, "authorization": authorization.as_str()});
        self.moved(ended, actor, "acme.order_ended", detail).await
    }

    /// Takes a ready order for one key, which may come again; any other one is too late.
    ///
    /// # Errors
    /// [`Refusal::AcmeOrderNotReady`].
    pub async fn take_acme_order(
        &mut self,
        order: &AcmeOrderId,
        key_hash: &[u8; 32],
        actor: &Actor,
    ) -> Result<()> {
        let now = self.now.millis();
        let taken = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE acme_order SET key_hash = $2 WHERE id = $1 AND state = 'ready' AND expires_at >= $3 \
                 AND (key_hash IS NULL OR key_hash = $2) AND (attested_key IS NULL OR attested_key = $2)",
            )
            .bind(order.as_str())
            .bind(key_hash.to_vec())
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        self.moved(taken, actor, "acme.order_taken", json!({"order": order})).await
    }

    /// Lets another key come: nothing was issued to this one.
    pub async fn release_acme_order(
        &mut self,
        order: &AcmeOrderId,
        key_hash: &[u8; 32],
        actor: &Actor,
    ) -> Result<()> {
        let released = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE acme_order SET key_hash = NULL WHERE id = $1 AND state = 'ready' AND key_hash = $2 \
                 AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.key_hash = $2)",
            )
            .bind(order.as_str())
            .bind(key_hash.to_vec())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if released == 1 {
            self.audit(actor, "acme.order_released", None, json!({"order": order})).await?;
        }
        Ok(())
    }

    /// The certificate was issued. Said twice it is one and the same.
    ///
    /// # Errors
    /// [`Refusal::AcmeOrderNotReady`] when the order waits for another one.
    pub async fn complete_acme_order(
        &mut self,
        order: &AcmeOrderId,
        certificate: &Thumbprint,
        device: &DeviceId,
    ) -> Result<()> {
        let completed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE acme_order SET state = 'valid', certificate = $2 WHERE id = $1 AND state = 'ready' \
                 AND key_hash = (SELECT c.key_hash FROM certificate c WHERE c.thumbprint = $2 AND c.device = $3)",
            )
            .bind(order.as_str())
            .bind(certificate.as_bytes().to_vec())
            .bind(device.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if completed != 1 {
            return Err(LedgerError::Refused(Refusal::AcmeOrderNotReady));
        }
        let detail = json!({"order": order, "thumbprint": certificate});
        self.audit(&Actor::Device(device.clone()), "acme.order_completed", Some(device), detail).await
    }

    async fn refuse_acme_order(&mut self, account: &AcmeAccountId, new: &NewAcmeOrder) -> Result<()> {
        let since = self.now.minus(Duration::from_hours(1)).millis();
        let (recent, replaced): (i64, i64) = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT (SELECT COUNT(*) FROM acme_order WHERE account = $1 AND created_at > $2), \
                 (SELECT COUNT(*) FROM acme_order WHERE replaces = $3 AND state = 'valid')",
            )
            .bind(account.as_str())
            .bind(since)
            .bind(new.replaces.map(|thumbprint| thumbprint.as_bytes().to_vec()))
            .fetch_one(connection)
            .await?
        });
        match (recent, replaced) {
            (PER_HOUR.., _) => Err(LedgerError::Refused(Refusal::TooManyRequests)),
            (_, 1..) => Err(LedgerError::Refused(Refusal::AcmeAlreadyReplaced)),
            _ => Ok(()),
        }
    }

    async fn moved(
        &mut self,
        rows: u64,
        actor: &Actor,
        action: &'static str,
        detail: serde_json::Value,
    ) -> Result<()> {
        if rows != 1 {
            return Err(LedgerError::Refused(Refusal::AcmeOrderNotReady));
        }
        self.audit(actor, action, None, detail).await
    }
}

#[derive(sqlx::FromRow)]
struct AcmeOrderRow {
    #[sqlx(try_from = "String")]
    id: AcmeOrderId,
    #[sqlx(try_from = "String")]
    account: AcmeAccountId,
    #[sqlx(try_from = "String")]
    invitation: InvitationId,
    kind: String,
    identifier: Vec<u8>,
    token: String,
    state: String,
    authorization_state: String,
    attested_key: Option<Vec<u8>>,
    key_hash: Option<Vec<u8>>,
    replaces: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    expires_at: i64,
}

impl TryFrom<AcmeOrderRow> for AcmeOrder {
    type Error = LedgerError;

    fn try_from(row: AcmeOrderRow) -> Result<Self> {
        let unreadable = || LedgerError::Unreadable("acme_order");
        let thumbprint = |bytes: Option<Vec<u8>>| bytes.as_deref().and_then(Thumbprint::from_slice);
        Ok(Self {
            id: row.id,
            account: row.account,
            invitation: row.invitation,
            kind: AcmeIdentifier::parse(&row.kind).ok_or_else(unreadable)?,
            identifier: row.identifier,
            token: row.token,
            state: AcmeState::parse(&row.state).ok_or_else(unreadable)?,
            authorization: AuthorizationState::parse(&row.authorization_state).ok_or_else(unreadable)?,
            attested_key: row.attested_key,
            key_hash: row.key_hash,
            replaces: thumbprint(row.replaces),
            certificate: thumbprint(row.certificate),
            expires_at: row.expires_at.into(),
        })
    }
}
