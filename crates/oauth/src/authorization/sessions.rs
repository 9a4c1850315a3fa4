//! Where the authorization endpoint learns who is signed in. Whoever keeps sessions implements it; this crate does not know
//! how a person proves who they are.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use tegata_core::{Refusal, Timestamp};
use tegata_storage::LiveSession;
use tegata_web::PeerCertificate;

/// The answer to the question who is signed in.
pub type SessionLookup<'a> = BoxFuture<'a, Result<Option<LiveSession>, Refusal>>;

/// What takes the cookie of an ended session from its browser.
pub type SessionEnd<'a> = BoxFuture<'a, Result<HeaderValue, Refusal>>;

/// Sessions of people, as a browser presents them.
pub trait PersonSessions: Send + Sync {
    /// The session of a request: its cookie, on the device whose certificate was presented. Asking is a use of the session.
    fn current<'a>(
        &'a self,
        certificate: Option<&'a PeerCertificate>,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> SessionLookup<'a>;

    /// Ends a session that [`PersonSessions::current`] has given. One that is over meanwhile is ended, too.
    fn end<'a>(&'a self, session: &'a LiveSession, now: Timestamp) -> SessionEnd<'a>;
}

/// Where nobody ever signs in.
pub struct NoSessions;

impl PersonSessions for NoSessions {
    fn current<'a>(
        &'a self,
        _: Option<&'a PeerCertificate>,
        _: &'a HeaderMap,
        _: Timestamp,
    ) -> SessionLookup<'a> {
        async { Ok(None) }.boxed()
    }

    fn end<'a>(&'a self, _: &'a LiveSession, _: Timestamp) -> SessionEnd<'a> {
        async { Err(Refusal::SignInNeeded) }.boxed()
    }
}
