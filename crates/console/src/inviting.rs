//! Invitations, one by one: judged and done as [`crate::acts`] does it for devices. Lists of them are [`crate::invitation_lists`]'.

use crate::acting::{Acting, ActingTransaction};
use crate::deciding::guarded;
use crate::service::{ConsoleService, refusal};
use std::time::Duration;
use tegata_core::id::InvitationCode;
use tegata_core::{Act, Contact, InvitationId, Name, Refusal, Role, ShortCode, SiteId, TenantId, Timestamp};
use tegata_storage::{Invitation, InvitationProgress, NewInvitation, SentInvitation, Site};
use tegata_web::InvitationSheet;

/// How many days an invitation waits, where nobody says otherwise, and at most.
pub(crate) const DAYS: u32 = 7;
pub(crate) const MOST_DAYS: u32 = 90;

/// How long a short code can be typed: a working day and the next morning.
const CODE_LIFE: Duration = Duration::from_hours(24);

/// How long invitations that ended unused are shown, so that they can be sent again.
const SHOWN: Duration = Duration::from_hours(24 * 30);

/// How an invitation is handed over.
#[derive(Clone, Copy)]
pub(crate) struct InvitationTerms {
    pub(crate) days: u32,
    /// With a short code to type where nobody can open the link.
    pub(crate) has_code: bool,
}

/// An invitation that was made just now. Link and code are secrets: whoever has one of them first uses it.
pub(crate) struct MadeInvitation {
    pub(crate) id: InvitationId,
    pub(crate) site: Site,
    pub(crate) label: String,
    pub(crate) link: String,
    pub(crate) expires_at: Timestamp,
    /// The short code, and until when it can be typed.
    pub(crate) code: Option<(String, Timestamp)>,
    /// Whom staff of the site call.
    pub(crate) contact: Option<Contact>,
}

/// A short code with what the ledger keeps of it. Hashing takes its time, so it is done before anybody has to wait.
struct HashedCode {
    code: String,
    hash: Vec<u8>,
}

impl InvitationTerms {
    /// Whether it is for as many days as may be.
    ///
    /// # Errors
    /// [`Refusal::RequestMalformed`] for too few or too many days.
    pub(crate) fn check(self) -> Result<(), Refusal> {
        if (1..=MOST_DAYS).contains(&self.days) { Ok(()) } else { Err(Refusal::RequestMalformed) }
    }

    pub(crate) fn expires_at(self, now: Timestamp) -> Timestamp {
        now.plus(Duration::from_hours(24) * self.days)
    }
}

impl MadeInvitation {
    pub(crate) fn sheet(&self) -> InvitationSheet<'_> {
        InvitationSheet {
            site: &self.site.name,
            label: &self.label,
            link: &self.link,
            expires_at: self.expires_at,
            code: self.code.as_ref().map(|(code, until)| (code.as_str(), *until)),
            contact: self.contact.as_ref(),
        }
    }
}

impl ConsoleService {
    /// Makes an invitation for one device of a site.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::LabelUnfit`]; [`Refusal::RequestMalformed`] for too many days;
    /// [`Refusal::LineSiteUnknown`] for a site that they do not see.
    pub(crate) async fn invite(
        &self,
        by: &Acting,
        (site, label): (&SiteId, &str),
        terms: InvitationTerms,
    ) -> Result<MadeInvitation, Refusal> {
        let label = Name::label(label).map_err(|_| Refusal::LabelUnfit)?;
        terms.check()?;
        self.noting(by, None, self.invited(by, (site, &label), terms).await).await
    }

    async fn invited(
        &self,
        by: &Acting,
        (site, label): (&SiteId, &Name),
        terms: InvitationTerms,
    ) -> Result<MadeInvitation, Refusal> {
        // Whose a site is never changes, so it may be looked up before anybody else has to wait.
        let site = self.site_named(by, Act::InviteDevice, site).await?;
        let code = self.hashed_code(terms).await?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let mut made = self.write_invitation(&mut acting, (&site, label.as_str()), terms).await?;
        self.write_code(&mut acting, &mut made, code).await?;
        acting.commit().await?;
        self.with_contacts(by, vec![made]).await?.pop().ok_or(Refusal::Internal)
    }

    /// Makes another invitation in the place of one that nobody has used, whose link is of no use from then on. It stands in the
    /// same list.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::InvitationUnknown`], [`Refusal::InvitationUsed`], [`Refusal::InvitationWithdrawn`],
    /// [`Refusal::InvitationAwaitsApproval`].
    pub(crate) async fn send_again(
        &self,
        by: &Acting,
        id: &InvitationId,
        terms: InvitationTerms,
    ) -> Result<MadeInvitation, Refusal> {
        terms.check()?;
        self.noting(by, None, self.sent_again(by, id, terms).await).await
    }

