//! Keys that are in other hands.

use crate::actor::Actor;
use crate::certificate::Revoked;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::encoding::hex;
use tegata_core::{Refusal, Timestamp};

/// A key for which no certificate is issued, ever.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct BlockedKey {
    /// SHA-256 of its DER `SubjectPublicKeyInfo`.
    pub key_hash: Vec<u8>,
    /// Why, or a ticket number.
    pub note: String,
    /// Since when.
    #[sqlx(try_from = "i64")]
    pub at: Timestamp,
}

impl Ledger {
    /// All blocked keys, oldest first.
    pub async fn blocked_keys(&self) -> Result<Vec<BlockedKey>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as("SELECT key_hash, note, at FROM blocked_key ORDER BY at, key_hash")
                .fetch_all(connection)
                .await?
        }))
    }
}

impl Transaction {
    /// Blocks a key for ever and revokes every certificate with it, for `keyCompromise` and with their descendants.
    /// Once more revokes what came since, if anything could.
    pub async fn block_key(&mut self, key_hash: &[u8; 32], note: &str, actor: &Actor) -> Result<Revoked> {
        let now = self.now.millis();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO blocked_key (key_hash, note, at) VALUES ($1, $2, $3) ON CONFLICT (key_hash) DO NOTHING",
            )
            .bind(key_hash.to_vec())
            .bind(note)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if added == 1 {
            self.log_blocked_key(key_hash, note);
        }
        let revoked = self.revoke_certificates_with(key_hash, note, actor).await?;
        if added == 1 || revoked.certificates > 0 {
            let detail = json!({"key": hex(key_hash), "revoked": revoked.certificates, "note": note});
            self.audit(actor, "key.blocked", None, detail).await?;
        }
        Ok(revoked)
    }

    pub(crate) async fn refuse_blocked_key(&mut self, key_hash: &[u8; 32]) -> Result<()> {
        let blocked: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT at FROM blocked_key WHERE key_hash = $1")
                .bind(key_hash.to_vec())
                .fetch_optional(connection)
                .await?
        });
        if blocked.is_none() { Ok(()) } else { Err(LedgerError::Refused(Refusal::KeyBlocked)) }
    }
}
