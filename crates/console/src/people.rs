//! Who is signed in, as whoever keeps sessions says it.

use http::HeaderMap;
use std::pin::Pin;
use std::sync::Arc;
use tegata_core::access::ConsoleScope;
pub use tegata_core::client_registration::ActsFor;
use tegata_core::{DeviceId, Refusal, Timestamp};
use tegata_storage::LiveSession;
use tegata_web::PeerCertificate;

/// What comes of asking who is signed in: nobody may be.
pub type PersonLookup<'a> = Pin<Box<dyn Future<Output = Result<Option<ConsoleCaller>, Refusal>> + Send + 'a>>;

/// Whoever keeps the sessions of people.
pub trait SignedInPeople: Send + Sync {
    /// Who sent a request.
    ///
    /// # Errors
    /// What is wrong with the certificate, with a token, or with the ledger.
    fn current<'a>(&'a self, request: CallerRequest<'a>, now: Timestamp) -> PersonLookup<'a>;
}

/// What of a request says who sent it. A proof of a key names its method and its path (RFC 9449).
#[derive(Clone, Copy)]
pub struct CallerRequest<'a> {
    /// What was presented on the connection.
    pub certificate: Option<&'a PeerCertificate>,
    /// The method of the request.
    pub method: &'a str,
    /// The path that it asks for.
    pub path: &'a str,
    /// All headers that came.
    pub headers: &'a HeaderMap,
}

/// Who sent a request.
pub enum ConsoleCaller {
    /// Somebody who is signed in, themselves or by a program.
    Person(Box<SignedInPerson>),
    /// A program by itself.
    Program(ProgramItself),
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

/// A program that acts for nobody but itself, as its token and its registration say it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProgramItself {
    /// The client as it is registered.
    pub client_id: String,
    /// What its token lets it do.
    pub scopes: Vec<ConsoleScope>,
    /// Where it may do it.
    pub acts_for: ActsFor,
}
