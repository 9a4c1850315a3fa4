//! A limit on how often something may happen.

use std::sync::{Mutex, PoisonError};
use tegata_core::Timestamp;

/// At most so many times in any calendar second.
pub(crate) struct Throttle {
    limit: u32,
    window: Mutex<(i64, u32)>,
}

impl Throttle {
    pub(crate) const fn per_second(limit: u32) -> Self {
        Self { limit, window: Mutex::new((0, 0)) }
    }

    /// Whether it may happen once more at `now`; counts it if so.
    pub(crate) fn admits(&self, now: Timestamp) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0 != now.seconds() {
            *window = (now.seconds(), 0);
        }
        window.1 += 1;
        window.1 <= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_the_next_second_begins_anew() {
        let throttle = Throttle::per_second(2);
        let now = Timestamp::from_seconds(10);
        assert_eq!([(); 3].map(|()| throttle.admits(now)), [true, true, false]);
        assert!(throttle.admits(Timestamp::from_seconds(11)));
    }
}
