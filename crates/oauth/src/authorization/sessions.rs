//! Where the authorization endpoint learns who is signed in. Whoever keeps sessions implements it; this crate does not know
//! how a person proves who they are.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use tegata_core::{DeviceId, Language, Refusal, Timestamp};
use tegata_storage::LiveSession;
use tegata_web::PeerCertificate;

/// The answer to the question who is signed in.
pub type SessionLookup<'a> = BoxFuture<'a, Result<Option<LiveSession>, Refusal>>;

/// What becomes of the browser of a session that has ended.
pub type SessionEnd<'a> = BoxFuture<'a, Result<EndedSession, Refusal>>;

/// A session to be ended.
pub struct SessionToEnd<'a> {
    /// What [`PersonSessions::current`] has given.
    pub session: &'a LiveSession,
    /// The device whose browser has it.
    pub device: &'a DeviceId,
    /// Where a product wants the browser to go on: an address that is registered.
    pub onward: Option<&'a str>,
    /// The language of the request.
    pub language: Language,
    /// The time of the request.
    pub now: Timestamp,
}

/// A session that has ended, or was over before.
pub struct EndedSession {
    /// What takes its cookie from the browser.
    pub cookie: HeaderValue,
    /// Where the browser has to go to sign out elsewhere, too: to the provider where the session was begun. From there it is led
    /// on.
    pub elsewhere: Option<String>,
}

/// Sessions of people, as a browser presents them.
pub trait PersonSessions: Send + Sync {
    /// The session of a request: its cookie, on the device whose certificate was presented. Asking is a use of the session.
    fn current<'a>(
        &'a self,
        certificate: Option<&'a PeerCertificate>,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> SessionLookup<'a>;

    /// Ends a session. One that is over meanwhile is ended, too.
    fn end<'a>(&'a self, ending: SessionToEnd<'a>) -> SessionEnd<'a>;
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

    fn end<'a>(&'a self, _: SessionToEnd<'a>) -> SessionEnd<'a> {
        async { Err(Refusal::SignInNeeded) }.boxed()
    }
}
