//! The receipts of CRLs, one a CA: what this server gives to whoever asks contains the event, whichever server published it.

use crate::server::public::CrlCache;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::IssuerSet;
use tegata_core::{IssuerId, Timestamp};
use tegata_storage::{Ledger, LedgerError};
use tegata_web::ServerContext;
use tokio::time::{Instant, timeout};

/// How often it is looked whether another server has published what is awaited. What this one publishes it hears at once.
const LOOK: Duration = Duration::from_millis(20);

/// How often a surface without news says that it is there, after a look whether its lists still hold.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// From a failure to the next attempt.
const RETRY: Duration = Duration::from_secs(1);

/// Gives a receipt for each CA whose lists are out.
pub struct ListReceipts {
    authorities: Arc<IssuerSet>,
    lists: Arc<CrlCache>,
    context: ServerContext,
    given: HashMap<IssuerId, GivenReceipt>,
}

/// The last receipt of one CA.
struct GivenReceipt {
    seq: u64,
    at: Instant,
}

impl ListReceipts {
    pub fn new(authorities: &Arc<IssuerSet>, lists: &Arc<CrlCache>, context: &ServerContext) -> Self {
        let (authorities, lists) = (authorities.clone(), lists.clone());
        Self { authorities, lists, context: context.clone(), given: HashMap::new() }
    }

    /// After every change, as soon as lists are out that contain it, and every five seconds.
    pub async fn give(mut self) {
        loop {
            let pause = match self.look().await {
                Ok(()) => LOOK,
                Err(error) => {
                    tracing::warn!(%error, "a receipt of published lists could not be given");
                    RETRY
                }
            };
            let _ = timeout(pause, self.lists.news()).await;
        }
    }

    async fn look(&mut self) -> Result<(), LedgerError> {
        for authority in self.authorities.all() {
            let id = authority.issuer().id();
            if self.is_due(id) {
                self.acknowledge(id).await?;
            }
        }
        Ok(())
    }

    fn is_due(&self, id: &IssuerId) -> bool {
        let seq = self.context.status.freshness().seq;
        self.given.get(id).is_none_or(|given| given.seq < seq || given.at.elapsed() >= SIGN_OF_LIFE)
    }

    /// What is out and holds is asked for by this server's own cache before anything is said of it.
    async fn acknowledge(&mut self, id: &IssuerId) -> Result<(), LedgerError> {
        let ServerContext { ledger, .. } = &self.context;
        let now = self.context.now();
        let Some(seq) = contained_in_lists(ledger, id, now).await? else { return Ok(()) };
        if self.given.get(id).is_none_or(|given| given.seq < seq) {
            self.lists.question(id);
            self.lists.take_in_of(ledger, id, now).await?;
            self.lists.turned(id);
        }
        ledger.acknowledge(format!("crl:{id}"), seq, now).await?;
        self.given.insert(id.clone(), GivenReceipt { seq, at: Instant::now() });
        Ok(())
    }
}

/// The last event that all lists of a CA contain, whoever published them; nothing while one of them lacks something or has ended.
/// The number of the feed is read before the shards: what they say is at least as new.
async fn contained_in_lists(
    ledger: &Ledger,
    id: &IssuerId,
    now: Timestamp,
) -> Result<Option<u64>, LedgerError> {
    let seq = ledger.feed_head().await?;
    let shards = ledger.shards(id).await?;
    let holds = shards.iter().all(|shard| {
        shard.published.is_some_and(|crl| crl.revision >= shard.revision && crl.next_update > now)
    });
    Ok(holds.then_some(seq))
}
