//! From where a request comes, as far as that is known.

use axum::extract::FromRequestParts;
use http::request::Parts;
use std::convert::Infallible;
use std::net::IpAddr;
use tegata_web::{BehindProxy, PeerAddress};

/// The address of whoever sent a request; none behind a proxy, which does not tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestAddress(pub(crate) Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for RequestAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let facts = &parts.extensions;
        let peer = facts.get().filter(|_| facts.get::<BehindProxy>().is_none());
        Ok(Self(peer.map(|PeerAddress(address)| address.ip())))
    }
}
