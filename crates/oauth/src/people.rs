//! Recognizes people by the ID tokens of their tenant's identity provider.
//!
//! A provider is found by OIDC Discovery and its keys are kept. Nothing about a person is kept: what leaves
//! here is a subject that says nothing, and the sites the person may work at.

mod provider;
mod statement;

use crate::error::OAuthError;
use futures_util::future::BoxFuture;
use provider::Provider;
use std::collections::BTreeMap;
use std::sync::Arc;
use tegata_core::jws::foreign::unverified_payload;
use tegata_core::{Refusal, TenantId, Timestamp};

pub(crate) use statement::SubjectTokenKind;

/// The longest proof looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// Fetches public documents over HTTPS, within a time limit and a size limit of its own. It follows no redirects.
pub trait DocumentFetcher: Send + Sync {
    /// The body of a 200, or nothing.
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Option<Vec<u8>>>;
}

/// Where a tenant's people sign in.
#[derive(Clone)]
pub struct IdentityProvider {
    /// The only tenant whose people this provider may vouch for.
    pub tenant: TenantId,
    /// The provider's issuer, exactly as its tokens and its discovery document say it.
    pub issuer: String,
    /// What its tokens must be for: any of these.
    pub audiences: Vec<String>,
    /// Claims and the values they must have, by which the tenant's people are recognized among others of the issuer.
    pub require: BTreeMap<String, String>,
    /// The claim that names the person for ever; usually `sub`.
    pub person_claim: String,
    /// The claim with the sites the person works at, by name or identifier: text or a list. Without one, all of the
    /// tenant's.
    pub site_claim: Option<String>,
    /// The way to it.
    pub fetch: Arc<dyn DocumentFetcher>,
}

/// A person who was recognized.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RecognizedPerson {
    /// The subject of the person's tokens, made by [`tegata_core::claims::person_subject`].
    pub(crate) subject: String,
    /// Where the person works, unless everywhere.
    pub(crate) sites: Option<Vec<String>>,
    /// When the provider authenticated the person.
    pub(crate) at: Timestamp,
}

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
