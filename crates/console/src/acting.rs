//! Who is acting, and how far they reach.

use crate::people::{FormSeal, ScopedProgram, SignedInPerson};
use crate::service::{ConsoleService, refusal};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::sync::Arc;
use tegata_core::access::Reach;
use tegata_core::{
    Act, ActTarget, DeviceId, Justification, PersonId, Refusal, RoleHolder, SiteId, TenantId, Timestamp,
};
use tegata_storage::{
    ActingPerson, Actor, AuditNote, LiveSession, Principal, RefusalNote, ScopedLedger, ScopedTransaction,
};
use tegata_web::{Presented, Problem, ReaderLanguage, RequestTime, StrictForm, StrictJson};

/// The header in which a script of our pages, or a program with a session, proves that no other site's page sends it along.
const CSRF: &str = "x-csrf-token";

/// Where the API begins.
const API: &str = "/api/";

/// Somebody who is signed in, with what they may do.
pub(crate) struct Acting {
    pub(crate) session: LiveSession,
    pub(crate) holder: RoleHolder,
    pub(crate) form: Arc<dyn FormSeal>,
    /// What a program may do that acts for them by a token; nothing where they act themselves.
    pub(crate) program: Option<ScopedProgram>,
    /// The device in hand.
    pub(crate) device: DeviceId,
    /// The time of the request.
    pub(crate) at: Timestamp,
}

/// What somebody may look at.
pub(crate) struct Sight {
    pub(crate) rows: ScopedLedger,
    /// The sites that they are bound to; none where they see all of the scope.
    pub(crate) within: Option<Vec<SiteId>>,
    /// Whether they look into tenants that are not theirs.
    pub(crate) is_everywhere: bool,
}

/// The transaction in which somebody acts. Nobody else writes until it ends, so they are who they are here until it is done.
pub(crate) struct ActingTransaction {
    pub(crate) rows: ScopedTransaction,
    /// With the roles, the sites and the reason that they have at this moment, whatever they had when the request came.
    pub(crate) by: Acting,
}

/// Somebody who is signed in and wants a page. Whoever is not goes to sign in first, and comes back.
pub(crate) struct ActingPage(pub(crate) Acting);

/// Somebody who is signed in and changes something by the API, and has no more to say.
pub(crate) struct ActingProgram(pub(crate) Acting);

/// Somebody who is signed in and changes something by the API; with what else the handler takes of the request, such as its path,
/// which is looked at once it is known who asks.
pub(crate) struct ActingJson<B, E = ()> {
    pub(crate) by: Acting,
    pub(crate) body: B,
    pub(crate) rest: E,
}

/// A form that says in which browser's page it was made.
pub(crate) trait SealedForm: DeserializeOwned + Send {
    fn form_token(&self) -> &str;
}

/// A form of somebody who is signed in, made for their very browser.
pub(crate) struct ActingForm<F> {
    pub(crate) by: Acting,
    pub(crate) form: F,
}

impl Acting {
    /// Somebody with what was shown of them: a form, and the scopes of a program's token.
    fn of(
        person: ActingPerson,
        (form, program): (Arc<dyn FormSeal>, Option<ScopedProgram>),
        device: DeviceId,
        at: Timestamp,
    ) -> Self {
        let ActingPerson { session, sites } = person;
        let holder = RoleHolder {
            person: session.person.clone(),
            tenant: session.tenant.clone(),
            sites,
            roles: session.roles.clone(),
        };
        Self { session, holder, form, program, device, at }
    }

    /// This person, as the ledger has them at another moment.
    fn anew(&self, person: ActingPerson, at: Timestamp) -> Self {
        Self::of(person, (self.form.clone(), self.program.clone()), self.device.clone(), at)
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::Person(self.session.person.clone())
    }

    /// The program by which they act, if it is one.
    pub(crate) fn client_id(&self) -> Option<&str> {
        self.program.as_ref().map(|program| program.client_id.as_str())
    }

    /// Why they act, where they have said so in this session.
    pub(crate) const fn because(&self) -> Option<&Justification> {
        self.session.justification.as_ref()
    }

    /// How far an act reaches by the roles that count: those of support count once it was said why.
    ///
    /// # Errors
    /// [`Refusal::RoleMayNot`], [`Refusal::ReasonMissing`] where only roles of support reach anywhere, or
    /// [`Refusal::ScopeInsufficient`].
    pub(crate) fn reach(&self, act: Act) -> Result<Reach, Refusal> {
        self.must_have_scope(act)?;
        let roles = || self.session.roles.iter().filter(|role| act.reach(*role) > Reach::Own);
        let counting = roles().filter(|role| !role.is_support() || self.because().is_some());
        match (counting.map(|role| act.reach(role)).max(), roles().next()) {
            (Some(reach), _) => Ok(reach),
            (None, Some(_)) => Err(Refusal::ReasonMissing),
            (None, None) => Err(Refusal::RoleMayNot),
        }
    }

    /// Whether any role lets them do this anywhere, said why or not: for what a page offers.
    pub(crate) fn may_ever(&self, act: Act) -> bool {
        !matches!(self.reach(act), Err(Refusal::RoleMayNot | Refusal::ScopeInsufficient))
    }

