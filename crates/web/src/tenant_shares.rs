//! Shares of tenants in what a server does at one time, so that no chain starves another.
//!
//! For each kind of work a server has a number of *places*, for requests that are under way. Up to half of them are anybody's: while
//! the server is not busy, one tenant may have them all. Beyond that, each tenant that has something under way gets an equal share
//! of the other half. So whoever asks for less than its share is served whatever others do, and nobody is held up while there
//! is room. Who has to wait does so for [`TenantWork::patience`]; then it is told
//! to come again.
//!
//! A share is of requests under way and not of requests a second: it needs no number that is right for every machine, and a
//! request that takes long counts for as long as it takes.
//!
//! What is remembered is a few numbers for each tenant that ever proved to be one: bounded by the ledger, and by
//! [`REMEMBERED`].

use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::Refusal;
use tokio::time::sleep;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// Requests of one tenant that may wait for one kind of work. Further ones are told at once.
const WAITING: u32 = 2048;

/// Tenants and clients that are told apart. Those beyond share one share.
const REMEMBERED: usize = 65_536;

/// What is shared out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TenantWork {
    /// Tokens, their introspection and revocation.
    Tokens,
    /// First certificates and renewals, by any protocol.
    Enrollment,
    /// Requests about lists of invitations.
    Invitations,
    /// Sign-ins of people with a password.
    SignIn,
    /// What directories say of people.
    Provisioning,
}

/// How many places a server has for each kind of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SharedPlaces {
    /// How many requests about tokens may be under way.
    pub tokens: u32,
    /// How many enrollments and renewals may be under way.
    pub enrollment: u32,
    /// How many requests about lists of invitations may be under way.
    pub invitations: u32,
    /// How many sign-ins may be under way.
    pub sign_in: u32,
    /// How many requests of directories may be under way.
    pub provisioning: u32,
}

/// The shares of all tenants at one server.
pub struct TenantShares {
    works: [SharedWork; KINDS],
    holders: ArcSwap<HashMap<Box<str>, Arc<ShareHolder>>>,
    /// Held while somebody is added.
    adding: Mutex<()>,
    others: Arc<ShareHolder>,
}

const KINDS: usize = 5;

/// One kind of work.
struct SharedWork {
    places: u32,
    under_way: AtomicU32,
    /// Who has something under way.
    active: AtomicU32,
    waited: AtomicU64,
    refused: AtomicU64,
}

/// What one tenant has under way, and what waits.
#[derive(Default)]
struct ShareHolder {
    under_way: [AtomicU32; KINDS],
    waiting: [AtomicU32; KINDS],
}

/// A place that is taken, until it is dropped.
pub struct TakenPlace {
    shares: Arc<TenantShares>,
    holder: Arc<ShareHolder>,
    work: TenantWork,
}

/// What was counted of one kind of work since the server started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShareCounts {
    /// The word for the kind of work.
    pub work: &'static str,
    /// Requests that waited for a place and got one.
    pub waited: u64,
    /// Requests that got none.
    pub refused: u64,
    /// Requests that are under way.
    pub under_way: u32,
}

impl TenantWork {
    const ALL: [Self; KINDS] =
        [Self::Tokens, Self::Enrollment, Self::Invitations, Self::SignIn, Self::Provisioning];

    const fn index(self) -> usize {
        self as usize
    }

    /// How long a request waits for a place. A program that is answered at once comes back at once; people who all come at one
    /// time, to enroll or to sign in, would read a refusal and rather wait.
    const fn patience(self) -> Duration {
        match self {
            Self::Tokens | Self::Invitations => Duration::from_millis(500),
            Self::Enrollment => Duration::from_secs(20),
            Self::SignIn | Self::Provisioning => Duration::from_secs(5),
        }
    }

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Enrollment => "enrollment",
            Self::Invitations => "invitations",
            Self::SignIn => "sign_in",
            Self::Provisioning => "provisioning",
        }
    }
}

