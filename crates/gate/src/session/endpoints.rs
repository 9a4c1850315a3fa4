//! Where the platform signs people in (`OpenID` Connect Discovery 1.0).

use crate::config::require_https;
use crate::gate::Gate;
use http::Uri;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tegata_net::client::ClientError;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

/// How long what was found is believed.
const KEPT: Duration = Duration::from_mins(10);

/// How long nobody asks again after a failure.
const BETWEEN_FAILURES: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct SignInMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    end_session_endpoint: Option<String>,
}

/// The endpoints that a sign-in needs.
pub(super) struct SignInEndpoints {
    pub(super) authorization: String,
    pub(super) token: Uri,
    pub(super) end_session: Option<String>,
}

/// The endpoints, asked for when they are first needed.
#[derive(Clone)]
pub(super) struct ProviderEndpoints(Arc<EndpointsShared>);

struct EndpointsShared {
    issuer: String,
    metadata: Uri,
    found: watch::Sender<FoundEndpoints>,
}

#[derive(Default)]
struct FoundEndpoints {
    endpoints: Option<Arc<SignInEndpoints>>,
    /// When the platform last answered, or did not.
    asked: Option<Instant>,
    is_asking: bool,
}

impl ProviderEndpoints {
    /// `None` unless the issuer is an https URL.
    pub(super) fn new(issuer: &str) -> Option<Self> {
        let metadata = require_https(&format!("{issuer}/.well-known/openid-configuration")).ok()?;
        let found = watch::Sender::default();
        Some(Self(Arc::new(EndpointsShared { issuer: issuer.to_owned(), metadata, found })))
    }

    /// What the platform says, or said when it was last there. Whoever needs it at the same time waits for the same answer,
    /// which comes though the one who needed it first hangs up.
    pub(super) async fn get(&self, gate: &Gate) -> Option<Arc<SignInEndpoints>> {
        let mut found = self.0.found.subscribe();
        if self.0.found.send_if_modified(FoundEndpoints::begin_to_ask) {
            let (shared, gate) = (Arc::clone(&self.0), gate.clone());
            tokio::spawn(async move {
                let asking = DiscoveryUnderWay(&shared.found);
                let answer = shared.ask(&gate).await;
                asking.answered(answer);
            });
        }
        let found = found.wait_for(|found| !found.is_asking).await.ok()?;
        found.endpoints.clone()
    }
}

impl FoundEndpoints {
    /// Whether it is time to ask, and nobody does.
    fn begin_to_ask(&mut self) -> bool {
        let patience = if self.endpoints.is_some() { KEPT } else { BETWEEN_FAILURES };
        let is_due = self.asked.is_none_or(|asked| asked.elapsed() >= patience);
        let begins = is_due && !self.is_asking;
        self.is_asking |= begins;
        begins
    }
}

/// Somebody asks; whatever becomes of it, others may afterwards.
struct DiscoveryUnderWay<'a>(&'a watch::Sender<FoundEndpoints>);

impl DiscoveryUnderWay<'_> {
    fn answered(self, answer: Result<SignInEndpoints, ClientError>) {
        self.0.send_modify(|found| match answer {
            Ok(endpoints) => found.endpoints = Some(Arc::new(endpoints)),
            Err(error) => warn!(%error, "the platform does not say where people sign in"),
        });
    }
}

impl Drop for DiscoveryUnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|found| {
            found.is_asking = false;
            found.asked = Some(Instant::now());
        });
    }
}

impl EndpointsShared {
    async fn ask(&self, gate: &Gate) -> Result<SignInEndpoints, ClientError> {
        let client = gate.platform_client(false).map_err(|_| ClientError::Malformed)?;
        let metadata: SignInMetadata = client.get_json(&self.metadata).await?;
        if metadata.issuer != self.issuer {
            return Err(ClientError::Malformed);
        }
        let is_https = |url: &String| require_https(url).is_ok();
        Ok(SignInEndpoints {
            authorization: Some(metadata.authorization_endpoint)
                .filter(is_https)
                .ok_or(ClientError::NotHttps)?,
            token: require_https(&metadata.token_endpoint).map_err(|_| ClientError::NotHttps)?,
            end_session: metadata.end_session_endpoint.filter(is_https),
        })
    }
}
