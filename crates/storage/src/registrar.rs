//! Certificates of SCEP's registrars: written down before the CA signs, as those of devices are.

use crate::actor::Actor;
use crate::delegated_signer::SignerTable;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, Result, Transaction};
use serde_json::json;
use tegata_core::{CLOCKS_APART, IssuerId, Serial, Timestamp};

/// A registrar whose certificate is signed.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredRegistrar {
    /// The serial of its certificate.
    #[sqlx(try_from = "Vec<u8>")]
    pub serial: Serial,
    /// Its certificate in DER.
    #[sqlx(rename = "der")]
    pub certificate: Vec<u8>,
    /// Its private key, sealed, PEM.
    pub sealed_key: String,
    /// The last second of its certificate.
    #[sqlx(try_from = "i64")]
    pub not_after: Timestamp,
}

/// A registrar before its CA has signed.
#[derive(Clone, Copy)]
pub struct NewRegistrar<'a> {
    /// The CA that the registrar works for.
    pub issuer: &'a IssuerId,
    /// The serial that its certificate will have.
    pub serial: &'a Serial,
    /// The bytes that the CA is asked to sign.
    pub tbs: &'a [u8],
    /// Its private key, sealed, PEM.
    pub sealed_key: &'a str,
    /// The last second that its certificate will have.
    pub not_after: Timestamp,
}

impl Ledger {
    /// The registrars of a CA that live now, by their last second, the youngest last. One that a clock that was ahead has
    /// made does not live yet.
    pub async fn registrars(&self, issuer: &IssuerId, now: Timestamp) -> Result<Vec<StoredRegistrar>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(
                "SELECT serial, der, sealed_key, not_after FROM registrar \
                 WHERE issuer = $1 AND der IS NOT NULL AND not_after >= $2 AND reserved_at <= $3 ORDER BY not_after, serial",
            )
            .bind(issuer.as_str())
            .bind(now.millis())
            .bind(now.plus(CLOCKS_APART).millis())
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
        self.complete_signer(SignerTable::Registrar, issuer, serial, der, actor).await
    }
}
