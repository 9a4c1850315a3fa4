//! The keys of an identity provider: discovered, cached and refreshed.

use super::identity_provider::{IdentityProvider, LONGEST};
use serde::Deserialize;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tegata_core::jws::JwsError;
use tegata_core::jws::foreign::{ForeignKeys, ForeignText};
use tegata_core::{Refusal, Timestamp};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long keys are believed without asking.
const FRESH: Duration = Duration::from_mins(10);

/// How long they are believed while the provider cannot be reached.
const STALE: Duration = Duration::from_hours(24);

/// From one attempt to the next: whoever sends unknown names of keys makes us ask no more often.
const RETRY: Duration = Duration::from_secs(5);

/// How long a provider may take for both documents.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Provider {
    pub(super) configured: IdentityProvider,
    kept: std::sync::Mutex<CachedProvider>,
    /// One at a time asks.
    asking: Mutex<()>,
}

#[derive(Default)]
struct CachedProvider {
    keys: Option<(Arc<ForeignKeys>, Timestamp)>,
    tried: Option<Timestamp>,
}

impl Provider {
    pub(super) fn new(configured: IdentityProvider) -> Self {
        Self { configured, kept: std::sync::Mutex::default(), asking: Mutex::default() }
    }

    /// The text of a token, if the provider has signed it.
    pub(super) async fn verify(&self, token: &str, now: Timestamp) -> Result<ForeignText, Refusal> {
        let keys = self.keys(now, None).await?;
        let verified = match keys.verify(token, LONGEST) {
            // The provider may have begun to sign with another.
            Err(JwsError::UnknownKey) => self.keys(now, Some(&keys)).await?.verify(token, LONGEST),
            verified => verified,
        };
        verified.map_err(|error| {
            tracing::info!(issuer = self.configured.issuer, %error, "a person's token is not believed");
            Refusal::PersonUnproven
        })
    }

    /// The keys; others than `known`, where there are any. While one request asks for them, the others go on with those
    /// that are known, so that a provider that hangs keeps nobody waiting.
    async fn keys(
        &self,
        now: Timestamp,
        known: Option<&Arc<ForeignKeys>>,
    ) -> Result<Arc<ForeignKeys>, Refusal> {
        if let Some(keys) = self.kept(now, FRESH, known) {
            return Ok(keys);
        }
        let old = if known.is_none() { self.kept(now, STALE, None) } else { None };
        let _turn = match (self.asking.try_lock(), old) {
            (Ok(turn), _) => turn,
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => self.asking.lock().await,
        };
        if let Some(keys) = self.kept(now, FRESH, known) {
            return Ok(keys);
        }
        self.ask(now).await;
        self.kept(now, STALE, None).ok_or(Refusal::Unavailable)
    }

    /// What is known and no older, unless it is `known` to the asker already.
    fn kept(
        &self,
        now: Timestamp,
        oldest: Duration,
        known: Option<&Arc<ForeignKeys>>,
    ) -> Option<Arc<ForeignKeys>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (keys, at) = kept.keys.as_ref()?;
        let is_news = known.is_none_or(|known| !Arc::ptr_eq(known, keys));
        (is_news && now.since(*at) < oldest).then(|| keys.clone())
    }

    async fn ask(&self, now: Timestamp) {
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.tried.is_some_and(|tried| now.since(tried) < RETRY) {
                return;
            }
            kept.tried = Some(now);
        }
        if let Ok(Some(keys)) = timeout(PATIENCE, self.fetch()).await {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.keys = Some((Arc::new(keys), now));
        } else {
            let issuer = &self.configured.issuer;
            tracing::warn!(issuer, "an identity provider cannot be asked for its keys");
        }
    }

    /// Both documents come over HTTPS from servers that the configured trust verifies; a discovery document that speaks
    /// for another issuer is nobody's (OIDC Discovery section 4.3).
    async fn fetch(&self) -> Option<ForeignKeys> {
        let IdentityProvider { issuer, fetch, .. } = &self.configured;
        let base = issuer.trim_end_matches('/');
        let found = fetch.fetch(&format!("{base}/.well-known/openid-configuration")).await?;
        let found: ProviderMetadata = serde_json::from_slice(&found).ok()?;
        if found.issuer != *issuer || !found.jwks_uri.starts_with("https://") {
            return None;
        }
        ForeignKeys::from_jwks(&fetch.fetch(&found.jwks_uri).await?).filter(|keys| !keys.is_empty())
    }
}

/// What is read of OIDC Discovery.
#[derive(Deserialize)]
struct ProviderMetadata {
    issuer: String,
    jwks_uri: String,
}
