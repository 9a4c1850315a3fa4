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
use crate::code_facts::CodeFacts;
use crate::error::OAuthError;
use crate::form::{Charset, FormParameters};
use answer::AuthorizationAnswer;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, Uri};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::claims::person_subject;
use tegata_core::{AuthorizationCode, Clock, Language, PersonId, Refusal, Timestamp};
use tegata_storage::{CertificateHolder, CodeGrant, GrantCode, GrantedPerson, LiveSession};
use tegata_web::{PeerCertificate, Presented, Problem, ReaderLanguage, RequestTime, TenantWork, WebResult};

pub(crate) use answer::{see_other, with_parameter};
pub(crate) use client::RequestingClient;
pub(crate) use request::AuthorizationRequest;
pub use sessions::{NoSessions, PersonSessions, SessionEnd, SessionLookup};
pub(crate) use waiting::{BegunRequest, REQUEST_URI};

/// How long a code can be redeemed (FAPI 2.0 Security Profile section 5.3.2.1).
const CODE_LIFETIME: Duration = Duration::from_mins(1);

/// The longest request that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;

/// What a browser wants the answer for (Fetch Metadata Request Headers).
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The authorization endpoint, and where it learns who is signed in. Cloning shares both.
#[derive(Clone)]
pub struct AuthorizationEndpoint {
    pub(crate) tokens: Arc<AuthorizationServer>,
    pub(crate) sessions: Arc<dyn PersonSessions>,
}

/// Who came, and by what.
struct Visitor<'a> {
    holder: Arc<CertificateHolder>,
    certificate: Option<&'a PeerCertificate>,
    headers: &'a HeaderMap,
    language: Language,
    /// The time of the request.
    at: Timestamp,
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
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    time: RequestTime,
    headers: HeaderMap,
    uri: Uri,
) -> WebResult<Response> {
    must_open_a_page(&headers)?;
    let (at, context) = (time.now(), &endpoint.tokens.context);
    let holder = context.device(certificate.as_ref(), at).await?;
    let _place = context.shares.enter(TenantWork::SignIn, holder.tenant.as_str()).await?;
    let visitor = Visitor { holder, certificate: certificate.as_ref(), headers: &headers, language, at };
    let form = read(&uri)?;
    let begun = match form.get("continue") {
        Some(name) => endpoint.tokens.take_up(name, &visitor.holder, at).await?,
        None => match endpoint.begin(&form, &visitor.holder, at).await? {
            Ok(begun) => begun,
            Err(answer) => return Ok(answer.into_response()),
        },
    };
    let answer = AuthorizationAnswer::to(&begun.request.address(), endpoint.tokens.issuer());
    let answer = if begun.resumed { answer.after_a_form(visitor.language(&begun.request)) } else { answer };
    match endpoint.decide(&begun, &visitor).await {
        Ok(Outcome::Code(code)) => Ok(answer.with_code(&code).into_response()),
        Ok(Outcome::SignIn) => {
            let to = endpoint.tokens.wait_for_sign_in(&begun, &visitor.holder, at).await?;
            Ok(to.in_language(visitor.language(&begun.request)))
        }
        Err(error) => Ok(answer.with_error(error).into_response()),
    }
}

/// A picture, a script or a frame of any page on the device must neither take a code nor make room among the requests that
/// wait, nor end a session. Programs say nothing of what they want the answer for.
pub(crate) fn must_open_a_page(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get_all(DESTINATION).iter().all(|wanted| wanted == "document") {
        Ok(())
    } else {
        Err(Refusal::ForeignOrigin)
    }
}

fn read(uri: &Uri) -> Result<FormParameters, Problem> {
    let query = uri.query().unwrap_or_default();
    if query.len() > LONGEST {
        return Err(Refusal::RequestTooLarge.into());
    }
    FormParameters::parse(query.as_bytes(), Charset::Utf8).map_err(|_| {
        Problem::with_detail(Refusal::RequestMalformed, "A parameter is sent twice, or is no UTF-8")
    })
}

impl AuthorizationEndpoint {
    /// A request that a browser brings: in the address, or by the name under which its client has pushed it. The inner error
    /// is for the client.
    async fn begin(
        &self,
        form: &FormParameters,
        holder: &CertificateHolder,
        now: Timestamp,
    ) -> WebResult<Result<BegunRequest, AuthorizationAnswer>> {
        let client = self.tokens.requesting_client(form.get("client_id")).await?;
        if let Some(name) = form.get("request_uri") {
            return Ok(Ok(self.tokens.take_pushed(name, &client, holder, now).await?));
        }
        let address = client.address(&self.tokens, form)?;
        let request = AuthorizationRequest::read(&self.tokens, &client, form);
        Ok(match request {
            Ok(request) => Ok(BegunRequest { request, begun_at: now, resumed: false }),
            Err(error) => Err(AuthorizationAnswer::to(&address, self.tokens.issuer()).with_error(error)),
        })
    }

    /// Whether the client gets a code now.
    async fn decide(&self, begun: &BegunRequest, visitor: &Visitor<'_>) -> Result<Outcome, OAuthError> {
        let request = &begun.request;
        self.tokens.check_license(&request.audience, &visitor.holder).await?;
        if request.is_for_the_device() {
            return self.grant(request, visitor, None).await;
        }
        let session = self.sessions.current(visitor.certificate, visitor.headers, visitor.at).await?;
        let Some(session) = session.filter(|session| begun.accepts(session, visitor.at)) else {
            return if request.may_ask() { Ok(Outcome::SignIn) } else { Err(sign_in_needed()) };
        };
        let facts = CodeFacts::of_session(&session, self.subject(&session.person));
        if !request.accepts_acr(facts.acr()) {
            // Whoever has just signed in would do it no better the next time.
            let is_new = session.created_at >= begun.begun_at;
            return if request.may_ask() && !is_new { Ok(Outcome::SignIn) } else { Err(too_weak()) };
        }
        self.grant(request, visitor, Some(&session)).await
    }

    async fn grant(
        &self,
        request: &AuthorizationRequest,
        visitor: &Visitor<'_>,
        session: Option<&LiveSession>,
    ) -> Result<Outcome, OAuthError> {
        let (context, holder) = (&self.tokens.context, &visitor.holder);
        let (code, now) = (AuthorizationCode::random(&*context.entropy), visitor.at);
        let person = session.map(|session| GrantedPerson {
            session: session.id.clone(),
            subject: self.subject(&session.person),
            auth_time: session.created_at,
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
        context.ledger.group(GrantCode { hash: code.hash(), grant, person, at: now }).await?;
        Ok(Outcome::Code(code))
    }

    /// What tokens call a person of this installation's own.
    fn subject(&self, person: &PersonId) -> String {
        person_subject(self.tokens.issuer(), person.as_str())
    }
}

impl Visitor<'_> {
    /// The client's choice, where it has made one that there is.
    fn language(&self, request: &AuthorizationRequest) -> Language {
        request.language().unwrap_or(self.language)
    }
}

impl BegunRequest {
    /// Whether the person need not sign in anew: the sign-in is recent enough, or came after the request.
    fn accepts(&self, session: &LiveSession, now: Timestamp) -> bool {
        session.created_at >= self.begun_at
            || (!self.request.wants_sign_in() && self.request.is_recent(session.created_at, now))
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
