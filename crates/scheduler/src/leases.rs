//! The leases of one server: which it has, which it asks for, and when it must stop though nobody has told it.
//!
//! The ledger decides who has a lease. This server believes that it has one from the answer of the ledger until [`LEASE`] after it
//! *asked*, by the clock that nobody sets; so a server that was frozen, or cut off from the ledger, stops by itself before anybody
//! else begins, as long as the clocks of both agree. Where they do not, both may be at work for as long as the clocks are apart
//! (at most until the next [`BEAT`]): no exclusive pass relies on being alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tegata_core::{ServerId, Timestamp};
use tegata_storage::PassLease;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// How long a lease lasts unless it is renewed: so long, and a [`BEAT`], nobody does what a server did that died.
pub const LEASE: Duration = Duration::from_secs(5);

/// How often leases are renewed and taken. Two renewals may fail before a lease is lost.
pub(crate) const BEAT: Duration = Duration::from_millis(1500);

/// For how long a server that could not do its work leaves it to the others: long enough that one of them asks meanwhile.
const STAND_BACK: Duration = BEAT.saturating_mul(3);

/// What this server knows of its leases.
pub(crate) struct LeaseBook {
    server: ServerId,
    asked: Mutex<AskedLeases>,
    /// Those it has, and until when.
    held: watch::Sender<BTreeMap<String, Instant>>,
    /// Somebody wants something of the ledger before the next beat.
    pub(crate) hurry: Notify,
}

#[derive(Default)]
struct AskedLeases {
    /// What passes of this server need, and from when on it is asked for.
    wanted: BTreeMap<String, Instant>,
    released: BTreeSet<String>,
}

/// What is asked of the ledger at a beat.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeaseRequest {
    pub(crate) wanted: Vec<String>,
    pub(crate) released: Vec<String>,
}

impl LeaseBook {
    pub(crate) fn new(server: ServerId) -> Self {
        Self { server, asked: Mutex::default(), held: watch::Sender::default(), hurry: Notify::new() }
    }

    /// A pass needs this lease from now on.
    pub(crate) fn want(&self, name: &str) {
        self.asked().wanted.insert(name.to_owned(), Instant::now());
        self.hurry.notify_one();
    }

    /// No pass needs it any more.
    pub(crate) fn let_go(&self, name: &str) {
        let mut asked = self.asked();
        asked.wanted.remove(name);
        self.give_back(&mut asked, name);
    }

    /// This server cannot do the work: others are let try, and this one again after a while.
    pub(crate) fn stand_back(&self, name: &str) {
        let mut asked = self.asked();
        asked.wanted.insert(name.to_owned(), Instant::now() + STAND_BACK);
        self.give_back(&mut asked, name);
    }

    fn give_back(&self, asked: &mut AskedLeases, name: &str) {
        let had = self.held.send_if_modified(|held| held.remove(name).is_some());
        if had {
            asked.released.insert(name.to_owned());
            self.hurry.notify_one();
        }
    }

    /// Waits until this server has the lease.
    pub(crate) async fn held(&self, name: &str) {
        let mut held = self.held.subscribe();
        // The sender lives as long as the book.
        let _ = held.wait_for(|held| held.get(name).is_some_and(|until| *until > Instant::now())).await;
    }

