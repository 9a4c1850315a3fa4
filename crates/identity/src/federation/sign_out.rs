//! Whoever signs out here, or at a product, signs out at the provider, too (OIDC RP-Initiated Logout).
//!
//! The provider leads back to the one address that it knows of us. Where a product wanted the browser to go on, that lies sealed in
//! the `state`, for the device and for ten minutes: the provider hands it back and cannot change it.

use super::callback::ID_TOKENS;
use crate::service::IdentityService;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::{DeviceId, Language, Timestamp};
use tegata_federation::SignOutParameters;
use tegata_storage::{LiveSession, Principal, ProviderSession};

/// How long somebody may take at the provider.
const STANDS: Duration = Duration::from_mins(10);

/// What the seal is for.
const PURPOSE: &str = "ways on after sign-outs at providers";

/// The longest address of a product that goes along, in bytes. Behind a longer one nobody is led on.
const LONGEST: usize = 1024;

/// A session that ends.
#[derive(Clone, Copy)]
pub struct EndingSession<'a> {
    /// The session, which lasted until then.
    pub session: &'a LiveSession,
    /// The device whose browser has it.
    pub device: &'a DeviceId,
    /// Where a product wants the browser to go on: an address that is registered.
    pub onward: Option<&'a str>,
    /// The language of the page before.
    pub language: Language,
    /// The time of the request.
    pub at: Timestamp,
}

/// Where a browser goes on after the sign-out at a provider.
#[derive(Serialize, Deserialize)]
struct WayOn {
    address: String,
    since: i64,
}

impl IdentityService {
    /// How a session was begun at a provider, if at one: what is known of it as long as it lasts. A sign-out fails for none.
    pub(crate) async fn begun_at_provider(&self, session: &LiveSession) -> Option<ProviderSession> {
        let rows = self.context.ledger.within(Principal::person(session).scope());
        rows.provider_session(&session.id).await.ok().flatten()
    }

    /// Where the browser goes to sign out there, too, once the session has ended here: nothing where the provider is there no
    /// more.
    pub(crate) async fn sign_out_at_provider(
        &self,
        begun: ProviderSession,
        ending: &EndingSession<'_>,
    ) -> Option<String> {
        let own = ending.session;
        let provider = self.providers().of_tenant(&own.tenant)?;
        if provider.configured().issuer != begun.issuer {
            return None;
        }
        let id_token = match begun.id_token {
            Some(sealed) => self.unsealed(ID_TOKENS, own.person.as_str(), &sealed).await.ok().flatten(),
            None => None,
        };
        let id_token = id_token.as_ref().and_then(|token| std::str::from_utf8(token).ok());
        let state = self.way_on(ending).await;
        let back = &self.provider_addresses().post_logout_redirect;
        let sign_out =
            SignOutParameters { id_token, back, state: state.as_deref(), language: ending.language };
        provider.sign_out_url(&sign_out, ending.at).await
    }

    async fn way_on(&self, ending: &EndingSession<'_>) -> Option<String> {
        let address = ending.onward.filter(|onward| onward.len() <= LONGEST)?.to_owned();
        let text = serde_json::to_vec(&WayOn { address, since: ending.at.millis() }).ok()?;
        let sealed = self.seal(PURPOSE, ending.device.as_str(), &text).await.ok()?;
        Some(base64url(&sealed))
    }

    /// Where somebody goes on who is back from the sign-out at the provider: nothing for a state that was not made for this
    /// device, or too long ago.
    pub(crate) async fn way_on_after(
        &self,
        state: &str,
        device: &DeviceId,
        now: Timestamp,
    ) -> Option<String> {
        let text = self.unsealed(PURPOSE, device.as_str(), &from_base64url(state)?).await.ok()??;
        let way_on: WayOn = serde_json::from_slice(&text).ok()?;
        let since = Timestamp::from_millis(way_on.since);
        (now.since(since) < STANDS && !since.is_ahead_of(now)).then_some(way_on.address)
    }
}
