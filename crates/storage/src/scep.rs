//! SCEP (RFC 8894): registrars, written down before their CA signs, as devices' certificates are; and transactions.

use crate::audit::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::json;
use std::time::Duration;
use tegata_core::{IssuerId, Refusal, Serial, Timestamp};

/// How long a transaction is remembered: longer than any client polls.
const MEMORY: Duration = Duration::from_hours(60 * 24);

/// Of how many transactions of one holder: nobody fills the ledger.
const MOST: i64 = 32;

/// A registrar whose certificate is signed.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredRegistrar {
    /// Its serial.
    #[sqlx(try_from = "Vec<u8>")]
    pub serial: Serial,
    /// Its certificate, DER.
    #[sqlx(rename = "der")]
    pub certificate: Vec<u8>,
    /// Its private key, sealed, PEM.
    pub sealed_key: String,
    /// Its last second.
    #[sqlx(try_from = "i64")]
    pub not_after: Timestamp,
}

/// A registrar before its CA has signed.
#[derive(Clone, Copy)]
pub struct NewRegistrar<'a> {
    /// Which CA.
    pub issuer: &'a IssuerId,
    /// Its serial.
    pub serial: &'a Serial,
    /// The bytes that the CA is asked to sign.
    pub tbs: &'a [u8],
    /// Its private key, sealed, PEM.
    pub sealed_key: &'a str,
    /// Its last second.
    pub not_after: Timestamp,
}

/// A transaction that somebody had a right to.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct ScepTransaction {
    /// The identifier of the invitation or the device whose right it is.
    pub holder: String,
    /// The `SubjectPublicKeyInfo` that was asked for, DER.
    pub public_key: Vec<u8>,
}

impl Ledger {
    /// The registrars of a CA that live now, by their last second, the youngest last.
    pub async fn registrars(&self, issuer: &IssuerId, now: Timestamp) -> Result<Vec<StoredRegistrar>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(
                "SELECT serial, der, sealed_key, not_after FROM registrar \
                 WHERE issuer = $1 AND der IS NOT NULL AND not_after >= $2 ORDER BY not_after, serial",
            )
            .bind(issuer.as_str())
            .bind(now.millis())
            .fetch_all(connection)
            .await?
        }))
    }

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
    /// Reserves the serial and records the bytes to be signed, with the key they are for.
    pub async fn reserve_registrar(&mut self, new: &NewRegistrar<'_>, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO registrar (issuer, serial, tbs, sealed_key, not_after, reserved_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(new.issuer.as_str())
            .bind(new.serial.as_bytes().to_vec())
            .bind(new.tbs.to_vec())
            .bind(new.sealed_key)
            .bind(new.not_after.millis())
            .bind(now)
            .execute(connection)
            .await?;
        });
        let detail = json!({"issuer": new.issuer, "serial": new.serial, "not_after": new.not_after});
        self.audit(actor, "registrar.reserved", None, detail).await
    }

    /// Stores the signed certificate of a reserved serial.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the serial is not reserved.
    pub async fn complete_registrar(
        &mut self,
        issuer: &IssuerId,
        serial: &Serial,
        der: &[u8],
        actor: &Actor,
    ) -> Result<()> {
        let completed = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE registrar SET der = $3 WHERE issuer = $1 AND serial = $2 AND der IS NULL")
                .bind(issuer.as_str())
                .bind(serial.as_bytes().to_vec())
                .bind(der.to_vec())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if completed != 1 {
            return Err(LedgerError::Guard("the registrar's certificate is not reserved"));
        }
        self.audit(actor, "registrar.issued", None, json!({"issuer": issuer, "serial": serial})).await
    }

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
