//! The life of a certificate after its issuance: delivered, used, retired, or abandoned.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use std::collections::BTreeSet;
use tegata_core::feed::{Change, Denial};
use tegata_core::{DeviceId, Thumbprint, Timestamp};

impl Transaction {
    /// The device says it has the certificate. Gives whether that was news.
    pub async fn mark_delivered(&mut self, thumbprint: &Thumbprint, actor: &Actor) -> Result<bool> {
        let now = self.now.millis();
        let row: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE certificate SET state = 'delivered', delivered_at = $2 \
                 WHERE thumbprint = $1 AND state = 'issued' RETURNING device",
            )
            .bind(thumbprint.as_bytes().to_vec())
            .bind(now)
            .fetch_optional(connection)
            .await?
        });
        let Some(device) = device_of(row)? else { return Ok(false) };
        self.audit(actor, "certificate.delivered", Some(&device), json!({"thumbprint": thumbprint})).await?;
        Ok(true)
    }

    /// The device has presented the certificate: the proof that lets older generations retire, at `retire_at`.
    /// Gives whether that was news.
    pub async fn mark_used(&mut self, thumbprint: &Thumbprint, retire_at: Timestamp) -> Result<bool> {
        let now = self.now.millis();
        let row: Option<(String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE certificate SET state = 'in_use', used_at = $2 \
                 WHERE thumbprint = $1 AND state IN ('issued', 'delivered') RETURNING device, generation",
            )
            .bind(thumbprint.as_bytes().to_vec())
            .bind(now)
            .fetch_optional(connection)
            .await?
        });
        let Some((device, generation)) = row else { return Ok(false) };
        let device = DeviceId::parse(&device).ok_or(LedgerError::Unreadable("certificate.device"))?;
        let retiring = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE certificate SET state = 'retiring', retire_at = $3 \
                 WHERE device = $1 AND generation < $2 AND state IN ('issued', 'delivered', 'in_use')",
            )
            .bind(device.as_str())
            .bind(generation)
            .bind(retire_at.millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        let detail = json!({"thumbprint": thumbprint, "generation": generation, "retiring": retiring, "retire_at": retire_at});
        self.audit(&Actor::Device(device.clone()), "certificate.used", Some(&device), detail).await?;
        Ok(true)
    }

    /// Retires what is due. Gives how many.
    pub async fn retire_due(&mut self) -> Result<usize> {
        let now = self.now.millis();
        let rows: Vec<(String, Vec<u8>, i64, i64, String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE certificate SET state = 'retired', ended_at = $1, reason = 'superseded' \
                 WHERE state = 'retiring' AND retire_at <= $1 \
                 RETURNING device, thumbprint, generation, not_after, issuer, shard",
            )
            .bind(now)
            .fetch_all(connection)
            .await?
        });
        self.touch_shards(rows.iter().map(|(.., issuer, shard)| (issuer.as_str(), *shard))).await?;
        for (device, thumbprint, generation, not_after, ..) in &rows {
            let device = DeviceId::parse(device).ok_or(LedgerError::Unreadable("certificate.device"))?;
            let thumbprint = Thumbprint::from_slice(thumbprint)
                .ok_or(LedgerError::Unreadable("certificate.thumbprint"))?;
            let until = Timestamp::from_millis(*not_after);
            self.feed(Change::CertificateDenied { thumbprint, reason: Denial::Retired, until }).await?;
            let detail = json!({"thumbprint": thumbprint, "generation": generation});
            self.audit(&Actor::System("renewal"), "certificate.retired", Some(&device), detail).await?;
        }
        Ok(rows.len())
    }

    /// Gives up certificates reserved before `before` and never completed. They go on the CRL: a crash between signing
    /// and storing may have left signed bytes that nobody recorded. Gives how many.
    pub async fn abandon_reserved(&mut self, before: Timestamp) -> Result<usize> {
        let now = self.now.millis();
        let rows: Vec<(String, i64, String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE certificate SET state = 'revoked', ended_at = $2, reason = 'superseded' \
                 WHERE state = 'reserved' AND reserved_at < $1 RETURNING device, generation, issuer, shard",
            )
            .bind(before.millis())
            .bind(now)
            .fetch_all(connection)
            .await?
        });
        self.touch_shards(rows.iter().map(|(.., issuer, shard)| (issuer.as_str(), *shard))).await?;
        for (device, generation, ..) in &rows {
            let device = DeviceId::parse(device).ok_or(LedgerError::Unreadable("certificate.device"))?;
            let detail = json!({"generation": generation});
            self.audit(&Actor::System("renewal"), "certificate.abandoned", Some(&device), detail).await?;
        }
        Ok(rows.len())
    }
}

impl Transaction {
    /// The entries of these shards have changed: each is told once.
    pub(super) async fn touch_shards<'a>(
        &mut self,
        shards: impl Iterator<Item = (&'a str, i64)>,
    ) -> Result<()> {
        for (issuer, shard) in shards.collect::<BTreeSet<_>>() {
            self.touch_shard(issuer, shard).await?;
        }
        Ok(())
    }
}

fn device_of(row: Option<(String,)>) -> Result<Option<DeviceId>> {
    row.map(|(device,)| DeviceId::parse(&device).ok_or(LedgerError::Unreadable("certificate.device")))
        .transpose()
}
