//! The token endpoint of an installation: its products and its rules.

use crate::server::Server;
use crate::server::acme;
use crate::server::metrics::Metrics;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Thumbprint;
use tegata_enroll::{RenewalTokenFuture, RenewalTokenRequest, RenewalTokens};
use tegata_federation::IdentityProviders;
use tegata_installation::{
    Config, Failure, FailureContext,
    config::{ProductConfig, TokensConfig},
};
use tegata_oauth::{
    AuthorizationServer, OAuthError, ProductAudience, RefreshRules, RegistrationRules, TokenRules,
};
use tegata_signals::Signals;
use tegata_web::{ClientCas, ClientRegistry};

/// Ready to be served.
pub async fn open(
    server: &Server,
    signals: &Signals,
    clients: Arc<ClientRegistry>,
    client_cas: Option<Arc<ClientCas>>,
    people: IdentityProviders,
) -> Result<Arc<AuthorizationServer>, Failure> {
    let config = &server.config;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_who_says_nothing_gets_the_usual_life_of_refresh_tokens() {
        assert_eq!(refresh_rules(&TokensConfig::default()), RefreshRules::default());
    }
}
