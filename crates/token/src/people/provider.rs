//! A provider's keys: found, kept, and asked for again.

use super::{IdentityProvider, LONGEST};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::jws::JwsError;
use tegata_core::jws::foreign::{ForeignKeys, ForeignText};
use tegata_core::{Refusal, Timestamp};
use tokio::sync::Mutex;

/// How long keys are believed without asking.
const FRESH: Duration = Duration::from_mins(10);

/// How long they are believed while the provider cannot be reached.
const STALE: Duration = Duration::from_hours(24);

/// From one attempt to the next: whoever sends unknown names of keys makes us ask no more often.
const RETRY: Duration = Duration::from_secs(5);

pub(super) struct Provider {
    pub(super) configured: IdentityProvider,
    /// One at a time asks; the others find its answer.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: Option<(Arc<ForeignKeys>, Timestamp)>,
    tried: Option<Timestamp>,
}

impl Provider {
    pub(super) fn new(configured: IdentityProvider) -> Self {
        Self { configured, kept: Mutex::default() }
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

    /// The keys; others than `known`, where there are any.
    async fn keys(
        &self,
        now: Timestamp,
        known: Option<&Arc<ForeignKeys>>,
    ) -> Result<Arc<ForeignKeys>, Refusal> {
        let mut kept = self.kept.lock().await;
        let age = kept.keys.as_ref().map(|(_, at)| now.since(*at));
        let is_known = |keys: &Arc<ForeignKeys>| known.is_some_and(|known| Arc::ptr_eq(known, keys));
        let has_news = kept.keys.as_ref().is_some_and(|(keys, _)| !is_known(keys));
        let is_good = has_news && age.is_some_and(|age| age < FRESH);
        let just_tried = kept.tried.is_some_and(|tried| now.since(tried) < RETRY);
        if !is_good && !just_tried {
            kept.tried = Some(now);
            match self.fetch().await {
                Some(keys) => kept.keys = Some((Arc::new(keys), now)),
                None => {
                    tracing::warn!(
                        issuer = self.configured.issuer,
                        "an identity provider cannot be asked for its keys"
                    );
                }
            }
        }
        let usable = kept.keys.as_ref().filter(|(_, at)| now.since(*at) < STALE);
        usable.map(|(keys, _)| keys.clone()).ok_or(Refusal::Unavailable)
    }

    async fn fetch(&self) -> Option<ForeignKeys> {
        let IdentityProvider { issuer, fetch, .. } = &self.configured;
        let base = issuer.trim_end_matches('/');
        let found = fetch.fetch(&format!("{base}/.well-known/openid-configuration")).await?;
        let found: Discovered = serde_json::from_slice(&found).ok()?;
        if found.issuer != *issuer || !found.jwks_uri.starts_with("https://") {
            return None;
        }
        ForeignKeys::from_jwks(&fetch.fetch(&found.jwks_uri).await?).filter(|keys| !keys.is_empty())
    }
}

/// What is read of OIDC Discovery.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}
