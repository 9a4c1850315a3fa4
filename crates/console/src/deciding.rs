//! Decisions about devices that wait, and invitations: judged and done as [`crate::acts`] does it for devices.

use crate::acting::Acting;
use crate::acts::{audit_note, fits};
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
        match self.decided(by, id, decision).await {
            Err(refusal @ (Refusal::RoleMayNot | Refusal::OwnRequest | Refusal::ApprovalUnknown)) => {
                Err(self.noted(by, None, refusal).await)
            }
            outcome => outcome,
        }
    }

    async fn decided(
        &self,
        by: &Acting,
        id: &ApprovalId,
        decision: Decision<'_>,
    ) -> Result<Approval, Refusal> {
        let rows = self.sight(by, Act::DecideApproval)?.rows;
        let mut transaction = rows.begin(by.at).await.map_err(refusal)?;
        let known = transaction.approval_in_hand(id).await.map_err(refusal)?;
        let known = known.filter(|known| by.may(Act::SeeDevices, (&known.tenant, &known.site)));
        let known = known.ok_or(Refusal::ApprovalUnknown)?;
        by.judge(Act::DecideApproval, (&known.tenant, &known.site), known.invited_by.as_ref())?;
        if known.state != ApprovalState::Waiting || known.is_over(by.at) {
            return Err(Refusal::ApprovalOver);
        }
        let decided = match decision {
            Decision::Approve => transaction.approve(id, &by.actor()).await,
            Decision::Decline { reason } => {
                transaction.decline(id, &audit_note(by, reason), &by.actor()).await
            }
        };
        decided.map_err(guarded(Refusal::ApprovalOver))?;
        transaction.commit().await.map_err(refusal)?;
        Ok(known)
    }

    /// Makes an invitation for one device of a site.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::LabelUnfit`]; [`Refusal::LineSiteUnknown`] for a site that they do not see.
    pub(crate) async fn invite(
        &self,
        by: &Acting,
        (site, label, days): (&SiteId, &str, u32),
    ) -> Result<MadeInvitation, Refusal> {
        let label = Name::label(label).map_err(|_| Refusal::LabelUnfit)?;
        let rows = self.sight(by, Act::InviteDevice)?.rows;
        let sites = rows.all_sites().await.map_err(refusal)?;
        let site = sites.into_iter().find(|known| known.id == *site);
        let site = site.filter(|site| by.may(Act::SeeDevices, (&site.tenant, &site.id)));
        let site = site.ok_or(Refusal::LineSiteUnknown)?;
        if let Err(refusal) = by.judge(Act::InviteDevice, (&site.tenant, &site.id), None) {
            return Err(self.noted(by, None, refusal).await);
        }
        let entropy = self.context.entropy.as_ref();
        let code = InvitationCode::random(entropy);
        let expires_at = by.at.plus(Duration::from_hours(24) * days.clamp(1, MOST_DAYS));
        let new = NewInvitation {
            id: InvitationId::random(entropy),
            code: &code,
            tenant: site.tenant.clone(),
            site: site.id.clone(),
            role: Role::Device,
            label: label.as_str().to_owned(),
            expires_at,
        };
        let mut transaction = rows.begin(by.at).await.map_err(refusal)?;
        transaction.invite(&new, &by.actor()).await.map_err(guarded(Refusal::LineSiteUnknown))?;
        transaction.commit().await.map_err(refusal)?;
        let link = format!("{}/enroll#{}", self.context.addresses.portal, code.reveal());
        Ok(MadeInvitation { id: new.id, site, label: new.label, link, expires_at })
    }

    /// Takes an unused invitation back.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::InvitationUnknown`], or [`Refusal::InvitationUsed`] where it is not open.
    pub(crate) async fn withdraw(&self, by: &Acting, id: &InvitationId) -> Result<(), Refusal> {
        let rows = self.sight(by, Act::InviteDevice)?.rows;
        let known = rows.invitation(id).await.map_err(refusal)?;
        let known = known.filter(|known| by.may(Act::SeeDevices, (&known.tenant, &known.site)));
        let known = known.ok_or(Refusal::InvitationUnknown)?;
        by.judge(Act::InviteDevice, (&known.tenant, &known.site), None)?;
        let mut transaction = rows.begin(by.at).await.map_err(refusal)?;
        let withdrawn = transaction.withdraw_invitation(id, &by.actor()).await;
        withdrawn.map_err(guarded(Refusal::InvitationUsed))?;
        transaction.commit().await.map_err(refusal)
    }
}

/// A guard that did not hold is this refusal; whatever else is wrong is the ledger's.
fn guarded(otherwise: Refusal) -> impl Fn(LedgerError) -> Refusal {
    move |error| match error {
        LedgerError::Guard(_) => otherwise,
        error => refusal(error),
    }
}
