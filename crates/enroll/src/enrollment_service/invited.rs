//! Issues a first certificate by an invitation.

use super::{EnrollmentService, HandedOverCertificate};
use crate::shown_code::ShownCode;
use crate::submitted_csr::SubmittedCsr;
use crate::ticket::{PresentedTicket, TicketPurpose, TicketRight};
use std::sync::Arc;
use tegata_ca::{IssuanceRequest, IssuedCertificate, ParsedRequest};
use tegata_core::{DeviceId, Refusal, Role, ShortCode};
use tegata_storage::{Actor, Invitation, IssuanceRight};
use tegata_web::network_key;

/// By what somebody claims an invitation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EnrollmentProof {
    /// By its code; with `replace` also where another key has claimed it and was never of use.
    Code {
        /// Whether this key may take the place of one that was lost.
        replace: bool,
    },
    /// By the certificate that the device had before it moved. Both tenants have approved of the device, so no rule of enrollment is
    /// about it.
    OldCertificate,
}

impl EnrollmentProof {
    const fn may_replace(self) -> bool {
        matches!(self, Self::Code { replace: true } | Self::OldCertificate)
    }
}

impl EnrollmentService {
    /// The invitation behind a code, if it can still be used.
    pub(crate) async fn open(&self, code: &ShownCode) -> Result<Invitation, Refusal> {
        let invitation = self.find(code).await?;
        self.admit(&invitation, false).await?;
        Ok(invitation)
    }

    /// Whether somebody new could use it now; `replace` as in [`EnrollmentService::enroll`].
    pub(crate) async fn admit(&self, invitation: &Invitation, replace: bool) -> Result<(), Refusal> {
        match invitation.admits(None, self.now()) {
            Err(Refusal::InvitationUsed) if replace => {
                self.admit_instead(invitation, EnrollmentProof::Code { replace }).await?;
            }
            admitted => admitted?,
        }
        if invitation.falls_with_its_tenant() { Err(Refusal::TenantSuspended) } else { Ok(()) }
    }

    /// Whether another key may take the place of the one that used it. Where somebody approved of that one, nobody has approved of
    /// another.
    async fn admit_instead(&self, invitation: &Invitation, proof: EnrollmentProof) -> Result<(), Refusal> {
        if invitation.expires_at < self.now() {
            return Err(Refusal::InvitationExpired);
        }
        let is_approved = proof != EnrollmentProof::OldCertificate
            && invitation.role == Role::Device
            && invitation.policies.need_approval();
        let is_replaceable = self.rows_of(invitation).is_replaceable(&invitation.id).await?;
        if is_replaceable && !is_approved { Ok(()) } else { Err(Refusal::InvitationUsed) }
    }

    /// Turns an invitation into a certificate. The same key may come again with the same code, until the invitation
    /// expires: its first answer may have been lost on the way. With `replace` another key may, as long as the device was never
    /// used: whoever closed the page lost the first one.
    pub(crate) async fn enroll(
        &self,
        code: &ShownCode,
        csr: &SubmittedCsr,
        replace: bool,
    ) -> Result<HandedOverCertificate, Refusal> {
        let invitation = self.find_or_note(code).await?;
        match csr.request() {
            Ok(request) => {
                self.pass_approval_on(code, request).await?;
                self.enroll_as(&invitation, request, None, EnrollmentProof::Code { replace }).await
            }
            Err(refusal) => {
                let actor = Actor::Invitation(invitation.id);
                Err(self.refused(actor, invitation.device, refusal, self.now()).await)
            }
        }
    }

    /// Enrolls with an invitation that the caller has found and shown a right to. `called` takes the place of site and
    /// label in the common name, for certificates that no person chooses from a list.
    pub(crate) async fn enroll_with(
        &self,
        invitation: &Invitation,
        request: &ParsedRequest,
        called: Option<&str>,
    ) -> Result<HandedOverCertificate, Refusal> {
        self.enroll_as(invitation, request, called, EnrollmentProof::Code { replace: false }).await
    }

    pub(super) async fn enroll_as(
        &self,
        invitation: &Invitation,
        request: &ParsedRequest,
        called: Option<&str>,
        proof: EnrollmentProof,
    ) -> Result<HandedOverCertificate, Refusal> {
        let now = self.now();
        let actor = Actor::Invitation(invitation.id.clone());
        let mut result = self.enroll_invited(invitation, request, called, proof).await;
        if result.as_ref().is_err_and(|refusal| *refusal != Refusal::ApprovalPending)
            && invitation.device.is_none()
        {
            // Somebody may have claimed it since it was read: perhaps this very key, sent twice at once.
            match self.rows_of(invitation).invitation(&invitation.id).await {
                Ok(Some(claimed)) if claimed.device.is_some() => {
                    result = self.enroll_invited(&claimed, request, called, proof).await;
                }
                _ => {}
            }
        }
        match result {
            Ok(handed_over) => Ok(handed_over),
            // Who waits was written down when they came.
            Err(Refusal::ApprovalPending) => Err(Refusal::ApprovalPending),
            Err(refusal) => Err(self.refused(actor, invitation.device.clone(), refusal, now).await),
        }
    }

