//! Certificates of OCSP responders: written down before the CA signs, as those of devices are.

use crate::actor::Actor;
use crate::delegated_signer::SignerTable;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, Result, Transaction};
use serde_json::json;
use tegata_core::{IssuerId, Serial, Timestamp};

/// An OCSP responder's certificate as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct StoredResponder {
    /// The CA that it answers for.
    #[sqlx(try_from = "String")]
    pub issuer: IssuerId,
    /// The serial of its certificate.
    #[sqlx(try_from = "Vec<u8>")]
    pub serial: Serial,
    /// The bytes the CA was asked to sign.
    pub tbs: Vec<u8>,
    /// The certificate, DER, once it is signed.
    pub der: Option<Vec<u8>>,
    /// The last second of its certificate.
    #[sqlx(try_from = "i64")]
    pub not_after: Timestamp,
}

impl Ledger {
    /// All responders of a CA, oldest first.
    pub async fn responders(&self, issuer: &IssuerId) -> Result<Vec<StoredResponder>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(
                "SELECT issuer, serial, tbs, der, not_after FROM responder WHERE issuer = $1 ORDER BY reserved_at, serial",
            )
            .bind(issuer.as_str())
            .fetch_all(connection)
            .await?
        }))
    }

    /// Whether a CA signed the certificate of a responder, or of a registrar, with this serial.
    pub async fn has_responder(&self, issuer: &IssuerId, serial: &Serial) -> Result<bool> {
        let row: Option<(i64,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT not_after FROM responder WHERE issuer = $1 AND serial = $2 AND der IS NOT NULL \
                 UNION ALL SELECT not_after FROM registrar WHERE issuer = $1 AND serial = $2 AND der IS NOT NULL",
            )
                .bind(issuer.as_str())
                .bind(serial.as_bytes().to_vec())
                .fetch_optional(connection)
                .await?
        });
        Ok(row.is_some())
    }
}

impl Transaction {
    /// Reserves the serial and records the bytes to be signed.
    pub async fn reserve_responder(
        &mut self,
        issuer: &IssuerId,
        serial: &Serial,
        tbs: &[u8],
        not_after: Timestamp,
        actor: &Actor,
    ) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO responder (issuer, serial, tbs, not_after, reserved_at) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(issuer.as_str())
            .bind(serial.as_bytes().to_vec())
            .bind(tbs.to_vec())
            .bind(not_after.millis())
            .bind(now)
            .execute(connection)
            .await?;
        });
        let detail = json!({"issuer": issuer, "serial": serial, "not_after": not_after});
        self.audit(actor, "responder.reserved", None, detail).await
    }

    /// Stores the signed certificate of a reserved serial.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the serial is not reserved.
    pub async fn complete_responder(
        &mut self,
        issuer: &IssuerId,
        serial: &Serial,
        der: &[u8],
        actor: &Actor,
    ) -> Result<()> {
        self.complete_signer(SignerTable::Responder, issuer, serial, der, actor).await
    }
}