    /// Waits until this server has it no longer, or must believe so.
    pub(crate) async fn lost(&self, name: &str) {
        let mut changes = self.held.subscribe();
        loop {
            let until = changes.borrow_and_update().get(name).copied();
            let Some(until) = until.filter(|until| *until > Instant::now()) else { return };
            tokio::select! {
                () = sleep_until(until) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// What to ask for, by what the ledger has: its own leases, and those that nobody has.
    pub(crate) fn request(&self, leases: &[PassLease], now: Timestamp) -> LeaseRequest {
        let (asked, at, until) = (self.asked(), Instant::now(), now.plus(LEASE));
        let may_be_taken = |name: &str| {
            let known = leases.iter().find(|lease| lease.name == name);
            known.is_none_or(|lease| lease.holder == self.server.as_str() || lease.is_free(now, until))
        };
        let wanted = asked.wanted.iter().filter(|(_, from)| **from <= at).map(|(name, _)| name.clone());
        LeaseRequest {
            wanted: wanted.filter(|name| may_be_taken(name)).collect(),
            released: asked.released.iter().cloned().collect(),
        }
    }

    /// What the ledger gave of what was asked for at `asked_at`. What it did not give is lost.
    pub(crate) fn granted(&self, request: &LeaseRequest, granted: Vec<String>, asked_at: Instant) {
        let mut asked = self.asked();
        for name in &request.released {
            asked.released.remove(name);
        }
        // Whoever gave it up meanwhile does not have it, and gives it back.
        let kept = |name: &String| asked.wanted.get(name).is_some_and(|from| *from <= asked_at);
        let (held, given_up): (Vec<_>, Vec<_>) = granted.into_iter().partition(kept);
        asked.released.extend(given_up);
        self.held.send_replace(held.into_iter().map(|name| (name, asked_at + LEASE)).collect());
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, AskedLeases> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;
    use tokio::time::{advance, timeout};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn book() -> LeaseBook {
        LeaseBook::new(ServerId::random(&Seeded::new(1)))
    }

    fn lease(holder: &str, until: Timestamp) -> PassLease {
        PassLease { name: "crl".into(), holder: holder.into(), token: 1, until }
    }

    async fn has(book: &LeaseBook) -> bool {
        timeout(Duration::from_millis(1), book.held("crl")).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_hear_the_ledger_stops_when_its_lease_ends() {
        let book = book();
        book.want("crl");
        let request = book.request(&[], NOW);
        assert_eq!(request.wanted, ["crl"]);
        let asked_at = Instant::now();
        // The answer was long under way: the lease counts from the question.
        advance(Duration::from_secs(2)).await;
        book.granted(&request, vec!["crl".into()], asked_at);
        assert!(has(&book).await);
        let lost = timeout(LEASE, book.lost("crl"));
        assert!(lost.await.is_ok(), "no later than its end");
        // A timer has milliseconds.
        assert!(asked_at.elapsed() <= LEASE + Duration::from_millis(2), "{:?}", asked_at.elapsed());
        assert!(!has(&book).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_another_has_is_not_asked_for_before_it_ends() {
        let book = book();
        book.want("crl");
        let of_another = |until| book.request(&[lease("another", until)], NOW).wanted;
        assert!(of_another(NOW).is_empty() && of_another(NOW.plus(LEASE)).is_empty());
        assert_eq!(of_another(NOW.minus(Duration::from_millis(1))), ["crl"]);
        assert_eq!(of_another(NOW.plus(LEASE * 10)), ["crl"], "from a clock that was ahead");
        assert_eq!(
            book.request(&[lease(book.server.as_str(), NOW.plus(LEASE))], NOW).wanted,
            ["crl"],
            "its own"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_cannot_do_the_work_gives_the_lease_back_and_asks_again_later() {
        let book = book();
        book.want("crl");
        let request = book.request(&[], NOW);
        book.granted(&request, vec!["crl".into()], Instant::now());
        book.stand_back("crl");
        assert!(!has(&book).await);
        // An answer that comes after that gives nothing any more.
        book.granted(&request, vec!["crl".into()], Instant::now());
        assert!(!has(&book).await);
        let back = book.request(&[], NOW);
        assert_eq!((back.wanted.len(), back.released), (0, vec!["crl".to_owned()]));
        advance(STAND_BACK).await;
        assert_eq!(book.request(&[], NOW).wanted, ["crl"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_ledger_refuses_is_lost_at_once() {
        let book = book();
        book.want("crl");
        let request = book.request(&[], NOW);
        book.granted(&request, vec!["crl".into()], Instant::now());
        book.granted(&request, vec![], Instant::now());
        assert!(timeout(Duration::from_millis(1), book.lost("crl")).await.is_ok());
    }
}
