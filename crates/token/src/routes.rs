//! The routes, by listener.

use crate::tokens::Tokens;
use crate::{feed, introspection, issuance, metadata, receipts, receivers, revocation};
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

/// For the portal: what anybody may discover.
pub fn portal_router(tokens: Arc<Tokens>) -> Router {
    discovery().with_state(tokens)
}

/// For the device listener: the endpoints of clients and gates.
pub fn device_router(tokens: Arc<Tokens>) -> Router {
    discovery()
        .route(metadata::TOKEN, post(issuance::token))
        .route(metadata::INTROSPECTION, post(introspection::introspect))
        .route(metadata::REVOCATION, post(revocation::revoke))
        .route(metadata::FEED, get(feed::feed))
        .route(metadata::RECEIPTS, post(receipts::receive))
        .merge(streams())
        .with_state(tokens)
}

/// For receivers of security events.
fn streams() -> Router<Arc<Tokens>> {
    let fixed = post(receivers::fixed).put(receivers::fixed).patch(receivers::fixed).delete(receivers::fixed);
    Router::new()
        .route(metadata::STREAMS, fixed.get(receivers::configuration))
        .route(metadata::STREAM_STATUS, get(receivers::status).post(receivers::set_status))
        .route(metadata::STREAM_VERIFICATION, post(receivers::verify))
        .route(&format!("{}/{{id}}", metadata::POLL), post(receivers::poll))
}

fn discovery() -> Router<Arc<Tokens>> {
    Router::new()
        .route(metadata::METADATA, get(metadata::metadata))
        .route(metadata::JWKS, get(metadata::jwks))
        .route(metadata::SHARED_SIGNALS, get(metadata::shared_signals))
}
