//! Records certificates: the intention before the key signs, the signed bytes after.

use super::eligibility::may_reserve;
use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::group_commit::Operation;
use crate::key::key_id;
use crate::{LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use std::time::Duration;
use tegata_core::feed::{Change, Denial};
use tegata_core::{
    DeviceId, InvitationId, IssuerId, Refusal, Role, Serial, SiteId, TenantId, Thumbprint, Timestamp,
};

/// What the key is about to sign, and by what right. As an [`Operation`] it reserves the serial, and gives the
/// generation.
#[derive(Debug)]
pub struct ReserveSerial {
    /// The CA that will sign.
    pub issuer: IssuerId,
    /// The serial to reserve.
    pub serial: Serial,
    /// Which of the CA's CRLs names it once it ends: its URL is in the bytes.
    pub shard: u16,
    /// The device that will hold the certificate.
    pub device: DeviceId,
    /// SHA-256 of the public key.
    pub key_hash: [u8; 32],
    /// The exact bytes to be signed.
    pub tbs: Vec<u8>,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// What entitles the device to it.
    pub origin: IssuanceRight,
    /// When the serial is reserved.
    pub at: Timestamp,
}

impl ReserveSerial {
    /// What makes its key the same as another's, read from the very bytes that are to be signed.
    pub(super) fn key_id(&self) -> [u8; 32] {
        key_id(&self.tbs, &self.key_hash)
    }
}

/// By what right a certificate is issued.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IssuanceRight {
    /// An open invitation: it is claimed, and the device comes into being.
    Invitation {
        /// The invitation that is claimed.
        invitation: InvitationId,
        /// The tenant that the device will belong to.
        tenant: TenantId,
        /// The site where the device will stand.
        site: SiteId,
        /// The role that the device will have.
        role: Role,
        /// What it is called.
        label: String,
    },
    /// An invitation this key has claimed, whose first attempt ended between intention and signature.
    Again(InvitationId),
    /// An invitation that another key has claimed, for a device that was never used: this key takes its place.
    Replacement(InvitationId),
    /// An older certificate of the device, presented now.
    Renewal(Thumbprint),
}

/// The signed bytes of a reserved certificate, to be stored.
#[derive(Debug)]
pub struct StoreCertificate {
    /// The CA that signed.
    pub issuer: IssuerId,
    /// The serial that was reserved.
    pub serial: Serial,
    /// The device that holds it.
    pub device: DeviceId,
    /// Who asked for it, for the audit log.
    pub actor: Actor,
    /// The signed certificate in DER.
    pub der: Vec<u8>,
    /// SHA-256 over the DER.
    pub thumbprint: Thumbprint,
    /// When it is stored.
    pub at: Timestamp,
}

impl IssuanceRight {
    /// The actor of the audit entries about this issuance.
    pub fn actor(&self, device: &DeviceId) -> Actor {
        match self {
            Self::Invitation { invitation, .. } | Self::Again(invitation) | Self::Replacement(invitation) => {
                Actor::Invitation(invitation.clone())
            }
            Self::Renewal(_) => Actor::Device(device.clone()),
        }
    }
}

impl Operation for ReserveSerial {
    type Output = u32;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<u32> {
        transaction.refuse_blocked_key(&self.key_hash, &self.key_id()).await?;
        transaction.refuse_reused_key(self).await?;
        let parent = match &self.origin {
            IssuanceRight::Invitation { invitation, tenant, site, role, label } => {
                let added = transaction.add_device(&self.device, tenant, site, *role, label).await;
                // What was open at a site that was handed over is of no use any more.
                added.map_err(|error| match error {
                    LedgerError::Guard(_) => LedgerError::Refused(Refusal::InvitationWithdrawn),
                    error => error,
                })?;
                transaction.claim(invitation, &self.key_hash, &self.device).await?;
                None
            }
            IssuanceRight::Again(invitation) => {
                transaction.claim_again(invitation, &self.key_hash, &self.device).await?;
                transaction.take_back(self, 0).await?;
                None
            }
            IssuanceRight::Replacement(invitation) => {
                transaction.claim_instead(invitation, &self.key_hash, &self.device).await?;
                transaction.take_back(self, 0).await?;
                None
            }
            IssuanceRight::Renewal(from) => Some(transaction.supersede_pending(self, from).await?),
        };
        let generation = transaction.next_generation(&self.device).await?;
        transaction.insert_reserved(self, generation, parent).await?;
        transaction.note_reserved(self, generation).await?;
        u32::try_from(generation).map_err(|_| LedgerError::Unreadable("certificate.generation"))
    }

