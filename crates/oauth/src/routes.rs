//! The routes, by listener.

use crate::authorization_server::AuthorizationServer;
use crate::{introspection, metadata, revocation, token_endpoint};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use std::sync::Arc;
use tegata_web::document::public;

/// For the portal: what anybody may discover.
pub fn portal_router(tokens: Arc<AuthorizationServer>) -> Router {
    discovery().with_state(tokens)
}

/// For the device listener: the endpoints of clients.
pub fn device_router(tokens: Arc<AuthorizationServer>) -> Router {
    discovery()
        .route(metadata::TOKEN, post(token_endpoint::token))
        .route(metadata::INTROSPECTION, post(introspection::introspect))
        .route(metadata::REVOCATION, post(revocation::revoke))
        .with_state(tokens)
}

fn discovery() -> Router<Arc<AuthorizationServer>> {
    Router::new().route(metadata::METADATA, get(discover))
}

/// What clients and gates discover (RFC 8414).
async fn discover(State(tokens): State<Arc<AuthorizationServer>>) -> Response {
    public(tokens.documents.metadata.clone(), "application/json")
}
