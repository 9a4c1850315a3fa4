//! What an old certificate is still good for after its device has moved: one new certificate, and nothing else.

use crate::engine::on_read;
use crate::{Ledger, LedgerError, Result};
use tegata_core::{DeviceId, InvitationId, Thumbprint, Timestamp};

/// What waits in its new tenant for a device that has moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Handover {
    /// What the device is there.
    pub successor: DeviceId,
    /// The right to its first certificate. Nobody knows its code: the old certificate stands for it.
    pub invitation: InvitationId,
    /// Until when it waits.
    pub until: Timestamp,
}

impl Ledger {
    /// What waits for the device of an old certificate at a time. The certificate must have been good until its device moved:
    /// one that was revoked or retired for itself, then or since, brings nothing. A device that moved on before it fetched anything
    /// fetches where it is now.
    pub async fn handover(&self, certificate: &Thumbprint, now: Timestamp) -> Result<Option<Handover>> {
        let row: Option<(String,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT c.device FROM certificate c WHERE c.thumbprint = $1 \
                 AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.not_before <= $2 AND c.not_after >= $2",
            )
            .bind(certificate.as_bytes().to_vec())
            .bind(now.millis())
            .fetch_optional(connection)
            .await?
        });
        let Some((mut device,)) = row else { return Ok(None) };
        let mut found = None;
        for _ in 0..MOVES {
            let next: Option<(String, String, i64, i64)> = on_read!(self, connection => {
                sqlx::query_as(
                    "SELECT x.successor, x.invitation, x.renew_until, (SELECT COUNT(*) FROM certificate k \
                     WHERE k.device = x.successor AND k.der IS NOT NULL) FROM transfer_item x WHERE x.subject = $1 \
                     AND x.kind = 'device' AND x.outcome = 'moved' AND x.renew_until IS NOT NULL",
                )
                .bind(device.as_str())
                .fetch_optional(connection)
                .await?
            });
            let Some((successor, invitation, until, fetched)) = next else { break };
            found = Some(Handover {
                successor: DeviceId::parse(&successor).ok_or(UNREADABLE)?,
                invitation: InvitationId::parse(&invitation).ok_or(UNREADABLE)?,
                until: until.into(),
            });
            if fetched > 0 {
                break;
            }
            device = successor;
        }
        Ok(found.filter(|handover| handover.until >= now))
    }
}

/// How often a device may move on before it fetches anything.
const MOVES: usize = 8;

const UNREADABLE: LedgerError = LedgerError::Unreadable("transfer_item");
