//! Keeps the lists up to date, as one more of those who follow the feed, and gives their receipt.

use super::list_set::{ListNotSigned, StatusListSet};
use crate::signals::Signals;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::entropy::bytes;
use tegata_core::feed::Event;
use tegata_storage::{LedgerError, SIGN_OF_LIFE, ServerSurface};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{sleep, timeout};

/// How often it is looked, without news, whether a list has grown old or the key has changed.
const LOOK: Duration = Duration::from_millis(250);

/// How often it is looked whether a list is needed no more.
const RETIREMENT: Duration = Duration::from_hours(1);

/// From a failure to the next attempt.
const RECOVERY: Duration = Duration::from_secs(1);

/// Begins the lists, if nobody has: from then on tokens refer to them.
///
/// # Errors
/// The ledger cannot be read or written.
pub async fn begin_status_lists(signals: &Signals) -> Result<(), LedgerError> {
    let context = &signals.issuer().context;
    let mut secret = context.ledger.status_head().await?.secret;
    if secret.is_none() {
        context.ledger.begin_status_lists(&bytes(&*context.entropy), context.now()).await?;
        // Another server may have been faster.
        secret = context.ledger.status_head().await?.secret;
    }
    let secret = secret.ok_or(LedgerError::Unreadable("head.status_secret"))?;
    signals.status_lists().begin(secret, &context.addresses.public);
    Ok(())
}

/// Publishes the lists at once when something has changed, and before they end. Runs until the task is dropped.
pub async fn publish_statuses(signals: Arc<Signals>) {
    loop {
        let Err(error) = follow(&signals).await;
        if !matches!(error, PublishingInterruption::Restarted) {
            tracing::warn!(%error, "the status lists are read anew");
        }
        sleep(RECOVERY).await;
    }
}

#[derive(Debug, thiserror::Error)]
enum PublishingInterruption {
    #[error("an event of the status memory was missed")]
    Missed,
    #[error("the lists have begun anew")]
    Restarted,
    #[error(transparent)]
    Unsigned(#[from] ListNotSigned),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// One uninterrupted sequence of events.
async fn follow(signals: &Arc<Signals>) -> Result<Infallible, PublishingInterruption> {
    begin_status_lists(signals).await?;
    let context = &signals.issuer().context;
    let order = signals.status_lists().order().ok_or(PublishingInterruption::Restarted)?;
    // First the place in the sequence, then the ledger, which is at least there.
    let (seq, mut events) = {
        let (denials, events) = context.status.subscribe();
        (denials.seq(), events)
    };
    let mut publisher = StatusListPublisher {
        signals,
        lists: StatusListSet::read(order, &context.ledger, seq).await?,
        acknowledged: None,
        looked: context.now(),
        retired: Timestamp::default(),
    };
    loop {
        publisher.turn().await?;
        publisher.wait(&mut events).await?;
    }
}

struct StatusListPublisher<'a> {
    signals: &'a Arc<Signals>,
    lists: StatusListSet,
    /// The event of the last receipt, and when it was given.
    acknowledged: Option<(u64, Timestamp)>,
    looked: Timestamp,
    retired: Timestamp,
}

impl StatusListPublisher<'_> {
    async fn turn(&mut self) -> Result<(), PublishingInterruption> {
        let context = &self.signals.issuer().context;
        let now = context.now();
        // Nobody fills a list meanwhile.
        if now.since(self.looked) >= SIGN_OF_LIFE {
            begin_status_lists(self.signals).await?;
            if !self.signals.status_lists().order().is_some_and(|order| self.lists.is_of(&order)) {
                return Err(PublishingInterruption::Restarted);
            }
            self.lists.reach(context.ledger.status_head().await?.next);
            self.looked = now;
        }
        if now.since(self.retired) >= RETIREMENT {
            self.lists.retire(&context.ledger, now).await?;
            self.retired = now;
        }
        // What the ledger was not heard of cannot be called true at this moment. What is out holds to its end for whoever has
        // it; nobody is given it any more.
        if context.status.heard(now).is_none() {
            return Ok(());
        }
        if let Some(published) = self.lists.sign(self.signals.issuer(), now).await? {
            self.signals.status_lists().published.store(Arc::new(published));
        }
        self.acknowledge(now).await
    }

    /// All lists that this server gives contain the event.
    async fn acknowledge(&mut self, now: Timestamp) -> Result<(), PublishingInterruption> {
        let seq = self.lists.seq();
        let is_news = self.acknowledged.is_none_or(|(told, _)| told < seq);
        if is_news || self.acknowledged.is_some_and(|(_, at)| now.since(at) >= SIGN_OF_LIFE) {
            self.signals.issuer().context.acknowledge(ServerSurface::StatusList, seq).await?;
            self.acknowledged = Some((seq, now));
        }
        Ok(())
    }

    /// Events that came together are signed together.
    async fn wait(&mut self, events: &mut Receiver<Arc<Event>>) -> Result<(), PublishingInterruption> {
        let Ok(first) = timeout(LOOK, events.recv()).await else { return Ok(()) };
        let mut next = first.map_err(|_: RecvError| PublishingInterruption::Missed)?;
        loop {
            self.lists.apply(&next, &self.signals.issuer().context.ledger).await?;
            next = match events.try_recv() {
                Ok(event) => event,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Closed | TryRecvError::Lagged(_)) => {
                    return Err(PublishingInterruption::Missed);
                }
            };
        }
    }
}
