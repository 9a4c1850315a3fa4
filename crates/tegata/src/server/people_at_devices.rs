//! What the authorization endpoint learns from whoever keeps sessions. Neither knows the other.

use http::HeaderMap;
use std::sync::Arc;
use tegata_core::Timestamp;
use tegata_identity::IdentityService;
use tegata_oauth::{PersonSessions, SessionEnd, SessionLookup};
use tegata_storage::LiveSession;
use tegata_web::PeerCertificate;

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

    fn end<'a>(&'a self, session: &'a LiveSession, now: Timestamp) -> SessionEnd<'a> {
        Box::pin(self.0.end_session(session, now))
    }
}
