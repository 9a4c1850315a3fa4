//! Where the platform signs people in (`OpenID` Connect Discovery 1.0).

use crate::config::require_https;
use crate::gate::Gate;
use http::Uri;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tegata_net::client::ClientError;
use tokio::sync::Mutex;
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
pub(super) struct ProviderEndpoints {
    issuer: String,
    metadata: Uri,
    found: Mutex<FoundEndpoints>,
}

#[derive(Default)]
struct FoundEndpoints {
    endpoints: Option<Arc<SignInEndpoints>>,
    asked: Option<Instant>,
}

impl ProviderEndpoints {
    /// `None` unless the issuer is an https URL.
    pub(super) fn new(issuer: &str) -> Option<Self> {
        let metadata = require_https(&format!("{issuer}/.well-known/openid-configuration")).ok()?;
        Some(Self { issuer: issuer.to_owned(), metadata, found: Mutex::default() })
    }

    /// What the platform says, or said when it was last there. Whoever needs it at the same time waits for the one who
    /// asks.
    pub(super) async fn get(&self, gate: &Gate) -> Option<Arc<SignInEndpoints>> {
        let mut found = self.found.lock().await;
        let patience = if found.endpoints.is_some() { KEPT } else { BETWEEN_FAILURES };
        if found.asked.is_some_and(|asked| asked.elapsed() < patience) {
            return found.endpoints.clone();
        }
        found.asked = Some(Instant::now());
        match self.ask(gate).await {
            Ok(endpoints) => found.endpoints = Some(Arc::new(endpoints)),
            Err(error) => warn!(%error, "the platform does not say where people sign in"),
        }
        found.endpoints.clone()
    }

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
