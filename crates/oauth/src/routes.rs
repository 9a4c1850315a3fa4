//! The routes, by listener.

use crate::authorization_server::AuthorizationServer;
use crate::{introspection, issuance, metadata, revocation};
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

/// For the portal: what anybody may discover.
pub fn portal_router(tokens: Arc<AuthorizationServer>) -> Router {
    discovery().with_state(tokens)
}

/// For the device listener: the endpoints of clients.
pub fn device_router(tokens: Arc<AuthorizationServer>) -> Router {
    discovery()
        .route(metadata::TOKEN, post(issuance::token))
        .route(metadata::INTROSPECTION, post(introspection::introspect))
        .route(metadata::REVOCATION, post(revocation::revoke))
        .with_state(tokens)
}

fn discovery() -> Router<Arc<AuthorizationServer>> {
    Router::new().route(metadata::METADATA, get(metadata::metadata))
}
