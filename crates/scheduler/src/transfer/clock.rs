//! Whether the clock by which a transfer would begin can be believed.
//!
//! What is begun cannot be taken back, so a wrong clock must not begin it. There are two witnesses. One is the clock that nobody sets:
//! between two looks both go on alike, and where they do not, the clock was set. The other is every server that says now and then, by
//! its own clock, that it is there: while one of them disagrees, nobody can tell which of the two is wrong, and nothing begins.

use std::collections::HashMap;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_storage::SIGN_OF_LIFE;
use tokio::time::Instant;

/// A clock that was set by more than this has jumped; clocks that are further apart disagree.
const JUMP: Duration = Duration::from_mins(2);

/// For so long nobody may have written to a ledger whose servers are well: the canary and passes do, far more often.
const SILENCE: Duration = Duration::from_hours(1);

/// For how long nothing is begun after a jump.
pub const DISTRUST: Duration = Duration::from_mins(3);

/// For how long others are listened to before anything is begun: each of them speaks in that time.
pub(crate) const LISTENING: Duration = SIGN_OF_LIFE.saturating_add(Duration::from_secs(1));

/// A server that has not spoken for so long says nothing about what time it is now.
const SILENT: Duration = SIGN_OF_LIFE.saturating_mul(6);

/// What there is to say about the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClockTrust {
    /// Nothing speaks against it.
    Trusted,
    /// Others have not been heard yet.
    Listening,
    /// It was set ahead, or a server disagrees.
    Doubted,
}

/// What a look at the clock finds.
pub(crate) struct ClockSight<'a> {
    /// The clock that is set.
    pub(crate) now: Timestamp,
    /// The one that is not.
    pub(crate) at: Instant,
    /// When the ledger was last written to.
    pub(crate) newest: Option<Timestamp>,
    /// When each server last spoke, by its own clock.
    pub(crate) signs: &'a [(String, Timestamp)],
}

/// Compares the clock with its witnesses.
#[derive(Default)]
pub(crate) struct ClockWatch {
    last: Option<(Timestamp, Instant)>,
    listening_since: Option<Instant>,
    distrusted_until: Option<Instant>,
    /// By how much it jumped ahead the last time.
    ahead_by: Duration,
    witnesses: HashMap<String, Witness>,
}

/// A server, as it was last heard.
struct Witness {
    /// What its clock said.
    said: Timestamp,
    /// When it was heard; nothing where it spoke before anybody listened.
    heard: Option<Instant>,
}

impl ClockWatch {
    /// What there is to say of the clock at a look.
    pub(crate) fn look(&mut self, sight: &ClockSight<'_>) -> ClockTrust {
        self.look_for_jumps(sight);
        self.listen(sight);
        if self.distrusted_until.is_some_and(|until| until > sight.at) || self.is_contradicted(sight) {
            return ClockTrust::Doubted;
        }
        let listens = self.listening_since.is_none_or(|since| sight.at.duration_since(since) < LISTENING);
        if listens { ClockTrust::Listening } else { ClockTrust::Trusted }
    }

    /// At first sight there is nothing to compare with but when the ledger was last written to: a clock far ahead of that may be
    /// wrong, or nobody wrote for long. Set right is a clock that jumped as far back.
    fn look_for_jumps(&mut self, sight: &ClockSight<'_>) {
        let ClockSight { now, at, newest, .. } = *sight;
        let former = self.last.replace((now, at));
        let expected = former.map(|(clock, instant)| clock.plus(at.saturating_duration_since(instant)));
        let ahead = match (expected, newest) {
            (Some(expected), _) => now.since(expected),
            (None, Some(newest)) => now.since(newest).saturating_sub(SILENCE),
            (None, None) => Duration::ZERO,
        };
        if ahead > JUMP {
            tracing::warn!("the clock may be ahead: no transfer begins before it has stayed so for a while");
            self.distrusted_until = Some(at + DISTRUST);
            self.ahead_by = ahead;
        }
        let back = expected.map_or(Duration::ZERO, |expected| expected.since(now));
        if back > JUMP && back + JUMP >= self.ahead_by {
            self.distrusted_until = None;
        }
        // What others said while nobody listened is of some time or other.
        let was_away = former.is_none_or(|(_, instant)| at.saturating_duration_since(instant) > SIGN_OF_LIFE);
        if was_away {
            self.witnesses.clear();
            self.listening_since = Some(at);
        }
    }

    /// A sign that is new was given between the last look and this one.
    fn listen(&mut self, sight: &ClockSight<'_>) {
        for (server, said) in sight.signs {
            let heard = match self.witnesses.get(server) {
                Some(known) if known.said == *said => known.heard,
                Some(_) => Some(sight.at),
                // One that begins to speak while somebody listens is new; at the first look nobody did.
                None => self.listening_since.filter(|since| *since < sight.at).map(|_| sight.at),
            };
            self.witnesses.insert(server.clone(), Witness { said: *said, heard });
        }
        let speaks = |witness: &Witness| {
            witness.heard.is_some_and(|heard| sight.at.saturating_duration_since(heard) <= SILENT)
        };
        // A row may be away for a moment: a server whose clock is wrong takes those of the others for forgotten.
        self.witnesses.retain(|server, witness| {
            speaks(witness) || sight.signs.iter().any(|(known, _)| known == server)
        });
    }