    /// Finds an invitation whether it can still be used or not. An unknown code is recorded as a refusal.
    pub(crate) async fn find_or_note(&self, code: &ShownCode) -> Result<Invitation, Refusal> {
        match self.find(code).await {
            Ok(invitation) => Ok(invitation),
            Err(refusal) => Err(self.refused(Actor::Anonymous, None, refusal, self.now()).await),
        }
    }

    /// The invitation behind the code of a link, behind a ticket for it, or behind a short code.
    pub(crate) async fn find(&self, code: &ShownCode) -> Result<Invitation, Refusal> {
        let found = match code {
            ShownCode::Short(code) => return self.find_short(code.clone()).await,
            ShownCode::Ticket(ticket) => self.behind_ticket(ticket).await,
            ShownCode::Link(code) => self.context.ledger.find_invitation(code).await.map_err(Refusal::from),
            ShownCode::Unknown => Ok(None),
        };
        self.judge_link(found.and_then(|found| found.ok_or(Refusal::InvitationUnknown)))
    }

    /// A link has 160 bits, which nobody guesses, so one that is right is always answered, whoever else comes from there.
    /// Whoever tries many that nobody was given is told to stop.
    pub(super) fn judge_link<T>(&self, found: Result<T, Refusal>) -> Result<T, Refusal> {
        match found {
            Err(Refusal::InvitationUnknown)
                if self.wrong_links.was_wrong(self.requester.address, self.now()) =>
            {
                Err(Refusal::TooManyLinks)
            }
            found => found,
        }
    }

    async fn behind_ticket(&self, ticket: &PresentedTicket) -> Result<Option<Invitation>, Refusal> {
        let id = match &self.read_ticket(TicketPurpose::Certificate, ticket).await?.right {
            TicketRight::Invitation(id) => id.clone(),
            TicketRight::Approved(id) => self.known_approval(id).await?.invitation,
            TicketRight::Renewal(_) => return Ok(None),
        };
        Ok(self.context.ledger.invitation(&id).await?)
    }

    /// Every attempt counts as wrong until it turned out right, so that many at once are no way around.
    async fn find_short(&self, code: Arc<ShortCode>) -> Result<Invitation, Refusal> {
        let now = self.now();
        let address = self.requester.address;
        let network = address.map(network_key);
        let network = network.as_ref().map(<[u8; 16]>::as_slice);
        let together = self.shared_guesses.so_far(network, now).await?;
        let guess = self.guesses.begin_after(address, together, now).ok_or(Refusal::TooManyGuesses)?;
        let unsettled = self.shared_guesses.attempt(network);
        let installation = self.context.installation.clone();
        let hash = tokio::task::spawn_blocking(move || code.hash(&installation));
        let hash = hash.await.map_err(|_| Refusal::Internal)?;
        let found = self.context.ledger.find_invitation_by_short_code(&hash, now).await?;
        let invitation = found.ok_or(Refusal::ShortCodeUnknown)?;
        guess.was_right();
        unsettled.was_right();
        Ok(invitation)
    }

    async fn enroll_invited(
        &self,
        invitation: &Invitation,
        request: &ParsedRequest,
        called: Option<&str>,
        proof: EnrollmentProof,
    ) -> Result<HandedOverCertificate, Refusal> {
        let now = self.now();
        let admitted = invitation.admits(Some(&request.key_hash()), now);
        let (device, origin) = if let (true, Err(Refusal::InvitationUsed), Some(device)) =
            (proof.may_replace(), admitted, &invitation.device)
        {
            self.admit_instead(invitation, proof).await?;
            if proof != EnrollmentProof::OldCertificate {
                self.permit(invitation, request, now).await?;
            }
            (device.clone(), IssuanceRight::Replacement(invitation.id.clone()))
        } else if let Some(device) = &invitation.device {
            admitted?;
            if let Some(issued) = self.earlier(device, request, Refusal::InvitationUsed, now).await? {
                return self.named(issued, invitation);
            }
            (device.clone(), IssuanceRight::Again(invitation.id.clone()))
        } else {
            admitted?;
            self.permit(invitation, request, now).await?;
            (DeviceId::random(self.context.entropy.as_ref()), first_time(invitation))
        };
        let order = IssuanceRequest {
            device,
            role: invitation.role,
            site: if called.is_some() { "" } else { &invitation.site_name },
            label: called.unwrap_or(&invitation.label),
            request,
            origin,
        };
        self.named(self.issue(order, &invitation.tenant, now).await?, invitation)
    }

    fn named(
        &self,
        issued: IssuedCertificate,
        invitation: &Invitation,
    ) -> Result<HandedOverCertificate, Refusal> {
        let Invitation { tenant, role, site_name, label, .. } = invitation;
        Ok(HandedOverCertificate {
            name: self.common_name(tenant, *role, &issued.device, site_name, label)?,
            issued,
        })
    }
}

fn first_time(invitation: &Invitation) -> IssuanceRight {
    IssuanceRight::Invitation {
        invitation: invitation.id.clone(),
        tenant: invitation.tenant.clone(),
        site: invitation.site.clone(),
        role: invitation.role,
        label: invitation.label.clone(),
    }
}
