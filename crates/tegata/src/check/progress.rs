//! A word on standard error now and then, when a check takes long.

use std::time::Duration;
use tokio::time::Instant;

/// How long it is quiet.
const QUIET: Duration = Duration::from_secs(5);

/// Says how far it is.
pub struct Progress {
    next: Instant,
}

impl Progress {
    pub fn new() -> Self {
        Self { next: Instant::now() + QUIET }
    }

    /// Called as often as one likes.
    pub fn at(&mut self, what: &str, done: u64, total: u64) {
        let now = Instant::now();
        if now >= self.next {
            errln!("{what}: {done} of {total}");
            self.next = now + QUIET;
        }
    }
}
