//! The status cache: what requests are decided by without reading the database.
//!
//! What never changes of a certificate, or changes together with the age of its tokens ([`CertificateHolder`]), is remembered; what may change is the set of
//! denials, kept fresh by following the feed. While the feed is stale, the ledger itself is asked; when that fails
//! too, nobody is let in.

use crate::sighting::{SightingBuffer, day_of};
use crate::{HeldCertificate, Ledger, LedgerError, Result};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tegata_core::certificate::standing;
use tegata_core::claims::AccessClaims;
use tegata_core::feed::{Denial, Denials, Event};
use tegata_core::policy::Platform;
use tegata_core::{
    CertificateState, Clock, DeviceId, DeviceState, Role, Serial, SiteId, Standing, TenantId, Thumbprint,
    Timestamp,
};
use tokio::sync::{Mutex, broadcast};
use tokio::time::timeout;

/// How often the feed is read when no writer of this process announces an event.
const PERIOD: Duration = Duration::from_millis(25);

/// From which age on the ledger is asked instead of the cache; and an answer of the ledger that takes longer is none. So
/// nobody is let in by what the ledger said longer ago than this.
pub const STATUS_STALENESS: Duration = Duration::from_secs(1);

/// A clock that was set back by more than this was ahead: what was remembered under it is not gone on with.
const SET_BACK: Duration = Duration::from_mins(1);

/// How many certificates are remembered; beyond it the cache starts anew.
const REMEMBERED: usize = 1 << 20;

/// What never changes of a certificate and its holder while its tokens are believed: whoever moves a device ends its tokens.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct CertificateHolder {
    pub thumbprint: Thumbprint,
    pub serial: Serial,
    pub device: DeviceId,
    pub generation: u32,
    pub role: Role,
    pub tenant: TenantId,
    pub site: SiteId,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// Its place in the status lists, until its holder is signed out.
    pub status_place: Option<u64>,
    /// What was known of its tokens' age before these facts were read: whoever is signed out later has another place.
    signed_out: Option<Timestamp>,
    used: AtomicBool,
    /// The day on which it was last seen in this process.
    seen_day: AtomicI64,
}

/// Why what a process remembers is not to be gone on with: it begins anew from the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Outdated {
    /// The ledger knows less than it did.
    #[error("the ledger is older than it was a moment ago: somebody restored a backup beneath this process")]
    LedgerWentBack,
    /// Denials were forgotten, and times taken down, by a clock that was ahead.
    #[error("the clock was ahead, until {ahead}, and was set back")]
    ClockSetBack {
        /// The latest time that the clock had shown.
        ahead: Timestamp,
    },
}

/// How far the cache follows the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Freshness {
    /// The last event applied.
    pub seq: u64,
    /// When the ledger was last read successfully.
    pub at: Timestamp,
}

/// What this process remembers of the ledger: who is denied, and the certificate holders it has met. Requests are
/// decided by it without reading the database.
pub struct StatusCache {
    ledger: Ledger,
    facts: RwLock<HashMap<Thumbprint, Arc<CertificateHolder>>>,
    denials: RwLock<Denials>,
    fresh_at: AtomicI64,
    /// One at a time follows the feed, so that subscribers hear each event once and in order.
    following: Mutex<()>,
    events: broadcast::Sender<Arc<Event>>,
    sightings: SightingBuffer,
}

impl StatusCache {
    /// Loads what is denied.
    pub async fn load(ledger: Ledger, now: Timestamp) -> Result<Arc<Self>> {
        let denials = ledger.denials(now).await?;
        Ok(Arc::new(Self {
            ledger,
            facts: RwLock::default(),
            denials: RwLock::new(denials),
            fresh_at: AtomicI64::new(now.millis()),
            following: Mutex::default(),
            events: broadcast::channel(1024).0,
            sightings: SightingBuffer::default(),
        }))
    }

