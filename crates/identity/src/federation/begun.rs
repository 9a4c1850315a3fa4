//! A sign-in that was begun at a provider: sealed in a cookie, for one browser on one device, for ten minutes and for once.

use crate::cookie::CookieName;
use crate::service::IdentityService;
use http::{HeaderMap, HeaderValue};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::entropy::bytes;
use tegata_core::{DeviceId, Entropy, Language, Refusal, Timestamp};
use tegata_storage::UsedChallenge;

/// How long a person may take at the provider.
pub(super) const STANDS: Duration = Duration::from_mins(10);

/// What the seal is for.
const PURPOSE: &str = "sign-ins at providers";

/// What the way back needs of the way there.
#[derive(Serialize, Deserialize)]
pub(super) struct BegunAtProvider {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Whom it was begun with.
    pub(super) issuer: String,
    /// Where the person goes on, within this host.
    pub(super) next: String,
    pub(super) language: String,
    /// In seconds, as the provider was asked.
    pub(super) max_age: Option<u64>,
    begun_at: i64,
}

impl BegunAtProvider {
    pub(super) fn new(
        issuer: &str,
        next: String,
        language: Language,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Self {
        let random = || base64url(&bytes::<32>(entropy));
        Self {
            state: random(),
            nonce: random(),
            verifier: random(),
            issuer: issuer.to_owned(),
            next,
            language: language.tag().to_owned(),
            max_age: None,
            begun_at: now.millis(),
        }
    }

    pub(super) fn begun_at(&self) -> Timestamp {
        Timestamp::from_millis(self.begun_at)
    }

    pub(super) fn language(&self) -> Language {
        Language::parse(&self.language).unwrap_or_default()
    }

    /// What the ledger notes once the provider's answer holds.
    pub(super) fn answered(&self) -> UsedChallenge {
        let hash = digest(&SHA256, self.state.as_bytes()).as_ref().to_vec();
        UsedChallenge { hash, expires_at: self.begun_at().plus(STANDS) }
    }
}

impl IdentityService {
    /// The cookie that holds it, for a browser on this device.
    pub(super) async fn kept(
        &self,
        begun: &BegunAtProvider,
        device: &DeviceId,
    ) -> Result<HeaderValue, Refusal> {
        let text = serde_json::to_vec(begun).map_err(|_| Refusal::Internal)?;
        let sealed = self.seal(PURPOSE, device.as_str(), &text).await?;
        Ok(CookieName::Provider.holding(&base64url(&sealed)))
    }

    /// What this browser has begun on this device, and the state says so.
    ///
    /// # Errors
    /// [`Refusal::ProviderSignInOver`] where it has begun nothing, something else, or too long ago.
    pub(super) async fn begun(
        &self,
        headers: &HeaderMap,
        device: &DeviceId,
        state: Option<&str>,
        now: Timestamp,
    ) -> Result<BegunAtProvider, Refusal> {
        let sealed = CookieName::Provider.value(headers).and_then(from_base64url);
        let sealed = sealed.ok_or(Refusal::ProviderSignInOver)?;
        let text = self.unsealed(PURPOSE, device.as_str(), &sealed).await?;
        let begun: Option<BegunAtProvider> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let stands = |begun: &BegunAtProvider| {
            state == Some(begun.state.as_str())
                && now.since(begun.begun_at()) < STANDS
                && !begun.begun_at().is_ahead_of(now)
        };
        begun.filter(stands).ok_or(Refusal::ProviderSignInOver)
    }
}
