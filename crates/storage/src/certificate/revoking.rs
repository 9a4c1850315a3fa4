//! Revokes single certificates, with those that were renewed from them.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::feed::{Change, Denial};
use tegata_core::{DeviceId, IssuerId, RevocationReason, Serial, StopCause, Thumbprint, Timestamp};

/// What happens to the certificates that were renewed from a revoked one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lineage {
    /// They are revoked with it: whoever held the stolen key may have renewed it.
    Whole,
    /// They stay valid: only the named certificate is revoked.
    This,
}

impl Lineage {
    /// What a reason asks for unless somebody decides otherwise.
    pub const fn of(reason: RevocationReason) -> Self {
        match reason {
            RevocationReason::KeyCompromise => Self::Whole,
            _ => Self::This,
        }
    }
}

/// What a revocation did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RevocationEffect {
    /// How many certificates it took back.
    pub certificates: usize,
    /// The last event of the feed, which gates acknowledge.
    pub event: u64,
}

#[derive(sqlx::FromRow)]
struct RevocationRow {
    device: String,
    generation: i64,
    serial: Vec<u8>,
    thumbprint: Option<Vec<u8>>,
    not_after: i64,
    issuer: String,
    shard: i64,
}

impl Transaction {
    /// Revokes one certificate and, by `lineage`, what was renewed from it: one event and one audit entry each. What is
    /// revoked already stays as it is.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such certificate, or nothing was left to revoke.
    pub async fn revoke_certificate(
        &mut self,
        thumbprint: &Thumbprint,
        reason: RevocationReason,
        lineage: Lineage,
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        self.revoke_line(thumbprint, (reason, None), lineage, note, actor).await
    }

    /// Revokes a certificate and records a cause, which the refusal page shows to whoever presents the certificate.
    ///
    /// # Errors
    /// As [`Transaction::revoke_certificate`].
    pub async fn revoke_certificate_because(
        &mut self,
        thumbprint: &Thumbprint,
        cause: StopCause,
        lineage: Lineage,
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        self.revoke_line(thumbprint, (cause.reason(), Some(cause)), lineage, note, actor).await
    }

