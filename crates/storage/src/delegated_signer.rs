//! Delegated signers of a CA: OCSP responder and SCEP registrar. Their certificates are recorded before the CA signs,
//! as those of devices are, and completed in the same way.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{IssuerId, Serial};

#[derive(Clone, Copy)]
pub(crate) enum SignerTable {
    Responder,
    Registrar,
}

impl SignerTable {
    const fn completion(self) -> &'static str {
        match self {
            Self::Responder => {
                "UPDATE responder SET der = $3 WHERE issuer = $1 AND serial = $2 AND der IS NULL"
            }
            Self::Registrar => {
                "UPDATE registrar SET der = $3 WHERE issuer = $1 AND serial = $2 AND der IS NULL"
            }
        }
    }

    const fn completed(self) -> &'static str {
        match self {
            Self::Responder => "responder.issued",
            Self::Registrar => "registrar.issued",
        }
    }

    const fn not_reserved(self) -> &'static str {
        match self {
            Self::Responder => "the responder's certificate is not reserved",
            Self::Registrar => "the registrar's certificate is not reserved",
        }
    }
}

impl Transaction {
    /// Stores the signed certificate of a reserved serial.
    pub(crate) async fn complete_signer(
        &mut self,
        signer: SignerTable,
        issuer: &IssuerId,
        serial: &Serial,
        der: &[u8],
        actor: &Actor,
    ) -> Result<()> {
        let completed = on_transaction!(self.engine, connection => {
            sqlx::query(signer.completion())
                .bind(issuer.as_str())
                .bind(serial.as_bytes().to_vec())
                .bind(der.to_vec())
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(completed, signer.not_reserved())?;
        self.audit(actor, signer.completed(), None, json!({"issuer": issuer, "serial": serial})).await
    }
}
