//! Who is signed in, as whoever keeps sessions says it.

use http::HeaderMap;
use std::pin::Pin;
use std::sync::Arc;
use tegata_core::access::ConsoleScope;
use tegata_core::{DeviceId, Refusal, Timestamp};
use tegata_storage::LiveSession;
use tegata_web::PeerCertificate;

/// What comes of asking who is signed in: nobody may be.
pub type PersonLookup<'a> =
    Pin<Box<dyn Future<Output = Result<Option<SignedInPerson>, Refusal>> + Send + 'a>>;

/// Whoever keeps the sessions of people.
pub trait SignedInPeople: Send + Sync {
    /// Who is signed in at a request.
    ///
    /// # Errors
    /// What is wrong with the certificate, or with the ledger.
    fn current<'a>(
        &'a self,
        certificate: Option<&'a PeerCertificate>,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> PersonLookup<'a>;
}

/// Ties a form to the browser that it was made for.
pub trait FormSeal: Send + Sync {
    /// What a form carries.
    fn token(&self) -> String;

    /// Whether a form was made for this browser.
    fn made(&self, token: &str) -> bool;
}

/// Somebody who is signed in on the device that they stand before, or for whom a program acts that they signed in to there.
#[derive(Clone)]
pub struct SignedInPerson {
    /// The session that lasts.
    pub session: LiveSession,
    /// The device that they stand before.
    pub device: DeviceId,
    /// What ties forms to their browser.
    pub form: Arc<dyn FormSeal>,
    /// The program that acts for them by a token; nothing where they act themselves.
    pub program: Option<ScopedProgram>,
}

/// A program that somebody signed in to, as its token says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopedProgram {
    /// The client as it is registered.
    pub client_id: String,
    /// What it may do for them.
    pub scopes: Vec<ConsoleScope>,
}
