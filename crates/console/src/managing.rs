//! Acts on people: judged and done as [`crate::acts`] does it for devices. Nobody does them to themselves, and accounts for
//! emergencies are the operator's at the machine.

use crate::acting::{Acting, ActingTransaction};
use crate::acts::fits;
use crate::service::{ConsoleService, refusal};
use ring::digest::{SHA256, digest};
use std::time::Duration;
use tegata_core::{
    Act, ActTarget, ExternalKey, Justification, LoginId, Name, OneTimeCode, PersonId, PersonRole, Refusal,
    Roles, SessionId, SetupCode, SiteId, TenantId, Timestamp,
};
use tegata_storage::{
    EmergencyCode, ExternalKeyUpdate, LedgerError, NewPerson, Person, PersonState, PersonUpdate,
};

/// How many days a setup link works, where nobody says otherwise, and at most.
pub(crate) const LINK_DAYS: u32 = 3;
pub(crate) const MOST_LINK_DAYS: u32 = 30;

/// How long an emergency code works.
const EMERGENCY: Duration = Duration::from_hours(1);

/// Somebody to whom something is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeenPerson<'a> {
    pub(crate) id: &'a PersonId,
    /// How they were when whoever acts looked, as [`tag_of`] has it; nothing where it does not matter.
    pub(crate) seen: Option<&'a str>,
}

/// What keeps a person out, or lets them go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PersonCommand {
    /// The person is stopped for now.
    Disable,
    /// The person may go on.
    Enable,
    /// All sessions of the person end.
    SignOut,
}

/// By what somebody who is let in chooses a password anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LinkCommand {
    /// For whoever has not set up the account yet.
    SetUp,
    /// What there was before is taken.
    Reset,
}

/// Somebody who is to be added.
#[derive(Debug)]
pub(crate) struct PersonToAdd<'a> {
    /// Whose person it will be; nothing for the adder's own tenant.
    pub(crate) tenant: Option<TenantId>,
    pub(crate) login: &'a str,
    pub(crate) name: &'a str,
    pub(crate) roles: Roles,
    pub(crate) sites: Vec<SiteId>,
    pub(crate) external_key: Option<&'a str>,
    /// For how many days the setup link works.
    pub(crate) days: u32,
}

/// What is to be changed of somebody; what is nothing stays.
#[derive(Default, Debug)]
pub(crate) struct PersonEdit<'a> {
    pub(crate) name: Option<&'a str>,
    /// All roles from now on.
    pub(crate) roles: Option<Roles>,
    /// All sites from now on.
    pub(crate) sites: Option<Vec<SiteId>>,
    /// What the tenant's directory calls them; an empty one takes it away.
    pub(crate) external_key: Option<&'a str>,
}

/// A link that was made just now. It is a secret: whoever has it first uses it.
pub(crate) struct MadeLink {
    pub(crate) person: Person,
    pub(crate) link: String,
    pub(crate) expires_at: Timestamp,
}

/// A code that was given just now, to be told once.
pub(crate) struct GivenCode {
    pub(crate) person: Person,
    pub(crate) code: String,
    pub(crate) expires_at: Timestamp,
}

/// How a person is, as a validator (RFC 9110 section 8.8): it changes with whatever of them somebody can change.
pub(crate) fn tag_of(person: &Person) -> String {
    let Person { name, roles, sites, state, changed_at, .. } = person;
    let sites: Vec<_> = sites.iter().map(|site| site.id.as_str()).collect();
    let key = person.external_key.as_ref().map_or("", ExternalKey::as_str);
    let (state, changed_at) = (state.as_str(), changed_at.millis());
    let seen = format!("{name}\n{roles}\n{}\n{key}\n{state}\n{changed_at}", sites.join(" "));
    tegata_core::encoding::base64url(&digest(&SHA256, seen.as_bytes()).as_ref()[..12])
}

impl ConsoleService {
    /// Adds somebody, with the link by which they set up the account.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::PersonUnfit`], [`Refusal::PersonKnown`], [`Refusal::PersonSiteUnknown`],
    /// [`Refusal::PersonSiteMissing`].
    pub(crate) async fn add_person(&self, by: &Acting, asked: PersonToAdd<'_>) -> Result<MadeLink, Refusal> {
        days_fit(asked.days)?;
        self.noting(by, None, self.added(by, asked).await).await
    }