    /// Follows the feed. A failing ledger makes the cache stale, never wrong; it ends when the ledger has become
    /// another one, of which this memory knows nothing, or when this memory was kept by a wrong clock. From then on
    /// nobody is let in by it.
    pub async fn follow(self: Arc<Self>, clock: Arc<dyn Clock>) -> Outdated {
        let mut latest = clock.now();
        let mut failing = false;
        loop {
            let woken = self.ledger.shared.wake.notified();
            let now = clock.now();
            if latest.since(now) > SET_BACK {
                self.forget_everything();
                return Outdated::ClockSetBack { ahead: latest };
            }
            latest = latest.max(now);
            match self.catch_up(now).await {
                Ok(()) => failing = false,
                Err(LedgerError::WentBack) => {
                    self.forget_everything();
                    return Outdated::LedgerWentBack;
                }
                Err(error) if failing => {
                    tracing::debug!(%error, "the status memory cannot follow the ledger");
                }
                Err(error) => {
                    failing = true;
                    tracing::warn!(%error, "the status memory cannot follow the ledger");
                }
            }
            let _ = timeout(PERIOD, woken).await;
        }
    }

    /// Applies what the ledger has written since.
    pub async fn catch_up(&self, now: Timestamp) -> Result<()> {
        let _following = self.following.lock().await;
        let applied = self.freshness().seq;
        if self.ledger.feed_head().await? < applied {
            return Err(LedgerError::WentBack);
        }
        while self.ledger.feed_head().await? > self.freshness().seq {
            for event in self.ledger.feed_after(self.freshness().seq).await? {
                // Told under the same lock: whoever subscribes has the event in the snapshot or in the stream.
                let mut denials = write(&self.denials);
                denials.apply(&event).map_err(|_| LedgerError::Unreadable("feed.seq has a gap"))?;
                if denials.wants_packing() {
                    denials.pack();
                }
                // Nobody listening is fine: gates take a snapshot when they come.
                let _ = self.events.send(Arc::new(event));
            }
        }
        self.fresh_at.store(now.millis(), Ordering::Release);
        Ok(())
    }

    /// How far the cache follows the ledger now.
    pub fn freshness(&self) -> Freshness {
        Freshness {
            seq: read(&self.denials).seq(),
            at: Timestamp::from_millis(self.fresh_at.load(Ordering::Acquire)),
        }
    }

    /// What is denied now, with the events that follow it: nothing falls in between.
    pub fn subscribe(&self) -> (Denials, broadcast::Receiver<Arc<Event>>) {
        let denials = read(&self.denials);
        (denials.clone(), self.events.subscribe())
    }

    /// Events that are applied from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// The certificate with this thumbprint and its standing now; nothing when the ledger has never issued it.
    pub async fn standing(
        &self,
        thumbprint: &Thumbprint,
        now: Timestamp,
    ) -> Result<Option<(Arc<CertificateHolder>, Standing)>> {
        if self.is_stale(now) {
            return self.standing_by_ledger(thumbprint, now).await;
        }
        let Some(facts) = self.facts(thumbprint).await? else { return Ok(None) };
        let denial = facts.denial(&read(&self.denials));
        // Whoever is denied, by device or by certificate, stands as a device in that state does.
        let device = denial.map_or(DeviceState::Active, DeviceState::from);
        let standing = standing(device, CertificateState::Issued, facts.not_before, facts.not_after, now);
        Ok(Some((facts, standing)))
    }

    /// Whether a token was taken back. Only as fresh as the cache: callers look at [`StatusCache::freshness`].
    pub fn token_denied(&self, jti: &str) -> bool {
        read(&self.denials).token_denied(jti)
    }

    /// Whether a token was taken back, by its name or by its age. Only as fresh as the cache.
    pub fn denies_token(&self, claims: &AccessClaims) -> bool {
        read(&self.denials).denies_token(claims)
    }

    /// Whether tokens that came from this device at a time are refused by their age.
    pub fn denies_issued(&self, tenant: &TenantId, device: &DeviceId, issued: Timestamp) -> bool {
        read(&self.denials).tokens_before(tenant, device).is_some_and(|moment| issued < moment)
    }

    /// Tokens of this holder that say they were issued before this moment are refused. Only as fresh as the cache.
    pub fn tokens_before(&self, facts: &CertificateHolder) -> Option<Timestamp> {
        read(&self.denials).tokens_before(&facts.tenant, &facts.device)
    }

    /// The last event applied, unless the cache is too old to be asked.
    pub fn heard(&self, now: Timestamp) -> Option<u64> {
        let Freshness { seq, at } = self.freshness();
        (now.since(at).max(at.since(now)) <= STATUS_STALENESS).then_some(seq)
    }

    /// Whether a certificate of a device, of the tenant it falls with, is denied. Only as fresh as the cache: callers
    /// look at [`StatusCache::heard`].
    pub fn is_denied(&self, tenant: Option<&TenantId>, device: &DeviceId, thumbprint: &Thumbprint) -> bool {
        read(&self.denials).denial_within(tenant, device, thumbprint).is_some()
    }

