//! What is done to one device.

use super::forecast::DeviceForecast;
use super::reading::Transfer;
use super::running::AT_ONCE;
use crate::actor::Actor;
use crate::device::DeviceAction;
use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use std::collections::BTreeSet;
use tegata_core::feed::TokenHolder;
use tegata_core::id::InvitationCode;
use tegata_core::transfer::{DeviceTransferOutcome, TransferChange};
use tegata_core::{
    DeviceId, Entropy, InvitationId, RevocationReason, SiteId, StopCause, TenantId, Timestamp, TransferId,
};

/// What a device that moved is in its new tenant.
struct Successor {
    device: DeviceId,
    invitation: InvitationId,
    until: Timestamp,
}

impl Transaction {
    /// Ends a device with the tenant that gives and begins it with the one that receives, or does what else was decided.
    pub(super) async fn transfer_device(
        &mut self,
        transfer: &Transfer,
        site: &SiteId,
        device: &DeviceForecast,
        entropy: &dyn Entropy,
        actor: &Actor,
    ) -> Result<()> {
        let successor = match (device.outcome, &device.stays_at) {
            (DeviceTransferOutcome::Stayed, Some(at)) => {
                self.rebind_device(transfer, &device.device, at, actor).await?;
                None
            }
            (outcome, _) => {
                let revoked = DeviceAction::Revoke(RevocationReason::AffiliationChanged);
                let (cause, note) =
                    (Some(StopCause::AffiliationChanged), format!("transfer {}", transfer.id));
                self.act_on_device_because(&device.device, revoked, cause, &note, actor).await?;
                match outcome {
                    DeviceTransferOutcome::Moved => {
                        Some(self.admit(transfer, site, device, entropy, actor).await?)
                    }
                    _ => None,
                }
            }
        };
        self.note_item(
            transfer,
            "device",
            device.device.as_str(),
            device.outcome.as_str(),
            successor.as_ref(),
        )
        .await
    }

    /// Tokens say the site, so those that were given are over; the certificate does not, and works on.
    async fn rebind_device(
        &mut self,
        transfer: &Transfer,
        device: &DeviceId,
        at: &SiteId,
        actor: &Actor,
    ) -> Result<()> {
        let source = &transfer.plan.source;
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE device SET site = $2 WHERE id = $1 AND tenant = $3 \
                 AND EXISTS (SELECT 1 FROM site s WHERE s.id = $2 AND s.tenant = $3)",
            )
            .bind(device.as_str())
            .bind(at.as_str())
            .bind(source.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(moved, "there is no such device or site")?;
        let note = format!("transfer {}", transfer.id);
        self.deny_tokens(&TokenHolder::Device(device.clone()), None, &note, actor).await?;
        let detail = json!({"tenant": source, "site": at, "transfer": transfer.id});
        self.audit(actor, "device.moved", Some(device), detail).await
    }

    /// The device as the new tenant has it, for those of its people who are there, with the right to one first certificate.
    async fn admit(
        &mut self,
        transfer: &Transfer,
        site: &SiteId,
        device: &DeviceForecast,
        entropy: &dyn Entropy,
        actor: &Actor,
    ) -> Result<Successor> {
        let TransferChange::Business { target, sites, .. } = &transfer.plan.change else {
            return Err(LedgerError::Guard("nothing moves by this transfer"));
        };
        let planned = sites.get(site).ok_or(LedgerError::Guard("the site is not part of the transfer"))?;
        let successor = Successor {
            device: DeviceId::random(entropy),
            invitation: InvitationId::random(entropy),
            until: transfer.begun_at.unwrap_or(self.now).plus(transfer.plan.renewal_window()),
        };
        self.add_device(&successor.device, target, &planned.becomes, device.role, &device.label).await?;
        self.stand_in(&successor, (target, &planned.becomes), device, entropy).await?;
        let people = self.bind_people(&transfer.id, &device.device, (&successor.device, target)).await?;
        let detail = json!({
            "tenant": target, "site": planned.becomes, "transfer": transfer.id, "invitation": successor.invitation,
            "until": successor.until, "people": people,
        });
        self.audit(actor, "device.admitted", Some(&successor.device), detail).await?;
        Ok(successor)
    }