    /// Whether nothing can be done before it was said why.
    pub(crate) fn must_say_why(&self) -> bool {
        self.reach(Act::SeeDevices) == Err(Refusal::ReasonMissing)
    }

    /// Whether they may do this to something of a site.
    ///
    /// # Errors
    /// Those of [`RoleHolder::may`], and [`Refusal::ScopeInsufficient`].
    pub(crate) fn judge(
        &self,
        act: Act,
        (tenant, site): (&TenantId, &SiteId),
        requested_by: Option<&PersonId>,
    ) -> Result<(), Refusal> {
        self.must_have_scope(act)?;
        let sites = std::slice::from_ref(site);
        let target = ActTarget { tenant, sites, person: None, requested_by };
        self.holder.may(act, &target, self.because())
    }

    /// A token narrows what a person may and widens nothing: what it does not name, the program does not do.
    pub(crate) fn must_have_scope(&self, act: Act) -> Result<(), Refusal> {
        let has = |program: &ScopedProgram| program.scopes.iter().any(|scope| scope.act() == act);
        if self.program.as_ref().is_none_or(has) { Ok(()) } else { Err(Refusal::ScopeInsufficient) }
    }

    /// Whether they may do this to something of a site, for what a page offers.
    pub(crate) fn may(&self, act: Act, at: (&TenantId, &SiteId)) -> bool {
        self.judge(act, at, None).is_ok()
    }
}

impl ConsoleService {
    /// What somebody may look at by an act.
    ///
    /// # Errors
    /// Those of [`Acting::reach`].
    pub(crate) fn sight(&self, by: &Acting, act: Act) -> Result<Sight, Refusal> {
        let reach = by.reach(act)?;
        let is_everywhere = reach == Reach::Everywhere;
        let rows =
            if is_everywhere { self.context.ledger.reached_by(&by.session, act) } else { self.own_rows(by) };
        Ok(Sight { rows, within: (reach == Reach::Sites).then(|| by.holder.sites.clone()), is_everywhere })
    }

    /// The ledger as their own tenant sees it.
    pub(crate) fn own_rows(&self, by: &Acting) -> ScopedLedger {
        self.context.ledger.within(Principal::person(&by.session).scope())
    }

    /// Opens the transaction in which somebody does something. Whoever was signed out, disabled or stripped of a role since the
    /// request came is judged as they are now; the audit entries say why they act.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] where the session does not last, and those of [`Acting::reach`].
    pub(crate) async fn begin(&self, by: &Acting, act: Act) -> Result<ActingTransaction, Refusal> {
        let begun = self.begin_within(self.sight(by, act)?.rows, by).await?;
        begun.by.reach(act)?;
        Ok(begun)
    }

    /// Opens a transaction of these rows in which somebody acts. What they may do there is still to be asked.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] where the session does not last.
    pub(crate) async fn begin_within(
        &self,
        rows: ScopedLedger,
        by: &Acting,
    ) -> Result<ActingTransaction, Refusal> {
        let mut rows = rows.begin(by.at).await.map_err(refusal)?;
        let person = rows.act_as(&by.session.id, &by.device, by.client_id()).await.map_err(refusal)?;
        Ok(ActingTransaction { by: by.anew(person, by.at), rows })
    }

    /// That somebody sees no less by an act than when they began to look: what is sent for minutes ends with their session.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] or [`Refusal::RoleMayNot`] where they do not, and those of [`Acting::reach`].
    pub(crate) async fn sees_still(&self, by: &Acting, act: Act) -> Result<(), Refusal> {
        let now = self.context.now();
        let person = self.own_rows(by).acting_person(&by.session.id, &by.device, now).await;
        let by_now = by.anew(person.map_err(refusal)?.ok_or(Refusal::SignInNeeded)?, now);
        let is_less = by_now.reach(act)? < by.reach(act)? || by_now.holder.sites != by.holder.sites;
        if is_less { Err(Refusal::RoleMayNot) } else { Ok(()) }
    }

    /// Gives an outcome on. What somebody may not do, or does not see, goes to the audit log first, with a bound however often it
    /// happens.
    pub(crate) async fn noting<T>(
        &self,
        by: &Acting,
        device: Option<&DeviceId>,
        outcome: Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let Err(refusal) = outcome else { return outcome };
        if !is_of_the_person(refusal) {
            return outcome;
        }
        let (device, code) = (self.seen_of(by, device).await, refusal.code());
        let note = RefusalNote { action: "console.refused", actor: by.actor(), device, code, at: by.at };
        if let Err(error) = self.context.ledger.note_refusal(note).await {
            tracing::warn!(%error, code, "a refusal could not be written down");
        }
        outcome
    }

