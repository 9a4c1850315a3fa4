//! Issues the first certificates of many devices, one after the other, by a kitting code.

use super::{EnrollmentService, HandedOverCertificate};
use crate::shown_code::ShownCode;
use crate::submitted_csr::SubmittedCsr;
use tegata_ca::ParsedRequest;
use tegata_core::{InvitationId, Name, Refusal, Role, Thumbprint, Timestamp};
use tegata_storage::{Actor, Approval, Kitting, KittingPlace, TakePlace};

/// A device enrolled by a kitting code.
#[derive(Debug)]
pub(crate) struct KittedDevice {
    pub(crate) handed_over: HandedOverCertificate,
    pub(crate) number: u32,
    pub(crate) label: String,
    pub(crate) kitting: Kitting,
}

impl EnrollmentService {
    /// What a kitting code is for, and what it has made. One whose places are all taken opens: whoever holds it sees
    /// the list.
    pub(crate) async fn open_kitting(
        &self,
        code: &ShownCode,
    ) -> Result<(Kitting, Vec<KittingPlace>), Refusal> {
        let kitting = self.find_kitting(code).await?;
        let places = self.context.ledger.kitting_places(&kitting.id).await?;
        Ok((kitting, places))
    }

    /// Turns a place of a kitting code into a certificate. The same key may come again with the same code: it gets the
    /// place that it has.
    pub(crate) async fn enroll_kitting(
        &self,
        code: &ShownCode,
        csr: &SubmittedCsr,
        label: Option<&Name>,
    ) -> Result<KittedDevice, Refusal> {
        let now = self.now();
        let taken = match self.find_kitting(code).await {
            Ok(kitting) => self.place_for(&kitting, csr, label, now).await,
            Err(refusal) => Err(refusal),
        };
        let (request, number, invitation) = match taken {
            Ok(taken) => taken,
            Err(refusal) => return Err(self.refused(Actor::Anonymous, None, refusal, now).await),
        };
        let known = self.context.ledger.invitation(&invitation).await?;
        let known = known.ok_or(Refusal::Internal)?;
        match self.enroll_with(&known, request, None).await {
            Ok(handed_over) => {
                let kitting = self.find_kitting(code).await?;
                Ok(KittedDevice { handed_over, number, label: known.label, kitting })
            }
            Err(refusal) => {
                self.free_place(&invitation, refusal, now).await;
                Err(refusal)
            }
        }
    }

    /// The approval that the key of this request waits for.
    pub(crate) async fn waiting_in_kitting(
        &self,
        code: &ShownCode,
        csr: &SubmittedCsr,
    ) -> Result<Approval, Refusal> {
        let kitting = self.find_kitting(code).await?;
        let key_hash = csr.request()?.key_hash();
        let place = self.context.ledger.kitting_place_of(&kitting.id, &key_hash).await?;
        let (_, place) = place.ok_or(Refusal::Unavailable)?;
        let place = self.context.ledger.invitation(&place).await?;
        let waiting = self.approval_for(&place.ok_or(Refusal::Internal)?, &key_hash).await?;
        waiting.ok_or(Refusal::Unavailable)
    }

    /// Notes that a certificate obtained with this code has arrived.
    pub(crate) async fn deliver_kitting(
        &self,
        code: &ShownCode,
        certificate: &Thumbprint,
    ) -> Result<(), Refusal> {
        let (_, places) = self.open_kitting(code).await?;
        let holding = self.context.ledger.holding(certificate).await?;
        let device = holding.map(|holding| holding.device).ok_or(Refusal::RequestMalformed)?;
        let place = places.into_iter().find(|place| place.device.as_ref() == Some(&device));
        let place = place.ok_or(Refusal::RequestMalformed)?;
        self.deliver(&device, certificate, Actor::Invitation(place.invitation)).await
    }

    /// Of a code that works now, and here.
    async fn find_kitting(&self, code: &ShownCode) -> Result<Kitting, Refusal> {
        let kitting = self.judge_link(self.known_kitting(code).await)?;
        kitting.admits(self.now())?;
        let here = self
            .requester
            .address
            .is_some_and(|requester| kitting.networks.iter().any(|near| near.contains(requester)));
        if kitting.networks.is_empty() || here { Ok(kitting) } else { Err(Refusal::KittingElsewhere) }
    }

    async fn known_kitting(&self, code: &ShownCode) -> Result<Kitting, Refusal> {
        let ShownCode::Link(code) = code else { return Err(Refusal::InvitationUnknown) };
        let found = self.context.ledger.find_kitting(code).await?;
        found.ok_or(Refusal::InvitationUnknown)
    }

    async fn place_for<'a>(
        &self,
        kitting: &Kitting,
        csr: &'a SubmittedCsr,
        label: Option<&Name>,
        now: Timestamp,
    ) -> Result<(&'a ParsedRequest, u32, InvitationId), Refusal> {
        let request = csr.request()?;
        let ledger = &self.context.ledger;
        let key_hash = request.key_hash();
        if let Some((number, invitation)) = ledger.kitting_place_of(&kitting.id, &key_hash).await? {
            return Ok((request, number, invitation));
        }
        if kitting.taken >= kitting.places && !self.has_stale_place(kitting, now).await? {
            // A request with a used-up code costs a read, not a write.
            return Err(Refusal::KittingUsedUp);
        }
        // A key that cannot be certified takes no place: it would cost rows for nothing.
        self.authorities.for_tenant(&kitting.tenant)?.check_key(Role::Device, request)?;
        let invitation = InvitationId::random(self.context.entropy.as_ref());
        let wanted = TakePlace {
            kitting: &kitting.id,
            invitation: invitation.clone(),
            key_hash: &key_hash,
            label: label.map(Name::as_str),
        };
        let mut transaction = ledger.begin(now).await?;
        let number = transaction.take_place(&wanted).await?;
        transaction.commit().await?;
        Ok((request, number, invitation))
    }

    async fn has_stale_place(&self, kitting: &Kitting, now: Timestamp) -> Result<bool, Refusal> {
        let places = self.context.ledger.kitting_places(&kitting.id).await?;
        Ok(places.iter().any(|place| place.is_abandoned(now)))
    }

    /// After a refusal that coming again with the same key does not cure.
    async fn free_place(&self, invitation: &InvitationId, because: Refusal, now: Timestamp) {
        if because.status() >= 500 || because == Refusal::ApprovalPending {
            return;
        }
        let ledger = &self.context.ledger;
        let freed = async {
            let mut transaction = ledger.begin(now).await?;
            transaction.give_place_back(invitation).await?;
            transaction.commit().await
        };
        if let Err(error) = freed.await {
            tracing::warn!(%error, "a place of a kitting code is free only in a while");
        }
    }
}