    async fn revoke_line(
        &mut self,
        thumbprint: &Thumbprint,
        why: (RevocationReason, Option<StopCause>),
        lineage: Lineage,
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        let found: Option<(String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.device, c.generation FROM certificate c JOIN device d ON d.id = c.device \
                 WHERE c.thumbprint = $1 AND ($2 IS NULL OR d.tenant = $2)",
            )
                .bind(thumbprint.as_bytes().to_vec())
                .bind(self.scope.bound())
                .fetch_optional(connection)
                .await?
        });
        let (device, generation) = found.ok_or(LedgerError::Guard("there is no such certificate"))?;
        let rows = self.revoke_generation(&device, generation, why, lineage).await?;
        if rows.is_empty() {
            return Err(LedgerError::Guard("the certificate is revoked already"));
        }
        let effect = self.record_revoked(rows, why, note, actor).await?;
        match lineage {
            Lineage::Whole => self.revoke_successors(vec![device], effect, why, note, actor).await,
            Lineage::This => Ok(effect),
        }
    }

    /// Revokes every certificate of a key for `keyCompromise`, with what was renewed from them. Nothing to revoke is
    /// no error.
    pub(crate) async fn revoke_certificates_with(
        &mut self,
        key_id: &[u8; 32],
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        let why = (RevocationReason::KeyCompromise, Some(StopCause::KeyCompromise));
        let found: Vec<(String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT device, generation FROM certificate WHERE key_id = $1 ORDER BY device, generation")
                .bind(key_id.to_vec())
                .fetch_all(connection)
                .await?
        });
        let mut rows = Vec::new();
        let devices = found.iter().map(|(device, _)| device.clone()).collect();
        for (device, generation) in found {
            rows.extend(self.revoke_generation(&device, generation, why, Lineage::Whole).await?);
        }
        let effect = self.record_revoked(rows, why, note, actor).await?;
        self.revoke_successors(devices, effect, why, note, actor).await
    }

    /// Goes on to what these devices became in tenants that they moved to: whoever held a stolen key may have fetched the first
    /// certificate there by it. Another tenant's rows, so the scope is left for it and nothing else.
    async fn revoke_successors(
        &mut self,
        mut devices: Vec<String>,
        mut effect: RevocationEffect,
        (reason, cause): (RevocationReason, Option<StopCause>),
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        let (scope, now) = (self.scope.clone(), self.now.millis());
        self.widen().await?;
        while let Some(device) = devices.pop() {
            let moved: Option<(String,)> = on_transaction!(self.engine, connection => {
                sqlx::query_as(
                    "SELECT successor FROM transfer_item WHERE kind = 'device' AND subject = $1 AND successor IS NOT NULL",
                )
                .bind(device.as_str())
                .fetch_optional(connection)
                .await?
            });
            let Some((successor,)) = moved else { continue };
            let rows: Vec<RevocationRow> = on_transaction!(self.engine, connection => {
                sqlx::query_as(
                    "UPDATE certificate SET state = 'revoked', reason = $2, ended_at = $3, cause = $4 \
                     WHERE device = $1 AND state <> 'revoked' \
                     RETURNING device, generation, serial, thumbprint, not_after, issuer, shard",
                )
                .bind(successor.as_str())
                .bind(reason.as_str())
                .bind(now)
                .bind(cause.map(StopCause::as_str))
                .fetch_all(connection)
                .await?
            });
            let further = self.record_revoked(rows, (reason, cause), note, actor).await?;
            effect.certificates += further.certificates;
            effect.event = further.event;
            devices.push(successor);
        }
        self.write_entries().await?;
        self.narrow(&scope).await?;
        Ok(effect)
    }

    /// Revokes what is left of a CA, at most `limit` certificates at once so that other writers get their turn. Gives
    /// how many; fewer than `limit` means that none is left.
    pub async fn revoke_certificates_of(
        &mut self,
        issuer: &IssuerId,
        reason: RevocationReason,
        limit: u32,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        let now = self.now.millis();
        let rows: Vec<RevocationRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE certificate SET state = 'revoked', reason = $2, ended_at = $3 WHERE issuer = $1 \
                 AND serial IN (SELECT c.serial FROM certificate c WHERE c.issuer = $1 AND c.not_after >= $3 \
                 AND c.state NOT IN ('retired', 'revoked') ORDER BY c.serial LIMIT $4) \
                 RETURNING device, generation, serial, thumbprint, not_after, issuer, shard",
            )
            .bind(issuer.as_str())
            .bind(reason.as_str())
            .bind(now)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        });
        self.record_revoked(rows, (reason, None), "", actor).await
    }

    /// Lineage is within a device: generations and the generation each was renewed from.
    async fn revoke_generation(
        &mut self,
        device: &str,
        generation: i64,
        (reason, cause): (RevocationReason, Option<StopCause>),
        lineage: Lineage,
    ) -> Result<Vec<RevocationRow>> {
        let deepest = match lineage {
            Lineage::Whole => i64::MAX,
            Lineage::This => 0,
        };
        let now = self.now.millis();
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "WITH RECURSIVE line (generation, depth) AS (SELECT CAST($2 AS BIGINT), CAST(0 AS BIGINT) UNION ALL \
                 SELECT c.generation, line.depth + 1 FROM certificate c JOIN line ON c.parent = line.generation \
                 WHERE c.device = $1 AND line.depth < $5) \
                 UPDATE certificate SET state = 'revoked', reason = $3, ended_at = $4, cause = $6 \
                 WHERE device = $1 AND state <> 'revoked' AND generation IN (SELECT generation FROM line) \
                 RETURNING device, generation, serial, thumbprint, not_after, issuer, shard",
            )
            .bind(device)
            .bind(generation)
            .bind(reason.as_str())
            .bind(now)
            .bind(deepest)
            .bind(cause.map(StopCause::as_str))
            .fetch_all(connection)
            .await?
        }))
    }

    async fn record_revoked(
        &mut self,
        mut rows: Vec<RevocationRow>,
        (reason, cause): (RevocationReason, Option<StopCause>),
        note: &str,
        actor: &Actor,
    ) -> Result<RevocationEffect> {
        rows.sort_unstable_by(|a, b| (&a.device, a.generation).cmp(&(&b.device, b.generation)));
        self.touch_shards(rows.iter().map(|row| (row.issuer.as_str(), row.shard))).await?;
        for row in &rows {
            let device = DeviceId::parse(&row.device).ok_or(LedgerError::Unreadable("certificate.device"))?;
            let event = match row.thumbprint.as_deref().and_then(Thumbprint::from_slice) {
                Some(thumbprint) => {
                    let until = Timestamp::from_millis(row.not_after);
                    let denied = Change::CertificateDenied { thumbprint, reason: Denial::Revoked, until };
                    Some(self.feed(denied).await?.seq)
                }
                None => None,
            };
            let mut detail = json!({
                "issuer": row.issuer, "serial": Serial::from_slice(&row.serial), "generation": row.generation,
                "reason": reason.as_str(), "event": event, "note": note,
            });
            if let Some(cause) = cause {
                detail["cause"] = cause.as_str().into();
            }
            self.audit(actor, "certificate.revoked", Some(&device), detail).await?;
        }
        Ok(RevocationEffect { certificates: rows.len(), event: self.feed_seq() })
    }
}
