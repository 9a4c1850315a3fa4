//! Who is acting, and how far they reach.

use crate::people::{FormSeal, SignedInPerson};
use crate::service::{ConsoleService, refusal};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tegata_core::access::Reach;
use tegata_core::{
    Act, ActTarget, DeviceId, Justification, PersonId, Refusal, RoleHolder, SiteId, TenantId, Timestamp,
};
use tegata_storage::{Actor, LiveSession, Principal, ScopedLedger};
use tegata_web::{Presented, Problem, ReaderLanguage, RequestTime, StrictForm};

/// The header in which a script of our pages, or a program with a session, proves that no other site's page sends it along.
const CSRF: &str = "x-csrf-token";

/// Somebody who is signed in, with what they may do.
pub(crate) struct Acting {
    pub(crate) session: LiveSession,
    pub(crate) holder: RoleHolder,
    /// Why they act, where they have said so in this session.
    pub(crate) because: Option<Justification>,
    pub(crate) form: Arc<dyn FormSeal>,
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

/// Somebody who is signed in and wants a page. Whoever is not goes to sign in first, and comes back.
pub(crate) struct ActingPage(pub(crate) Acting);

/// Somebody who is signed in and changes something by the API.
pub(crate) struct ActingProgram(pub(crate) Acting);

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
    pub(crate) fn actor(&self) -> Actor {
        Actor::Person(self.session.person.clone())
    }

    /// How far an act reaches by the roles that count: those of support count once it was said why.
    ///
    /// # Errors
    /// [`Refusal::RoleMayNot`], or [`Refusal::ReasonMissing`] where only roles of support reach anywhere.
    pub(crate) fn reach(&self, act: Act) -> Result<Reach, Refusal> {
        let roles = || self.session.roles.iter().filter(|role| act.reach(*role) > Reach::Own);
        let counting = roles().filter(|role| !role.is_support() || self.because.is_some());
        match (counting.map(|role| act.reach(role)).max(), roles().next()) {
            (Some(reach), _) => Ok(reach),
            (None, Some(_)) => Err(Refusal::ReasonMissing),
            (None, None) => Err(Refusal::RoleMayNot),
        }
    }

    /// Whether any role lets them do this anywhere, said why or not: for what a page offers.
    pub(crate) fn may_ever(&self, act: Act) -> bool {
        self.reach(act) != Err(Refusal::RoleMayNot)
    }

    /// Whether nothing can be done before it was said why.
    pub(crate) fn must_say_why(&self) -> bool {
        self.reach(Act::SeeDevices) == Err(Refusal::ReasonMissing)
    }

    /// Whether they may do this to something of a site.
    ///
    /// # Errors
    /// Those of [`RoleHolder::may`].
    pub(crate) fn judge(
        &self,
        act: Act,
        (tenant, site): (&TenantId, &SiteId),
        requested_by: Option<&PersonId>,
    ) -> Result<(), Refusal> {
        let sites = std::slice::from_ref(site);
        let target = ActTarget { tenant, sites, person: None, requested_by };
        self.holder.may(act, &target, self.because.as_ref())
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

    async fn acting(&self, person: SignedInPerson, at: Timestamp) -> Result<Acting, Refusal> {
        let SignedInPerson { session, device, form } = person;
        let rows = self.context.ledger.within(Principal::person(&session).scope());
        let known = rows.person(&session.person).await.map_err(refusal)?.ok_or(Refusal::SignInNeeded)?;
        let because = rows.justification_of(&session.id).await.map_err(refusal)?;
        let holder = RoleHolder {
            person: session.person.clone(),
            tenant: session.tenant.clone(),
            sites: known.sites.into_iter().map(|site| site.id).collect(),
            roles: session.roles.clone(),
        };
        Ok(Acting { session, holder, because, form, device, at })
    }
}

impl FromRequestParts<ConsoleService> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &ConsoleService) -> Result<Self, Problem> {
        let Ok(time) = RequestTime::from_request_parts(parts, service).await;
        let Presented(certificate) = Presented::from_request_parts(parts, service).await?;
        let person = service.people.current(certificate.as_ref(), &parts.headers, time.now()).await?;
        let person = person.ok_or(Refusal::SignInNeeded)?;
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
