//! Limits wrong guesses of codes that could be guessed, and notices links that were never given out.
//!
//! A short code has 40 bits. With a hundred of them alive, and everybody together wrong at the full rate allowed here day and
//! night, one would be found about once in fifteen years. Wrong short codes are therefore counted for all servers together
//! ([`tegata_web::SharedGuesses`]); what nobody can guess is counted by each server, to spare itself the work.
//!
//! Whoever has been wrong makes room for those who have not: an address that comes for the first time is let in long after
//! many others were too often wrong. Those whose address is not known are never counted as one: they have a common limit that
//! the others have no part in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use tegata_core::Timestamp;
use tegata_web::{WrongSoFar, guess_period};

/// From one address; an hour of a clumsy morning.
const PER_ADDRESS: u32 = 10;
/// From all addresses together that have been wrong before, and from all that are not known.
const IN_ALL: u32 = 1200;
/// How many times as often others may be wrong for the first time.
const NEWCOMERS: u32 = 10;

/// The wrong guesses of this period, as this server has seen them. Memory is bounded by how many there may be in all.
pub(crate) struct CodeGuesses {
    per_address: u32,
    in_all: u32,
    window: Mutex<GuessWindow>,
}

impl Default for CodeGuesses {
    /// The limits for short codes, which are easier to guess than links.
    fn default() -> Self {
        Self::limited(PER_ADDRESS, IN_ALL)
    }
}

#[derive(Default)]
struct GuessWindow {
    period: u64,
    wrong: WrongSoFar,
    by_network: HashMap<IpAddr, u32>,
}

/// One attempt, counted as wrong until [`CountedGuess::was_right`].
pub(crate) struct CountedGuess<'a> {
    guesses: &'a CodeGuesses,
    network: Option<IpAddr>,
}

impl CodeGuesses {
    /// For something else that is seldom wrong: so often from one address and from all, in ten minutes.
    pub(crate) fn limited(per_address: u32, in_all: u32) -> Self {
        Self { per_address, in_all, window: Mutex::default() }
    }

    /// For what nobody guesses: only what turned out wrong is counted, and whoever is right is never asked. Gives whether
    /// this address was wrong too often before.
    pub(crate) fn was_wrong(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(network) = address.map(network) else { return false };
        let mut window = self.window_at(now);
        if window.by_network.get(&network).is_some_and(|wrong| *wrong >= self.per_address) {
            return true;
        }
        if window.wrong.known < self.in_all {
            window.wrong.known += 1;
            *window.by_network.entry(network).or_default() += 1;
        }
        false
    }

