//! Letting a browser choose again.
//!
//! A browser presents the certificate it chose for a host until it is closed, even after a newer one was imported. One
//! refusal within TLS makes it forget the choice: the request fails, and the next one is made with a fresh choice
//! (Chromium; seen in tests). So a page that knows that the newer certificate works asks for that refusal, for its own
//! certificate alone and only once.

use crate::problem::Problem;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::{Refusal, Thumbprint, Timestamp};

/// A browser that does not come back within this time keeps its choice.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bounds the memory. Everybody in it has a good certificate of ours.
const MOST: usize = 10_000;

/// The certificates that are refused once.
#[derive(Default)]
pub(crate) struct Releases(Mutex<HashMap<Thumbprint, Timestamp>>);

impl Releases {
    /// Whether this handshake is the one to refuse. Costs a lock and nothing more while nobody renews.
    pub(crate) fn takes(&self, leaf: &[u8], now: Timestamp) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !waiting.is_empty() && waiting.remove(&Thumbprint::of(leaf)).is_some_and(|until| now <= until)
    }

    fn add(&self, thumbprint: Thumbprint, now: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, until| *until >= now);
        if waiting.len() < MOST {
            waiting.insert(thumbprint, now.plus(PATIENCE));
        }
    }
}

impl fmt::Debug for Releases {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Releases(…)")
    }
}

/// The browser's choice of the certificate of this connection. Only connections of the device listener that present one
/// have it.
#[derive(Clone, Debug)]
pub struct Choice {
    releases: Arc<Releases>,
    thumbprint: Thumbprint,
}

impl Choice {
    pub(crate) fn new(releases: Arc<Releases>, thumbprint: Thumbprint) -> Self {
        Self { releases, thumbprint }
    }

    /// Refuses this certificate at its next handshake, once.
    pub fn release(&self, now: Timestamp) {
        self.releases.add(self.thumbprint, now);
    }
}

impl<S: Sync> FromRequestParts<S> for Choice {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Refusal::NoCertificate.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    #[test]
    fn a_released_certificate_is_refused_once_and_no_other_is() {
        let releases = Arc::new(Releases::default());
        assert!(!releases.takes(b"old", NOW));
        Choice::new(releases.clone(), Thumbprint::of(b"old")).release(NOW);
        assert!(!releases.takes(b"other", NOW));
        assert!(releases.takes(b"old", NOW));
        assert!(!releases.takes(b"old", NOW));
    }

    #[test]
    fn whoever_does_not_come_back_in_time_is_not_refused_later() {
        let releases = Arc::new(Releases::default());
        Choice::new(releases.clone(), Thumbprint::of(b"old")).release(NOW);
        assert!(!releases.takes(b"old", NOW.plus(PATIENCE).plus(Duration::from_millis(1))));
    }
}
