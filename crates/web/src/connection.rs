//! What request handlers learn about the connection.

use crate::problem::Problem;
use crate::trust_verdict::TrustVerdict;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::net::SocketAddr;
use std::sync::Arc;
use tegata_core::{Refusal, Thumbprint};
use tokio::sync::Notify;

/// The other end of the TCP connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerAddress(pub SocketAddr);

/// Says that the other end of the connection is a proxy, so that the client's own address is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BehindProxy;

/// The name the client asked for in the TLS handshake, in lower case; `None` when it named none. Plain
/// HTTP has no such extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerName(pub Option<String>);

/// The certificate whose key the client proved to hold in this connection's handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerCertificate {
    /// The leaf certificate in DER.
    pub der: Arc<[u8]>,
    /// The SHA-256 of the DER, by which the ledger knows it.
    pub thumbprint: Thumbprint,
    /// Whether we issued it; judged once, when the connection was made.
    pub path: TrustVerdict,
}

/// The certificate of this connection, if one was presented. Only requests of the device listener have
/// it: a route of another listener that asks is refused, rather than told "no certificate".
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presented(pub Option<PeerCertificate>);

/// Ends the connection of a peer that may not go on.
#[derive(Clone, Debug, Default)]
pub struct ConnectionControl(Arc<Notify>);

impl ConnectionControl {
    /// No further request is read; those begun may end within the listener's drain time, then the
    /// connection is cut.
    pub fn close(&self) {
        self.0.notify_one();
    }

    pub(crate) async fn closed(&self) {
        self.0.notified().await;
    }
}

impl<S: Sync> FromRequestParts<S> for Presented {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Refusal::Internal.into())
    }
}

impl<S: Sync> FromRequestParts<S> for PeerAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get().copied().ok_or_else(|| Refusal::Internal.into())
    }
}

impl<S: Sync> FromRequestParts<S> for ConnectionControl {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Refusal::Internal.into())
    }
}
