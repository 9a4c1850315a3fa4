//! Decisions about devices that wait, and invitations: judged and done as [`crate::acts`] does it for devices.

use crate::acting::Acting;
use crate::acts::fits;
use crate::service::{ConsoleService, refusal};
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{Act, ApprovalId, InvitationId, Name, Refusal, Role, SiteId, Timestamp};
use tegata_storage::{Approval, ApprovalState, LedgerError, NewInvitation, Site};

/// How many days an invitation waits, where nobody says otherwise, and at most.
pub(crate) const DAYS: u32 = 7;
pub(crate) const MOST_DAYS: u32 = 90;

/// What is decided about a device that waits.
#[derive(Clone, Copy)]
pub(crate) enum Decision<'a> {
    Approve,
    Decline { reason: &'a str },
}

/// An invitation that was made just now. The link is a secret: whoever has it first uses it.
pub(crate) struct MadeInvitation {
    pub(crate) id: InvitationId,
    pub(crate) site: Site,
    pub(crate) label: String,
    pub(crate) link: String,
    pub(crate) expires_at: Timestamp,
}

impl ConsoleService {
    /// Decides about a device that waits. Whoever invited it does not decide.
    ///
    /// # Errors
    /// What the person may not, or is not possible.
    pub(crate) async fn decide(
        &self,
        by: &Acting,
        id: &ApprovalId,
        decision: Decision<'_>,
    ) -> Result<Approval, Refusal> {
        if let Decision::Decline { reason } = &decision {
            fits(reason)?;
        }
        self.noting(by, None, self.decided(by, id, decision).await).await
    }

    async fn decided(
        &self,
        by: &Acting,
        id: &ApprovalId,
        decision: Decision<'_>,
    ) -> Result<Approval, Refusal> {
        let mut acting = self.begin(by, Act::DecideApproval).await?;
        let known = acting.rows.approval_in_hand(id).await.map_err(refusal)?;
        let known = known.filter(|known| acting.by.may(Act::SeeDevices, (&known.tenant, &known.site)));
        let known = known.ok_or(Refusal::ApprovalUnknown)?;
        acting.by.judge(Act::DecideApproval, (&known.tenant, &known.site), known.invited_by.as_ref())?;
        if known.state != ApprovalState::Waiting || known.is_over(by.at) {
            return Err(Refusal::ApprovalOver);
        }
        let actor = acting.by.actor();
        let decided = match decision {
            Decision::Approve => acting.rows.approve(id, &actor).await,
            Decision::Decline { reason } => acting.rows.decline(id, reason, &actor).await,
        };
        decided.map_err(guarded(Refusal::ApprovalOver))?;
        acting.commit().await?;
        Ok(known)
    }

    /// Makes an invitation for one device of a site.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::LabelUnfit`]; [`Refusal::RequestMalformed`] for too many days;
    /// [`Refusal::LineSiteUnknown`] for a site that they do not see.
    pub(crate) async fn invite(
        &self,
        by: &Acting,
        (site, label, days): (&SiteId, &str, u32),
    ) -> Result<MadeInvitation, Refusal> {
        let label = Name::label(label).map_err(|_| Refusal::LabelUnfit)?;
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(Refusal::RequestMalformed);
        }
        self.noting(by, None, self.invited(by, (site, &label, days)).await).await
    }

    async fn invited(
        &self,
        by: &Acting,
        (site, label, days): (&SiteId, &Name, u32),
    ) -> Result<MadeInvitation, Refusal> {
        // Whose a site is never changes, so it may be looked up before anybody else has to wait.
        let sites = self.sight(by, Act::InviteDevice)?.rows.all_sites().await.map_err(refusal)?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let site = sites.into_iter().find(|known| known.id == *site);
        let site = site.filter(|site| acting.by.may(Act::SeeDevices, (&site.tenant, &site.id)));
        let site = site.ok_or(Refusal::LineSiteUnknown)?;
        acting.by.judge(Act::InviteDevice, (&site.tenant, &site.id), None)?;
        let entropy = self.context.entropy.as_ref();
        let code = InvitationCode::random(entropy);
        let expires_at = by.at.plus(Duration::from_hours(24) * days);
        let new = NewInvitation {
            id: InvitationId::random(entropy),
            code: &code,
            tenant: site.tenant.clone(),
            site: site.id.clone(),
            role: Role::Device,
            label: label.as_str().to_owned(),
            expires_at,
        };
        let made = acting.rows.invite(&new, &acting.by.actor()).await;
        made.map_err(guarded(Refusal::LineSiteUnknown))?;
        acting.commit().await?;
        let link = format!("{}/enroll#{}", self.context.addresses.portal, code.reveal());
        Ok(MadeInvitation { id: new.id, site, label: new.label, link, expires_at })
    }

    /// Takes an unused invitation back.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::InvitationUnknown`], or [`Refusal::InvitationUsed`] where it is not open.
    pub(crate) async fn withdraw(&self, by: &Acting, id: &InvitationId) -> Result<(), Refusal> {
        self.noting(by, None, self.withdrawn(by, id).await).await
    }

    async fn withdrawn(&self, by: &Acting, id: &InvitationId) -> Result<(), Refusal> {
        // For which site an invitation is never changes.
        let known = self.sight(by, Act::InviteDevice)?.rows.invitation(id).await.map_err(refusal)?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let known = known.filter(|known| acting.by.may(Act::SeeDevices, (&known.tenant, &known.site)));
        let known = known.ok_or(Refusal::InvitationUnknown)?;
        acting.by.judge(Act::InviteDevice, (&known.tenant, &known.site), None)?;
        let withdrawn = acting.rows.withdraw_invitation(id, &acting.by.actor()).await;
        withdrawn.map_err(guarded(Refusal::InvitationUsed))?;
        acting.commit().await
    }
}

/// A guard that did not hold is this refusal; whatever else is wrong is the ledger's.
fn guarded(otherwise: Refusal) -> impl Fn(LedgerError) -> Refusal {
    move |error| match error {
        LedgerError::Guard(_) => otherwise,
        error => refusal(error),
    }
}
