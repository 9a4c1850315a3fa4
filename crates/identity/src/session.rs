//! Who is signed in, at a request.

use crate::cookie::{BrowserSecret, CookieName};
use crate::service::{IdentityService, refusal};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Refusal;
use tegata_storage::{CertificateHolder, LiveSession};
use tegata_web::PeerCertificate;

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
}

impl IdentityService {
    /// Whoever is signed in: the certificate is good, the session lasts and belongs to the certificate's device, and its
    /// person may still use it.
    ///
    /// # Errors
    /// What is wrong with the certificate, or [`Refusal::SignInNeeded`].
    pub(crate) async fn signed_in(
        &self,
        certificate: Option<&PeerCertificate>,
        headers: &HeaderMap,
    ) -> Result<SessionHolder, Refusal> {
        let holder = self.context.device(certificate).await?;
        let secret = BrowserSecret::of(headers, CookieName::Session).ok_or(Refusal::SignInNeeded)?;
        let (ledger, now) = (&self.context.ledger, self.context.now());
        let session = ledger.session(&secret.hash(), &holder.device, now).await.map_err(refusal)?;
        let session = session.ok_or(Refusal::SignInNeeded)?;
        if now.since(session.used_at) >= STEP {
            ledger.use_session(&session.id, IDLE, now).await.map_err(refusal)?;
        }
        Ok(SessionHolder { session, holder, secret })
    }
}
