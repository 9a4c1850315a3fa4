//! Applies the enrollment policy of tenant and site to a request for a first certificate, and its approval.

use super::{EnrollmentService, HandedOverCertificate};
use crate::shown_code::ShownCode;
use crate::ticket::{TicketPurpose, TicketRight};
use ring::digest::{SHA256, digest};
use tegata_ca::ParsedRequest;
use tegata_core::policy::{EnrollmentAttempt, PolicyVerdict};
use tegata_core::{ApprovalId, Refusal, Role, Timestamp};
use tegata_storage::{Actor, Approval, ApprovalState, Invitation, LedgerError, NewApproval};

impl EnrollmentService {
    /// What waits under this identifier, with its invitation.
    pub(crate) async fn approval(&self, id: &ApprovalId) -> Result<(Approval, Invitation), Refusal> {
        let approval = self.known_approval(id).await?;
        let invitation = self.context.ledger.invitation(&approval.invitation).await?;
        Ok((approval, invitation.ok_or(Refusal::Internal)?))
    }

    pub(crate) async fn known_approval(&self, id: &ApprovalId) -> Result<Approval, Refusal> {
        let known = self.context.ledger.approval(id).await?;
        known.ok_or(Refusal::InvitationUnknown)
    }

    /// Asks somebody to approve of a device that will make its key by itself, and later: what waits has no key.
    ///
    /// # Errors
    /// The rule that is broken; what the invitation says.
    pub(crate) async fn ask_before(&self, invitation: &Invitation) -> Result<Approval, Refusal> {
        let now = self.now();
        invitation.policies.judge(&self.asking(now))?;
        let id = ApprovalId::random(self.context.entropy.as_ref());
        // Unlike any key's, and nobody's.
        let key_hash = digest(&SHA256, id.as_str().as_bytes()).as_ref().try_into();
        self.write_asked(invitation, &id, key_hash.map_err(|_| Refusal::Internal)?, Vec::new(), now).await?;
        self.known_approval(&id).await
    }

    /// Gives this key what was granted before there was one, if `code` is the ticket for that.
    pub(crate) async fn pass_approval_on(
        &self,
        code: &ShownCode,
        request: &ParsedRequest,
    ) -> Result<(), Refusal> {
        let Some(ticket) = code.ticket() else { return Ok(()) };
        let ticket = self.authentic_ticket(TicketPurpose::Certificate, ticket).await?;
        let TicketRight::Approved(id) = &ticket.right else { return Ok(()) };
        let known = self.known_approval(id).await?;
        let key_hash = request.key_hash();
        if known.state != ApprovalState::Granted || known.key_hash == key_hash {
            return Ok(());
        }
        let now = self.now();
        let actor = Actor::Invitation(known.invitation);
        let mut transaction = self.context.ledger.begin(now).await?;
        match transaction.pass_approval_on(id, &key_hash, request.der(), &actor).await {
            Ok(()) => transaction.commit().await.map_err(Refusal::from),
            // The invitation was used meanwhile, for which enrolling has a better refusal.
            Err(LedgerError::Guard(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What waits for this key and this code.
    pub(crate) async fn approval_for(
        &self,
        invitation: &Invitation,
        key_hash: &[u8],
    ) -> Result<Option<Approval>, Refusal> {
        self.context.ledger.approval_for(&invitation.id, key_hash).await.map_err(Refusal::from)
    }

    /// Goes on with the request that is on record for this key, for somebody who only asks how things stand. `called` as
    /// in [`EnrollmentService::enroll_with`].
    ///
    /// # Errors
    /// [`Refusal::ApprovalPending`], [`Refusal::ApprovalDeclined`], whatever the invitation says;
    /// [`Refusal::RequestMalformed`] when nothing is on record.
    pub(crate) async fn resume(
        &self,
        invitation: &Invitation,
        key_hash: &[u8],
        called: Option<&str>,
    ) -> Result<HandedOverCertificate, Refusal> {
        let known = self.approval_for(invitation, key_hash).await?.ok_or(Refusal::RequestMalformed)?;
        let request = ParsedRequest::parse(&known.request)?;
        self.enroll_with(invitation, &request, called).await
    }

    /// Whether the rules would let somebody use the invitation now, as far as it is known before there is a key.
    pub(crate) fn would_permit(&self, invitation: &Invitation) -> Result<(), Refusal> {
        match invitation.role {
            Role::Device => invitation.policies.judge(&self.asking(self.now())).map(drop),
            Role::Gate => Ok(()),
        }
    }

    /// Whether the key may have a first certificate now. Gates are at work for everybody, and no rule is about them.
    ///
    /// # Errors
    /// The rule that is broken, or how its approval stands. Whoever asks for the first time is on record then.
    pub(super) async fn permit(
        &self,
        invitation: &Invitation,
        request: &ParsedRequest,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if invitation.role == Role::Gate {
            return Ok(());
        }
        if invitation.policies.need_approval() {
            // Who waits was judged when they came: the shop may close meanwhile.
            let known = self.approval_for(invitation, &request.key_hash()).await?;
            if let Some(known) = known.filter(|known| !known.is_over(now)) {
                return decided(known.state);
            }
        }
        match invitation.policies.judge(&self.asking(now))? {
            PolicyVerdict::Admitted => Ok(()),
            PolicyVerdict::Waiting => self.ask(invitation, request, now).await,
        }
    }

    async fn ask(
        &self,
        invitation: &Invitation,
        request: &ParsedRequest,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        // Nobody is asked about a key that could not be certified.
        self.authorities.for_tenant(&invitation.tenant)?.check_key(invitation.role, request)?;
        let id = ApprovalId::random(self.context.entropy.as_ref());
        decided(self.write_asked(invitation, &id, request.key_hash(), request.der().to_vec(), now).await?)
    }

    async fn write_asked(
        &self,
        invitation: &Invitation,
        id: &ApprovalId,
        key_hash: [u8; 32],
        request: Vec<u8>,
        now: Timestamp,
    ) -> Result<ApprovalState, Refusal> {
        let new = NewApproval {
            id: id.clone(),
            invitation: invitation.id.clone(),
            key_hash,
            request,
            platform: self.requester.platform,
            address: self.requester.address,
        };
        let actor = Actor::Invitation(invitation.id.clone());
        let mut transaction = self.context.ledger.begin(now).await?;
        let state = transaction.ask_approval(&new, &actor).await?;
        transaction.commit().await?;
        Ok(state)
    }

    fn asking(&self, at: Timestamp) -> EnrollmentAttempt {
        EnrollmentAttempt { platform: self.requester.platform, address: self.requester.address, at }
    }
}

fn decided(state: ApprovalState) -> Result<(), Refusal> {
    match state {
        ApprovalState::Granted => Ok(()),
        ApprovalState::Waiting => Err(Refusal::ApprovalPending),
        ApprovalState::Declined => Err(Refusal::ApprovalDeclined),
    }
}