impl Default for SharedPlaces {
    fn default() -> Self {
        Self { tokens: 512, enrollment: 128, invitations: 16, sign_in: 24, provisioning: 16 }
    }
}

impl TenantShares {
    /// With this many places; every kind has two at least, so that there is something to share.
    pub fn new(places: SharedPlaces) -> Arc<Self> {
        let SharedPlaces { tokens, enrollment, invitations, sign_in, provisioning } = places;
        let work = |places: u32| SharedWork {
            places: places.max(2),
            under_way: AtomicU32::default(),
            active: AtomicU32::default(),
            waited: AtomicU64::default(),
            refused: AtomicU64::default(),
        };
        Arc::new(Self {
            works: [tokens, enrollment, invitations, sign_in, provisioning].map(work),
            holders: ArcSwap::default(),
            adding: Mutex::default(),
            others: Arc::default(),
        })
    }

    /// Takes a place for a request of this tenant, or of a client that is none's; waits for one.
    ///
    /// # Errors
    /// [`Refusal::TenantBusy`] when there was none in time.
    pub async fn enter(self: &Arc<Self>, work: TenantWork, whose: &str) -> Result<TakenPlace, Refusal> {
        let holder = self.holder(whose);
        match self.try_enter(work, holder) {
            Ok(place) => Ok(place),
            Err(holder) => self.wait(work, holder).await,
        }
    }

    /// What was counted, for metrics.
    pub fn counts(&self) -> [ShareCounts; KINDS] {
        TenantWork::ALL.map(|work| {
            let of = &self.works[work.index()];
            ShareCounts {
                work: work.as_str(),
                waited: of.waited.load(Ordering::Relaxed),
                refused: of.refused.load(Ordering::Relaxed),
                under_way: of.under_way.load(Ordering::Relaxed),
            }
        })
    }