    /// Writes down that somebody takes a list away as a file, and why, where they said it.
    pub(crate) async fn note_export(&self, by: &Acting, file: &'static str) -> Result<(), Refusal> {
        let because = by.because();
        let detail = json!({
            "tenant": by.session.tenant, "file": file,
            "reason": because.map(Justification::reason), "ticket": because.map(Justification::ticket),
        });
        let note =
            AuditNote { actor: by.actor(), action: "console.exported", device: None, detail, at: by.at };
        self.context.ledger.group(note).await.map_err(refusal)
    }

    /// The device of a request, if it is one that they may know of: nobody writes into the history of another company's device.
    async fn seen_of(&self, by: &Acting, device: Option<&DeviceId>) -> Option<DeviceId> {
        let rows = self.sight(by, Act::SeeDevices).map_or_else(|_| self.own_rows(by), |sight| sight.rows);
        let found = rows.device(device?).await.ok().flatten();
        found.map(|device| device.id)
    }

    /// Somebody who is signed in, as the ledger has them at a moment.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] where they are not.
    pub(crate) async fn acting(&self, person: SignedInPerson, at: Timestamp) -> Result<Acting, Refusal> {
        let SignedInPerson { session, device, form, program } = person;
        let rows = self.context.ledger.within(Principal::person(&session).scope());
        let known = rows.acting_person(&session.id, &device, at).await.map_err(refusal)?;
        Ok(Acting::of(known.ok_or(Refusal::SignInNeeded)?, (form, program), device, at))
    }
}

/// Whether somebody is refused for who they are, and not for what stands in the ledger.
const fn is_of_the_person(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::RoleMayNot
            | Refusal::OwnRequest
            | Refusal::EmergencyAccountKept
            | Refusal::DeviceUnknown
            | Refusal::ApprovalUnknown
            | Refusal::InvitationUnknown
            | Refusal::LineSiteUnknown
            | Refusal::PersonUnknown
    )
}

impl ActingTransaction {
    /// Makes it durable, with its audit entries.
    ///
    /// # Errors
    /// Nothing was changed.
    pub(crate) async fn commit(self) -> Result<(), Refusal> {
        self.rows.commit().await.map_err(refusal)
    }
}

impl FromRequestParts<ConsoleService> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &ConsoleService) -> Result<Self, Problem> {
        let Ok(time) = RequestTime::from_request_parts(parts, service).await;
        let Presented(certificate) = Presented::from_request_parts(parts, service).await?;
        let person = service.people.current(certificate.as_ref(), &parts.headers, time.now()).await?;
        let person = person.ok_or(Refusal::SignInNeeded)?;
        // Pages are for people: a program has the API.
        if person.program.is_some() && !parts.uri.path().starts_with(API) {
            return Err(Refusal::ScopeInsufficient.into());
        }
        Ok(service.acting(person, time.now()).await?)
    }
}

impl FromRequestParts<ConsoleService> for ActingPage {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &ConsoleService) -> Result<Self, Response> {
        match Acting::from_request_parts(parts, service).await {
            Ok(by) => Ok(Self(by)),
            Err(problem) if problem.refusal == Refusal::SignInNeeded => {
                let ReaderLanguage(language) = ReaderLanguage::of(&parts.uri, &parts.headers);
                // Its own paths alone: nothing of a query, which anybody may have made up.
                let (path, language) = (parts.uri.path(), language.tag());
                Err(Redirect::to(&format!("/sign-in?next={path}&lang={language}")).into_response())
            }
            Err(problem) => Err(problem.into_response()),
        }
    }
}

impl FromRequestParts<ConsoleService> for ActingProgram {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &ConsoleService) -> Result<Self, Problem> {
        let by = Acting::from_request_parts(parts, service).await?;
        let token = parts.headers.get(CSRF).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if by.form.made(token) { Ok(Self(by)) } else { Err(Refusal::FormOutdated.into()) }
    }
}

impl<B: DeserializeOwned + Send, E: FromRequestParts<ConsoleService> + Send> FromRequest<ConsoleService>
    for ActingJson<B, E>
{
    type Rejection = Response;

    /// The body is read first, which may take its time, so that whoever sends it is judged when it is in.
    async fn from_request(request: Request, service: &ConsoleService) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let request = Request::from_parts(parts.clone(), body);
        let body = StrictJson::<B>::from_request(request, service).await;
        let StrictJson(body) = body.map_err(IntoResponse::into_response)?;
        let by = ActingProgram::from_request_parts(&mut parts, service).await;
        let ActingProgram(by) = by.map_err(IntoResponse::into_response)?;
        let rest = E::from_request_parts(&mut parts, service).await.map_err(IntoResponse::into_response)?;
        Ok(Self { by, body, rest })
    }
}

impl<F: SealedForm> FromRequest<ConsoleService> for ActingForm<F> {
    type Rejection = Problem;

    /// The form is read first, so that whoever sends it is judged when it is in.
    async fn from_request(request: Request, service: &ConsoleService) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let StrictForm(form) =
            StrictForm::<F>::from_request(Request::from_parts(parts.clone(), body), service).await?;
        let by = Acting::from_request_parts(&mut parts, service).await?;
        if by.form.made(form.form_token()) {
            Ok(Self { by, form })
        } else {
            Err(Refusal::FormOutdated.into())
        }
    }
}
