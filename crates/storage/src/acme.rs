//! ACME clients (RFC 8555): accounts by their keys, and orders. What a certificate is issued for is not decided here:
//! issuing goes the way of all certificates, and an order is told its result.

mod account;
mod nonce;
mod order;

pub use account::{AcmeAccount, NewAcmeAccount};
pub use nonce::UseNonce;
pub use order::{AcmeIdentifier, AcmeOrder, AcmeState, AuthorizationState, NewAcmeOrder};

use crate::engine::{on_read, on_transaction};
use crate::{Ledger, Result, Transaction};
use tegata_core::Timestamp;

impl Ledger {
    /// What bindings of accounts are derived from, sealed, once there is one.
    pub async fn acme_secret(&self) -> Result<Option<String>> {
        let row: Option<(String,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT sealed FROM acme_secret WHERE id = 1").fetch_optional(connection).await?
        });
        Ok(row.map(|(sealed,)| sealed))
    }
}

impl Transaction {
    /// Keeps a sealed secret, unless there is one already. Whoever reads afterwards reads the one that all have.
    pub async fn keep_acme_secret(&mut self, sealed: &str) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO acme_secret (id, sealed) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
                .bind(sealed)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Forgets orders that came to nothing and expired before, and accounts that nobody invited and that have no order
    /// and are as old. Gives how many.
    pub async fn forget_acme(&mut self, before: Timestamp) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            let orders = sqlx::query("DELETE FROM acme_order WHERE expires_at < $1 AND state <> 'valid'")
                .bind(before.millis())
                .execute(&mut *connection)
                .await?
                .rows_affected();
            let accounts = sqlx::query(
                "DELETE FROM acme_account WHERE created_at < $1 AND invitation IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM acme_order o WHERE o.account = acme_account.id)",
            )
            .bind(before.millis())
            .execute(connection)
            .await?
            .rows_affected();
            orders + accounts
        }))
    }
}
