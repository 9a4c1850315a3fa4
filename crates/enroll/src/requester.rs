//! Who sends a request, as far as that is known before they prove anything.

use axum::extract::FromRequestParts;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{Extensions, HeaderMap};
use std::convert::Infallible;
use std::net::IpAddr;
use tegata_core::Platform;
use tegata_web::{BehindProxy, PeerAddress};

/// The sender of a request to the enrollment service. An unknown address lies in no network, and an unknown platform is
/// admitted only by rules that name `other`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Requester {
    /// From where the connection comes; not known behind a proxy, which does not tell.
    pub(crate) address: Option<IpAddr>,
    /// What it calls itself.
    pub(crate) platform: Platform,
}

impl Requester {
    /// A requester of whom nothing is known, which only the loosest rules admit.
    pub(crate) const UNKNOWN: Self = Self { address: None, platform: Platform::Other };

    /// Of a request with these headers, on the connection that these facts are about.
    pub(crate) fn of(facts: &Extensions, headers: &HeaderMap) -> Self {
        let peer = facts.get().filter(|_| facts.get::<BehindProxy>().is_none());
        let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            address: peer.map(|PeerAddress(address)| address.ip()),
            platform: user_agent.map_or(Platform::Other, Platform::of_user_agent),
        }
    }

    /// This requester with the platform that its page or program states, which knows better than its `User-Agent`.
    #[must_use]
    pub(crate) fn calling_itself(self, platform: Option<Platform>) -> Self {
        Self { platform: platform.unwrap_or(self.platform), ..self }
    }
}

impl<S: Sync> FromRequestParts<S> for Requester {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions, &parts.headers))
    }
}
