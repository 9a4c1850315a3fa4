//! Real time, which an end-to-end test has to live in.

use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Runs since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "what is measured here is the machine itself")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago that was.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// In milliseconds, for the reader.
    pub fn millis(self) -> f64 {
        self.elapsed().as_secs_f64() * 1000.0
    }
}

/// Says what was measured, also when the test passes and its output is not shown.
pub fn report(measured: &str) {
    let _ = writeln!(std::io::stderr(), "measured: {measured}");
}

/// Waits until something is so, and fails when it is not in time.
pub fn eventually(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !is_so() {
        assert!(watch.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(20));
    }
}
