//! Keys that sign tokens, feed, events and status lists: public parts and when each signs, with the private parts under a seal
//! that only the installation's secret opens.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::Timestamp;

/// A key that is not withdrawn.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredTokenKey {
    /// Its name (RFC 7638).
    pub kid: String,
    /// The public part, a JWK (RFC 7517) as JSON.
    pub jwk: String,
    /// The private part, sealed, PEM.
    pub sealed_key: Option<String>,
    /// Since when verifiers can know it.
    #[sqlx(try_from = "i64")]
    pub published_at: Timestamp,
    /// From when on it signs, until the next one does.
    #[sqlx(try_from = "i64")]
    pub signs_from: Timestamp,
}

const KEYS: &str = "SELECT kid, jwk, sealed_key, published_at, signs_from FROM token_key \
     WHERE withdrawn_at IS NULL ORDER BY signs_from, kid";

impl Ledger {
    /// The keys, in the order in which they sign.
    pub async fn token_keys(&self) -> Result<Vec<StoredTokenKey>> {
        Ok(on_read!(self, connection => sqlx::query_as(KEYS).fetch_all(connection).await?))
    }

    /// The names of keys that were in other hands.
    pub async fn withdrawn_token_keys(&self) -> Result<Vec<String>> {
        let rows: Vec<(String,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT kid FROM token_key WHERE withdrawn_at IS NOT NULL ORDER BY kid")
                .fetch_all(connection)
                .await?
        });
        Ok(rows.into_iter().map(|(kid,)| kid).collect())
    }
}

impl Transaction {
    /// The keys as whoever changes them sees them: nobody else changes them meanwhile.
    pub async fn token_keys(&mut self) -> Result<Vec<StoredTokenKey>> {
        Ok(on_transaction!(self.engine, connection => sqlx::query_as(KEYS).fetch_all(connection).await?))
    }

    /// Puts a key behind all others. `last` is the one that is last until then; nothing where there is none.
    ///
    /// # Errors
    /// [`LedgerError::Guard`](crate::LedgerError::Guard) when another key has become the last one, or this one was there.
    pub async fn appoint_token_key(
        &mut self,
        new: &StoredTokenKey,
        last: Option<&str>,
        actor: &Actor,
    ) -> Result<()> {
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO token_key (kid, jwk, sealed_key, published_at, signs_from) \
                 SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM token_key WHERE kid = $1) \
                 AND NOT EXISTS (SELECT 1 FROM token_key WHERE withdrawn_at IS NULL AND signs_from >= $5) \
                 AND COALESCE((SELECT kid FROM token_key WHERE withdrawn_at IS NULL ORDER BY signs_from DESC LIMIT 1), '') = $6",
            )
            .bind(new.kid.as_str())
            .bind(new.jwk.as_str())
            .bind(new.sealed_key.as_deref())
            .bind(new.published_at.millis())
            .bind(new.signs_from.millis())
            .bind(last.unwrap_or_default())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "another key was appointed meanwhile")?;
        let detail = json!({"kid": new.kid, "signs_from": new.signs_from});
        self.audit(actor, "token_key.appointed", None, detail).await
    }

    /// Takes in a key of an older version of the program, with the times it has there. Nothing happens where the key is known,
    /// or another one begins at the same moment.
    pub async fn take_in_token_key(&mut self, key: &StoredTokenKey, actor: &Actor) -> Result<()> {
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO token_key (kid, jwk, sealed_key, published_at, signs_from) \
                 SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS \
                 (SELECT 1 FROM token_key WHERE kid = $1 OR (withdrawn_at IS NULL AND signs_from = $5))",
            )
            .bind(key.kid.as_str())
            .bind(key.jwk.as_str())
            .bind(key.sealed_key.as_deref())
            .bind(key.published_at.millis())
            .bind(key.signs_from.millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if added > 0 {
            let detail = json!({"kid": key.kid, "signs_from": key.signs_from});
            self.audit(actor, "token_key.taken_in", None, detail).await?;
        }
        Ok(())
    }

    /// Takes a key out for ever, its private part included. When none of the others has begun to sign, the next one does.
    /// A restore does not bring it back: it is in the revocation log.
    ///
    /// # Errors
    /// [`LedgerError::Guard`](crate::LedgerError::Guard) when it is not there, or the only one.
    pub async fn withdraw_token_key(&mut self, kid: &str, note: &str, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let withdrawn = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE token_key SET withdrawn_at = $2, sealed_key = NULL WHERE kid = $1 AND withdrawn_at IS NULL \
                 AND EXISTS (SELECT 1 FROM token_key other WHERE other.kid <> $1 AND other.withdrawn_at IS NULL)",
            )
            .bind(kid)
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(withdrawn, "there is no such token key beside another one")?;
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE token_key SET signs_from = $1 WHERE kid = (SELECT kid FROM token_key WHERE withdrawn_at IS NULL \
                 ORDER BY signs_from LIMIT 1) AND signs_from > $1",
            )
            .bind(now)
            .execute(connection)
            .await?;
        });
        self.log_withdrawn_token_key(kid, note);
        self.audit(actor, "token_key.withdrawn", None, json!({"kid": kid, "note": note})).await
    }

    /// Forgets keys whose last token has ended.
    pub async fn end_token_keys(&mut self, kids: &[String], actor: &Actor) -> Result<()> {
        for kid in kids {
            on_transaction!(self.engine, connection => {
                sqlx::query("DELETE FROM token_key WHERE kid = $1 AND withdrawn_at IS NULL")
                    .bind(kid.as_str())
                    .execute(connection)
                    .await?;
            });
        }
        self.audit(actor, "token_key.ended", None, json!({"kids": kids})).await
    }

    /// What the revocation log says. The ledger may have the key from a backup, or may never have had it.
    pub(crate) async fn withdraw_token_key_again(&mut self, kid: &str, at: Timestamp) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO token_key (kid, jwk, published_at, signs_from, withdrawn_at) VALUES ($1, '', $2, $2, $2) \
                 ON CONFLICT (kid) DO UPDATE SET withdrawn_at = $2, sealed_key = NULL \
                 WHERE token_key.withdrawn_at IS NULL",
            )
            .bind(kid)
            .bind(at.millis())
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    /// All that were withdrawn, with the moment.
    pub(crate) async fn withdrawn_token_keys(&mut self) -> Result<Vec<(String, i64)>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT kid, withdrawn_at FROM token_key WHERE withdrawn_at IS NOT NULL ORDER BY withdrawn_at, kid")
                .fetch_all(connection)
                .await?
        }))
    }
}
