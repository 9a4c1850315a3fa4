//! What all servers of an installation have counted together.
//!
//! The ledger holds a fixed number of counters, a count-min sketch: each network has one in each of four rows, drawn with a
//! secret, and the smallest of the four is how often it was wrong, or a little more. So a million strangers need no more room
//! than one, nobody can choose whose counters they share, and with as many strangers as may be wrong at all in one period, about
//! one honest network in ten thousand is taken for one of them, until the period ends. The table says nothing about who was
//! where.
//!
//! Only wrong guesses are written, together with all others of the same quarter of a second: whoever is right costs one reading
//! and no commit.

use super::{WrongSoFar, network, period_of};
use ring::hmac;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::entropy::bytes;
use tegata_storage::{GUESS_SLOTS, LedgerError, Result, WrongGuesses};
use tegata_web::ServiceContext;
use tokio::sync::OnceCell;
use tokio::time::sleep;

/// How long wrong guesses gather before they are written.
const GATHERED: Duration = Duration::from_millis(250);

/// The rows of the sketch.
const ROWS: usize = 4;

/// The counters in each row.
const WIDTH: u32 = 1 << 14;

/// The counter of all guesses from known networks.
const ALL_KNOWN: u32 = WIDTH * 4;

/// The counter of all guesses from nobody knows where.
const ALL_UNKNOWN: u32 = ALL_KNOWN + 1;

const _: () = assert!(ALL_UNKNOWN + 1 == GUESS_SLOTS);

/// The wrong guesses at one kind of thing, at all servers.
pub(crate) struct SharedGuesses {
    context: ServiceContext,
    kind: &'static str,
    secret: OnceCell<hmac::Key>,
    gathered: Mutex<GatheredGuesses>,
}

/// Not more than [`super::CodeGuesses`] lets anybody try.
#[derive(Default)]
struct GatheredGuesses {
    by_network: HashMap<Option<IpAddr>, u32>,
    is_written: bool,
}

/// An attempt that all servers are to know of, unless it was right.
pub(crate) struct UnsettledGuess {
    shared: Arc<SharedGuesses>,
    network: Option<IpAddr>,
    was_right: bool,
}

impl SharedGuesses {
    pub(crate) fn new(context: ServiceContext, kind: &'static str) -> Arc<Self> {
        Arc::new(Self { context, kind, secret: OnceCell::new(), gathered: Mutex::default() })
    }

    /// What is known of an address, and of all.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) async fn so_far(&self, address: Option<IpAddr>, now: Timestamp) -> Result<WrongSoFar> {
        // Nobody has been wrong yet.
        let Some(secret) = self.known_secret().await? else { return Ok(WrongSoFar::default()) };
        let own = address.map(|address| slots_of(secret, network(address)));
        let [a, b, c, d] = own.unwrap_or([ALL_KNOWN; ROWS]);
        let asked = [a, b, c, d, ALL_KNOWN, ALL_UNKNOWN];
        let counted = self.context.ledger.wrong_guesses(self.kind, period_of(now), &asked).await?;
        let counter =
            |slot: u32| counted.iter().find(|(found, _)| *found == slot).map_or(0, |(_, wrong)| *wrong);
        Ok(WrongSoFar {
            own: own.and_then(|slots| slots.into_iter().map(counter).min()).unwrap_or(0),
            known: counter(ALL_KNOWN),
            unknown: counter(ALL_UNKNOWN),
        })
    }

    /// An attempt has begun. Whoever goes away before the answer was wrong.
    pub(crate) fn attempt(self: &Arc<Self>, address: Option<IpAddr>) -> UnsettledGuess {
        UnsettledGuess { shared: self.clone(), network: address.map(network), was_right: false }
    }

    fn gather(self: &Arc<Self>, network: Option<IpAddr>) {
        let mut gathered = self.gathered();
        *gathered.by_network.entry(network).or_default() += 1;
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
            std::mem::take(&mut gathered.by_network)
        };
        if let Err(error) = self.write(guesses).await {
            tracing::warn!(%error, "other servers do not know of wrong guesses");
        }
    }

    async fn write(&self, guesses: HashMap<Option<IpAddr>, u32>) -> Result<()> {
        let now = self.context.now();
        let secret = self.own_secret(now).await?;
        let mut slots: HashMap<u32, u32> = HashMap::new();
        for (network, wrong) in guesses {
            let of_network = network.map(|network| slots_of(secret, network));
            let total = if of_network.is_some() { ALL_KNOWN } else { ALL_UNKNOWN };
            for slot in of_network.into_iter().flatten().chain([total]) {
                *slots.entry(slot).or_default() += wrong;
            }
        }
        let (kind, period) = (self.kind, period_of(now));
        let slots = slots.into_iter().collect();
        self.context.ledger.count_wrong_guesses(WrongGuesses { kind, period, slots, at: now }).await
    }

    async fn known_secret(&self) -> Result<Option<&hmac::Key>> {
        if self.secret.get().is_none()
            && let Some(secret) = self.context.ledger.guess_secret().await?
        {
            let _ = self.secret.set(key(&secret));
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
    pub(crate) fn was_right(mut self) {
        self.was_right = true;
    }
}

impl Drop for UnsettledGuess {
    fn drop(&mut self) {
        if !self.was_right {
            self.shared.gather(self.network);
        }
    }
}

fn key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// A network's counters, one in each row.
fn slots_of(secret: &hmac::Key, network: IpAddr) -> [u32; ROWS] {
    let address = match network {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let drawn = hmac::sign(secret, &address.octets());
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
            let slots = slots_of(&key(&secret), network(address));
            for (row, slot) in (0u32..).zip(slots) {
                prop_assert_eq!(slot / WIDTH, row);
            }
        }
    }

    #[test]
    fn as_many_strangers_as_may_be_wrong_hold_up_hardly_anybody() {
        let secret = key(b"a secret");
        let mut counters = vec![0u32; GUESS_SLOTS as usize];
        for stranger in 0..super::super::IN_ALL {
            for slot in
                slots_of(&secret, IpAddr::V6((0x2001_0db8u128 << 96 | u128::from(stranger) << 64).into()))
            {
                counters[slot as usize] += super::super::PER_ADDRESS;
            }
        }
        let honest = (0..20_000u32).map(|number| IpAddr::V4((0xc000_0000 | number).into()));
        let held_up = honest.filter(|address| {
            slots_of(&secret, *address)
                .into_iter()
                .all(|slot| counters[slot as usize] >= super::super::PER_ADDRESS)
        });
        let held_up = held_up.count();
        assert!(held_up <= 10, "{held_up} of 20,000");
    }
}
