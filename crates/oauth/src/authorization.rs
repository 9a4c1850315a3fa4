//! The authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core section 3.1.2): a browser on an enrolled device comes
//! with a client's request, and goes back with a code or the reason why there is none.
//!
//! What cannot be trusted, because nobody registered the client or the address, is answered with a page of this server and
//! never with a redirect. Everything else is told to the client, with `iss` (RFC 9207) and its `state`.

mod answer;
mod client;
mod request;
mod sessions;
mod waiting;

use crate::authorization_server::AuthorizationServer;
use crate::browser_request::DeviceBrowserRequest;
use crate::code_facts::CodeFacts;
use crate::error::OAuthError;
use answer::AuthorizationAnswer;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::claims::person_subject;
use tegata_core::{AuthorizationCode, Clock, PersonId, Refusal, Timestamp};
use tegata_storage::{CodeGrant, GrantCode, GrantedPerson, LiveSession};
use tegata_web::{TenantWork, WebResult};

pub(crate) use answer::{see_other, with_parameter};
pub(crate) use client::RequestingClient;
pub(crate) use request::AuthorizationRequest;
pub use sessions::{EndedSession, NoSessions, PersonSessions, SessionEnd, SessionLookup, SessionToEnd};
pub(crate) use waiting::{BegunRequest, REQUEST_URI};

/// How long a code can be redeemed (FAPI 2.0 Security Profile section 5.3.2.1).
const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// The authorization endpoint, and where it learns who is signed in. Cloning shares both.
#[derive(Clone)]
pub struct AuthorizationEndpoint {
    pub(crate) tokens: Arc<AuthorizationServer>,
    pub(crate) sessions: Arc<dyn PersonSessions>,
}

/// What a request comes to.
enum Outcome {
    /// The client may have this code.
    Code(AuthorizationCode),
    /// Somebody has to sign in first.
    SignIn,
}

impl FromRef<AuthorizationEndpoint> for Arc<dyn Clock> {
    fn from_ref(endpoint: &AuthorizationEndpoint) -> Self {
        endpoint.tokens.context.clock.clone()
    }
}

impl AuthorizationEndpoint {
    /// For the device listener.
    pub fn new(tokens: Arc<AuthorizationServer>, sessions: Arc<dyn PersonSessions>) -> Self {
        Self { tokens, sessions }
    }
}

pub(crate) async fn authorize(
    State(endpoint): State<AuthorizationEndpoint>,
    asked: DeviceBrowserRequest,
) -> WebResult<Response> {
    let (at, context) = (asked.at, &endpoint.tokens.context);
    let _place = context.shares.enter(TenantWork::SignIn, asked.holder.tenant.as_str()).await?;
    let begun = match asked.form.get("continue") {
        Some(name) => endpoint.tokens.take_up(name, &asked.holder, at).await?,
        None => match endpoint.begin(&asked).await? {
            Ok(begun) => begun,
            Err(answer) => return Ok(answer.into_response()),
        },
    };
    let language = begun.request.language().unwrap_or(asked.language);
    let answer = AuthorizationAnswer::to(&begun.request.address(), endpoint.tokens.issuer());
    let answer = if begun.resumed { answer.after_a_form(language) } else { answer };
    match endpoint.decide(&begun, &asked).await {
        Ok(Outcome::Code(code)) => Ok(answer.with_code(&code).into_response()),
        Ok(Outcome::SignIn) => {
            Ok(endpoint.tokens.wait_for_sign_in(&begun, &asked.holder, at).await?.in_language(language))
        }
        Err(error) => Ok(answer.with_error(error).into_response()),
    }
}

