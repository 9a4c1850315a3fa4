//! Publishing: each CA's lists by one server at a time, at once when something has ended, and before they grow old.
//!
//! One pass a CA, so that one whose key does not answer holds no other up, and a server that cannot reach a key leaves its lists to
//! another server. The lease saves work and no more: a list replaces the one that is out only with a higher number and a revision
//! that is no older (`storage`), so a server that goes on after its lease has ended cannot take anything back.

use crate::server::public::CrlCache;
use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tegata_ca::IssuerSet;
use tegata_core::feed::Event;
use tegata_core::{IssuerId, Timestamp};
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule, Scheduler};
use tegata_web::ServerContext;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// How often the lists are looked at without news: they may have grown old.
const PERIOD: Duration = Duration::from_mins(1);

/// How long publishing may take: lists of millions of entries, and a key that is slow to answer.
const LIMIT: Duration = Duration::from_mins(2);

/// How soon a CA that came has a pass of its own.
const NEW_CAS: Duration = Duration::from_secs(1);

/// Publishes the lists of one CA.
struct CrlPass {
    id: IssuerId,
    publishing: PublishingContext,
    /// The last event that the lists contain, as far as this server has published.
    published: AtomicU64,
    events: AsyncMutex<Receiver<Arc<Event>>>,
    /// Gone with the pass.
    _mark: Arc<()>,
}

#[derive(Clone)]
struct PublishingContext {
    authorities: Arc<IssuerSet>,
    lists: Arc<CrlCache>,
    context: ServerContext,
}

impl CrlPass {
    async fn publish(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let PublishingContext { authorities, lists, .. } = &self.publishing;
        let Some(authority) = authorities.get(&self.id) else { return Ok(PassReport::nothing()) };
        let outcome = authority.publish_crls(now).await;
        // Some shards are out even if others failed.
        lists.question(&self.id);
        lists.has_news();
        match outcome {
            Ok(seq) => {
                self.published.store(seq, Ordering::Release);
                Ok(PassReport::nothing())
            }
            Err(error) => {
                lists.turned(&self.id);
                Err(PassError::new(error))
            }
        }
    }

    /// The memory of the ledger has reached an event that no list of this server contains.
    async fn wait_for_news(&self) {
        let mut events = self.events.lock().await;
        while self.published.load(Ordering::Acquire) >= self.publishing.context.status.freshness().seq {
            if let Err(RecvError::Closed) = events.recv().await {
                return pending().await;
            }
        }
    }
}

impl Pass for CrlPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, format!("crl:{}", self.id)).exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.publish(now))
    }

    fn news(&self) -> PassFuture<'_, ()> {
        Box::pin(self.wait_for_news())
    }

    fn is_wanted(&self) -> bool {
        self.publishing.authorities.get(&self.id).is_some()
    }
}

/// Sees to it that every CA which can sign lists has a [`CrlPass`].
pub struct CrlPublishersPass {
    scheduler: Weak<Scheduler>,
    publishing: PublishingContext,
    running: Mutex<HashMap<IssuerId, Weak<()>>>,
}

impl CrlPublishersPass {
    pub fn new(
        scheduler: &Arc<Scheduler>,
        authorities: &Arc<IssuerSet>,
        lists: &Arc<CrlCache>,
        context: &ServerContext,
    ) -> Self {
        let publishing = PublishingContext {
            authorities: authorities.clone(),
            lists: lists.clone(),
            context: context.clone(),
        };
        Self { scheduler: Arc::downgrade(scheduler), publishing, running: Mutex::default() }
    }

    /// Gives how many came.
    pub fn add_missing(&self) -> usize {
        let Some(scheduler) = self.scheduler.upgrade() else { return 0 };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, mark| mark.strong_count() > 0);
        let mut added = 0;
        for authority in self.publishing.authorities.all() {
            let id = authority.issuer().id().clone();
            if running.contains_key(&id) {
                continue;
            }
            let mark = Arc::new(());
            running.insert(id.clone(), Arc::downgrade(&mark));
            let publishing = self.publishing.clone();
            let events = AsyncMutex::new(publishing.context.status.listen());
            scheduler.add(CrlPass { id, publishing, published: AtomicU64::new(0), events, _mark: mark });
            added += 1;
        }
        added
    }
}

impl Pass for CrlPublishersPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(NEW_CAS, "crl-publishers")
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(async { Ok(PassReport::nothing().with("added", self.add_missing())) })
    }
}
