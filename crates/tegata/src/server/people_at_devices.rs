//! What the authorization endpoint and the console learn from whoever keeps sessions. None knows the others.

use http::HeaderMap;
use std::sync::Arc;
use tegata_console::{FormSeal, PersonLookup, SignedInPeople, SignedInPerson};
use tegata_core::Timestamp;
use tegata_identity::{EndingSession, IdentityService, PersonAtDevice};
use tegata_oauth::{EndedSession, PersonSessions, SessionEnd, SessionLookup, SessionToEnd};
use tegata_web::PeerCertificate;

/// Sessions of people, for the authorization endpoint and the console.
pub struct PeopleAtDevices(IdentityService);

impl PeopleAtDevices {
    /// Those that this service keeps.
    pub fn of(identity: &IdentityService) -> Arc<Self> {
        Arc::new(Self(identity.clone()))
    }
}

impl PersonSessions for PeopleAtDevices {
    fn current<'a>(
        &'a self,
        certificate: Option<&'a PeerCertificate>,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> SessionLookup<'a> {
        Box::pin(self.0.current_session(certificate, headers, now))
    }

    fn end<'a>(&'a self, ending: SessionToEnd<'a>) -> SessionEnd<'a> {
        let SessionToEnd { session, device, onward, language, now } = ending;
        Box::pin(async move {
            let ending = EndingSession { session, device, onward, language, at: now };
            let (cookie, elsewhere) = self.0.end_session(&ending).await?;
            Ok(EndedSession { cookie, elsewhere })
        })
    }
}

impl SignedInPeople for PeopleAtDevices {
    fn current<'a>(
        &'a self,
        certificate: Option<&'a PeerCertificate>,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> PersonLookup<'a> {
        Box::pin(async move {
            let person = self.0.person_at_device(certificate, headers, now).await?;
            Ok(person.map(|person| SignedInPerson {
                session: person.session.clone(),
                device: person.holder.device.clone(),
                form: Arc::new(BrowserSeal(person)),
            }))
        })
    }
}

/// The seal of the browser of somebody who is signed in.
struct BrowserSeal(PersonAtDevice);

impl FormSeal for BrowserSeal {
    fn token(&self) -> String {
        self.0.form_token()
    }

    fn made(&self, token: &str) -> bool {
        self.0.made(token)
    }
}
