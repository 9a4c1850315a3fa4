//! Who signs: the issuer named in tokens, feed, security events and status lists, with the keys of this moment.

use crate::keys::{PublishedKeys, SigningKeys};
use arc_swap::{ArcSwap, Guard};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Refusal, Timestamp};
use tegata_web::{ServerContext, ServiceContext};

/// From which age on the status cache is not believed: then no heartbeat is sent and nothing is called active.
const STALE: Duration = Duration::from_secs(1);

/// The installation as an issuer of signed statements. Whatever signs shares it, so that a new key signs everywhere
/// from the same moment on.
pub struct SignalIssuer {
    /// Ledger, status cache, clock and addresses.
    pub(crate) context: ServerContext,
    keys: ArcSwap<PublishedKeys>,
}

impl SignalIssuer {
    /// Signs with these keys.
    pub fn new(context: ServerContext, keys: SigningKeys) -> Arc<Self> {
        Arc::new(Self { context, keys: ArcSwap::from_pointee(PublishedKeys::from(keys)) })
    }

    /// What services that sign with it share.
    pub fn service_context(&self) -> ServiceContext {
        self.context.for_services()
    }

    /// From now on these keys sign and are believed.
    pub fn set_keys(&self, keys: SigningKeys) {
        self.keys.store(Arc::new(keys.into()));
    }

    /// The keys of this moment.
    pub fn published(&self) -> Guard<Arc<PublishedKeys>> {
        self.keys.load()
    }

    /// A compact JWS of these claims, with the header `typ`.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the key that should sign is not at hand, [`Refusal::Internal`] when it does not sign.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, Refusal> {
        self.published().keys.sign(typ, claims)
    }

    /// The issuer identifier (RFC 8414 section 2).
    pub fn url(&self) -> &str {
        self.context.addresses.issuer()
    }

    /// When the status cache last read the ledger successfully.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] if that is too long ago to be believed at `now`.
    pub fn fresh_at(&self, now: Timestamp) -> Result<Timestamp, Refusal> {
        let at = self.context.status.freshness().at;
        if now.since(at) <= STALE { Ok(at) } else { Err(Refusal::Unavailable) }
    }
}