    async fn apply_all(set: &[&Self], transaction: &mut Transaction) -> Result<Vec<u32>> {
        transaction.reserve_all(set).await
    }
}

impl Operation for StoreCertificate {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        self.check()?;
        let now = transaction.now.millis();
        let completed = on_transaction!(transaction.engine, connection => {
            sqlx::query(
                "UPDATE certificate SET state = 'issued', der = $3, thumbprint = $4, issued_at = $5 \
                 WHERE issuer = $1 AND serial = $2 AND device = $6 AND state = 'reserved'",
            )
            .bind(self.issuer.as_str())
            .bind(self.serial.as_bytes().to_vec())
            .bind(self.der.as_slice())
            .bind(self.thumbprint.as_bytes().to_vec())
            .bind(now)
            .bind(self.device.as_str())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(completed, "the certificate is no longer reserved")?;
        transaction.note_issued(self).await
    }

    async fn apply_all(set: &[&Self], transaction: &mut Transaction) -> Result<Vec<()>> {
        transaction.complete_all(set).await
    }
}

impl StoreCertificate {
    pub(super) fn check(&self) -> Result<()> {
        if Thumbprint::of(&self.der) == self.thumbprint {
            Ok(())
        } else {
            Err(LedgerError::Guard("the thumbprint is not that of the certificate"))
        }
    }
}

impl IssuanceRight {
    const fn name(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => "invitation",
            Self::Again(_) => "invitation again",
            Self::Replacement(_) => "replacement",
            Self::Renewal(_) => "renewal",
        }
    }
}

/// A reservation older than this was left by a crash.
const IN_PROGRESS: Duration = Duration::from_secs(10);

/// Generation, serial, thumbprint, end of validity.
type TakenOverRow = (i64, Vec<u8>, Option<Vec<u8>>, i64);

impl Transaction {
    pub(super) async fn note_reserved(&mut self, intent: &ReserveSerial, generation: i64) -> Result<()> {
        let detail = json!({
            "issuer": intent.issuer, "serial": intent.serial, "generation": generation,
            "not_after": intent.not_after, "origin": intent.origin.name(),
        });
        let actor = intent.origin.actor(&intent.device);
        self.audit(&actor, "certificate.reserved", Some(&intent.device), detail).await
    }

    pub(super) async fn note_issued(&mut self, complete: &StoreCertificate) -> Result<()> {
        let detail = json!({
            "issuer": complete.issuer, "serial": complete.serial, "thumbprint": complete.thumbprint,
            "after": self.feed_seq(),
        });
        self.audit(&complete.actor, "certificate.issued", Some(&complete.device), detail).await
    }

