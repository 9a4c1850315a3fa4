//! How long to wait before the next attempt.

use std::time::Duration;
use tegata_core::Entropy;
use tegata_core::entropy::bytes;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Doubles from 100 ms to 5 s; the wait itself is anywhere in the upper half, so that a thousand
/// gates do not come back in the same instant.
pub(crate) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { ceiling: SHORTEST }
    }

    pub(crate) fn reset(&mut self) {
        self.ceiling = SHORTEST;
    }

    pub(crate) fn next(&mut self, entropy: &dyn Entropy) -> Duration {
        let half = self.ceiling / 2;
        let share = u32::from(u16::from_be_bytes(bytes::<2>(entropy)));
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        half + half * share / u32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_core::entropy::Seeded;

    #[test]
    fn waits_grow_to_five_seconds_and_differ_between_gates() {
        let waits = |seed| {
            let (entropy, mut backoff) = (Seeded::new(seed), Backoff::new());
            (0..10).map(|_| backoff.next(&entropy)).collect::<Vec<_>>()
        };
        let (one, other) = (waits(1), waits(2));
        assert_ne!(one, other);
        for (index, wait) in one.iter().enumerate() {
            let ceiling = (SHORTEST * 2_u32.pow(u32::try_from(index).unwrap())).min(LONGEST);
            assert!(*wait >= ceiling / 2 && *wait <= ceiling, "{index}: {wait:?}");
        }
    }
}
