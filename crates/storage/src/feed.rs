//! The feed in the ledger, and the denials that follow from it.

use crate::engine::on_read;
use crate::{Ledger, LedgerError, Result};
use tegata_core::feed::{Denial, Denials, Event};
use tegata_core::{DeviceId, DeviceState, TenantId, Thumbprint, Timestamp};

/// Events read at a time.
const PAGE: i64 = 1000;

impl Ledger {
    /// The last event's number.
    ///
    /// # Errors
    /// [`LedgerError::WentBack`] when somebody restored a backup beneath this process.
    pub async fn feed_head(&self) -> Result<u64> {
        let newest = self.shared.newest();
        let (seq, audit_seq): (i64, i64) = on_read!(self, connection => {
            sqlx::query_as("SELECT feed_seq, audit_seq FROM head WHERE id = 1").fetch_one(connection).await?
        });
        self.shared.refuse_older(audit_seq, newest)?;
        Ok(seq.unsigned_abs())
    }

    /// Events after `after`, oldest first, a page at a time.
    pub async fn feed_after(&self, after: u64) -> Result<Vec<Event>> {
        let rows: Vec<(i64, i64, String)> = on_read!(self, connection => {
            sqlx::query_as("SELECT seq, at, change FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(i64::try_from(after).unwrap_or(i64::MAX))
                .bind(PAGE)
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(event).collect()
    }

    /// Everything denied now, from the states themselves. The states may be newer than the number read first;
    /// the events in between are then applied again, and the last one wins, so the result is that of the last event.
    pub async fn denials(&self, now: Timestamp) -> Result<Denials> {
        let seq = self.feed_head().await?;
        let mut denials = Denials::collect(
            seq,
            self.denied_devices().await?,
            self.denied_certificates(now).await?,
            self.denied_tokens(now).await?,
        )
        .with(self.denied_tenants().await?, self.denied_tokens_before(now).await?);
        loop {
            let events = self.feed_after(denials.seq()).await?;
            if events.is_empty() {
                return Ok(denials);
            }
            for event in &events {
                denials.apply(event).map_err(|_| LedgerError::Unreadable("feed.seq has a gap"))?;
            }
        }
    }

    async fn denied_devices(&self) -> Result<Vec<(DeviceId, Denial)>> {
        let rows: Vec<(String, String)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id, state FROM device WHERE state <> 'active'").fetch_all(connection).await?
        });
        rows.iter()
            .map(|(id, state)| {
                let id = DeviceId::parse(id).ok_or(LedgerError::Unreadable("device.id"))?;
                let denial = match DeviceState::parse(state) {
                    Some(DeviceState::Suspended) => Denial::Suspended,
                    Some(DeviceState::Retired) => Denial::Retired,
                    _ => Denial::Revoked,
                };
                Ok((id, denial))
            })
            .collect()
    }

    async fn denied_tenants(&self) -> Result<Vec<(TenantId, Denial)>> {
        let rows: Vec<(String,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id FROM tenant WHERE state <> 'active'").fetch_all(connection).await?
        });
        let read = |id| TenantId::try_from(id).map_err(|_| LedgerError::Unreadable("tenant.id"));
        rows.into_iter().map(|(id,)| Ok((read(id)?, Denial::Suspended))).collect()
    }

    /// Those that the ledger lost at a restore are among them: gates may hold tokens for them.
    async fn denied_certificates(&self, now: Timestamp) -> Result<Vec<(Thumbprint, Denial, Timestamp)>> {
        let rows: Vec<(Vec<u8>, String, i64)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT thumbprint, state, not_after FROM certificate \
                 WHERE state IN ('retired', 'revoked') AND thumbprint IS NOT NULL AND not_after >= $1 \
                 UNION ALL SELECT l.thumbprint, CASE WHEN l.reason IS NULL THEN 'suspended' ELSE 'revoked' END, \
                 l.not_after FROM lost_certificate l WHERE l.thumbprint IS NOT NULL AND l.not_after >= $1 AND NOT EXISTS \
                 (SELECT 1 FROM certificate c WHERE c.thumbprint = l.thumbprint)",
            )
            .bind(now.millis())
            .fetch_all(connection)
            .await?
        });
        rows.iter()
            .map(|(thumbprint, state, not_after)| {
                let thumbprint = Thumbprint::from_slice(thumbprint)
                    .ok_or(LedgerError::Unreadable("certificate.thumbprint"))?;
                let denial = match state.as_str() {
                    "retired" => Denial::Retired,
                    "suspended" => Denial::Suspended,
                    _ => Denial::Revoked,
                };
                Ok((thumbprint, denial, Timestamp::from_millis(*not_after)))
            })
            .collect()
    }

    async fn denied_tokens(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>> {
        let rows: Vec<(String, i64)> = on_read!(self, connection => {
            sqlx::query_as("SELECT jti, until FROM denied_token WHERE until >= $1")
                .bind(now.millis())
                .fetch_all(connection)
                .await?
        });
        Ok(rows.into_iter().map(|(jti, until)| (jti, until.into())).collect())
    }
}

/// A row of the feed: number, time, change.
pub(crate) fn event((seq, at, change): (i64, i64, String)) -> Result<Event> {
    let change = serde_json::from_str(&change).map_err(|_| LedgerError::Unreadable("feed.change"))?;
    Ok(Event { seq: seq.unsigned_abs(), at: at.into(), change })
}