    /// A key belongs to one certificate. What the same device reserved and never received is no certificate yet: after
    /// a crash the same key may come again. A renewal whose twin is still being served waits for it, though, and does not
    /// take its reservation away.
    async fn refuse_reused_key(&mut self, intent: &ReserveSerial) -> Result<()> {
        let in_progress = match intent.origin {
            IssuanceRight::Renewal(_) => intent.at.minus(IN_PROGRESS).millis(),
            IssuanceRight::Invitation { .. } | IssuanceRight::Again(_) | IssuanceRight::Replacement(_) => {
                i64::MAX
            }
        };
        let used: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT device FROM certificate WHERE key_id = $1 \
                 AND (der IS NOT NULL OR device <> $2 OR (state = 'reserved' AND reserved_at > $3)) LIMIT 1",
            )
            .bind(intent.key_id().to_vec())
            .bind(intent.device.as_str())
            .bind(in_progress)
            .fetch_optional(connection)
            .await?
        });
        if used.is_none() { Ok(()) } else { Err(LedgerError::Refused(Refusal::KeyReused)) }
    }

    /// Renewal starts from the newest certificate in use; newer ones that were never used are taken back, so that
    /// a lost answer leaves nothing behind. Gives the generation it starts from.
    async fn supersede_pending(&mut self, intent: &ReserveSerial, from: &Thumbprint) -> Result<i64> {
        let rows: Vec<(i64, String)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.generation, c.state FROM certificate c JOIN certificate f ON f.device = c.device \
                 WHERE c.device = $1 AND f.thumbprint = $2 AND f.state IN ('issued', 'delivered', 'in_use') \
                 AND c.generation >= f.generation ORDER BY c.generation",
            )
            .bind(intent.device.as_str())
            .bind(from.as_bytes().to_vec())
            .fetch_all(connection)
            .await?
        });
        let Some(((from, _), newer)) = rows.split_first() else {
            return Err(LedgerError::Refused(Refusal::RenewalNotPossible));
        };
        let never_used = |(_, state): &(i64, String)| {
            matches!(state.as_str(), "reserved" | "issued" | "delivered" | "revoked")
        };
        if !newer.iter().all(never_used) {
            return Err(LedgerError::Refused(Refusal::RenewalNotPossible));
        }
        self.take_back(intent, *from).await?;
        Ok(*from)
    }

    /// Revokes what the device holds beyond a generation: one entry each, and an event where it was signed.
    async fn take_back(&mut self, intent: &ReserveSerial, after: i64) -> Result<()> {
        let now = self.now.millis();
        let mut taken: Vec<TakenOverRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "UPDATE certificate SET state = 'revoked', reason = 'superseded', ended_at = $3 \
                 WHERE device = $1 AND generation > $2 AND state IN ('reserved', 'issued', 'delivered') \
                 RETURNING generation, serial, thumbprint, not_after",
            )
            .bind(intent.device.as_str())
            .bind(after)
            .bind(now)
            .fetch_all(connection)
            .await?
        });
        if !taken.is_empty() {
            self.touch_shards_of(&intent.device).await?;
        }
        taken.sort_unstable();
        let actor = intent.origin.actor(&intent.device);
        for (generation, serial, thumbprint, not_after) in taken {
            if let Some(thumbprint) = thumbprint.as_deref().and_then(Thumbprint::from_slice) {
                let until = Timestamp::from_millis(not_after);
                self.feed(Change::CertificateDenied { thumbprint, reason: Denial::Revoked, until }).await?;
            }
            let detail =
                json!({"serial": Serial::from_slice(&serial), "generation": generation, "by": intent.serial});
            self.audit(&actor, "certificate.superseded", Some(&intent.device), detail).await?;
        }
        Ok(())
    }

    /// Only for a CA that issues, and for this tenant, while that is active: a process that has not heard of its rest, or
    /// of the tenant's policy or suspension, is stopped here.
    async fn insert_reserved(
        &mut self,
        intent: &ReserveSerial,
        generation: i64,
        parent: Option<i64>,
    ) -> Result<()> {
        let (now, place) = (self.now.millis(), self.take_status_place());
        let inserted = on_transaction!(self.engine, connection => {
            sqlx::query(concat!(
                "INSERT INTO certificate (issuer, serial, shard, device, generation, parent, state, key_hash, key_id, tbs, \
                 not_before, not_after, reserved_at, status_place) \
                 SELECT i.id, $2, $3, d.id, $5, $6, 'reserved', $7, $8, $9, $10, $11, $12, $13 \
                 FROM issuer i JOIN device d ON d.id = $4 JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site \
                 WHERE i.id = $1 AND ",
                may_reserve!(generation "$5", at "$12")
            ))
            .bind(intent.issuer.as_str())
            .bind(intent.serial.as_bytes().to_vec())
            .bind(i64::from(intent.shard))
            .bind(intent.device.as_str())
            .bind(generation)
            .bind(parent)
            .bind(intent.key_hash.to_vec())
            .bind(intent.key_id().to_vec())
            .bind(intent.tbs.clone())
            .bind(intent.not_before.millis())
            .bind(intent.not_after.millis())
            .bind(now)
            .bind(place)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if inserted == 1 {
            return Ok(());
        }
        Err(LedgerError::Refused(self.why_not_reserved(intent, generation).await?))
    }

    async fn why_not_reserved(&mut self, intent: &ReserveSerial, generation: i64) -> Result<Refusal> {
        if self.falls_with_its_tenant(&intent.device).await? {
            return Ok(Refusal::TenantSuspended);
        }
        // Whoever is known has a place: only a first certificate is refused for want of one.
        let is_full = generation == 1 && !self.has_room(&intent.device, self.now).await?;
        Ok(if is_full { Refusal::NoPlaceLeft } else { Refusal::NoIssuer })
    }
}
