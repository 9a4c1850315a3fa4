//! The time of a check by two clocks, and how old the gate's knowledge is by them.

use std::time::Duration;
use tegata_core::Timestamp;

/// The time of one decision, read twice: the calendar for what others signed, and the gate's own
/// uptime, which nobody can set back, for how long ago it heard something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckTime {
    /// The time of day, for signatures and expiry dates.
    pub now: Timestamp,
    /// Time since the gate started, from a monotonic clock.
    pub uptime: Duration,
}

/// When the platform last spoke, by its clock and by ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastHeard {
    at: Timestamp,
    received: Duration,
    lag: Duration,
}

impl LastHeard {
    /// A message signed at `at`, received (or read back from disk) at this moment.
    pub(crate) fn new(at: Timestamp, moment: CheckTime) -> Self {
        Self { at, received: moment.uptime, lag: apart(at, moment.now) }
    }

    /// The time the platform signed.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// How old the knowledge may be: the worse of two measures, so that none of these makes it look
    /// younger than it is: a message held back on its way (it arrives with its `at` in the past), a
    /// calendar set back while the platform is silent (uptime goes on), a machine that slept
    /// (the calendar went on). Clocks that disagree count as age in either direction, because a gate
    /// whose clock is slow also believes in tokens that have ended.
    pub(crate) fn age(&self, moment: CheckTime) -> Duration {
        let silent = moment.uptime.saturating_sub(self.received);
        self.lag.saturating_add(silent).max(apart(self.at, moment.now))
    }
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(now: i64, uptime: u64) -> CheckTime {
        CheckTime { now: Timestamp::from_seconds(now), uptime: Duration::from_secs(uptime) }
    }

    fn age(heard: LastHeard, now: i64, uptime: u64) -> u64 {
        heard.age(moment(now, uptime)).as_secs()
    }

    #[test]
    fn silence_ages_whatever_the_calendar_says() {
        let heard = LastHeard::new(Timestamp::from_seconds(1000), moment(1000, 5));
        assert_eq!(age(heard, 1000, 5), 0);
        assert_eq!(age(heard, 1007, 12), 7);
        assert_eq!(age(heard, 1000, 12), 7, "a calendar set back hides nothing");
        assert_eq!(age(heard, 1030, 5), 30, "a machine that slept notices");
    }

    #[test]
    fn a_message_that_was_held_back_arrives_old() {
        let heard = LastHeard::new(Timestamp::from_seconds(1000), moment(1060, 5));
        assert_eq!(age(heard, 1060, 5), 60);
        assert_eq!(age(heard, 1000, 8), 63, "setting the calendar back afterwards hides nothing");
    }

    #[test]
    fn a_slow_clock_counts_as_age() {
        let heard = LastHeard::new(Timestamp::from_seconds(1000), moment(980, 5));
        assert_eq!(age(heard, 980, 5), 20);
    }
}
