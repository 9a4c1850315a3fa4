//! Strays: events of one log that a restored ledger meets when it has gone on with another.
//!
//! Their order among the others is not known any more, so they only ever stop somebody who is not stopped: a device that was
//! revoked is not merely suspended by one of them, and nobody is let in again. Each that changes something becomes a new
//! event of the feed; one that changes nothing was known already.

use super::applying::{ReplayedEvent, StatesBefore};
use crate::revocation_log::LoggedEvent;
use crate::{Result, Transaction};
use tegata_core::feed::{Change, Event};
use tegata_core::{DeviceState, TenantState};

impl Transaction {
    pub(super) async fn apply_stray(&mut self, stray: &LoggedEvent, done: &mut ReplayedEvent) -> Result<()> {
        let event =
            Event { seq: self.feed_seq() + 1, at: stray.event.at, change: stray.event.change.clone() };
        let again = LoggedEvent { event, ..stray.clone() };
        let before = *done;
        match &again.event.change {
            Change::DeviceDenied { device, reason } => {
                done.devices += self
                    .move_again(device, DeviceState::from(*reason), StatesBefore::LettingInMore, &again)
                    .await?;
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
}
