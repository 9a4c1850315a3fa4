//! What the authorization endpoint and the console learn from whoever keeps sessions, and from tokens. None knows the others.

use http::HeaderMap;
use std::sync::Arc;
use tegata_console::{FormSeal, PersonLookup, ScopedProgram, SignedInPeople, SignedInPerson};
use tegata_core::access::ConsoleScope;
use tegata_core::{Refusal, Timestamp};
use tegata_identity::{EndingSession, IdentityService, PersonAtDevice};
use tegata_oauth::{
    AuthorizationServer, DelegatedToken, EndedSession, PersonSessions, SessionEnd, SessionLookup,
    SessionToEnd,
};
use tegata_storage::ServiceLedger;
use tegata_web::{PeerCertificate, ServerContext};

/// Sessions of people, for the authorization endpoint.
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

/// People at the console: in their browsers, or by programs that they have signed in to.
pub struct ConsolePeople {
    identity: IdentityService,
    tokens: Arc<AuthorizationServer>,
    ledger: ServiceLedger,
    /// What tokens for the console's API are for.
    audience: String,
}

impl ConsolePeople {
    /// Those whose sessions this service keeps.
    pub fn of(
        context: &ServerContext,
        identity: &IdentityService,
        tokens: &Arc<AuthorizationServer>,
    ) -> Arc<Self> {
        Arc::new(Self {
            identity: identity.clone(),
            tokens: tokens.clone(),
            ledger: context.ledger.for_services(),
            audience: format!("{}/api/v1", context.addresses.device),
        })
    }

    /// Whom a program acts for by the token that it presents.
    async fn by_token(
        &self,
        certificate: Option<&PeerCertificate>,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<SignedInPerson>, Refusal> {
        let token = self.tokens.delegated(headers, certificate, &self.audience, now).await?;
        let Some(DelegatedToken { client_id, session, device, scope }) = token else { return Ok(None) };
        let session = self.ledger.session_named(&session, &device, now).await?;
        let session = session.ok_or(Refusal::TokenRevoked)?;
        let program = Some(ScopedProgram { client_id, scopes: ConsoleScope::of(&scope).collect() });
        Ok(Some(SignedInPerson { session, device, form: Arc::new(NoForm), program }))
    }
}

impl SignedInPeople for ConsolePeople {
    fn current<'a>(
        &'a self,
        certificate: Option<&'a PeerCertificate>,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> PersonLookup<'a> {
        Box::pin(async move {
            if let Some(person) = self.by_token(certificate, headers, now).await? {
                return Ok(Some(person));
            }
            let person = self.identity.person_at_device(certificate, headers, now).await?;
            Ok(person.map(|person| SignedInPerson {
                session: person.session.clone(),
                device: person.holder.device.clone(),
                form: Arc::new(BrowserSeal(person)),
                program: None,
            }))
        })
    }
}

/// No page of another site sends a token along: nothing has to be proved beside it.
struct NoForm;

impl FormSeal for NoForm {
    fn token(&self) -> String {
        String::new()
    }

    fn made(&self, _: &str) -> bool {
        true
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
