//! OpenID providers of tenants, of which Tegata is a client (OpenID Connect Core).
//!
//! | to learn about | read |
//! |---|---|
//! | what an operator says of a provider | [`identity_provider`] |
//! | how documents and keys are fetched and kept | [`provider`], [`metadata`] |
//! | the way to a sign-in and back | [`sign_in`], [`code_exchange`], [`client_authentication`] |
//! | which tokens are believed | [`id_token`], [`logout_token`], [`subject_token`] |
//!
//! Nothing about a person is kept here. What leaves is who somebody is by the word of the provider; whether they have an
//! account, and what they may do, others say.

mod client_authentication;
mod code_exchange;
mod id_token;
mod identity_provider;
mod logout_token;
mod metadata;
mod provider;
mod providers;
mod sign_in;
mod subject_token;
mod token_claims;
mod transport;

pub use client_authentication::{ClientAssertionSigner, ClientSecret, ProviderAuthentication};
pub use id_token::ProviderSignIn;
pub use identity_provider::{IdentityProvider, MfaStatements, SignInClient};
pub use logout_token::{LogoutToken, SignOutParameters};
pub use provider::Provider;
pub use providers::IdentityProviders;
pub use sign_in::{AuthorizationCallback, BegunSignIn, SignInParameters, SignInStart};
pub use subject_token::{RecognizedPerson, SubjectTokenKind};
pub use transport::{ProviderTransport, TransportAnswer};

#[cfg(test)]
mod tests;
