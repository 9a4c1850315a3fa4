//! Who is signed in, at a request.

use crate::address::RequestAddress;
use crate::cookie::{BrowserSecret, CookieName};
use crate::service::{IdentityService, refusal};
use crate::sign_in::{ACCOUNT, redirect};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::request::Parts;
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{CertificateHolder, LiveSession, Principal, ScopedLedger};
use tegata_web::{PeerCertificate, Presented, Problem, ReaderLanguage, RequestTime, StrictForm};

/// A session that nobody uses ends (guideline, operation 12).
pub(crate) const IDLE: Duration = Duration::from_mins(15);

/// A session ends in any case: a working day.
pub(crate) const LONGEST: Duration = Duration::from_hours(12);

/// How coarsely the use of a session is written down: once a minute however many requests there are. Whoever stops just
/// before it is written has this much less of the idle time, never more.
const STEP: Duration = Duration::from_mins(1);

/// Somebody who is signed in on the device that they stand before.
pub(crate) struct SessionHolder {
    pub(crate) session: LiveSession,
    pub(crate) holder: Arc<CertificateHolder>,
    /// What the browser proves it with.
    pub(crate) secret: BrowserSecret,
    /// The time of the request.
    pub(crate) at: Timestamp,
}

/// A form that says in which browser's page it was made.
pub(crate) trait BrowserForm: DeserializeOwned + Send {
    fn form_token(&self) -> &str;
}

/// Forms whose page stands in their field `form_token`.
macro_rules! browser_forms {
    ($($form:ty),+) => {$(
        impl $crate::session::BrowserForm for $form {
            fn form_token(&self) -> &str {
                &self.form_token
            }
        }
    )+};
}
pub(crate) use browser_forms;

/// A form of somebody who is signed in, made for their very browser.
pub(crate) struct SignedInForm<F> {
    pub(crate) by: SessionHolder,
    pub(crate) form: F,
    /// From where it was sent.
    pub(crate) address: Option<IpAddr>,
}

/// Somebody who is signed in and wants a page. Whoever is not goes to sign in first, and comes back.
pub(crate) struct SignedInPage(pub(crate) SessionHolder);

impl FromRequestParts<IdentityService> for SignedInPage {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &IdentityService) -> Result<Self, Response> {
        match SessionHolder::from_request_parts(parts, service).await {
            Ok(by) => return Ok(Self(by)),
            Err(problem) if problem.refusal != Refusal::SignInNeeded => return Err(problem.into_response()),
            Err(_) => {}
        }
        let ReaderLanguage(language) = ReaderLanguage::of(&parts.uri, &parts.headers);
        // Its own paths alone: nothing of a query, which anybody may have made up.
        let path = parts.uri.path();
        let next = if path == ACCOUNT { String::new() } else { format!("?next={path}") };
        Err(redirect(&format!("/sign-in{next}"), language))
    }
}

impl FromRequestParts<IdentityService> for SessionHolder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &IdentityService) -> Result<Self, Problem> {
        let Ok(time) = RequestTime::from_request_parts(parts, service).await;
        let Presented(certificate) = Presented::from_request_parts(parts, service).await?;
        Ok(service.signed_in(certificate.as_ref(), &parts.headers, time.now()).await?)
    }
}

impl<F: BrowserForm> FromRequest<IdentityService> for SignedInForm<F> {
    type Rejection = Problem;

    /// The form is read first, so that whoever sends it is judged when it is in.
    async fn from_request(request: Request, service: &IdentityService) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let StrictForm(form) =
            StrictForm::<F>::from_request(Request::from_parts(parts.clone(), body), service).await?;
        let by = SessionHolder::from_request_parts(&mut parts, service).await?;
        let Ok(RequestAddress(address)) = RequestAddress::from_request_parts(&mut parts, service).await;
        if by.secret.made(form.form_token()) {
            Ok(Self { by, form, address })
        } else {
            Err(Refusal::FormOutdated.into())
        }
    }
}

impl IdentityService {
    /// The ledger as somebody who is signed in sees it.
    pub(crate) fn rows_of(&self, signed_in: &SessionHolder) -> ScopedLedger {
        self.context.ledger.within(Principal::person(&signed_in.session).scope())
    }

    /// The session of a request, for whoever lets people on to somewhere else.
    ///
    /// # Errors
    /// What is wrong with the certificate, or with the ledger.
    pub async fn current_session(
        &self,
        certificate: Option<&PeerCertificate>,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<LiveSession>, Refusal> {
        match self.signed_in(certificate, headers, now).await {
            Ok(signed_in) => Ok(Some(signed_in.session)),
            Err(Refusal::SignInNeeded) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Whoever is signed in: the certificate is good, the session lasts and belongs to the certificate's device, and its
    /// person may still use it.
    ///
    /// # Errors
    /// What is wrong with the certificate, or [`Refusal::SignInNeeded`].
    pub(crate) async fn signed_in(
        &self,
        certificate: Option<&PeerCertificate>,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<SessionHolder, Refusal> {
        let holder = self.context.device(certificate, now).await?;
        let secret = BrowserSecret::of(headers, CookieName::Session).ok_or(Refusal::SignInNeeded)?;
        let rows = self.rows(&holder);
        let session = rows.session(&secret.hash(), &holder.device, now).await.map_err(refusal)?;
        let session = session.ok_or(Refusal::SignInNeeded)?;
        if now.since(session.used_at) >= STEP {
            rows.use_session(&session.id, IDLE, now).await.map_err(refusal)?;
        }
        Ok(SessionHolder { session, holder, secret, at: now })
    }
}
