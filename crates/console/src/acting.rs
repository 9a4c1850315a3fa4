//! Who is acting, and how far they reach.

use crate::party::{At, Party, SignedInParty};
use crate::people::{CallerRequest, ConsoleCaller, SignedInPerson};
use crate::service::{ConsoleService, refusal};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::json;
use tegata_core::access::Reach;
use tegata_core::{
    Act, ActTarget, DeviceId, Justification, PersonId, Refusal, SiteId, TenantId, TenantState, Timestamp,
};
use tegata_storage::{Actor, AuditNote, Principal, RefusalNote, ScopedLedger, ScopedTransaction, Tenant};
use tegata_web::{Presented, Problem, ReaderLanguage, RequestTime, StrictForm, StrictJson};

/// The header in which a script of our pages, or a program with a session, proves that no other site's page sends it along.
const CSRF: &str = "x-csrf-token";

/// Where the API begins.
const API: &str = "/api/";

/// Who acts, and when their request came.
#[derive(Clone)]
pub(crate) struct Acting {
    pub(crate) who: Party,
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

/// Forms that carry their seal in `form_token`.
macro_rules! sealed_forms {
    ($($form:ty),+) => {$(
        impl $crate::acting::SealedForm for $form {
            fn form_token(&self) -> &str {
                &self.form_token
            }
        }
    )+};
}
pub(crate) use sealed_forms;

/// A form of somebody who is signed in, made for their very browser.
pub(crate) struct ActingForm<F> {
    pub(crate) by: Acting,
    pub(crate) form: F,
}

impl Acting {
    pub(crate) fn actor(&self) -> Actor {
        self.who.actor()
    }

    /// The tenant to which they belong.
    pub(crate) fn tenant(&self) -> TenantId {
        self.who.tenant()
    }

    /// Why they act, where they have said so in this session.
    pub(crate) fn because(&self) -> Option<&Justification> {
        self.who.person().ok()?.session.justification.as_ref()
    }

    /// How far an act reaches.
    ///
    /// # Errors
    /// Those of [`Party::reach`].
    pub(crate) fn reach(&self, act: Act) -> Result<Reach, Refusal> {
        self.who.reach(act)
    }

    /// Whether they may do this anywhere, said why or not: for what a page offers.
    pub(crate) fn may_ever(&self, act: Act) -> bool {
        matches!(self.reach(act), Ok(_) | Err(Refusal::ReasonMissing))
    }

    /// Whether nothing can be done before it was said why.
    pub(crate) fn must_say_why(&self) -> bool {
        self.reach(Act::SeeDevices) == Err(Refusal::ReasonMissing)
    }

    /// Whether they may do this to something of a site.
    ///
    /// # Errors
    /// Those of [`Party::judge`].
    pub(crate) fn judge(&self, act: Act, at: At<'_>, requested_by: Option<&PersonId>) -> Result<(), Refusal> {
        self.who.judge(act, &target(at, requested_by))
    }

    /// Whether they may do this to something that belongs to a tenant as a whole.
    ///
    /// # Errors
    /// Those of [`Party::judge`].
    pub(crate) fn judge_tenant(&self, act: Act, tenant: &TenantId) -> Result<(), Refusal> {
        self.who.judge(act, &ActTarget { tenant, sites: &[], person: None, requested_by: None })
    }

    /// Whether they may do this to something of a site, for what a page offers.
    pub(crate) fn may(&self, act: Act, at: At<'_>) -> bool {
        self.judge(act, at, None).is_ok()
    }

    /// Whether something of a site is there for them at all. A token for an act is enough to name what the act is done to.
    pub(crate) fn sees(&self, at: At<'_>) -> bool {
        self.who.may_whatever_the_scope(Act::SeeDevices, &target(at, None)).is_ok()
    }

    /// Whether a form was made for their browser. No page of another site sends a program's token along: nothing has to be proved
    /// beside it.
    fn made(&self, token: &str) -> bool {
        self.who.person().map_or(true, |person| person.form.made(token))
    }

    /// What a form carries.
    pub(crate) fn form_token(&self) -> String {
        self.who.person().map_or_else(|_| String::new(), |person| person.form.token())
    }

    /// The sites that they work at.
    pub(crate) fn sites(&self) -> &[SiteId] {
        self.who.person().map_or(&[], |person| person.holder.sites.as_slice())
    }
}

fn target<'a>((tenant, site): At<'a>, requested_by: Option<&'a PersonId>) -> ActTarget<'a> {
    ActTarget { tenant, sites: std::slice::from_ref(site), person: None, requested_by }
}

impl ConsoleService {
    /// What somebody may look at by an act.
    ///
    /// # Errors
    /// Those of [`Acting::reach`].
    pub(crate) fn sight(&self, by: &Acting, act: Act) -> Result<Sight, Refusal> {
        let reach = by.reach(act)?;
        let is_everywhere = reach == Reach::Everywhere;
        let rows = match &by.who {
            Party::Person(person) if is_everywhere => self.context.ledger.reached_by(&person.session, act),
            _ => self.own_rows(by),
        };
        Ok(Sight { rows, within: (reach == Reach::Sites).then(|| by.sites().to_vec()), is_everywhere })
    }

