//! The published CRL of each issuer.

use crate::engine::{on_read, on_transaction};
use crate::{Ledger, Result, Transaction};
use tegata_core::{IssuerId, Timestamp};

/// A CRL as it was published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCrl {
    /// Its number.
    pub number: u64,
    /// The last event of the feed it contains.
    pub seq: u64,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next is due at the latest.
    pub next_update: Timestamp,
    /// The list, DER.
    pub der: Vec<u8>,
}

impl Ledger {
    /// The newest CRL of an issuer.
    pub async fn crl(&self, issuer: &IssuerId) -> Result<Option<StoredCrl>> {
        let row: Option<(i64, i64, i64, i64, Vec<u8>)> = on_read!(self, connection => {
            sqlx::query_as("SELECT number, seq, this_update, next_update, der FROM crl WHERE issuer = $1")
                .bind(issuer.as_str())
                .fetch_optional(connection)
                .await?
        });
        Ok(row.map(|(number, seq, this_update, next_update, der)| StoredCrl {
            number: number.unsigned_abs(),
            seq: seq.unsigned_abs(),
            this_update: this_update.into(),
            next_update: next_update.into(),
            der,
        }))
    }
}

impl Transaction {
    /// Replaces the published CRL, only by one with a higher number that contains no less. Gives whether it did:
    /// somebody else may have published meanwhile.
    pub async fn publish_crl(&mut self, issuer: &IssuerId, crl: &StoredCrl) -> Result<bool> {
        let number = i64::try_from(crl.number).unwrap_or(i64::MAX);
        let seq = i64::try_from(crl.seq).unwrap_or(i64::MAX);
        let replaced = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO crl (issuer, number, seq, this_update, next_update, der) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (issuer) DO UPDATE SET number = $2, seq = $3, this_update = $4, next_update = $5, der = $6 \
                 WHERE crl.number < $2 AND crl.seq <= $3",
            )
            .bind(issuer.as_str())
            .bind(number)
            .bind(seq)
            .bind(crl.this_update.millis())
            .bind(crl.next_update.millis())
            .bind(crl.der.clone())
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(replaced == 1)
    }
}
