//! What the authorization endpoint and the console learn from whoever keeps sessions, and from tokens. None knows the others.

use http::HeaderMap;
use std::collections::HashMap;
use std::sync::Arc;
use tegata_console::{
    CallerRequest, ConsoleCaller, FormSeal, PersonLookup, ProgramItself, ScopedProgram, SignedInPeople,
    SignedInPerson,
};
use tegata_core::access::ConsoleScope;
use tegata_core::client_registration::ActsFor;
use tegata_core::{Refusal, Timestamp};
use tegata_identity::{EndingSession, IdentityService, PersonAtDevice};
use tegata_installation::Config;
use tegata_oauth::{
    AuthorizationServer, EndedSession, PersonSessions, ProgramToken, SessionEnd, SessionLookup, SessionToEnd,
    TokenRequest,
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
    /// For whom clients act there by themselves, by their names.
    acts_for: HashMap<String, ActsFor>,
}

impl ConsolePeople {
    /// Those whose sessions this service keeps.
    pub fn of(
        context: &ServerContext,
        identity: &IdentityService,
        tokens: &Arc<AuthorizationServer>,
        config: &Config,
    ) -> Arc<Self> {
        let acts_for = config.registered.iter();
        let acts_for =
            acts_for.filter_map(|client| Some((client.client_id.clone(), client.acts_for.clone()?)));
        Arc::new(Self {
            acts_for: acts_for.collect(),
            identity: identity.clone(),
            tokens: tokens.clone(),
            ledger: context.ledger.for_services(),
            audience: format!("{}/api/v1", context.addresses.device),
        })
    }

    /// Which program sends a request, and for whom, by the token that it presents.
    async fn by_token(
        &self,
        request: CallerRequest<'_>,
        now: Timestamp,
    ) -> Result<Option<ConsoleCaller>, Refusal> {
        let CallerRequest { certificate, method, path, headers } = request;
        let shown = TokenRequest { headers, certificate, target: (method, path), audience: &self.audience };
        let Some(token) = self.tokens.program(shown, now).await? else { return Ok(None) };
        let ProgramToken { client_id, person, scope } = token;
        let scopes = ConsoleScope::of(&scope).collect();
        let Some((session, device)) = person else {
            let acts_for = self.acts_for.get(&client_id).cloned().ok_or(Refusal::SignInNeeded)?;
            return Ok(Some(ConsoleCaller::Program(ProgramItself { client_id, scopes, acts_for })));
        };
        let session = self.ledger.session_named(&session, &device, now).await?;
        let session = session.ok_or(Refusal::TokenRevoked)?;
        let program = Some(ScopedProgram { client_id, scopes });
        let person = SignedInPerson { session, device, form: Arc::new(NoForm), program };
        Ok(Some(ConsoleCaller::Person(Box::new(person))))
    }
}

impl SignedInPeople for ConsolePeople {
    fn current<'a>(&'a self, request: CallerRequest<'a>, now: Timestamp) -> PersonLookup<'a> {
        Box::pin(async move {
            if let Some(caller) = self.by_token(request, now).await? {
                return Ok(Some(caller));
            }
            let person = self.identity.person_at_device(request.certificate, request.headers, now).await?;
            Ok(person.map(|person| {
                ConsoleCaller::Person(Box::new(SignedInPerson {
                    session: person.session.clone(),
                    device: person.holder.device.clone(),
                    form: Arc::new(BrowserSeal(person)),
                    program: None,
                }))
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