    /// Counts itself first and looks then: of two that come at once for the last place both may have to wait, and neither has
    /// one too many.
    fn try_enter(
        self: &Arc<Self>,
        work: TenantWork,
        holder: Arc<ShareHolder>,
    ) -> Result<TakenPlace, Arc<ShareHolder>> {
        let (of, index) = (&self.works[work.index()], work.index());
        let all = of.under_way.fetch_add(1, Ordering::Relaxed);
        let own = holder.under_way[index].fetch_add(1, Ordering::Relaxed);
        let before = if own == 0 { of.active.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let taken = TakenPlace { shares: self.clone(), holder, work };
        if all < of.places / 2 {
            return Ok(taken);
        }
        let active = if own == 0 { before + 1 } else { of.active.load(Ordering::Relaxed).max(1) };
        if own < (of.places / 2 / active).max(1) { Ok(taken) } else { Err(taken.holder.clone()) }
    }

    async fn wait(
        self: &Arc<Self>,
        work: TenantWork,
        mut holder: Arc<ShareHolder>,
    ) -> Result<TakenPlace, Refusal> {
        let of = &self.works[work.index()];
        if let Some(_waiting) = WaitingRequest::begin(&holder, work) {
            for _ in 0..work.patience().as_millis() / LOOK.as_millis() {
                sleep(LOOK).await;
                match self.try_enter(work, holder) {
                    Ok(place) => {
                        of.waited.fetch_add(1, Ordering::Relaxed);
                        return Ok(place);
                    }
                    Err(again) => holder = again,
                }
            }
        }
        of.refused.fetch_add(1, Ordering::Relaxed);
        Err(Refusal::TenantBusy)
    }

    fn holder(&self, whose: &str) -> Arc<ShareHolder> {
        match self.holders.load().get(whose) {
            Some(holder) => holder.clone(),
            None => self.add(whose),
        }
    }

    /// Seldom: once for each tenant. Readers never wait.
    fn add(&self, whose: &str) -> Arc<ShareHolder> {
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.holders.load();
        if let Some(holder) = known.get(whose) {
            return holder.clone();
        }
        if known.len() >= REMEMBERED {
            return self.others.clone();
        }
        let mut next = HashMap::clone(&known);
        let holder = next.entry(whose.into()).or_default().clone();
        self.holders.store(Arc::new(next));
        holder
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        let of = &self.shares.works[self.work.index()];
        if self.holder.under_way[self.work.index()].fetch_sub(1, Ordering::Relaxed) == 1 {
            of.active.fetch_sub(1, Ordering::Relaxed);
        }
        of.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Somebody who waits, until it is dropped.
struct WaitingRequest(Arc<ShareHolder>, TenantWork);

impl WaitingRequest {
    fn begin(holder: &Arc<ShareHolder>, work: TenantWork) -> Option<Self> {
        let waiting = Self(holder.clone(), work);
        let before = holder.waiting[work.index()].fetch_add(1, Ordering::Relaxed);
        (before < WAITING).then_some(waiting)
    }
}

impl Drop for WaitingRequest {
    fn drop(&mut self) {
        self.0.waiting[self.1.index()].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TenantWork::{SignIn, Tokens};

    fn shares(places: u32) -> Arc<TenantShares> {
        TenantShares::new(SharedPlaces { tokens: places, ..SharedPlaces::default() })
    }

    /// What is there at once.
    fn take(shares: &Arc<TenantShares>, whose: &str, count: usize) -> Vec<TakenPlace> {
        (0..count).filter_map(|_| shares.try_enter(Tokens, shares.holder(whose)).ok()).collect()
    }

    #[tokio::test]
    async fn a_tenant_alone_has_all_there_is() {
        let shares = shares(8);
        let taken = take(&shares, "a", 20);
        assert_eq!(taken.len(), 4, "and leaves room for whoever comes");
        assert_eq!(shares.enter(Tokens, "a").await.err(), Some(Refusal::TenantBusy));
        let counts = shares.counts()[0];
        assert_eq!((counts.refused, counts.under_way), (1, 4));
    }

    #[tokio::test]
    async fn whoever_floods_takes_nothing_of_another_s_share() {
        let shares = shares(16);
        let flood = take(&shares, "a", 40);
        for others in 1..=8 {
            let name = format!("tenant {others}");
            let place = shares.try_enter(Tokens, shares.holder(&name));
            assert!(place.is_ok(), "{name} is served at once");
            std::mem::forget(place);
        }
        assert!(flood.len() <= 16);
        assert_eq!(shares.enter(Tokens, "a").await.err(), Some(Refusal::TenantBusy));
        assert!(shares.enter(SignIn, "a").await.is_ok(), "another kind of work is another matter");
    }

    #[tokio::test]
    async fn whoever_waits_is_served_when_there_is_room_again() {
        let shares = shares(4);
        let mut taken = take(&shares, "a", 2);
        let waiting = tokio::spawn({
            let shares = shares.clone();
            async move { shares.enter(Tokens, "a").await.is_ok() }
        });
        sleep(Tokens.patience() / 2).await;
        taken.pop();
        assert!(waiting.await.unwrap());
        assert_eq!(shares.counts()[0].waited, 1);
    }

    #[tokio::test]
    async fn whoever_hangs_up_leaves_no_place_taken() {
        let shares = shares(4);
        let taken = take(&shares, "a", 2);
        let waiting = tokio::spawn({
            let shares = shares.clone();
            async move { shares.enter(Tokens, "a").await.is_ok() }
        });
        sleep(LOOK).await;
        waiting.abort();
        assert!(waiting.await.is_err());
        drop(taken);
        let holder = shares.holder("a");
        assert_eq!(shares.counts()[0].under_way, 0);
        assert_eq!(shares.works[0].active.load(Ordering::Relaxed), 0);
        assert_eq!(holder.waiting[0].load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_is_remembered_has_a_bound() {
        let shares = shares(4);
        let full: HashMap<Box<str>, _> =
            (0..REMEMBERED).map(|number| (number.to_string().into(), Arc::default())).collect();
        shares.holders.store(Arc::new(full));
        assert!(shares.enter(Tokens, "somebody new").await.is_ok());
        assert_eq!(shares.holders.load().len(), REMEMBERED);
    }
}
