//! What the rules of tenant and site say of a first certificate, and what was decided about it.

use super::{Desk, HandedOver, refusal};
use tegata_ca::ParsedRequest;
use tegata_core::policy::{Asking, Verdict};
use tegata_core::{ApprovalId, Refusal, Role, Timestamp};
use tegata_storage::{Actor, Approval, ApprovalState, Invitation, NewApproval};

impl Desk {
    /// What waits under this identifier, with its invitation.
    pub(crate) async fn approval(&self, id: &str) -> Result<(Approval, Invitation), Refusal> {
        let id = ApprovalId::parse(id).ok_or(Refusal::InvitationUnknown)?;
        let ledger = &self.context.ledger;
        let approval = ledger.approval(&id).await.map_err(refusal)?.ok_or(Refusal::InvitationUnknown)?;
        let invitation = ledger.invitation(&approval.invitation).await.map_err(refusal)?;
        Ok((approval, invitation.ok_or(Refusal::Internal)?))
    }

    /// What waits for this key and this code.
    pub(crate) async fn approval_for(
        &self,
        invitation: &Invitation,
        key_hash: &[u8],
    ) -> Result<Option<Approval>, Refusal> {
        self.context.ledger.approval_for(&invitation.id, key_hash).await.map_err(refusal)
    }

    /// Goes on with the request that is on record for this key, for somebody who only asks how things stand. `called` as
    /// in [`Desk::enroll_with`].
    ///
    /// # Errors
    /// [`Refusal::ApprovalPending`], [`Refusal::ApprovalDeclined`], whatever the invitation says;
    /// [`Refusal::RequestMalformed`] when nothing is on record.
    pub(crate) async fn resume(
        &self,
        invitation: &Invitation,
        key_hash: &[u8],
        called: Option<&str>,
    ) -> Result<HandedOver, Refusal> {
        let known = self.approval_for(invitation, key_hash).await?.ok_or(Refusal::RequestMalformed)?;
        let request = ParsedRequest::parse(&known.request)?;
        self.enroll_with(invitation, &request, called).await
    }

    /// Whether the rules would let somebody use the invitation now, as far as a door knows before there is a key.
    pub(crate) fn would_permit(&self, invitation: &Invitation) -> Result<(), Refusal> {
        match invitation.role {
            Role::Device => invitation.policies.judge(&self.asking(self.context.now())).map(drop),
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
            Verdict::Admitted => Ok(()),
            Verdict::Waiting => self.ask(invitation, request, now).await,
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
        let new = NewApproval {
            id: ApprovalId::random(self.context.entropy.as_ref()),
            invitation: invitation.id.clone(),
            key_hash: request.key_hash(),
            request: request.der().to_vec(),
            platform: self.guest.platform,
            address: self.guest.address,
        };
        let actor = Actor::Invitation(invitation.id.clone());
        let mut transaction = self.context.ledger.begin(now).await.map_err(refusal)?;
        let state = transaction.ask_approval(&new, &actor).await.map_err(refusal)?;
        transaction.commit().await.map_err(refusal)?;
        decided(state)
    }

    fn asking(&self, at: Timestamp) -> Asking {
        Asking { platform: self.guest.platform, address: self.guest.address, at }
    }
}

fn decided(state: ApprovalState) -> Result<(), Refusal> {
    match state {
        ApprovalState::Granted => Ok(()),
        ApprovalState::Waiting => Err(Refusal::ApprovalPending),
        ApprovalState::Declined => Err(Refusal::ApprovalDeclined),
    }
}