    async fn added(&self, by: &Acting, asked: PersonToAdd<'_>) -> Result<MadeLink, Refusal> {
        let entropy = self.context.entropy.as_ref();
        let mut acting = self.begin(by, Act::AddPerson).await?;
        let key = asked.external_key.filter(|key| !key.is_empty()).map(ExternalKey::parse).transpose();
        let new = NewPerson {
            id: PersonId::random(entropy),
            tenant: asked.tenant.unwrap_or_else(|| by.tenant()),
            login: LoginId::parse(asked.login).map_err(|_| Refusal::PersonUnfit)?,
            name: Name::of_place(asked.name).map_err(|_| Refusal::PersonUnfit)?,
            roles: asked.roles,
            sites: each_once(asked.sites),
            external_key: key.map_err(|_| Refusal::PersonUnfit)?,
            awaits_sites: false,
        };
        acting.by.judge_roles(Act::AddPerson, (&new.tenant, &new.sites), (&new.id, &new.roles))?;
        fit_together(&new.roles, new.sites.len())?;
        acting.knows_sites(&new.tenant, &new.sites).await?;
        let actor = acting.by.actor();
        acting.rows.add_person(&new, &actor).await.map_err(guarded(Refusal::PersonKnown))?;
        let (code, expires_at) = (SetupCode::random(entropy), by.at.plus(DAY * asked.days));
        acting.rows.make_setup_link(&new.id, &code, expires_at, &actor).await.map_err(refusal)?;
        let person = acting.rows.person_in_hand(&new.id).await.map_err(refusal)?;
        acting.commit().await?;
        Ok(self.made(person.ok_or(Refusal::Internal)?, &code, expires_at))
    }

    /// Changes what somebody is called, may do, and where they work. Gives how many of their sessions ended.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::PersonChangedMeanwhile`], [`Refusal::LastAdministrator`], and those of
    /// [`Self::add_person`].
    pub(crate) async fn change_person(
        &self,
        by: &Acting,
        (on, edit): (SeenPerson<'_>, PersonEdit<'_>),
    ) -> Result<u64, Refusal> {
        self.noting(by, None, self.changed(by, (on, edit)).await).await
    }

    async fn changed(
        &self,
        by: &Acting,
        (on, edit): (SeenPerson<'_>, PersonEdit<'_>),
    ) -> Result<u64, Refusal> {
        let mut acting = self.begin(by, Act::ChangePerson).await?;
        let known = acting.person_to(Act::ChangePerson, on).await?;
        let update = edit.against(&known)?;
        if update == PersonUpdate::default() {
            return Ok(0);
        }
        let own: Vec<_> = known.sites.iter().map(|site| site.id.clone()).collect();
        let roles = update.roles.as_ref().unwrap_or(&known.roles);
        acting.by.judge_roles(Act::ChangePerson, (&known.tenant, &own), (on.id, roles))?;
        fit_together(roles, update.sites.as_ref().unwrap_or(&own).len())?;
        acting.knows_sites(&known.tenant, update.sites.as_deref().unwrap_or_default()).await?;
        let changed = acting.rows.change_person(on.id, &update, &acting.by.actor()).await;
        let ended = changed.map_err(guarded(Refusal::PersonKnown))?;
        acting.commit().await?;
        Ok(ended)
    }

