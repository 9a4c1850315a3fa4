//! Nonces that came back (RFC 8555 section 6.5).

use crate::engine::on_transaction;
use crate::group_commit::Operation;
use crate::{Result, Transaction};
use tegata_core::Timestamp;

/// A nonce that the holder of an account has signed with. As an [`Operation`] it gives whether it came for the first time,
/// to any server of this ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UseNonce {
    /// The bytes of the nonce.
    pub nonce: Vec<u8>,
    /// When it was handed out.
    pub issued_at: Timestamp,
    /// Older ones are taken by nobody, so that they need not be remembered.
    pub oldest: Timestamp,
    /// When the request with the nonce arrived.
    pub at: Timestamp,
}

impl Operation for UseNonce {
    type Output = bool;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<bool> {
        let used = on_transaction!(transaction.engine, connection => {
            sqlx::query("DELETE FROM acme_nonce WHERE issued_at < $1")
                .bind(self.oldest.millis())
                .execute(&mut *connection)
                .await?;
            sqlx::query("INSERT INTO acme_nonce (nonce, issued_at) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING")
                .bind(self.nonce.clone())
                .bind(self.issued_at.millis())
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(used == 1)
    }
}
