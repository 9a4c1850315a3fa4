//! OAuth for devices: certificate-bound tokens, introspection and revocation.
//!
//! | to learn about | read |
//! |---|---|
//! | what must be configured, and which routes there are | [`AuthorizationServer`], [`portal_router`], [`device_router`] |
//!
//! # What this authorization server does, where the standards leave a choice
//!
//! - Clients are devices and gates, by virtue of their certificate: `client_id` is the identifier in its SAN. Products
//!   and programs that are nobody's device are registered ([`tegata_web::RegisteredClient`]), by one value of their certificate's
//!   subject or by their own certificates. All of them authenticate by `tls_client_auth` or
//!   `self_signed_tls_client_auth` (RFC 8705 section 2) and nothing else, at every endpoint. A request without
//!   `client_id` gets `invalid_client`, whatever else it lacks. One that brings another credential along (a secret, an
//!   assertion, an `Authorization` header) gets `invalid_request`.
//! - A registered client may have its tokens bound to a key (DPoP, RFC 9449) and proves it beside its certificate; a page
//!   beside that of its device. Anybody else who brings a proof gets `invalid_request`. Proofs repeat a nonce of ours.
//! - Grants are for devices; a gate gets `unauthorized_client`. `client_credentials` is for the device itself, without a
//!   refresh token (RFC 6749 section 4.4.3).
//! - A refresh token belongs to the device, whichever of its certificates it presents by now; the access token is bound
//!   to that one. Each use replaces it. The one before works once more for a short while, as an answer may be lost; later
//!   it ends the whole family, access tokens included (RFC 9700 section 4.14.2).
//! - Token exchange (RFC 8693) takes an ID token, or a JWT access token, of the tenant's identity provider as
//!   `subject_token`; the actor is the device by its certificate. The token names both: `sub` is the person, by a
//!   subject that says nothing, `act` and `client_id` are the device. A refresh token comes with it. A proof that does
//!   not hold gets `invalid_request` (section 2.2.2), a person who does not belong to the device `invalid_grant`.
//! - Whoever renews a certificate may get a token with it ([`AuthorizationServer::companion`]): that one client need not present the
//!   certificate that its token is bound to, as its request for the certificate was signed with the key.
//! - A token has the scopes of its product that were asked for, and none unless asked; any other gets `invalid_scope`.
//!   What a token is for is said by one `resource` (RFC 8707) or `audience`: the name of a configured product, or nothing
//!   where a default product is configured. Anything else gets `invalid_target`, and so does a product that is licensed,
//!   but not for the device's tenant or site.
//! - A token ends with its certificate, if that is sooner than its lifetime.
//! - A registered client may have `client_credentials` for products of its own list. Such a token has no device, and
//!   gates do not take it for one's.
//! - Introspection is answered to gates, for every token, to a registered client, for those of the products it is
//!   registered to introspect, and to everybody, for its own. An `audience` in the request narrows the answer to tokens
//!   for that product. Who accepts `application/token-introspection+jwt` gets it signed (RFC 9701).
//! - A device may revoke its own tokens, of any generation. Another's gets `unauthorized_client`.
//! - Tokens of devices refer to their entry in a token status list ([`tegata_signals::StatusLists`]), for whoever can neither introspect nor
//!   follow the feed.
//! - Clients may register themselves where the operator allows it (RFC 7591, RFC 7592): for the products and the scope of their
//!   initial access token, and by the parser that reads the configuration.
//! - When a session ends, a client that was given something of it is told so (OpenID Connect Back-Channel Logout).
//! - Errors are those of RFC 6749 section 5.2 with two members more: `code`, the code that support looks up, and
//!   `error_description_ja`, the description in Japanese.

mod access_token;
mod authorization;
mod authorization_server;
mod backchannel_logout;
mod bearer;
mod browser_request;
mod client;
mod client_grant;
mod code_facts;
mod code_grant;
mod companion;
mod delegation;
mod dpop;
mod end_session;
mod error;
mod exchange;
mod form;
mod id_token;
mod introspection;
mod metadata;
mod page_origin;
mod product;
mod proven_request;
mod pushed_authorization;
mod refresh_grant;
mod refresh_token;
mod registration;
mod revocation;
mod routes;
mod rules;
mod scope;
mod token_endpoint;
mod token_response;
mod userinfo;

pub use authorization::{
    AuthorizationEndpoint, EndedSession, NoSessions, PersonSessions, SessionEnd, SessionLookup, SessionToEnd,
};
pub use authorization_server::AuthorizationServer;
pub use delegation::{ProgramToken, TokenRequest};
pub use error::OAuthError;
pub use product::ProductAudience;
pub use routes::{cross_origin_rules, device_router, portal_router};
pub use rules::{ConfigurationError, RefreshRules, RegistrationRules, TokenRules};
pub use token_response::TokenResponse;

#[cfg(test)]
mod tests;