    /// Stops a person, lets one go on, or ends all of their sessions. Gives how many ended.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::PersonStateOtherwise`], [`Refusal::LastAdministrator`].
    pub(crate) async fn act_on_person(
        &self,
        by: &Acting,
        (on, command): (SeenPerson<'_>, PersonCommand),
        note: &str,
    ) -> Result<u64, Refusal> {
        fits(note)?;
        self.noting(by, None, self.done_to_person(by, (on, command), note).await).await
    }

    async fn done_to_person(
        &self,
        by: &Acting,
        (on, command): (SeenPerson<'_>, PersonCommand),
        note: &str,
    ) -> Result<u64, Refusal> {
        let mut acting = self.begin(by, Act::DisablePerson).await?;
        acting.person_to(Act::DisablePerson, on).await?;
        let actor = acting.by.actor();
        let ended = match command {
            PersonCommand::Disable => acting.rows.disable_person(on.id, note, &actor).await,
            PersonCommand::Enable => acting.rows.enable_person(on.id, note, &actor).await.map(|()| 0),
            PersonCommand::SignOut => acting.rows.sign_out_person(on.id, note, &actor).await,
        };
        let ended = ended.map_err(guarded(Refusal::PersonStateOtherwise))?;
        acting.commit().await?;
        Ok(ended)
    }

    /// Ends one session of somebody. One that is over already is none to end.
    ///
    /// # Errors
    /// What the person may not.
    pub(crate) async fn end_session_of(
        &self,
        by: &Acting,
        (on, session): (SeenPerson<'_>, &SessionId),
    ) -> Result<(), Refusal> {
        self.noting(by, None, self.session_ended(by, (on, session)).await).await
    }

    async fn session_ended(
        &self,
        by: &Acting,
        (on, session): (SeenPerson<'_>, &SessionId),
    ) -> Result<(), Refusal> {
        let mut acting = self.begin(by, Act::DisablePerson).await?;
        acting.person_to(Act::DisablePerson, on).await?;
        match acting.rows.end_session(on.id, session, &acting.by.actor()).await {
            Ok(()) => acting.commit().await,
            Err(LedgerError::Guard(_)) => Ok(()),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Makes the link by which somebody chooses a password and a second factor; an earlier one works no longer.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::PersonStateOtherwise`].
    pub(crate) async fn setup_link(
        &self,
        by: &Acting,
        (on, command): (SeenPerson<'_>, LinkCommand),
        days: u32,
    ) -> Result<MadeLink, Refusal> {
        days_fit(days)?;
        self.noting(by, None, self.linked(by, (on, command), days).await).await
    }

    async fn linked(
        &self,
        by: &Acting,
        (on, command): (SeenPerson<'_>, LinkCommand),
        days: u32,
    ) -> Result<MadeLink, Refusal> {
        let (code, expires_at) = (SetupCode::random(self.context.entropy.as_ref()), by.at.plus(DAY * days));
        let mut acting = self.begin(by, Act::ResetPerson).await?;
        let known = acting.person_to(Act::ResetPerson, on).await?;
        let actor = acting.by.actor();
        let made = match command {
            // Whoever uses the link loses what they had: for those who have something it is a reset, and is called so.
            LinkCommand::SetUp if known.is_set_up => return Err(Refusal::PersonStateOtherwise),
            LinkCommand::SetUp => acting.rows.make_setup_link(on.id, &code, expires_at, &actor).await,
            LinkCommand::Reset => acting.rows.reset_person(on.id, &code, expires_at, &actor).await.map(drop),
        };
        made.map_err(guarded(Refusal::PersonStateOtherwise))?;
        acting.commit().await?;
        Ok(self.made(known, &code, expires_at))
    }

    /// Gives a code that stands in once for a second factor that is not at hand.
    ///
    /// # Errors
    /// What the person may not; [`Refusal::PersonStateOtherwise`].
    pub(crate) async fn emergency_code(
        &self,
        by: &Acting,
        on: SeenPerson<'_>,
        because: &Justification,
    ) -> Result<GivenCode, Refusal> {
        self.noting(by, None, self.given(by, on, because).await).await
    }

    async fn given(
        &self,
        by: &Acting,
        on: SeenPerson<'_>,
        because: &Justification,
    ) -> Result<GivenCode, Refusal> {
        let code = OneTimeCode::random(self.context.entropy.as_ref());
        let given = EmergencyCode { hash: code.hash(), expires_at: by.at.plus(EMERGENCY), because };
        let mut acting = self.begin(by, Act::GiveEmergencyCode).await?;
        let person = acting.person_to(Act::GiveEmergencyCode, on).await?;
        let outcome = acting.rows.give_emergency_code(on.id, &given, &acting.by.actor()).await;
        outcome.map_err(guarded(Refusal::PersonStateOtherwise))?;
        acting.commit().await?;
        Ok(GivenCode { person, code: code.reveal().to_string(), expires_at: given.expires_at })
    }

    fn made(&self, person: Person, code: &SetupCode, expires_at: Timestamp) -> MadeLink {
        let link = code.link(&self.context.addresses.portal).to_string();
        MadeLink { person, link, expires_at }
    }
}

impl PersonEdit<'_> {
    /// What differs from how the person is.
    fn against(self, person: &Person) -> Result<PersonUpdate, Refusal> {
        let unfit = |_| Refusal::PersonUnfit;
        let name = self.name.map(Name::of_place).transpose().map_err(|_| Refusal::PersonUnfit)?;
        let external_key = match self.external_key.map(str::trim) {
            None => ExternalKeyUpdate::Keep,
            Some("") if person.external_key.is_none() => ExternalKeyUpdate::Keep,
            Some("") => ExternalKeyUpdate::Clear,
            Some(key) => match ExternalKey::parse(key).map_err(unfit)? {
                key if person.external_key.as_ref() == Some(&key) => ExternalKeyUpdate::Keep,
                key => ExternalKeyUpdate::Set(key),
            },
        };
        let is_same = |sites: &[SiteId]| {
            sites.len() == person.sites.len() && person.sites.iter().all(|site| sites.contains(&site.id))
        };
        Ok(PersonUpdate {
            name: name.filter(|name| name.as_str() != person.name),
            roles: self.roles.filter(|roles| *roles != person.roles),
            sites: self.sites.map(each_once).filter(|sites| !is_same(sites)),
            external_key,
            awaits_sites: false,
        })
    }
}

impl Acting {
    /// Whether they may do this to somebody.
    ///
    /// # Errors
    /// Those of [`tegata_core::RoleHolder::may`]; [`Refusal::OwnRequest`] where it is themselves: whoever has a stolen session
    /// would take the account with it.
    pub(crate) fn judge_person(&self, act: Act, person: &Person) -> Result<(), Refusal> {
        let sites: Vec<_> = person.sites.iter().map(|site| site.id.clone()).collect();
        self.judge_roles(act, (&person.tenant, &sites), (&person.id, &person.roles))?;
        if self.who.is(Some(&person.id)) {
            return Err(Refusal::OwnRequest);
        }
        // Whoever could change it could let themselves in when nobody else is there.
        if person.break_glass.is_some() { Err(Refusal::EmergencyAccountKept) } else { Ok(()) }
    }

    /// Whether they may do this to somebody with these roles, which they have or are to have.
    fn judge_roles(
        &self,
        act: Act,
        (tenant, sites): (&TenantId, &[SiteId]),
        person: (&PersonId, &Roles),
    ) -> Result<(), Refusal> {
        let target = ActTarget { tenant, sites, person: Some(person), requested_by: None };
        self.who.judge(act, &target)
    }
}

impl ActingTransaction {
    /// A person whom they see, may do this to, and have seen as they are, where they said what they saw.
    async fn person_to(&mut self, act: Act, on: SeenPerson<'_>) -> Result<Person, Refusal> {
        let known = self.rows.person_in_hand(on.id).await.map_err(refusal)?;
        let known = known.filter(|known| self.by.may_see(known).is_ok()).ok_or(Refusal::PersonUnknown)?;
        self.by.judge_person(act, &known)?;
        if on.seen.is_some_and(|seen| seen != tag_of(&known)) {
            return Err(Refusal::PersonChangedMeanwhile);
        }
        Ok(known)
    }

    /// Whether these are open sites of the tenant.
    async fn knows_sites(&mut self, tenant: &TenantId, sites: &[SiteId]) -> Result<(), Refusal> {
        let known = self.rows.directory_sites_in_hand(tenant).await.map_err(refusal)?;
        let is_known = |site: &SiteId| known.iter().any(|known| known.id == *site);
        if sites.iter().all(is_known) { Ok(()) } else { Err(Refusal::PersonSiteUnknown) }
    }
}

fn each_once(mut sites: Vec<SiteId>) -> Vec<SiteId> {
    sites.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    sites.dedup();
    sites
}

/// Whether there is a role, and a site where a role belongs to sites.
fn fit_together(roles: &Roles, sites: usize) -> Result<(), Refusal> {
    if roles.iter().next().is_none() {
        return Err(Refusal::PersonUnfit);
    }
    let lacks_site = sites == 0 && roles.iter().any(PersonRole::is_of_sites);
    if lacks_site { Err(Refusal::PersonSiteMissing) } else { Ok(()) }
}

const DAY: Duration = Duration::from_hours(24);

fn days_fit(days: u32) -> Result<(), Refusal> {
    if (1..=MOST_LINK_DAYS).contains(&days) { Ok(()) } else { Err(Refusal::RequestMalformed) }
}

/// A guard that did not hold is this refusal; whatever else is wrong is the ledger's.
fn guarded(otherwise: Refusal) -> impl Fn(LedgerError) -> Refusal {
    move |error| match error {
        LedgerError::Guard(_) => otherwise,
        error => refusal(error),
    }
}

/// Whether somebody may sign in as far as their state says.
pub(crate) fn is_active(person: &Person) -> bool {
    person.state == PersonState::Active
}
