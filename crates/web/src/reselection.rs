//! Makes a browser choose its client certificate again.
//!
//! A browser presents the certificate it chose for a host until it is closed, even after a newer one was imported. One
//! refusal within TLS makes it forget the choice: the request fails, and the next one is made with a fresh choice
//! (Chromium; seen in tests). So a page that knows that the newer certificate works asks for that refusal, for its own
//! certificate alone, until the newer one is presented or a few seconds are over. Once would not do: a connection that
//! the browser opened on speculation takes the refusal and forgets nothing. Nor would it do to end the connection that
//! asks: any other one that the browser keeps goes on with the older certificate.

use crate::connection_registry::ConnectionRegistry;
use crate::context::{ServerContext, ServiceContext};
use crate::problem::Problem;
use crate::tls::DeviceTls;
use arc_swap::ArcSwap;
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tegata_core::{Refusal, Thumbprint, Timestamp};
use tegata_storage::{AnnouncedReselection, LedgerError};
use tokio::time::sleep;

/// A browser that does not come back within this time keeps its choice. Other programs of the device that still present
/// the older certificate wait no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many handshakes are refused within that time: one that counts, and those that were made on speculation.
const REFUSALS: u8 = 4;

/// Bounds the memory it takes. Every entry is a valid certificate of ours.
const MOST: usize = 10_000;

/// The certificates that are refused for a moment.
#[derive(Default)]
pub(crate) struct PendingReselections(Mutex<HashMap<Thumbprint, Reselection>>);

struct Reselection {
    until: Timestamp,
    /// How many handshakes are still refused.
    left: u8,
    /// Once this certificate is presented here, the choice is made and no handshake is refused any more.
    successor: Thumbprint,
}

impl PendingReselections {
    /// Whether this handshake is one to refuse. Costs a lock and nothing more while no renewal is pending.
    pub(crate) fn takes(&self, leaf: &[u8], now: Timestamp) -> bool {
        let mut waiting = self.waiting();
        if waiting.is_empty() {
            return false;
        }
        let thumbprint = Thumbprint::of(leaf);
        waiting.retain(|_, release| release.holds(now) && release.successor != thumbprint);
        let Some(release) = waiting.get_mut(&thumbprint) else { return false };
        release.left -= 1;
        true
    }

    /// Whether a connection made with this certificate is to end: its handshake was under way when it was let go of.
    fn hold(&self, thumbprint: &Thumbprint, now: Timestamp) -> bool {
        self.waiting().get(thumbprint).is_some_and(|release| release.holds(now))
    }

    fn add(&self, thumbprint: Thumbprint, successor: Thumbprint, now: Timestamp) {
        let mut waiting = self.waiting();
        waiting.retain(|_, release| release.holds(now));
        if waiting.len() < MOST {
            waiting.insert(thumbprint, Reselection { until: now.plus(PATIENCE), left: REFUSALS, successor });
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Thumbprint, Reselection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reselection {
    fn holds(&self, now: Timestamp) -> bool {
        self.until >= now && self.left > 0
    }
}

impl fmt::Debug for PendingReselections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PendingReselections(…)")
    }
}

/// The browser's choice of the certificate of this connection. Only connections of the device listener that present one
/// have it.
#[derive(Clone, Debug)]
pub struct CertificateReselection {
    pending: Arc<PendingReselections>,
    registry: Arc<ConnectionRegistry>,
    thumbprint: Thumbprint,
}

impl CertificateReselection {
    pub(crate) fn new(
        pending: Arc<PendingReselections>,
        registry: Arc<ConnectionRegistry>,
        thumbprint: Thumbprint,
    ) -> Self {
        Self { pending, registry, thumbprint }
    }

    /// Lets go of this certificate, here and at every other server.
    pub async fn release_everywhere(&self, successor: Thumbprint, context: &ServiceContext) {
        announce(context, self.thumbprint, successor).await;
        self.release(successor, context.now());
    }

    /// Ends the connections made with this certificate, the one that asks among them, once their requests are answered;
    /// refuses it at its next handshakes, until its successor is presented.
    pub fn release(&self, successor: Thumbprint, now: Timestamp) {
        self.pending.add(self.thumbprint, successor, now);
        self.registry.close(&self.thumbprint);
    }

    /// Whether this certificate is being let go of.
    pub(crate) fn is_under_way(&self, now: Timestamp) -> bool {
        self.pending.hold(&self.thumbprint, now)
    }
}

impl<S: Sync> FromRequestParts<S> for CertificateReselection {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| Refusal::NoCertificate.into())
    }
}

/// How often a server looks for what the others were asked.
const LOOK: Duration = Duration::from_millis(150);

/// By then every other server that hears the ledger knows.
const TOLD: Duration = Duration::from_millis(400);

/// Lets every server know of the choice, before the browser comes back to whichever it comes to. Alone, a server waits for
/// nobody.
async fn announce(context: &ServiceContext, thumbprint: Thumbprint, successor: Thumbprint) {
    let at = context.now();
    let announced = async {
        if context.ledger.servers(at).await?.len() > 1 {
            let reselection = AnnouncedReselection { thumbprint, successor, at };
            context.ledger.announce_reselection(reselection, &context.server).await?;
            sleep(TOLD).await;
        }
        Ok::<_, LedgerError>(())
    };
    if let Err(error) = announced.await {
        tracing::warn!(%error, "other servers do not know that a browser is to choose again");
    }
}

/// Lets go of the certificates that other servers were asked about. Runs until it is dropped.
pub async fn follow_reselections(
    context: ServerContext,
    listener: Arc<ArcSwap<DeviceTls>>,
    registry: Arc<ConnectionRegistry>,
) {
    let mut known: HashSet<AnnouncedReselection> = HashSet::new();
    loop {
        sleep(LOOK).await;
        let now = context.now();
        let found = context.ledger.reselections_elsewhere(&context.server, now.minus(PATIENCE)).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "which browsers are to choose again is not known");
                continue;
            }
        };
        for new in found.iter().filter(|one| !known.contains(*one)) {
            listener.load().reselections.add(new.thumbprint, new.successor, now);
            registry.close(&new.thumbprint);
        }
        known = found.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn release(releases: &Arc<PendingReselections>) {
        let choice = CertificateReselection::new(releases.clone(), Arc::default(), Thumbprint::of(b"old"));
        choice.release(Thumbprint::of(b"new"), NOW);
    }

    #[test]
    fn a_released_certificate_is_refused_a_few_times_and_no_other_is() {
        let releases = Arc::new(PendingReselections::default());
        assert!(!releases.takes(b"old", NOW));
        release(&releases);
        assert!(!releases.takes(b"other", NOW));
        for _ in 0..REFUSALS {
            assert!(releases.takes(b"old", NOW));
        }
        assert!(!releases.takes(b"old", NOW));
    }

    #[test]
    fn once_the_successor_is_presented_the_older_certificate_is_welcome_again() {
        let releases = Arc::new(PendingReselections::default());
        release(&releases);
        assert!(releases.takes(b"old", NOW));
        assert!(!releases.takes(b"new", NOW));
        assert!(!releases.takes(b"old", NOW));
    }

    #[test]
    fn whoever_does_not_come_back_in_time_is_not_refused_later() {
        let releases = Arc::new(PendingReselections::default());
        release(&releases);
        assert!(!releases.takes(b"old", NOW.plus(PATIENCE).plus(Duration::from_millis(1))));
    }
}
