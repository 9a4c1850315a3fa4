//! Strays: events of one log that a restored ledger meets when it has gone on with another.
//!
//! Their order among the others is not known any more, so they only ever stop somebody who is not stopped: a device that was
//! revoked is not merely suspended by one of them, and nobody is let in again. Each that changes something becomes a new
//! event of the feed; one that changes nothing was known already.

use super::applying::{LOG, ReplayedEvent, moved_to};
use crate::engine::on_transaction;
use crate::revocation_log::LoggedEvent;
use crate::{Result, Transaction};
use serde_json::json;
use tegata_core::feed::{Change, Event};
use tegata_core::{DeviceId, DeviceState, TenantState};

impl Transaction {
    pub(super) async fn apply_stray(&mut self, stray: &LoggedEvent, done: &mut ReplayedEvent) -> Result<()> {
        let event =
            Event { seq: self.feed_seq() + 1, at: stray.event.at, change: stray.event.change.clone() };
        let again = LoggedEvent { event, ..stray.clone() };
        let before = *done;
        match &again.event.change {
            Change::DeviceDenied { device, reason } => {
                done.devices += self.move_further(device, DeviceState::from(*reason), &again).await?;
                done.lost += self.lose(&again).await?;
            }
            Change::CertificateDenied { thumbprint, reason, .. } => {
                done.certificates += self.end_again(&again, thumbprint, *reason).await?;
                done.lost += self.lose(&again).await?;
            }
            Change::TokenDenied { jti, until } => {
                done.tokens += self.deny_again(jti, *until, again.event.seq).await?;
            }
            Change::TenantDenied { tenant, reason: _ } => {
                done.tenants += self.move_tenant_again(tenant, TenantState::Suspended, &again).await?;
                done.lost += self.lose(&again).await?;
            }
            Change::TokensDenied(tokens) => {
                done.tokens += self.sign_out_again(tokens, again.event.seq).await?;
            }
            Change::DeviceAllowed { .. } | Change::TenantAllowed { .. } => {}
        }
        if *done != before {
            self.refeed(&again.event).await?;
            done.events += 1;
        }
        Ok(())
    }

    /// Only from a state that lets in more.
    async fn move_further(
        &mut self,
        device: &DeviceId,
        to: DeviceState,
        logged: &LoggedEvent,
    ) -> Result<u64> {
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE device SET state = $2, reason = $3, changed_at = $4 WHERE id = $1 AND state <> $2 AND \
                 (state = 'active' OR (state = 'suspended' AND $2 IN ('retired', 'revoked')) \
                 OR (state = 'retired' AND $2 = 'revoked'))",
            )
            .bind(device.as_str())
            .bind(to.as_str())
            .bind(logged.reason.clone())
            .bind(logged.event.at.millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if moved > 0 {
            self.touch_shards_of(device).await?;
            let detail = json!({"event": logged.event.seq, "reason": logged.reason, "at": logged.event.at});
            self.audit(&LOG, moved_to(to), Some(device), detail).await?;
        }
        Ok(moved)
    }
}