    fn is_contradicted(&self, sight: &ClockSight<'_>) -> bool {
        self.witnesses.values().any(|witness| {
            let Some(heard) = witness.heard else { return false };
            let ago = sight.at.saturating_duration_since(heard);
            let its_clock = witness.said.plus(ago);
            ago <= SILENT && sight.now.since(its_clock).max(its_clock.since(sight.now)) > JUMP
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    /// Looks once a second, beside servers whose clocks are ahead of the right one by so much.
    struct Looking {
        watch: ClockWatch,
        start: Instant,
        seconds: u32,
        others: Vec<(String, Duration)>,
    }

    impl Looking {
        fn beside(others: &[Duration]) -> Self {
            let named = others.iter().enumerate().map(|(number, ahead)| (number.to_string(), *ahead));
            Self { watch: ClockWatch::default(), start: Instant::now(), seconds: 0, others: named.collect() }
        }

        /// Looks for some seconds by a clock that is ahead by so much.
        fn look(&mut self, seconds: u32, ahead: Duration) -> ClockTrust {
            let mut trust = ClockTrust::Listening;
            for _ in 0..seconds {
                self.seconds += 1;
                let (at, right) = (self.start + SECOND * self.seconds, NOW.plus(SECOND * self.seconds));
                // Others speak every five seconds.
                let said = NOW.plus(SECOND * (self.seconds / 5 * 5));
                let signs: Vec<_> =
                    self.others.iter().map(|(name, ahead)| (name.clone(), said.plus(*ahead))).collect();
                let sight = ClockSight { now: right.plus(ahead), at, newest: Some(NOW), signs: &signs };
                trust = self.watch.look(&sight);
            }
            trust
        }
    }

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_clock_that_jumps_ahead_begins_nothing_for_a_while() {
        let mut looking = Looking::beside(&[]);
        assert_eq!(looking.look(1, Duration::ZERO), ClockTrust::Listening);
        assert_eq!(looking.look(10, Duration::ZERO), ClockTrust::Trusted);
        assert_eq!(looking.look(179, DAY), ClockTrust::Doubted);
        assert_eq!(
            looking.look(2, DAY),
            ClockTrust::Trusted,
            "it stays so, and nobody is there who knows better"
        );
    }

    #[test]
    fn a_clock_that_others_contradict_begins_nothing_however_long_it_stays() {
        let mut looking = Looking::beside(&[Duration::ZERO, Duration::ZERO]);
        assert_eq!(looking.look(20, Duration::ZERO), ClockTrust::Trusted);
        assert_eq!(looking.look(3600, DAY), ClockTrust::Doubted);
        assert_eq!(looking.look(1, Duration::ZERO), ClockTrust::Trusted, "set right");
        let mut started_wrong = Looking::beside(&[Duration::ZERO]);
        assert_eq!(started_wrong.look(3600, Duration::from_mins(30)), ClockTrust::Doubted, "from its start");
        let mut beside_a_wrong_one = Looking::beside(&[DAY]);
        assert_eq!(
            beside_a_wrong_one.look(60, Duration::ZERO),
            ClockTrust::Doubted,
            "who knows which is wrong"
        );
    }

    #[test]
    fn a_server_that_has_ended_contradicts_nobody() {
        let mut looking = Looking::beside(&[DAY]);
        assert_eq!(looking.look(20, Duration::ZERO), ClockTrust::Doubted);
        looking.others.clear();
        assert_eq!(looking.look(31, Duration::ZERO), ClockTrust::Trusted);
        // Its row stands there for a while, and says nothing new.
        let mut looking = Looking::beside(&[]);
        let sight = |at: Instant, seconds: u32| (NOW.plus(SECOND * seconds), at + SECOND * seconds);
        let signs = [("gone".to_owned(), NOW.minus(DAY))];
        for seconds in 0..10 {
            let (now, at) = sight(looking.start, seconds);
            let trust = looking.watch.look(&ClockSight { now, at, newest: Some(NOW), signs: &signs });
            assert_eq!(trust == ClockTrust::Trusted, seconds >= 6, "{seconds}");
        }
    }

    #[test]
    fn only_a_clock_that_is_set_right_again_is_trusted() {
        let mut looking = Looking::beside(&[]);
        looking.look(10, Duration::ZERO);
        let hour = Duration::from_hours(1);
        assert_eq!(looking.look(1, hour), ClockTrust::Doubted);
        let minutes_left = hour.checked_sub(Duration::from_mins(5)).unwrap();
        assert_eq!(looking.look(1, minutes_left), ClockTrust::Doubted, "55 minutes are left");
        let mut looking = Looking::beside(&[]);
        looking.look(10, Duration::ZERO);
        assert_eq!(looking.look(1, hour), ClockTrust::Doubted);
        assert_eq!(looking.look(1, Duration::ZERO), ClockTrust::Trusted);
    }

    #[test]
    fn a_machine_that_starts_with_a_clock_far_ahead_of_its_ledger_waits() {
        let mut looking = Looking::beside(&[]);
        assert_eq!(looking.look(100, DAY * 30), ClockTrust::Doubted);
        let at = Instant::now();
        let new =
            ClockWatch::default().look(&ClockSight { now: NOW.plus(DAY), at, newest: None, signs: &[] });
        assert_eq!(new, ClockTrust::Listening, "a new ledger has nothing to say");
    }

    #[test]
    fn a_pass_that_rested_for_hours_trusts_a_clock_that_went_on() {
        let mut looking = Looking::beside(&[Duration::ZERO]);
        assert_eq!(looking.look(10, Duration::ZERO), ClockTrust::Trusted);
        looking.seconds += 9 * 3600;
        assert_eq!(
            looking.look(1, Duration::ZERO),
            ClockTrust::Listening,
            "others may have changed meanwhile"
        );
        assert_eq!(looking.look(8, Duration::ZERO), ClockTrust::Trusted);
    }
}
