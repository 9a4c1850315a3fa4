//! Recognizes people by the ID tokens of their tenant's identity provider.
//!
//! A provider is found by OIDC Discovery and its keys are kept. Nothing about a person is kept: what leaves
//! here is a subject that says nothing, and the sites the person may work at.

mod identity_provider;
mod provider;
mod statement;

use crate::error::OAuthError;
use identity_provider::LONGEST;
use provider::Provider;
use tegata_core::jws::foreign::unverified_payload;
use tegata_core::{Refusal, TenantId, Timestamp};

pub(crate) use identity_provider::RecognizedPerson;
pub use identity_provider::{DocumentFetcher, IdentityProvider};
pub(crate) use statement::SubjectTokenKind;

/// The identity providers of all tenants.
#[derive(Default)]
pub(crate) struct IdentityProviders(Vec<Provider>);

impl IdentityProviders {
    pub(crate) fn new(providers: impl IntoIterator<Item = IdentityProvider>) -> Self {
        Self(providers.into_iter().map(Provider::new).collect())
    }

    /// The person whom a token of this kind is about, at this tenant.
    pub(crate) async fn recognize(
        &self,
        token: &str,
        kind: SubjectTokenKind,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<RecognizedPerson, OAuthError> {
        let payload = unverified_payload(token, LONGEST).ok_or(Refusal::PersonUnproven)?;
        let issuer = statement::issuer_of(&payload).ok_or(Refusal::PersonUnproven)?;
        let provider = self.provider(&issuer, tenant)?;
        let text = provider.verify(token, now).await?;
        Ok(statement::read(&text, kind, &provider.configured, now)?)
    }

    /// The tenant's own with this issuer; whoever signs in at another tenant's belongs there.
    fn provider(&self, issuer: &str, tenant: &TenantId) -> Result<&Provider, Refusal> {
        let mut refusal = Refusal::PersonUnproven;
        for provider in self.0.iter().filter(|provider| provider.configured.issuer == issuer) {
            if provider.configured.tenant == *tenant {
                return Ok(provider);
            }
            refusal = Refusal::PersonElsewhere;
        }
        Err(refusal)
    }
}
