//! OAuth for devices: certificate-bound tokens, introspection, revocation, and the feed for gates.
//!
//! | to learn about | read |
//! |---|---|
//! | what must be configured, and which routes there are | [`Tokens`], [`portal_router`], [`device_router`] |
//! | what has to run beside the routes | [`FeedHub::run`], [`acknowledge_loop`] |
//!
//! # What this authorization server does, where the standards leave a choice
//!
//! - Clients are devices and gates, by virtue of their certificate: `client_id` is the identifier in its SAN. Products
//!   and programs that are nobody's device are registered ([`Registration`]), by one value of their certificate's
//!   subject or by their own certificates. All of them authenticate by `tls_client_auth` or
//!   `self_signed_tls_client_auth` (RFC 8705 section 2) and nothing else, at every endpoint. A request without
//!   `client_id` gets `invalid_client`, whatever else it lacks. One that brings another credential along (a secret, an assertion,
//!   an `Authorization` or `DPoP` header) gets `invalid_request`.
//! - The only grant is `client_credentials`, for devices; a gate gets `unauthorized_client`.
//! - There are no scopes: any `scope` gets `invalid_scope`. What a token is for is said by one `resource` (RFC 8707)
//!   or `audience`: the name of a configured product, or nothing where a default product is configured. Anything else
//!   gets `invalid_target`.
//! - A token ends with its certificate, if that is sooner than its lifetime.
//! - A registered client may have `client_credentials` for products of its own list. Such a token has no device, and
//!   gates do not take it for one's.
//! - Introspection is answered to gates, for every token, to a registered client, for those of the products it is
//!   registered to introspect, and to everybody, for its own. An `audience` in the request narrows the answer to tokens
//!   for that product. Who accepts `application/token-introspection+jwt` gets it signed (RFC 9701).
//! - A device may revoke its own tokens, of any generation. Another's gets `unauthorized_client`.
//! - Errors are those of RFC 6749 section 5.2 with two members more: `code`, the code that support looks up, and
//!   `error_description_ja`, the description in Japanese.

mod client;
mod error;
mod feed;
mod form;
mod introspection;
mod issuance;
mod metadata;
mod receipts;
mod registered;
mod revocation;
mod routes;
mod surfaces;
mod tokens;

pub use feed::FeedHub;
pub use registered::{ClientIssuers, Clients, Method, Misregistered, OwnKeys, Registration};
pub use routes::{device_router, portal_router};
pub use surfaces::acknowledge_loop;
pub use tokens::{Keys, Misconfigured, Product, Tokens};

#[cfg(test)]
mod tests;
