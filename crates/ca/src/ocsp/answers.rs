//! The cache of signed OCSP responses.

use super::OcspStatus;
use ring::digest::{SHA256, digest};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tegata_core::encoding::hex;
use tegata_core::{DeviceId, TenantId, Thumbprint, Timestamp};
use tegata_storage::StatusCache;

/// How many answers a CA's responder remembers, about 1 kB each: the ones asked for last.
const REMEMBERED: usize = 1 << 16;

/// The status of one certificate, what it was concluded from, and the signed response once it was asked for.
pub(super) struct CachedOcspResponse {
    pub(super) signed: Option<SignedOcspResponse>,
    pub(super) status: OcspStatus,
    pub(super) grounds: StatusEvidence,
}

/// The answer itself. Cloning shares it.
#[derive(Clone)]
pub(super) struct SignedOcspResponse {
    pub(super) der: Arc<[u8]>,
    /// An entity tag, in quotes.
    pub(super) tag: Arc<str>,
    pub(super) this_update: Timestamp,
    pub(super) next_update: Timestamp,
}

impl SignedOcspResponse {
    pub(super) fn new(der: &[u8], now: Timestamp) -> Self {
        let tag = hex(&digest(&SHA256, der).as_ref()[..16]);
        Self {
            der: der.into(),
            tag: format!("\"{tag}\"").into(),
            this_update: now.whole_second(),
            next_update: now.plus(LIFE).whole_second(),
        }
    }

    /// Whether it may be given once more by its age alone: for the rest of its life it is good in the client's hands.
    pub(super) fn is_young(&self, now: Timestamp) -> bool {
        let life = self.next_update.since(self.this_update);
        now >= self.this_update && now.since(self.this_update) < life / 2
    }
}

/// Why a status is still true, as far as the status cache can tell.
#[derive(Clone)]
pub(super) enum StatusEvidence {
    /// It says good of a certificate, which it is until it ends or the cache denies it, its device or its tenant.
    Undenied { device: DeviceId, tenant: Option<TenantId>, thumbprint: Thumbprint, not_after: Timestamp },
    /// It says since when and why a certificate has ended. That changes with the feed only: nothing was written to it
    /// since this event.
    Unmoved { seq: u64 },
    /// It cannot tell: the ledger is asked.
    None,
}

impl CachedOcspResponse {
    /// This status, and what it was concluded from, with the response that was signed for it.
    pub(super) fn with(&self, signed: SignedOcspResponse) -> Arc<Self> {
        Arc::new(Self { signed: Some(signed), status: self.status, grounds: self.grounds.clone() })
    }

    /// Whether the status cache says now what it said when this was signed.
    pub(super) fn still_holds(&self, status: &StatusCache, now: Timestamp) -> bool {
        let Some(heard) = status.heard(now) else { return false };
        match &self.grounds {
            // A denial is forgotten when the certificate has ended; the answer must not outlive it.
            StatusEvidence::Undenied { device, tenant, thumbprint, not_after } => {
                now <= *not_after && !status.is_denied(tenant.as_ref(), device, thumbprint)
            }
            StatusEvidence::Unmoved { seq } => heard == *seq,
            StatusEvidence::None => false,
        }
    }
}

/// The answers asked for last, in two halves: an answer that nobody asks for while one half fills up is forgotten.
#[derive(Default)]
pub(super) struct OcspResponseCache(RwLock<CacheHalves>);

#[derive(Default)]
struct CacheHalves {
    young: HashMap<Box<[u8]>, Arc<CachedOcspResponse>>,
    old: HashMap<Box<[u8]>, Arc<CachedOcspResponse>>,
}

impl OcspResponseCache {
    /// The answer about a `CertID`, as the client wrote it: its hash algorithm is repeated in the answer.
    pub(super) fn get(&self, id: &[u8]) -> Option<Arc<CachedOcspResponse>> {
        let found = {
            let halves = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = halves.young.get(id) {
                return Some(found.clone());
            }
            halves.old.get(id).cloned()?
        };
        self.put(id, found.clone());
        Some(found)
    }

    pub(super) fn put(&self, id: &[u8], answer: Arc<CachedOcspResponse>) {
        let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        halves.young.insert(id.into(), answer);
        if halves.young.len() >= REMEMBERED / 2 {
            halves.old = std::mem::take(&mut halves.young);
        }
    }

    /// Drops what is too old to be given, and with it what nobody asks about.
    pub(super) fn forget(&self, now: Timestamp) {
        let mut halves = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let CacheHalves { young, old } = &mut *halves;
        let is_asked_for = |known: &Arc<CachedOcspResponse>| {
            known.signed.as_ref().is_some_and(|signed| signed.is_young(now))
        };
        young.retain(|_, known| is_asked_for(known));
        old.retain(|_, known| is_asked_for(known));
    }
}

/// How long an answer may be used. Clients keep it for so long without asking again, so it is what a revocation can
/// lag behind at a client that caches; those that ask us hear of it at once.
pub(super) const LIFE: Duration = Duration::from_mins(5);
