//! Transactions of SCEP (RFC 8894).

use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use std::time::Duration;
use tegata_core::Refusal;

/// How long a transaction is remembered: longer than any client polls.
const MEMORY: Duration = Duration::from_hours(60 * 24);

/// Of how many transactions of one holder: nobody fills the ledger.
const MOST: i64 = 32;

/// A transaction that somebody had a right to.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct ScepTransaction {
    /// The identifier of the invitation or the device whose right it is.
    pub holder: String,
    /// The `SubjectPublicKeyInfo` that was asked for, DER.
    pub public_key: Vec<u8>,
}

impl Ledger {
    /// Those who have begun a transaction of this name, SHA-256: more than one if clients choose alike.
    pub async fn scep_transactions(&self, id: &[u8; 32]) -> Result<Vec<ScepTransaction>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as("SELECT holder, public_key FROM scep_transaction WHERE id = $1 ORDER BY created_at LIMIT 16")
                .bind(id.to_vec())
                .fetch_all(connection)
                .await?
        }))
    }
}

impl Transaction {
    /// Remembers which key a transaction of this name, SHA-256, is for. Whoever says the same again changes nothing.
    ///
    /// # Errors
    /// [`Refusal::TransactionReused`] when its holder has begun it for another key.
    pub async fn keep_scep_transaction(
        &mut self,
        id: &[u8; 32],
        holder: &str,
        public_key: &[u8],
    ) -> Result<()> {
        let now = self.now;
        let known: Vec<u8> = on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM scep_transaction WHERE created_at < $1")
                .bind(now.minus(MEMORY).millis())
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "INSERT INTO scep_transaction (id, holder, public_key, created_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (holder, id) DO NOTHING",
            )
            .bind(id.to_vec())
            .bind(holder)
            .bind(public_key.to_vec())
            .bind(now.millis())
            .execute(&mut *connection)
            .await?;
            sqlx::query(
                "DELETE FROM scep_transaction WHERE holder = $1 AND created_at < (SELECT created_at \
                 FROM scep_transaction WHERE holder = $1 ORDER BY created_at DESC LIMIT 1 OFFSET $2)",
            )
            .bind(holder)
            .bind(MOST)
            .execute(&mut *connection)
            .await?;
            let (known,): (Vec<u8>,) =
                sqlx::query_as("SELECT public_key FROM scep_transaction WHERE id = $1 AND holder = $2")
                    .bind(id.to_vec())
                    .bind(holder)
                    .fetch_one(connection)
                    .await?;
            known
        });
        if known == public_key { Ok(()) } else { Err(LedgerError::Refused(Refusal::TransactionReused)) }
    }
}
