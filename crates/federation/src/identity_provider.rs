//! Where people sign in, as the operator says it.

use crate::client_authentication::ProviderAuthentication;
use crate::transport::ProviderTransport;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::TenantId;

/// The longest token looked at, in bytes.
pub(crate) const LONGEST: usize = 16 * 1024;

/// The longest name of a person (OIDC Core section 2).
pub(crate) const LONGEST_NAME: usize = 255;

/// Where a tenant's people sign in.
#[derive(Clone)]
pub struct IdentityProvider {
    /// The tenant whose people sign in there.
    pub tenant: TenantId,
    /// The provider's issuer, exactly as its tokens and its discovery document say it.
    pub issuer: String,
    /// What tokens that products bring must be for: any of these.
    pub audiences: Vec<String>,
    /// Claims and the values they must have, by which the tenant's people are recognized among others of the issuer.
    pub require: BTreeMap<String, String>,
    /// The claim that names the person for ever; usually `sub`.
    pub person_claim: String,
    /// The claim with the sites the person works at, by name or identifier: text or a list. Without one, all of the
    /// tenant's.
    pub site_claim: Option<String>,
    /// The client that people are sent there by to sign in; nothing where only products do so.
    pub sign_in: Option<SignInClient>,
    /// The way to it.
    pub transport: Arc<dyn ProviderTransport>,
}

/// The client that this installation is at a provider.
#[derive(Clone)]
pub struct SignInClient {
    /// The `client_id` that the provider gave it.
    pub client_id: String,
    /// How it proves itself.
    pub authentication: ProviderAuthentication,
    /// The scope that is asked for, with `openid`.
    pub scope: String,
    /// One of these the sign-in has to be, where there are any.
    pub acr_values: Vec<String>,
    /// How long ago the person may have proved themselves to the provider; nothing where that is not asked.
    pub max_age: Option<Duration>,
    /// By what a sign-in counts as one with two factors.
    pub mfa: MfaStatements,
}

/// By what statements of a provider a sign-in counts as one with two factors. Without any, none does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MfaStatements {
    /// Any of these as `acr`.
    pub acr: Vec<String>,
    /// Any of these in `amr`.
    pub amr: Vec<String>,
}
