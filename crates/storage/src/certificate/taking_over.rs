//! Taking over certificates that another authority issued, so that a migration need not re-enroll everybody at once.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::key::key_id;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{DeviceId, IssuerId, Refusal, Role, Serial, SiteId, TenantId, Thumbprint, Timestamp};

/// A certificate of a foreign CA, and the device it becomes here.
#[derive(Clone, Debug)]
pub struct TakenOver {
    /// The device that comes into being.
    pub device: DeviceId,
    /// The tenant that the device will belong to.
    pub tenant: TenantId,
    /// The site where the device stands.
    pub site: SiteId,
    /// What it is called.
    pub label: String,
    /// The record of the foreign CA.
    pub issuer: IssuerId,
    /// The serial that CA gave.
    pub serial: Serial,
    /// SHA-256 of the public key.
    pub key_hash: [u8; 32],
    /// The bytes that the foreign CA signed (`TBSCertificate`).
    pub tbs: Vec<u8>,
    /// The whole certificate in DER.
    pub der: Vec<u8>,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

impl Transaction {
    /// Makes a device of a foreign certificate, which counts as its first generation, delivered. Gives whether that was
    /// news: the same certificate again changes nothing.
    ///
    /// # Errors
    /// [`Refusal::KeyBlocked`], [`Refusal::KeyReused`] when its key has another certificate, [`Refusal::NoIssuer`]
    /// when its CA was not taken over for this tenant or has ended.
    pub async fn take_over(&mut self, taken: &TakenOver, actor: &Actor) -> Result<bool> {
        let thumbprint = Thumbprint::of(&taken.der);
        if self.knows(&thumbprint).await? {
            return Ok(false);
        }
        let key_id = key_id(&taken.tbs, &taken.key_hash);
        self.refuse_blocked_key(&taken.key_hash, &key_id).await?;
        self.refuse_known_key(&key_id).await?;
        self.add_device(&taken.device, &taken.tenant, &taken.site, Role::Device, &taken.label).await?;
        let generation = self.next_generation(&taken.device).await?;
        self.insert_taken_over(taken, &thumbprint, generation).await?;
        let detail = json!({
            "issuer": taken.issuer, "serial": taken.serial, "thumbprint": thumbprint, "not_after": taken.not_after,
        });
        self.audit(actor, "certificate.taken_over", Some(&taken.device), detail).await?;
        Ok(true)
    }

    async fn knows(&mut self, thumbprint: &Thumbprint) -> Result<bool> {
        let known: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT generation FROM certificate WHERE thumbprint = $1")
                .bind(thumbprint.as_bytes().to_vec())
                .fetch_optional(connection)
                .await?
        });
        Ok(known.is_some())
    }

    async fn refuse_known_key(&mut self, key_id: &[u8; 32]) -> Result<()> {
        let used: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT generation FROM certificate WHERE key_id = $1 LIMIT 1")
                .bind(key_id.to_vec())
                .fetch_optional(connection)
                .await?
        });
        if used.is_none() { Ok(()) } else { Err(LedgerError::Refused(Refusal::KeyReused)) }
    }

    async fn insert_taken_over(
        &mut self,
        taken: &TakenOver,
        thumbprint: &Thumbprint,
        generation: i64,
    ) -> Result<()> {
        let (now, place) = (self.now.millis(), self.take_status_place());
        let inserted = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO certificate (issuer, serial, shard, device, generation, state, key_hash, key_id, tbs, der, thumbprint, \
                 not_before, not_after, reserved_at, issued_at, delivered_at, status_place) \
                 SELECT i.id, $2, 0, $3, $4, 'delivered', $5, $14, $6, $7, $8, $9, $10, $11, $11, $11, $13 FROM issuer i \
                 WHERE i.id = $1 AND i.custody = 'foreign' AND i.state IN ('active', 'resting') \
                 AND (i.tenant IS NULL OR i.tenant = $12)",
            )
            .bind(taken.issuer.as_str())
            .bind(taken.serial.as_bytes().to_vec())
            .bind(taken.device.as_str())
            .bind(generation)
            .bind(taken.key_hash.to_vec())
            .bind(taken.tbs.clone())
            .bind(taken.der.clone())
            .bind(thumbprint.as_bytes().to_vec())
            .bind(taken.not_before.millis())
            .bind(taken.not_after.millis())
            .bind(now)
            .bind(taken.tenant.as_str())
            .bind(place)
            .bind(key_id(&taken.tbs, &taken.key_hash).to_vec())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if inserted == 1 { Ok(()) } else { Err(LedgerError::Refused(Refusal::NoIssuer)) }
    }
}