    /// The ledger as their own tenant sees it.
    pub(crate) fn own_rows(&self, by: &Acting) -> ScopedLedger {
        let ledger = &self.context.ledger;
        match &by.who {
            Party::Person(person) => ledger.within(Principal::person(&person.session).scope()),
            Party::Program(program) => {
                ledger.within(Principal::client(&program.client_id, &program.tenant()).scope())
            }
        }
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
        let who = match &by.who {
            Party::Person(known) => {
                let person = rows.act_as(&known.session.id, &known.device, by.who.client_id()).await;
                Party::Person(Box::new(known.anew(person.map_err(refusal)?)))
            }
            // Its token was looked at when the request came; whether it is registered stands in no row.
            Party::Program(program) => {
                rows.require_active_tenant(&program.tenant()).await.map_err(refusal)?;
                Party::Program(program.clone())
            }
        };
        Ok(ActingTransaction { by: Acting { who, at: by.at }, rows })
    }

    /// That somebody sees no less by an act than when they began to look: what is sent for minutes ends with their session.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] or [`Refusal::RoleMayNot`] where they do not, and those of [`Acting::reach`].
    pub(crate) async fn sees_still(&self, by: &Acting, act: Act) -> Result<(), Refusal> {
        let (now, known) = (self.context.now(), by.who.person()?);
        let person = self.own_rows(by).acting_person(&known.session.id, &known.device, now).await;
        let person = known.anew(person.map_err(refusal)?.ok_or(Refusal::SignInNeeded)?);
        let by_now = Acting { who: Party::Person(Box::new(person)), at: now };
        let is_less = by_now.reach(act)? < by.reach(act)? || by_now.sites() != by.sites();
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
            "tenant": by.tenant(), "file": file,
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

    /// Whoever sent a request, as the ledger has them at a moment.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] where a person is not signed in; [`Refusal::TenantSuspended`] for a program of a company that is
    /// stopped.
    pub(crate) async fn acting(&self, caller: ConsoleCaller, at: Timestamp) -> Result<Acting, Refusal> {
        let person = match caller {
            ConsoleCaller::Program(program) => {
                let by = Acting { who: Party::Program(program), at };
                let tenant = by.tenant();
                let known = self.own_rows(&by).tenants().await.map_err(refusal)?;
                let is_active = |known: &Tenant| known.id == tenant && known.state == TenantState::Active;
                return if known.iter().any(is_active) { Ok(by) } else { Err(Refusal::TenantSuspended) };
            }
            ConsoleCaller::Person(person) => person,
        };
        let SignedInPerson { session, device, form, program } = *person;
        let rows = self.context.ledger.within(Principal::person(&session).scope());
        let known = rows.acting_person(&session.id, &device, at).await.map_err(refusal)?;
        let known = known.ok_or(Refusal::SignInNeeded)?;
        Ok(Acting { who: Party::Person(Box::new(SignedInParty::of(known, (form, program), device))), at })
    }
}

/// Whether somebody is refused for who they are, and not for what stands in the ledger.
const fn is_of_the_person(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::RoleMayNot
            | Refusal::OwnRequest
            | Refusal::EmergencyAccountKept
            | Refusal::PersonNeeded
            | Refusal::ScopeInsufficient
            | Refusal::DeviceUnknown
            | Refusal::ApprovalUnknown
            | Refusal::InvitationUnknown
            | Refusal::ListUnknown
            | Refusal::LineSiteUnknown
            | Refusal::PersonUnknown
            | Refusal::TransferUnknown
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
        let request = CallerRequest {
            certificate: certificate.as_ref(),
            method: parts.method.as_str(),
            path: parts.uri.path(),
            headers: &parts.headers,
        };
        let caller = service.people.current(request, time.now()).await?;
        let by = service.acting(caller.ok_or(Refusal::SignInNeeded)?, time.now()).await?;
        // Pages are for people: a program has the API.
        if by.who.is_program() && !parts.uri.path().starts_with(API) {
            return Err(Refusal::ScopeInsufficient.into());
        }
        Ok(by)
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
        if by.made(token) { Ok(Self(by)) } else { Err(Refusal::FormOutdated.into()) }
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
        if by.made(form.form_token()) { Ok(Self { by, form }) } else { Err(Refusal::FormOutdated.into()) }
    }
}
