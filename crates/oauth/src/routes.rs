//! The routes, by listener.

use crate::authorization::{AuthorizationEndpoint, PersonSessions, authorize};
use crate::authorization_server::AuthorizationServer;
use crate::browser_request::by_form;
use crate::{
    end_session, introspection, metadata, pushed_authorization, registration, revocation, token_endpoint,
    userinfo,
};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use std::sync::Arc;
use tegata_web::CrossOriginRules;
use tegata_web::document::public;

/// For the portal: what anybody may discover.
pub fn portal_router(tokens: Arc<AuthorizationServer>) -> Router {
    discovery().with_state(tokens)
}

/// For the device listener: the endpoints of clients, and the one that browsers come to.
pub fn device_router(tokens: Arc<AuthorizationServer>, sessions: Arc<dyn PersonSessions>) -> Router {
    let browsers = AuthorizationEndpoint::new(tokens.clone(), sessions);
    let browsers = Router::new()
        .route(metadata::AUTHORIZATION, get(authorize).post(by_form))
        .route(metadata::END_SESSION, get(end_session::end).post(by_form))
        .with_state(browsers);
    let registration = if tokens.registration.is_some() { registration() } else { Router::new() };
    discovery()
        .merge(registration)
        .route(metadata::TOKEN, post(token_endpoint::token))
        .route(metadata::INTROSPECTION, post(introspection::introspect))
        .route(metadata::REVOCATION, post(revocation::revoke))
        .route(metadata::PUSHED_AUTHORIZATION, post(pushed_authorization::push))
        .route(metadata::USERINFO, get(userinfo::userinfo).post(userinfo::userinfo))
        .with_state(tokens)
        .merge(browsers)
}

/// What pages of registered clients may ask on the device listener.
pub fn cross_origin_rules(tokens: &AuthorizationServer) -> CrossOriginRules {
    CrossOriginRules {
        paths: &[metadata::TOKEN, metadata::REVOCATION, metadata::USERINFO],
        clients: tokens.shared_clients(),
        forms: &[metadata::AUTHORIZATION, metadata::END_SESSION],
    }
}

/// Clients that register themselves. They have no certificate yet.
fn registration() -> Router<Arc<AuthorizationServer>> {
    let own = get(registration::read_own).put(registration::change_own).delete(registration::remove_own);
    Router::new()
        .route(metadata::REGISTRATION, post(registration::register))
        .route(metadata::REGISTERED_CLIENT, own)
}

fn discovery() -> Router<Arc<AuthorizationServer>> {
    Router::new().route(metadata::METADATA, get(discover)).route(metadata::OPENID_METADATA, get(discover))
}

/// What clients and gates discover (RFC 8414, OpenID Connect Discovery).
async fn discover(State(tokens): State<Arc<AuthorizationServer>>) -> Response {
    public(tokens.documents.metadata.clone(), "application/json")
}
