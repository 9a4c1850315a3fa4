//! The decision about a request with a session.

use super::BrowserSessions;
use super::browser_request::BrowserRequest;
use super::cookie;
use super::facts::SessionFacts;
use crate::certificate::ClientCertificate;
use crate::verified_request::VerifiedRequest;
use http::HeaderValue;
use std::sync::Arc;
use tegata_core::{DeviceId, Refusal, Timestamp};

/// A request that passed.
pub struct AdmittedSession {
    /// The device, and the person who uses it.
    pub verified: Arc<VerifiedRequest>,
    /// A `Set-Cookie` for the answer, where the use is to be written down.
    pub renewed: Option<HeaderValue>,
}

impl BrowserSessions {
    /// Whether the session of this request may go on now.
    ///
    /// # Errors
    /// The [`Refusal`] to answer with. [`BrowserSessions::leads_to_sign_in`] says which of them a new sign-in mends.
    pub fn check(&self, request: &BrowserRequest<'_>) -> Result<AdmittedSession, Refusal> {
        self.gate.require_fresh()?;
        let now = self.gate.now();
        let presented = request.presented.ok_or(Refusal::NoCertificate)?;
        let device = self.devices.device_of(presented, now)?;
        let mut facts = match self.session_of(request, &device.device, now) {
            Ok(facts) => facts,
            // Who is stopped reads so, and is not sent to a sign-in that would refuse them.
            Err(refusal) => {
                self.gate.standing_of_device(&device.device, &presented.thumbprint())?;
                return Err(refusal);
            }
        };
        let renewed = self.renewed(&mut facts, now);
        let until = self.end_of(&facts);
        let verified = Arc::new(VerifiedRequest::of_session(facts, presented.thumbprint(), until));
        self.gate.standing(&verified)?;
        if request.may_be_forged(&self.origin) {
            return Err(Refusal::ForeignOrigin);
        }
        Ok(AdmittedSession { verified, renewed })
    }

    /// Whether somebody who is refused for this gets further by signing in.
    pub fn leads_to_sign_in(refusal: Refusal) -> bool {
        matches!(
            refusal,
            Refusal::SessionMissing
                | Refusal::SessionUnreadable
                | Refusal::SessionOver
                | Refusal::SessionOfAnotherDevice
        )
    }

    /// The session in the request's cookie, if it is this device's and has not ended by itself.
    fn session_of(
        &self,
        request: &BrowserRequest<'_>,
        device: &DeviceId,
        now: Timestamp,
    ) -> Result<SessionFacts, Refusal> {
        let sealed = cookie::value(request.headers, cookie::SESSION).ok_or(Refusal::SessionMissing)?;
        let facts = self.sealer.open_session(sealed).ok_or(Refusal::SessionUnreadable)?;
        if facts.device != *device {
            return Err(Refusal::SessionOfAnotherDevice);
        }
        if now >= self.end_of(&facts) {
            return Err(Refusal::SessionOver);
        }
        Ok(facts)
    }

    /// The person's session at the platform, whether it goes on here or not; for the sign-out.
    pub(super) fn sid_of(&self, request: &BrowserRequest<'_>) -> Option<Box<str>> {
        let sealed = cookie::value(request.headers, cookie::SESSION)?;
        self.sealer.open_session(sealed)?.sid
    }

    /// When the session ends unless it is used again.
    fn end_of(&self, facts: &SessionFacts) -> Timestamp {
        facts.used.plus(self.limits.idle).min(facts.ends)
    }

    /// Writes the use down where it is due.
    fn renewed(&self, facts: &mut SessionFacts, now: Timestamp) -> Option<HeaderValue> {
        if now.since(facts.used) < self.limits.renewal {
            return None;
        }
        facts.used = now;
        self.session_cookie(facts)
    }

    /// `Set-Cookie` with the session.
    pub(super) fn session_cookie(&self, facts: &SessionFacts) -> Option<HeaderValue> {
        let sealed = self.sealer.seal_session(facts, self.gate.entropy())?;
        cookie::set(cookie::SESSION, &sealed, None)
    }

    /// The device that a request comes from, which may go on now.
    pub(super) fn device(&self, presented: Option<&ClientCertificate>) -> Result<DeviceId, Refusal> {
        self.gate.require_fresh()?;
        let presented = presented.ok_or(Refusal::NoCertificate)?;
        let device = self.devices.device_of(presented, self.gate.now())?;
        self.gate.standing_of_device(&device.device, &presented.thumbprint())?;
        Ok(device.device.clone())
    }
}