    async fn sent_again(
        &self,
        by: &Acting,
        id: &InvitationId,
        terms: InvitationTerms,
    ) -> Result<MadeInvitation, Refusal> {
        let known = self.invitation_known(by, id).await?;
        let site = match &known {
            Some(known) => Some(self.site_named(by, Act::InviteDevice, &known.site).await?),
            None => None,
        };
        let code = self.hashed_code(terms).await?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let known = acting.invitation_in_hand(known)?;
        let site = site.ok_or(Refusal::InvitationUnknown)?;
        let mut made = self.replace_invitation(&mut acting, (&known, &site), terms).await?;
        self.write_code(&mut acting, &mut made, code).await?;
        acting.commit().await?;
        self.with_contacts(by, vec![made]).await?.pop().ok_or(Refusal::Internal)
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
        let known = self.invitation_known(by, id).await?;
        let mut acting = self.begin(by, Act::InviteDevice).await?;
        let known = acting.invitation_in_hand(known)?;
        acting.judge_invitation(&known.tenant, &known.site)?;
        let withdrawn = acting.rows.withdraw_invitation(id, &acting.by.actor()).await;
        withdrawn.map_err(guarded(Refusal::InvitationUsed))?;
        acting.commit().await
    }

    /// An invitation, if there is one. Whether it is theirs to see is asked in the transaction.
    async fn invitation_known(
        &self,
        by: &Acting,
        id: &InvitationId,
    ) -> Result<Option<SentInvitation>, Refusal> {
        let rows = self.sight(by, Act::InviteDevice)?.rows;
        rows.sent_invitation(id, by.at).await.map_err(refusal)
    }

