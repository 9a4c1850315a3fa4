//! What a connection tells the way to the product of a request, in the request's extensions.

use crate::verified_request::VerifiedRequest;
use http::uri::Authority;
use std::sync::Arc;
use tokio::sync::watch;

/// The host and port a request is for.
#[derive(Clone)]
pub(super) struct RequestTarget(pub(super) Authority);

/// The first admitted caller of a connection whose requests all come from one device.
#[derive(Clone)]
pub(super) struct FirstAdmitted(pub(super) Arc<watch::Sender<Option<Arc<VerifiedRequest>>>>);

impl FirstAdmitted {
    pub(super) fn note(&self, verified: &Arc<VerifiedRequest>) {
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert_with(|| Arc::clone(verified));
            is_first
        });
    }
}
