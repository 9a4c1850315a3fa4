//! The token endpoint of an installation: its products, its rules, and the way to where people sign in.

use crate::client::SYSTEM_TRUST;
use crate::server::Server;
use crate::server::acme;
use crate::server::metrics::Metrics;
use http::Uri;
use serde_json::{Value, json};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::name::position_of;
use tegata_core::{TenantId, Thumbprint};
use tegata_enroll::{RenewalTokenFuture, RenewalTokenRequest, RenewalTokens};
use tegata_installation::{
    Config, Failure, FailureContext,
    config::{IdentityProviderConfig, ProductConfig, TokensConfig},
};
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use tegata_oauth::{
    AuthorizationServer, DocumentFetcher, IdentityProvider, OAuthError, ProductAudience, RefreshRules,
    RegistrationRules, TokenRules,
};
use tegata_signals::Signals;
use tegata_storage::Principal;
use tegata_storage::Tenant;
use tegata_web::{ClientCas, ClientRegistry};

/// Ready to be served.
pub async fn open(
    server: &Server,
    signals: &Signals,
    clients: Arc<ClientRegistry>,
    client_cas: Option<Arc<ClientCas>>,
) -> Result<Arc<AuthorizationServer>, Failure> {
    let config = &server.config;
    let known = KnownTenants(
        server
            .ledger
            .within(Principal::system("startup").scope())
            .tenants()
            .await
            .doing("cannot read the tenants")?,
    );
    let people = config.identity_providers.iter().map(|provider| identity_provider(server, &known, provider));
    let people = people.collect::<Result<Vec<_>, _>>()?;
    check_shared(&people)?;
    let rules = TokenRules {
        lifetime: Duration::from_secs(config.tokens.lifetime_seconds.into()),
        refresh: refresh_rules(&config.tokens),
        people,
        registration: config.clients.registration.then_some(RegistrationRules { cas: client_cas }),
    };
    let secret = acme::open_secret(server).await?;
    AuthorizationServer::new(signals, clients, products(config), rules, secret)
        .doing("cannot prepare the token endpoint")
}

/// How refresh tokens live.
fn refresh_rules(tokens: &TokensConfig) -> RefreshRules {
    let minutes = |minutes: u32| Duration::from_mins(minutes.into());
    RefreshRules {
        lifetime: minutes(tokens.refresh_minutes),
        idle: minutes(tokens.refresh_idle_minutes),
        grace: Duration::from_secs(tokens.refresh_grace_seconds.into()),
    }
}

/// Where renewals get the token that fits the new certificate.
pub struct RenewalTokenIssuer {
    tokens: Arc<AuthorizationServer>,
    metrics: Arc<Metrics>,
}

impl RenewalTokenIssuer {
    /// From this token endpoint, counted as its answers are.
    pub fn new(tokens: Arc<AuthorizationServer>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { tokens, metrics })
    }

    async fn give(&self, certificate: &Thumbprint, request: &RenewalTokenRequest) -> Result<Value, Value> {
        let (resource, scope) = (request.resource.as_deref(), request.scope.as_deref());
        let given = self.tokens.companion(certificate, resource, scope).await;
        self.metrics.companion(given.as_ref().map(drop).map_err(OAuthError::code));
        given.map(|token| json!(token)).map_err(|error| json!(error))
    }
}

impl RenewalTokens for RenewalTokenIssuer {
    fn token_for<'a>(
        &'a self,
        certificate: &'a Thumbprint,
        request: &'a RenewalTokenRequest,
    ) -> RenewalTokenFuture<'a> {
        Box::pin(self.give(certificate, request))
    }
}

/// The tenants there are.
struct KnownTenants(Vec<Tenant>);

impl KnownTenants {
    fn tenant(&self, named: &str) -> Result<TenantId, Failure> {
        let position = position_of(&self.0, named, |tenant| (tenant.id.as_str(), &tenant.name));
        position
            .map(|place| self.0[place].id.clone())
            .map_err(|_| Failure::misuse(format!("tegata.toml names a tenant that is not there: {named}")))
    }
}

/// The first product is the default.
fn products(config: &Config) -> Vec<ProductAudience> {
    let product = |(place, product): (usize, &ProductConfig)| ProductAudience {
        audience: product.audience.clone(),
        default: place == 0,
        licensed: product.licensed,
        scopes: product.scopes.clone(),
        origins: product.origins.clone(),
    };
    config.products.iter().enumerate().map(product).collect()
}

fn identity_provider(
    server: &Server,
    known: &KnownTenants,
    configured: &IdentityProviderConfig,
) -> Result<IdentityProvider, Failure> {
    let ca = configured.ca.as_ref().map(|file| server.config.path(file));
    let trust = tegata_net::tls::trust_from_pem_file(ca.as_deref().unwrap_or(Path::new(SYSTEM_TRUST)));
    let trust = trust.map_err(Failure::misuse)?;
    let issuer: Uri = configured.issuer.parse().doing("identity_provider.issuer is no URL")?;
    let hosts = configured.hosts.iter().map(String::as_str).chain(issuer.host());
    let client = HttpsClient::new(trust, server.context.clock.clone(), None, Destinations::named(hosts));
    let client = client.map_err(Failure::wrong)?;
    Ok(IdentityProvider {
        tenant: known.tenant(&configured.tenant)?,
        issuer: configured.issuer.clone(),
        audiences: configured.audiences.clone(),
        require: configured.require.clone(),
        person_claim: configured.person_claim.clone(),
        site_claim: configured.site_claim.clone(),
        fetch: Arc::new(DocumentClient(client)),
    })
}

/// Where two tenants' people sign in at one issuer, something has to tell them apart; and each is found by tenant and
/// issuer.
fn check_shared(providers: &[IdentityProvider]) -> Result<(), Failure> {
    for (place, one) in providers.iter().enumerate() {
        for other in providers[..place].iter().filter(|other| other.issuer == one.issuer) {
            if one.tenant == other.tenant {
                let issuer = &one.issuer;
                return Err(Failure::misuse(format!(
                    "there is one [[identity_provider]] too many for {issuer}"
                )));
            }
            if one.require.is_empty() || other.require.is_empty() || one.require == other.require {
                let issuer = &one.issuer;
                return Err(Failure::misuse(format!(
                    "people of two tenants sign in at {issuer}: each [[identity_provider]] needs a require of its own"
                )));
            }
        }
    }
    Ok(())
}

/// Public documents by the one client of the workspace, with its limits.
struct DocumentClient(HttpsClient);

impl DocumentFetcher for DocumentClient {
    fn fetch<'a>(&'a self, url: &'a str) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send + 'a>> {
        Box::pin(async move {
            let uri: Uri = url.parse().ok()?;
            match self.0.get_bytes(&uri).await {
                Ok(document) => Some(document.to_vec()),
                Err(error) => {
                    tracing::warn!(url, %error, "an identity provider does not answer");
                    None
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_who_says_nothing_gets_the_usual_life_of_refresh_tokens() {
        assert_eq!(refresh_rules(&TokensConfig::default()), RefreshRules::default());
    }
}