    /// Invitations that were made one by one and that nobody has used, as somebody may see them; of one tenant alone where they
    /// reach all of them.
    pub(crate) async fn unused_invitations_seen(
        &self,
        by: &Acting,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<SentInvitation>, Refusal> {
        let sight = self.sight(by, Act::InviteDevice)?;
        let rows = match (tenant, sight.is_everywhere) {
            (Some(tenant), _) => sight.rows.narrowed(tenant).ok_or(Refusal::RoleMayNot)?,
            (None, false) => sight.rows,
            (None, true) => return Ok(Vec::new()),
        };
        let mut unused = rows.unused_invitations(by.at.minus(SHOWN), by.at).await.map_err(refusal)?;
        unused.retain(|one| !one.tenant.is_system() && by.may(Act::InviteDevice, (&one.tenant, &one.site)));
        Ok(unused)
    }

    /// Invitations that wait and that somebody may see, those of lists among them; of one tenant alone where they reach all of them.
    pub(crate) async fn open_invitations_seen(
        &self,
        by: &Acting,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<Invitation>, Refusal> {
        let sight = self.sight(by, Act::InviteDevice)?;
        let rows = match (tenant, sight.is_everywhere) {
            (Some(tenant), _) => sight.rows.narrowed(tenant).ok_or(Refusal::RoleMayNot)?,
            (None, false) => sight.rows,
            (None, true) => return Ok(Vec::new()),
        };
        let mut open = rows.open_invitations(by.at).await.map_err(refusal)?;
        open.retain(|one| !one.tenant.is_system() && by.may(Act::InviteDevice, (&one.tenant, &one.site)));
        Ok(open)
    }

    /// A site that somebody sees. Whether they may do something there is asked in the transaction.
    pub(crate) async fn site_named(&self, by: &Acting, act: Act, site: &SiteId) -> Result<Site, Refusal> {
        let site = self.sight(by, act)?.rows.site(site).await.map_err(refusal)?;
        let site = site.filter(|site| by.sees((&site.tenant, &site.id)));
        site.ok_or(Refusal::LineSiteUnknown)
    }

    /// Writes an invitation within a transaction, for a device.
    pub(crate) async fn write_invitation(
        &self,
        acting: &mut ActingTransaction,
        (site, label): (&Site, &str),
        terms: InvitationTerms,
    ) -> Result<MadeInvitation, Refusal> {
        acting.judge_invitation(&site.tenant, &site.id)?;
        let entropy = self.context.entropy.as_ref();
        let code = InvitationCode::random(entropy);
        let new = NewInvitation {
            id: InvitationId::random(entropy),
            code: &code,
            tenant: site.tenant.clone(),
            site: site.id.clone(),
            role: Role::Device,
            label: label.to_owned(),
            expires_at: terms.expires_at(acting.by.at),
        };
        let made = acting.rows.invite(&new, &acting.by.actor()).await;
        made.map_err(guarded(Refusal::LineSiteUnknown))?;
        let link = format!("{}/enroll#{}", self.context.addresses.portal, code.reveal());
        let NewInvitation { id, label, expires_at, .. } = new;
        Ok(MadeInvitation { id, site: site.clone(), label, link, expires_at, code: None, contact: None })
    }

    /// Takes an invitation back and writes another one in its place.
    pub(crate) async fn replace_invitation(
        &self,
        acting: &mut ActingTransaction,
        (known, site): (&SentInvitation, &Site),
        terms: InvitationTerms,
    ) -> Result<MadeInvitation, Refusal> {
        match known.progress {
            _ if known.role != Role::Device => return Err(Refusal::InvitationUnknown),
            InvitationProgress::Waiting | InvitationProgress::Expired => {}
            InvitationProgress::AwaitsApproval => return Err(Refusal::InvitationAwaitsApproval),
            InvitationProgress::Withdrawn => return Err(Refusal::InvitationWithdrawn),
            InvitationProgress::Fetched | InvitationProgress::Enrolled => {
                return Err(Refusal::InvitationUsed);
            }
        }
        let made = self.write_invitation(acting, (site, &known.label), terms).await?;
        let withdrawn = acting.rows.withdraw_invitation(&known.id, &acting.by.actor()).await;
        withdrawn.map_err(guarded(Refusal::InvitationUsed))?;
        acting.rows.take_place_in_batch(&made.id, &known.id).await.map_err(refusal)?;
        Ok(made)
    }

    async fn hashed_code(&self, terms: InvitationTerms) -> Result<Option<HashedCode>, Refusal> {
        if !terms.has_code {
            return Ok(None);
        }
        let (code, installation) =
            (ShortCode::random(self.context.entropy.as_ref()), self.context.installation.clone());
        let hashed = tokio::task::spawn_blocking(move || HashedCode {
            hash: code.hash(&installation),
            code: code.reveal().to_string(),
        });
        hashed.await.map(Some).map_err(|_| Refusal::Internal)
    }

    async fn write_code(
        &self,
        acting: &mut ActingTransaction,
        made: &mut MadeInvitation,
        code: Option<HashedCode>,
    ) -> Result<(), Refusal> {
        let Some(HashedCode { code, hash }) = code else { return Ok(()) };
        let until = acting.by.at.plus(CODE_LIFE).min(made.expires_at);
        let set = acting.rows.set_short_code(&made.id, &hash, until, &acting.by.actor()).await;
        // One in a trillion is another's; whoever tries again has another one.
        set.map_err(guarded(Refusal::Unavailable))?;
        made.code = Some((code, until));
        Ok(())
    }

    /// With whom staff of each site call.
    pub(crate) async fn with_contacts(
        &self,
        by: &Acting,
        made: Vec<MadeInvitation>,
    ) -> Result<Vec<MadeInvitation>, Refusal> {
        let rows = self.sight(by, Act::InviteDevice)?.rows;
        let mut known: Vec<(SiteId, Option<Contact>)> = Vec::new();
        let mut with_contacts = Vec::with_capacity(made.len());
        for one in made {
            let contact = if let Some((_, contact)) = known.iter().find(|(site, _)| *site == one.site.id) {
                contact.clone()
            } else {
                let guidance = rows.guidance_of(&one.site.id).await.map_err(refusal)?;
                let contact = guidance.contact.or_else(|| self.contact.clone());
                known.push((one.site.id.clone(), contact.clone()));
                contact
            };
            with_contacts.push(MadeInvitation { contact, ..one });
        }
        Ok(with_contacts)
    }
}

impl ActingTransaction {
    /// An invitation of a site that they see.
    ///
    /// # Errors
    /// [`Refusal::InvitationUnknown`].
    fn invitation_in_hand(&self, known: Option<SentInvitation>) -> Result<SentInvitation, Refusal> {
        let known = known.filter(|known| self.by.sees((&known.tenant, &known.site)));
        known.ok_or(Refusal::InvitationUnknown)
    }

    /// Whether they may invite to a site, as they are in the transaction.
    ///
    /// # Errors
    /// [`Refusal::LineSiteUnknown`] for a site that they do not see, and those of [`Acting::judge`].
    pub(crate) fn judge_invitation(&self, tenant: &TenantId, site: &SiteId) -> Result<(), Refusal> {
        if !self.by.sees((tenant, site)) {
            return Err(Refusal::LineSiteUnknown);
        }
        self.by.judge(Act::InviteDevice, (tenant, site), None)
    }
}
