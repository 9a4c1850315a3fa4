//! Keys that are compromised and therefore blocked.

use crate::actor::Actor;
use crate::certificate::RevocationEffect;
use crate::engine::{on_read, on_transaction};
use crate::head::TransactionEnd;
use crate::{Ledger, LedgerError, Result, Transaction};
use ring::digest::{SHA256, digest};
use serde_json::json;
use tegata_core::encoding::hex;
use tegata_core::{KeyId, Refusal, Timestamp};

/// A key for which no certificate is issued, ever.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct BlockedKey {
    /// SHA-256 of its DER `SubjectPublicKeyInfo`.
    pub key_hash: Vec<u8>,
    /// Why, or a ticket number.
    pub note: String,
    /// When it was blocked.
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
    /// Blocks a key for ever, whatever else its `SubjectPublicKeyInfo` says, and revokes every certificate with it, for
    /// `keyCompromise` and with their descendants. Once more revokes what came since, if anything could.
    pub async fn block_public_key(
        &mut self,
        info: &[u8],
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        let mut key_hash = [0; 32];
        key_hash.copy_from_slice(digest(&SHA256, info).as_ref());
        let id = KeyId::of_public_key(info).map_or(key_hash, |id| *id.as_bytes());
        self.block(&key_hash, &id, note, actor).await
    }

    /// Blocks a key of which only the SHA-256 of its `SubjectPublicKeyInfo` is known. If a certificate of the ledger
    /// has the key, its other spellings are blocked as well.
    pub async fn block_key(
        &mut self,
        key_hash: &[u8; 32],
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        let id = self.key_id_of(key_hash).await?;
        self.block(key_hash, &id, note, actor).await
    }

    async fn block(
        &mut self,
        key_hash: &[u8; 32],
        id: &[u8; 32],
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        let at = self.now;
        let added = self.insert_blocked_key(key_hash, id, note, at).await?;
        if added == 1 {
            self.log_blocked_key(key_hash, id, note);
        }
        let revoked = self.revoke_certificates_with(id, note, actor).await?;
        if added == 1 || revoked.certificates > 0 {
            let detail = json!({"key": hex(key_hash), "revoked": revoked.certificates, "note": note});
            self.audit(actor, "key.blocked", None, detail).await?;
        }
        Ok(revoked)
    }

    /// Gives how many were added: none where this very key is blocked already.
    pub(crate) async fn insert_blocked_key(
        &mut self,
        key_hash: &[u8],
        id: &[u8],
        note: &str,
        at: Timestamp,
    ) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO blocked_key (key_hash, key_id, note, at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (key_hash) DO NOTHING",
            )
            .bind(key_hash.to_vec())
            .bind(id.to_vec())
            .bind(note)
            .bind(at.millis())
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    /// The identity of a key that some certificate has; the hash itself where none has it.
    pub(crate) async fn key_id_of(&mut self, key_hash: &[u8; 32]) -> Result<[u8; 32]> {
        let known: Option<(Vec<u8>,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT key_id FROM certificate WHERE key_hash = $1 AND key_id IS NOT NULL LIMIT 1")
                .bind(key_hash.to_vec())
                .fetch_optional(connection)
                .await?
        });
        Ok(known.and_then(|(id,)| id.try_into().ok()).unwrap_or(*key_hash))
    }

    pub(crate) async fn refuse_blocked_key(&mut self, key_hash: &[u8; 32], id: &[u8; 32]) -> Result<()> {
        let blocked: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT at FROM blocked_key WHERE key_id = $1 OR key_hash = $2 LIMIT 1")
                .bind(id.to_vec())
                .bind(key_hash.to_vec())
                .fetch_optional(connection)
                .await?
        });
        if blocked.is_none() { Ok(()) } else { Err(LedgerError::Refused(Refusal::KeyBlocked)) }
    }
}

/// The identity of the key in a certificate about to be signed, or signed elsewhere.
pub(crate) fn key_id(tbs: &[u8], key_hash: &[u8; 32]) -> [u8; 32] {
    KeyId::of_tbs_certificate(tbs).map_or(*key_hash, |id| *id.as_bytes())
}

/// A certificate or a blocked key from before keys had an identity.
#[derive(sqlx::FromRow)]
struct Unidentified {
    key_hash: Vec<u8>,
    /// Of any certificate with this key.
    tbs: Option<Vec<u8>>,
}

/// Keys that are identified at once.
const PAGE: i64 = 200;

impl Ledger {
    /// Reads the identity of every key that has none yet. What was done is not done again, so any number of processes
    /// may do it at once, and one that is stopped is no harm.
    pub(crate) async fn identify_keys(&self) -> Result<()> {
        loop {
            let keys: Vec<Unidentified> = on_read!(self, connection => {
                sqlx::query_as(
                    "SELECT key_hash, tbs FROM certificate WHERE key_id IS NULL UNION ALL \
                     SELECT key_hash, (SELECT c.tbs FROM certificate c WHERE c.key_hash = b.key_hash LIMIT 1) AS tbs \
                     FROM blocked_key b WHERE b.key_id IS NULL LIMIT $1",
                )
                .bind(PAGE)
                .fetch_all(connection)
                .await?
            });
            if keys.is_empty() {
                return Ok(());
            }
            let (mut transaction, head) = self.engine.begin().await?;
            for Unidentified { key_hash, tbs } in &keys {
                let id = tbs.as_deref().and_then(KeyId::of_tbs_certificate);
                let id = id.map_or_else(|| key_hash.clone(), |id| id.as_bytes().to_vec());
                on_transaction!(transaction, connection => {
                    sqlx::query("UPDATE certificate SET key_id = $2 WHERE key_hash = $1 AND key_id IS NULL")
                        .bind(key_hash.clone())
                        .bind(id.clone())
                        .execute(&mut *connection)
                        .await?;
                    sqlx::query("UPDATE blocked_key SET key_id = $2 WHERE key_hash = $1 AND key_id IS NULL")
                        .bind(key_hash.clone())
                        .bind(id)
                        .execute(&mut *connection)
                        .await?;
                });
            }
            transaction.commit(TransactionEnd { entries: &[], head: Some(&head) }).await?;
        }
    }
}