    /// An invitation whose code nobody knows and that no key has claimed: the old certificate stands for both.
    async fn stand_in(
        &mut self,
        successor: &Successor,
        (target, site): (&TenantId, &SiteId),
        device: &DeviceForecast,
        entropy: &dyn Entropy,
    ) -> Result<()> {
        let (now, code) = (self.now.millis(), InvitationCode::random(entropy));
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO invitation (id, code_hash, tenant, site, role, label, state, created_at, expires_at, device) \
                 VALUES ($1, $2, $3, $4, $5, $6, 'claimed', $7, $8, $9)",
            )
            .bind(successor.invitation.as_str())
            .bind(code.hash())
            .bind(target.as_str())
            .bind(site.as_str())
            .bind(device.role.as_str())
            .bind(device.label.as_str())
            .bind(now)
            .bind(successor.until.millis())
            .bind(successor.device.as_str())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Those of its people who are in the new tenant by now. Gives how many.
    async fn bind_people(
        &mut self,
        transfer: &TransferId,
        device: &DeviceId,
        (successor, target): (&DeviceId, &TenantId),
    ) -> Result<u64> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO device_person (device, person) SELECT $1, p.id FROM transfer_binding b \
                 JOIN person p ON p.id = b.person WHERE b.transfer = $2 AND b.device = $3 AND p.tenant = $4",
            )
            .bind(successor.as_str())
            .bind(transfer.as_str())
            .bind(device.as_str())
            .bind(target.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    /// Keeps for whom the devices of a site are, before anybody moves.
    pub(super) async fn keep_bindings(&mut self, transfer: &TransferId, site: &SiteId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO transfer_binding (transfer, device, person) SELECT y.transfer, a.device, a.person \
                 FROM transfer_site y JOIN device d ON d.site = y.site JOIN device_person a ON a.device = d.id \
                 WHERE y.transfer = $1 AND y.site = $2",
            )
            .bind(transfer.as_str())
            .bind(site.as_str())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Writes down what became of a device or a person, with the act itself.
    async fn note_item(
        &mut self,
        transfer: &Transfer,
        kind: &str,
        subject: &str,
        outcome: &str,
        successor: Option<&Successor>,
    ) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO transfer_item (transfer, kind, subject, outcome, successor, invitation, renew_until, at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(transfer.id.as_str())
            .bind(kind)
            .bind(subject)
            .bind(outcome)
            .bind(successor.map(|successor| successor.device.as_str().to_owned()))
            .bind(successor.map(|successor| successor.invitation.as_str().to_owned()))
            .bind(successor.map(|successor| successor.until.millis()))
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    pub(super) async fn note_person(
        &mut self,
        transfer: &Transfer,
        person: &str,
        outcome: &str,
    ) -> Result<()> {
        self.note_item(transfer, "person", person, outcome, None).await
    }

    /// Some of the devices that were decided about and had ended before, or were no longer there: said, so that nobody looks for
    /// them. Gives whether there may be more.
    pub(super) async fn note_ended_devices(&mut self, transfer: &Transfer) -> Result<bool> {
        let TransferChange::Business { devices, .. } = &transfer.plan.change else { return Ok(false) };
        let known: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT subject FROM transfer_item WHERE transfer = $1 AND kind = 'device'")
                .bind(transfer.id.as_str())
                .fetch_all(connection)
                .await?
        });
        let known: BTreeSet<_> = known.into_iter().map(|(subject,)| subject).collect();
        let ended = devices.keys().filter(|device| !known.contains(device.as_str()));
        let ended: Vec<_> = ended.take(AT_ONCE).collect();
        for device in &ended {
            self.note_item(transfer, "device", device.as_str(), DeviceTransferOutcome::Ended.as_str(), None)
                .await?;
        }
        Ok(!ended.is_empty())
    }
}
