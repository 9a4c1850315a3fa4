//! Tokens in the ledger: that they were issued, and which were revoked.

mod age;

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::group_commit::Operation;
use crate::{Ledger, LedgerError, Result, Transaction};
use serde::Serialize;
use serde_json::json;
use tegata_core::feed::Change;
use tegata_core::{DeviceId, TenantId, Timestamp};

/// A token about to be handed out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuedToken {
    /// The `jti` of the token.
    pub jti: String,
    /// The device that it is issued to.
    pub device: DeviceId,
    /// To which certificate of it.
    pub generation: u32,
    /// The product that it is for, as `aud` carries it.
    pub audience: String,
    /// When it is issued.
    pub at: Timestamp,
}

/// What the audit log says of tokens: when, to whom, to which certificate, for which product, and each one's name.
#[derive(Serialize)]
struct TokenRecord<'a> {
    tokens: Vec<(i64, &'a DeviceId, u32, &'a str, &'a str)>,
}

impl Operation for IssuedToken {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        transaction.record_tokens(&[self], Some(&self.device)).await
    }

    /// One entry for all: one state change, made by one transaction. A token that stands alone is found under its
    /// device; a group is found by walking the log.
    async fn apply_all(set: &[&Self], transaction: &mut Transaction) -> Result<Vec<()>> {
        transaction.now = set.iter().map(|token| token.at).max().unwrap_or_default();
        transaction.record_tokens(set, None).await?;
        Ok(vec![(); set.len()])
    }
}

impl Ledger {
    /// Records an issued token and waits until the record is durable.
    pub async fn record_token(&self, token: IssuedToken) -> Result<()> {
        self.group(token).await
    }

    /// Whose token was taken back. Nothing for a registered client's, and for what was done again after a restore.
    pub async fn tenant_of_denied_token(&self, jti: &str) -> Result<Option<TenantId>> {
        let row: Option<(String,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT d.tenant FROM denied_token t JOIN device d ON d.id = t.device WHERE t.jti = $1",
            )
            .bind(jti.to_owned())
            .fetch_optional(connection)
            .await?
        });
        row.map(|(id,)| TenantId::try_from(id).map_err(|_| LedgerError::Unreadable("device.tenant")))
            .transpose()
    }
}

impl Transaction {
    async fn record_tokens(&mut self, tokens: &[&IssuedToken], device: Option<&DeviceId>) -> Result<()> {
        let tokens = tokens
            .iter()
            .map(|token| (token.at.millis(), &token.device, token.generation, &*token.audience, &*token.jti))
            .collect();
        self.audit(&Actor::System("token"), "token.issued", device, TokenRecord { tokens }).await
    }

    /// Takes a token back, of a device or of a registered client. Once more changes nothing.
    pub async fn deny_token<'a>(
        &mut self,
        jti: &str,
        until: Timestamp,
        device: impl Into<Option<&'a DeviceId>>,
        actor: &Actor,
    ) -> Result<Option<u64>> {
        let device = device.into();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO denied_token (jti, until, device) VALUES ($1, $2, $3) ON CONFLICT (jti) DO NOTHING",
            )
                .bind(jti)
                .bind(until.millis())
                .bind(device.map(DeviceId::as_str))
                .execute(connection)
                .await?
                .rows_affected()
        });
        if added == 0 {
            return Ok(None);
        }
        let event = self.feed(Change::TokenDenied { jti: jti.to_owned(), until }).await?;
        self.audit(actor, "token.revoked", device, json!({"jti": jti, "event": event.seq})).await?;
        Ok(Some(event.seq))
    }
}
