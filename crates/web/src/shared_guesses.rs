//! Wrong guesses that all servers of an installation have counted together.
//!
//! The ledger holds a fixed number of counters of each kind, a count-min sketch: each key (a network, a login, a device) has one
//! in each of four rows, drawn with a secret, and the smallest of the four is how often it was wrong, or a little more. So a
//! million strangers need no more room than one, nobody can choose whose counters they share, and with as many strangers as may
//! be wrong at all in one period, about one honest key in ten thousand is taken for one of them, until the period ends. The table
//! says nothing about who was where.
//!
//! Only wrong guesses are written, together with all others of the same quarter of a second: whoever is right costs one reading
//! and no commit.

use crate::ServiceContext;
use ring::hmac;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::entropy::bytes;
use tegata_storage::{GUESS_SLOTS, LedgerError, Result, WrongGuesses};
use tokio::sync::OnceCell;
use tokio::time::sleep;

/// The time in which wrong guesses count: by the clock, so that all servers begin anew together.
pub const GUESS_PERIOD: Duration = Duration::from_mins(10);

/// How long wrong guesses gather before they are written.
const GATHERED: Duration = Duration::from_millis(250);

/// The rows of the sketch.
const ROWS: usize = 4;

/// The counters in each row.
const WIDTH: u32 = 1 << 14;

/// The counter of all guesses with a key.
const ALL_KNOWN: u32 = WIDTH * 4;

/// The counter of all guesses without one.
const ALL_UNKNOWN: u32 = ALL_KNOWN + 1;

const _: () = assert!(ALL_UNKNOWN + 1 == GUESS_SLOTS);

/// What is counted together.
type GuessKey = Box<[u8]>;

/// The wrong guesses at one kind of thing, at all servers.
pub struct SharedGuesses {
    context: ServiceContext,
    kind: &'static str,
    secret: OnceCell<hmac::Key>,
    gathered: Mutex<GatheredGuesses>,
}

/// How often somebody was wrong in this period.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct WrongSoFar {
    /// With the key of the one who asks.
    pub own: u32,
    /// Of all who have a key.
    pub known: u32,
    /// Of all who have none.
    pub unknown: u32,
}

/// Not more than the caller lets anybody try in a quarter of a second.
#[derive(Default)]
struct GatheredGuesses {
    by_key: HashMap<Option<GuessKey>, u32>,
    is_written: bool,
}

/// An attempt that all servers are to know of, unless it was right.
pub struct UnsettledGuess {
    shared: Arc<SharedGuesses>,
    key: Option<GuessKey>,
    was_right: bool,
}

impl SharedGuesses {
    /// Of one kind, by whose name the counters are told from those of others.
    pub fn new(context: ServiceContext, kind: &'static str) -> Arc<Self> {
        Arc::new(Self { context, kind, secret: OnceCell::new(), gathered: Mutex::default() })
    }