    /// Counts an attempt, and says whether it is allowed.
    pub(crate) fn begin(&self, address: Option<IpAddr>, now: Timestamp) -> Option<CountedGuess<'_>> {
        self.begin_after(address, WrongSoFar::default(), now)
    }

    /// Lets somebody try once, or not, where all servers together have counted this much.
    pub(crate) fn begin_after(
        &self,
        address: Option<IpAddr>,
        together: WrongSoFar,
        now: Timestamp,
    ) -> Option<CountedGuess<'_>> {
        let network = address.map(network);
        let mut window = self.window_at(now);
        match network {
            Some(known) => {
                let here = window.by_network.get(&known).copied().unwrap_or_default();
                let wrong = here.max(together.own);
                let in_all = if wrong == 0 { self.in_all.saturating_mul(NEWCOMERS) } else { self.in_all };
                if window.wrong.known.max(together.known) >= in_all || wrong >= self.per_address {
                    return None;
                }
                window.wrong.known += 1;
                window.by_network.insert(known, here + 1);
            }
            None if window.wrong.unknown.max(together.unknown) >= self.in_all => return None,
            None => window.wrong.unknown += 1,
        }
        Some(CountedGuess { guesses: self, network })
    }

    fn window_at(&self, now: Timestamp) -> std::sync::MutexGuard<'_, GuessWindow> {
        let mut window = self.window();
        let period = guess_period(now);
        if window.period != period {
            *window = GuessWindow { period, ..GuessWindow::default() };
        }
        window
    }

    fn window(&self) -> std::sync::MutexGuard<'_, GuessWindow> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CountedGuess<'_> {
    /// It was no guess at all.
    pub(crate) fn was_right(self) {
        let mut window = self.guesses.window();
        let Some(network) = self.network else {
            window.wrong.unknown = window.wrong.unknown.saturating_sub(1);
            return;
        };
        window.wrong.known = window.wrong.known.saturating_sub(1);
        if let Some(wrong) = window.by_network.get_mut(&network) {
            *wrong = wrong.saturating_sub(1);
            if *wrong == 0 {
                window.by_network.remove(&network);
            }
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
    use tegata_web::GUESS_PERIOD;

    const NOW: Timestamp = Timestamp::from_seconds(1_200);

    fn guess<'a>(guesses: &'a CodeGuesses, from: &str, now: Timestamp) -> Option<CountedGuess<'a>> {
        guesses.begin(Some(from.parse().unwrap()), now)
    }

    #[test]
    fn ten_wrong_codes_lock_out_one_address_for_a_while_and_nobody_else() {
        let guesses = CodeGuesses::default();
        for _ in 0..PER_ADDRESS {
            assert!(guess(&guesses, "192.0.2.1", NOW).is_some());
        }
        assert!(guess(&guesses, "192.0.2.1", NOW).is_none());
        assert!(guess(&guesses, "::ffff:192.0.2.1", NOW).is_none());
        assert!(guess(&guesses, "192.0.2.2", NOW).is_some());
        assert!(guess(&guesses, "192.0.2.1", NOW.plus(GUESS_PERIOD)).is_some());
    }

    #[test]
    fn right_codes_are_never_counted() {
        let guesses = CodeGuesses::default();
        for _ in 0..10 * PER_ADDRESS {
            guess(&guesses, "192.0.2.1", NOW).unwrap().was_right();
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_newcomers_pass_before_wrong_guessers() {
        let guesses = CodeGuesses::default();
        for last in 0..PER_ADDRESS {
            assert!(guess(&guesses, &format!("2001:db8::{last}"), NOW).is_some());
        }
        assert!(guess(&guesses, "2001:db8::ffff", NOW).is_none());
        for network in 0..IN_ALL {
            assert!(guess(&guesses, &format!("2001:db8:1:{network:x}::1"), NOW).is_some());
        }
        assert!(guess(&guesses, "2001:db8:1:1::1", NOW).is_none(), "it was wrong before");
        assert!(guess(&guesses, "198.51.100.1", NOW).is_some(), "it was not");
        for network in 0..NEWCOMERS * IN_ALL {
            let _ = guess(&guesses, &format!("2001:db8:2:{network:x}::1"), NOW);
        }
        assert!(guess(&guesses, "198.51.100.2", NOW).is_none(), "but all have a limit");
        assert!(guesses.window().by_network.len() <= (NEWCOMERS * IN_ALL) as usize);
    }

    #[test]
    fn a_requester_without_an_address_delays_nobody_with_one() {
        let guesses = CodeGuesses::default();
        for _ in 0..IN_ALL {
            assert!(guesses.begin(None, NOW).is_some(), "ten would be one address's");
        }
        assert!(guesses.begin(None, NOW).is_none());
        assert!(guess(&guesses, "192.0.2.1", NOW).is_some());
        let links = CodeGuesses::limited(2, 3);
        assert_eq!([(); 9].map(|()| links.was_wrong(None, NOW)), [false; 9]);
    }

    #[test]
    fn wrong_links_are_counted_for_their_own_address_and_memory_has_an_end() {
        let guesses = CodeGuesses::limited(2, 3);
        let wrong = |from: &str, at| guesses.was_wrong(Some(from.parse().unwrap()), at);
        assert_eq!([(); 3].map(|()| wrong("192.0.2.1", NOW)), [false, false, true]);
        assert_eq!([(); 3].map(|()| wrong("192.0.2.2", NOW)), [false; 3]);
        assert_eq!(guesses.window().by_network.len(), 2, "beyond the limit nobody is counted any more");
        assert!(!wrong("192.0.2.1", NOW.plus(GUESS_PERIOD)));
    }
}