impl AuthorizationEndpoint {
    /// A request that a browser brings: in the address, or by the name under which its client has pushed it. The inner error
    /// is for the client.
    async fn begin(
        &self,
        asked: &DeviceBrowserRequest,
    ) -> WebResult<Result<BegunRequest, AuthorizationAnswer>> {
        let (form, now) = (&asked.form, asked.at);
        let client = self.tokens.requesting_client(form.get("client_id")).await?;
        if let Some(name) = form.get("request_uri") {
            return Ok(Ok(self.tokens.take_pushed(name, &client, now).await?));
        }
        let address = client.address(&self.tokens, form)?;
        let request = AuthorizationRequest::read(&self.tokens, &client, form);
        Ok(match request {
            Ok(request) => Ok(BegunRequest { request, begun_at: now, resumed: false }),
            Err(error) => Err(AuthorizationAnswer::to(&address, self.tokens.issuer()).with_error(error)),
        })
    }

    /// Whether the client gets a code now.
    async fn decide(
        &self,
        begun: &BegunRequest,
        asked: &DeviceBrowserRequest,
    ) -> Result<Outcome, OAuthError> {
        let request = &begun.request;
        self.tokens.check_license(&request.audience, &asked.holder).await?;
        if request.is_for_the_device() {
            return self.grant(request, asked, None).await;
        }
        let session = self.sessions.current(asked.certificate.as_ref(), &asked.headers, asked.at).await?;
        let Some(session) = session.filter(|session| begun.accepts(session, asked.at)) else {
            return if request.may_ask() { Ok(Outcome::SignIn) } else { Err(sign_in_needed()) };
        };
        let facts = CodeFacts::of_session(&session, self.subject(&session.person));
        if !request.accepts_acr(facts.acr()) {
            // Whoever has just signed in would do it no better the next time.
            let is_new = session.created_at >= begun.begun_at;
            return if request.may_ask() && !is_new { Ok(Outcome::SignIn) } else { Err(too_weak()) };
        }
        self.grant(request, asked, Some(&session)).await
    }

    async fn grant(
        &self,
        request: &AuthorizationRequest,
        asked: &DeviceBrowserRequest,
        session: Option<&LiveSession>,
    ) -> Result<Outcome, OAuthError> {
        let (context, holder) = (&self.tokens.context, &asked.holder);
        let (code, now) = (AuthorizationCode::random(&*context.entropy), asked.at);
        let person = session.map(|session| GrantedPerson {
            session: session.id.clone(),
            subject: self.subject(&session.person),
            auth_time: CodeFacts::auth_time(session),
        });
        let grant = CodeGrant {
            client: request.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            challenge: request.challenge.clone(),
            device: holder.device.clone(),
            thumbprint: holder.thumbprint,
            person,
            amr: session.map_or(CodeFacts::DEVICE_AMR, |session| &session.amr).to_owned(),
            audience: request.audience.clone(),
            scope: request.scope.clone(),
            nonce: request.nonce.clone(),
            dpop_jkt: request.dpop_jkt,
            expires_at: now.plus(CODE_LIFETIME),
        };
        let person = session.map(|session| session.person.clone());
        let of_stored_client =
            self.tokens.clients().get(&grant.client).is_some_and(|client| client.is_stored());
        context
            .ledger
            .group(GrantCode { hash: code.hash(), grant, person, of_stored_client, at: now })
            .await?;
        Ok(Outcome::Code(code))
    }

    /// What tokens call a person of this installation's own.
    fn subject(&self, person: &PersonId) -> String {
        person_subject(self.tokens.issuer(), person.as_str())
    }
}

impl BegunRequest {
    /// Whether the person need not sign in anew: the sign-in is recent enough, or came after the request. Where a provider has
    /// not said when the person proved themselves, it is neither, however new the session is.
    fn accepts(&self, session: &LiveSession, now: Timestamp) -> bool {
        if self.request.longest_since_sign_in().is_some() && !session.is_dated {
            return false;
        }
        session.authenticated_at >= self.begun_at
            || (!self.request.wants_sign_in() && self.request.is_recent(session.authenticated_at, now))
    }
}

fn sign_in_needed() -> OAuthError {
    let error = OAuthError::at_authorization("login_required", "Nobody is signed in, or not recently enough");
    error.because(Refusal::SignInNeeded)
}

fn too_weak() -> OAuthError {
    let error = "unmet_authentication_requirements";
    OAuthError::at_authorization(error, "The sign-in does not reach the acr that is asked for")
        .because(Refusal::SignInTooWeak)
}
