//! How often somebody may be wrong: about a short code, and about a link.
//!
//! A code has 40 bits. With a hundred of them alive, and everybody together wrong at the full rate allowed here day and
//! night, one would be found about once in a hundred and seventy years.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tegata_core::Timestamp;

/// From one address; an hour of a clumsy morning.
const PER_ADDRESS: u32 = 10;
/// From all addresses together.
const IN_ALL: u32 = 1200;
/// The time in which they count.
const WINDOW: Duration = Duration::from_mins(10);

/// The wrong guesses of the last while. Memory is bounded by how many there may be in all.
pub(crate) struct Guesses {
    per_address: u32,
    in_all: u32,
    window: Mutex<Window>,
}

impl Default for Guesses {
    /// For short codes.
    fn default() -> Self {
        Self::limited(PER_ADDRESS, IN_ALL)
    }
}

#[derive(Default)]
struct Window {
    began: Option<Timestamp>,
    in_all: u32,
    by_address: HashMap<Option<IpAddr>, u32>,
}

/// One attempt, counted as wrong until [`Guess::was_right`].
pub(crate) struct Guess<'a> {
    guesses: &'a Guesses,
    address: Option<IpAddr>,
}

impl Guesses {
    /// For something else that is seldom wrong: so often from one address and from all, in ten minutes.
    pub(crate) fn limited(per_address: u32, in_all: u32) -> Self {
        Self { per_address, in_all, window: Mutex::default() }
    }

    /// For what nobody guesses: only what turned out wrong counts, so that a crowd with right links behind one address is
    /// never held up, and nobody is held up by what others do.
    pub(crate) fn shut_out(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let wrong = self.window_at(now).by_address.get(&address.map(network)).copied();
        wrong.is_some_and(|wrong| wrong >= self.per_address)
    }

    /// Counts it.
    pub(crate) fn was_wrong(&self, address: Option<IpAddr>, now: Timestamp) {
        let mut window = self.window_at(now);
        if window.in_all < self.in_all {
            window.in_all += 1;
            *window.by_address.entry(address.map(network)).or_default() += 1;
        }
    }

    /// Lets somebody try once, or not. Whoever has no known address shares one count with all others who have none.
    pub(crate) fn begin(&self, address: Option<IpAddr>, now: Timestamp) -> Option<Guess<'_>> {
        let address = address.map(network);
        let mut window = self.window_at(now);
        let wrong = window.by_address.get(&address).copied().unwrap_or_default();
        if window.in_all >= self.in_all || wrong >= self.per_address {
            return None;
        }
        window.in_all += 1;
        window.by_address.insert(address, wrong + 1);
        Some(Guess { guesses: self, address })
    }

    fn window_at(&self, now: Timestamp) -> std::sync::MutexGuard<'_, Window> {
        let mut window = self.window();
        if window.began.is_none_or(|began| now < began || now.since(began) >= WINDOW) {
            *window = Window { began: Some(now), ..Window::default() };
        }
        window
    }

    fn window(&self) -> std::sync::MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guess<'_> {
    /// It was no guess at all.
    pub(crate) fn was_right(self) {
        let mut window = self.guesses.window();
        window.in_all = window.in_all.saturating_sub(1);
        if let Some(wrong) = window.by_address.get_mut(&self.address) {
            *wrong = wrong.saturating_sub(1);
        }
    }
}

/// A home has one IPv4 address, but 2^64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn guess<'a>(guesses: &'a Guesses, from: &str, now: Timestamp) -> Option<Guess<'a>> {
        guesses.begin(Some(from.parse().unwrap()), now)
    }

    #[test]
    fn ten_wrong_codes_close_the_desk_to_one_address_for_a_while_and_to_nobody_else() {
        let guesses = Guesses::default();
        for _ in 0..PER_ADDRESS {
            assert!(guess(&guesses, "192.0.2.1", NOW).is_some());
        }
        assert!(guess(&guesses, "192.0.2.1", NOW).is_none());
        assert!(guess(&guesses, "::ffff:192.0.2.1", NOW).is_none());
        assert!(guess(&guesses, "192.0.2.2", NOW).is_some());
        assert!(guess(&guesses, "192.0.2.1", NOW.plus(WINDOW)).is_some());
    }

    #[test]
    fn right_codes_are_never_counted() {
        let guesses = Guesses::default();
        for _ in 0..10 * PER_ADDRESS {
            guess(&guesses, "192.0.2.1", NOW).unwrap().was_right();
        }
    }

    #[test]
    fn a_whole_ipv6_network_is_one_guest_and_many_networks_meet_the_common_limit() {
        let guesses = Guesses::default();
        for last in 0..PER_ADDRESS {
            assert!(guess(&guesses, &format!("2001:db8::{last}"), NOW).is_some());
        }
        assert!(guess(&guesses, "2001:db8::ffff", NOW).is_none());
        for network in 0..IN_ALL - PER_ADDRESS {
            assert!(guess(&guesses, &format!("2001:db8:1:{network:x}::1"), NOW).is_some());
        }
        assert!(guess(&guesses, "198.51.100.1", NOW).is_none());
    }

    #[test]
    fn wrong_links_shut_out_their_own_address_and_memory_has_an_end() {
        let guesses = Guesses::limited(2, 3);
        let [one, two, three] =
            ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| Some(text.parse().unwrap()));
        for from in [one, one, two, three] {
            guesses.was_wrong(from, NOW);
        }
        assert_eq!([one, two, three].map(|from| guesses.shut_out(from, NOW)), [true, false, false]);
        assert_eq!(guesses.window().by_address.len(), 2, "beyond the limit nobody is counted any more");
        assert!(!guesses.shut_out(one, NOW.plus(WINDOW)));
    }
}
