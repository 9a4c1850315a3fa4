//! The providers of all tenants.

use crate::identity_provider::IdentityProvider;
use crate::provider::Provider;
use std::sync::Arc;
use tegata_core::TenantId;

/// All providers of an installation. Cloning shares them with what is known of them.
#[derive(Clone, Default)]
pub struct IdentityProviders(Arc<[Arc<Provider>]>);

impl IdentityProviders {
    /// Those that the operator names: at most one where a tenant's people are sent to sign in.
    pub fn new(providers: impl IntoIterator<Item = IdentityProvider>) -> Self {
        Self(providers.into_iter().map(|configured| Arc::new(Provider::new(configured))).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.iter().map(|provider| &**provider)
    }

    /// Where the people of a tenant are sent to sign in.
    pub fn of_tenant(&self, tenant: &TenantId) -> Option<&Arc<Provider>> {
        self.0.iter().find(|provider| {
            let configured = provider.configured();
            configured.tenant == *tenant && configured.sign_in.is_some()
        })
    }

    /// All where people are sent to sign in and that have this issuer: tenants may share a provider.
    pub fn with_issuer(&self, issuer: &str) -> impl Iterator<Item = &Arc<Provider>> {
        let is_one = move |provider: &&Arc<Provider>| {
            provider.configured().issuer == issuer && provider.configured().sign_in.is_some()
        };
        self.0.iter().filter(is_one)
    }
}