    /// Drops what has ended.
    ///
    /// Whatever is remembered of a certificate from before its tokens were taken back is read anew when it is asked for. That they
    /// were is forgotten here, so what nobody has asked for since goes first: the device may stand at another site by now.
    pub fn forget(&self, now: Timestamp) {
        write(&self.facts).retain(|_, facts| facts.signed_out >= self.tokens_before(facts));
        write(&self.denials).forget(now);
    }

    /// Writes down that the device has presented the certificate, the first time it does.
    pub async fn note_use(
        &self,
        facts: &CertificateHolder,
        retire_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let today = day_of(now);
        if facts.seen_day.swap(today, Ordering::Relaxed) != today {
            self.sightings.add(&facts.device, None, now);
        }
        if facts.used.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut transaction = self.ledger.begin(now).await?;
        transaction.mark_used(&facts.thumbprint, retire_at).await?;
        transaction.commit().await?;
        facts.used.store(true, Ordering::Release);
        Ok(())
    }

    /// Remembers what a device says it is, until [`StatusCache::write_sightings`].
    pub fn note_platform(&self, facts: &CertificateHolder, platform: Platform, now: Timestamp) {
        self.sightings.add(&facts.device, Some(platform), now);
    }

    /// Writes down who has been seen since the last time. What fails is lost until the next visit.
    pub async fn write_sightings(&self, now: Timestamp) -> Result<()> {
        self.sightings.write(&self.ledger, now).await
    }

    /// From now on the ledger itself is asked, about whom it knows and who is denied.
    fn forget_everything(&self) {
        self.fresh_at.store(i64::MIN, Ordering::Release);
        write(&self.facts).clear();
    }

    /// Too old, or from the future: after a clock was set back nobody knows how old.
    fn is_stale(&self, now: Timestamp) -> bool {
        self.heard(now).is_none()
    }

    async fn facts(&self, thumbprint: &Thumbprint) -> Result<Option<Arc<CertificateHolder>>> {
        let remembered = read(&self.facts).get(thumbprint).cloned();
        let signed_out = remembered.as_deref().and_then(|facts| self.tokens_before(facts));
        if let Some(facts) = remembered.filter(|facts| facts.signed_out >= signed_out) {
            return Ok(Some(facts));
        }
        let Some(holding) = self.ledger.holding(thumbprint).await? else { return Ok(None) };
        let facts = Arc::new(CertificateHolder { signed_out, ..CertificateHolder::from(&holding) });
        let mut remembered = write(&self.facts);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(*thumbprint, facts.clone());
        Ok(Some(facts))
    }

    async fn standing_by_ledger(
        &self,
        thumbprint: &Thumbprint,
        now: Timestamp,
    ) -> Result<Option<(Arc<CertificateHolder>, Standing)>> {
        let asked = timeout(STATUS_STALENESS, self.ledger.holding(thumbprint)).await;
        let holding = asked.map_err(|_| LedgerError::OutOfReach)??;
        Ok(holding.map(|holding| (Arc::new(CertificateHolder::from(&holding)), holding.standing(now))))
    }
}

impl CertificateHolder {
    /// Whether and why the certificate is refused, by itself, its device or its tenant.
    pub fn denial(&self, denials: &Denials) -> Option<Denial> {
        let tenant = (self.role == Role::Device).then_some(&self.tenant);
        denials.denial_within(tenant, &self.device, &self.thumbprint)
    }
}

impl From<&HeldCertificate> for CertificateHolder {
    fn from(holding: &HeldCertificate) -> Self {
        use tegata_core::CertificateState::{Delivered, Issued, Reserved};
        Self {
            thumbprint: holding.thumbprint,
            serial: holding.serial,
            device: holding.device.clone(),
            generation: u32::try_from(holding.generation).unwrap_or(u32::MAX),
            role: holding.role,
            tenant: holding.tenant.clone(),
            site: holding.site.clone(),
            not_before: holding.not_before,
            not_after: holding.not_after,
            status_place: holding.status_place.map(i64::unsigned_abs),
            signed_out: None,
            used: AtomicBool::new(!matches!(holding.state, Reserved | Issued | Delivered)),
            seen_day: AtomicI64::new(i64::MIN),
        }
    }
}

/// A poisoned lock means a panic between two whole steps: the data behind it is still whole.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
