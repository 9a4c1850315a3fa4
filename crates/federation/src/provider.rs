//! One provider: its documents are discovered, cached and refreshed.

use crate::identity_provider::{IdentityProvider, LONGEST};
use crate::metadata::ProviderMetadata;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tegata_core::jws::JwsError;
use tegata_core::jws::foreign::{ForeignKeys, ForeignText};
use tegata_core::{Refusal, Timestamp};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

/// How long keys are believed without asking.
const FRESH: Duration = Duration::from_mins(10);

/// How long they are believed while the provider cannot be reached.
const STALE: Duration = Duration::from_hours(24);

/// From one attempt to the next: whoever sends unknown names of keys makes us ask no more often.
const RETRY: Duration = Duration::from_secs(5);

/// How long a provider may take for both documents.
const PATIENCE: Duration = Duration::from_secs(5);

/// Codes that are redeemed at a provider at one time. A provider that hangs holds up its own tenant's people alone.
const EXCHANGES: usize = 16;

/// A provider, and what is known of it.
pub struct Provider {
    configured: IdentityProvider,
    kept: std::sync::Mutex<CachedProvider>,
    /// One at a time asks.
    asking: Mutex<()>,
    pub(crate) exchanges: Semaphore,
}

#[derive(Default)]
struct CachedProvider {
    found: Option<(Arc<DiscoveredProvider>, Timestamp)>,
    tried: Option<Timestamp>,
}

/// Both documents of a provider.
pub(crate) struct DiscoveredProvider {
    pub(crate) metadata: ProviderMetadata,
    keys: ForeignKeys,
}

/// Why the text of a token cannot be had.
pub(crate) enum VerifyError {
    /// The keys are not known.
    Unavailable,
    /// The provider has not signed it.
    Disbelieved(JwsError),
}

impl Provider {
    pub(crate) fn new(configured: IdentityProvider) -> Self {
        Self {
            configured,
            kept: std::sync::Mutex::default(),
            asking: Mutex::default(),
            exchanges: Semaphore::new(EXCHANGES),
        }
    }

    /// What the operator says of it.
    pub fn configured(&self) -> &IdentityProvider {
        &self.configured
    }

    /// The text of a token, if the provider has signed it.
    pub(crate) async fn verify(&self, token: &str, now: Timestamp) -> Result<ForeignText, VerifyError> {
        let unavailable = |_| VerifyError::Unavailable;
        let known = self.discovered(now).await.map_err(unavailable)?;
        match known.keys.verify(token, LONGEST) {
            // The provider may have begun to sign with another.
            Err(JwsError::UnknownKey) => {
                let newer = self.other_than(&known, now).await.map_err(unavailable)?;
                newer.keys.verify(token, LONGEST).map_err(VerifyError::Disbelieved)
            }
            verified => verified.map_err(VerifyError::Disbelieved),
        }
    }

    /// What is known of the provider.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] where nothing is, or for too long.
    pub(crate) async fn discovered(&self, now: Timestamp) -> Result<Arc<DiscoveredProvider>, Refusal> {
        self.known(now, None).await
    }

    async fn other_than(
        &self,
        known: &Arc<DiscoveredProvider>,
        now: Timestamp,
    ) -> Result<Arc<DiscoveredProvider>, Refusal> {
        self.known(now, Some(known)).await
    }

    /// What is known; another than `known`, where there is one. While one request asks, the others go on with what is known,
    /// so that a provider that hangs keeps nobody waiting.
    async fn known(
        &self,
        now: Timestamp,
        known: Option<&Arc<DiscoveredProvider>>,
    ) -> Result<Arc<DiscoveredProvider>, Refusal> {
        if let Some(found) = self.kept(now, FRESH, known) {
            return Ok(found);
        }
        let old = if known.is_none() { self.kept(now, STALE, None) } else { None };
        let _turn = match (self.asking.try_lock(), old) {
            (Ok(turn), _) => turn,
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => self.asking.lock().await,
        };
        if let Some(found) = self.kept(now, FRESH, known) {
            return Ok(found);
        }
        self.ask(now).await;
        self.kept(now, STALE, None).ok_or(Refusal::Unavailable)
    }

    /// What is kept and no older, unless it is `known` to the asker already.
    fn kept(
        &self,
        now: Timestamp,
        oldest: Duration,
        known: Option<&Arc<DiscoveredProvider>>,
    ) -> Option<Arc<DiscoveredProvider>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, at) = kept.found.as_ref()?;
        let is_news = known.is_none_or(|known| !Arc::ptr_eq(known, found));
        (is_news && now.since(*at) < oldest).then(|| found.clone())
    }

    async fn ask(&self, now: Timestamp) {
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.tried.is_some_and(|tried| now.since(tried) < RETRY) {
                return;
            }
            kept.tried = Some(now);
        }
        if let Ok(Some(found)) = timeout(PATIENCE, self.fetch()).await {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.found = Some((Arc::new(found), now));
        } else {
            let issuer = &self.configured.issuer;
            tracing::warn!(issuer, "an identity provider cannot be asked for its keys");
        }
    }

    /// Both documents come over HTTPS from servers that the configured trust verifies; a discovery document that speaks
    /// for another issuer is nobody's (OIDC Discovery section 4.3).
    async fn fetch(&self) -> Option<DiscoveredProvider> {
        let IdentityProvider { issuer, transport, .. } = &self.configured;
        let base = issuer.trim_end_matches('/');
        let found = transport.fetch(&format!("{base}/.well-known/openid-configuration")).await?;
        let metadata: ProviderMetadata = serde_json::from_slice(&found).ok()?;
        if metadata.issuer != *issuer || !metadata.jwks_uri.starts_with("https://") {
            return None;
        }
        let keys = ForeignKeys::from_jwks(&transport.fetch(&metadata.jwks_uri).await?)?;
        (!keys.is_empty()).then_some(DiscoveredProvider { metadata, keys })
    }
}