    /// What is known of a key, and of all.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn so_far(&self, key: Option<&[u8]>, now: Timestamp) -> Result<WrongSoFar> {
        // Nobody has been wrong yet.
        let Some(secret) = self.known_secret().await? else { return Ok(WrongSoFar::default()) };
        let own = key.map(|key| slots_of(secret, key));
        let [a, b, c, d] = own.unwrap_or([ALL_KNOWN; ROWS]);
        let asked = [a, b, c, d, ALL_KNOWN, ALL_UNKNOWN];
        let counted = self.context.ledger.wrong_guesses(self.kind, guess_period(now), &asked).await?;
        let counter =
            |slot: u32| counted.iter().find(|(found, _)| *found == slot).map_or(0, |(_, wrong)| *wrong);
        Ok(WrongSoFar {
            own: own.and_then(|slots| slots.into_iter().map(counter).min()).unwrap_or(0),
            known: counter(ALL_KNOWN),
            unknown: counter(ALL_UNKNOWN),
        })
    }

    /// An attempt has begun. Whoever goes away before the answer was wrong.
    pub fn attempt(self: &Arc<Self>, key: Option<&[u8]>) -> UnsettledGuess {
        UnsettledGuess { shared: self.clone(), key: key.map(Into::into), was_right: false }
    }

    fn gather(self: &Arc<Self>, key: Option<GuessKey>) {
        let mut gathered = self.gathered();
        *gathered.by_key.entry(key).or_default() += 1;
        if !std::mem::replace(&mut gathered.is_written, true) {
            let shared = self.clone();
            tokio::spawn(async move { shared.write_gathered().await });
        }
    }

    async fn write_gathered(&self) {
        sleep(GATHERED).await;
        let guesses = {
            let mut gathered = self.gathered();
            gathered.is_written = false;
            std::mem::take(&mut gathered.by_key)
        };
        if let Err(error) = self.write(guesses).await {
            tracing::warn!(%error, "other servers do not know of wrong guesses");
        }
    }

    async fn write(&self, guesses: HashMap<Option<GuessKey>, u32>) -> Result<()> {
        let now = self.context.now();
        let secret = self.own_secret(now).await?;
        let mut slots: HashMap<u32, u32> = HashMap::new();
        for (key, wrong) in guesses {
            let of_key = key.map(|key| slots_of(secret, &key));
            let total = if of_key.is_some() { ALL_KNOWN } else { ALL_UNKNOWN };
            for slot in of_key.into_iter().flatten().chain([total]) {
                *slots.entry(slot).or_default() += wrong;
            }
        }
        let (kind, period) = (self.kind, guess_period(now));
        let slots = slots.into_iter().collect();
        self.context.ledger.count_wrong_guesses(WrongGuesses { kind, period, slots, at: now }).await
    }

    async fn known_secret(&self) -> Result<Option<&hmac::Key>> {
        if self.secret.get().is_none()
            && let Some(secret) = self.context.ledger.guess_secret().await?
        {
            let _ = self.secret.set(hmac_key(&secret));
        }
        Ok(self.secret.get())
    }

    /// The secret of all servers, which the first that needs it has made.
    async fn own_secret(&self, now: Timestamp) -> Result<&hmac::Key> {
        if self.known_secret().await?.is_none() {
            let fresh = bytes(&*self.context.entropy);
            self.context.ledger.keep_guess_secret(fresh, now).await?;
        }
        self.known_secret().await?.ok_or(LedgerError::Unreadable("guess_secret"))
    }

    fn gathered(&self) -> MutexGuard<'_, GatheredGuesses> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnsettledGuess {
    /// It was no guess at all.
    pub fn was_right(mut self) {
        self.was_right = true;
    }
}

impl Drop for UnsettledGuess {
    fn drop(&mut self) {
        if !self.was_right {
            self.shared.gather(self.key.take());
        }
    }
}

/// The number of the period in which a moment lies.
pub fn guess_period(now: Timestamp) -> u64 {
    now.seconds().unsigned_abs() / GUESS_PERIOD.as_secs()
}

/// A network as a key. A home has one IPv4 address, but 2^64 of IPv6.
pub fn network_key(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V6(address) => (u128::from(address) >> 64 << 64).to_be_bytes(),
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
    }
}

fn hmac_key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// A key's counters, one in each row.
fn slots_of(secret: &hmac::Key, key: &[u8]) -> [u32; ROWS] {
    let drawn = hmac::sign(secret, key);
    let mut rows = drawn.as_ref().chunks_exact(4).zip(0u32..);
    [(); ROWS].map(|()| {
        let (four, row) = rows.next().unwrap_or((&[0; 4], 0));
        let number = four.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        row * WIDTH + number % WIDTH
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_network_has_one_counter_in_each_row(secret in any::<[u8; 32]>(), address in any::<IpAddr>()) {
            let slots = slots_of(&hmac_key(&secret), &network_key(address));
            for (row, slot) in (0u32..).zip(slots) {
                prop_assert_eq!(slot / WIDTH, row);
            }
        }
    }

    #[test]
    fn as_many_strangers_as_may_be_wrong_hold_up_hardly_anybody() {
        // Of short codes, the kind with the most: so many networks, each so often wrong.
        const STRANGERS: u32 = 1200;
        const EACH: u32 = 10;
        let secret = hmac_key(b"a secret");
        let mut counters = vec![0u32; GUESS_SLOTS as usize];
        for stranger in 0..STRANGERS {
            let address = IpAddr::V6((0x2001_0db8u128 << 96 | u128::from(stranger) << 64).into());
            for slot in slots_of(&secret, &network_key(address)) {
                counters[slot as usize] += EACH;
            }
        }
        let honest = (0..20_000u32).map(|number| IpAddr::V4((0xc000_0000 | number).into()));
        let is_held_up = |address: &IpAddr| {
            let slots = slots_of(&secret, &network_key(*address));
            slots.into_iter().all(|slot| counters[slot as usize] >= EACH)
        };
        let held_up = honest.filter(is_held_up).count();
        assert!(held_up <= 10, "{held_up} of 20,000");
    }
}
