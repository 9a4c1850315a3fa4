//! Push delivery to one receiver (RFC 8935): one token under way at a time, so that order holds.

use super::signing::{SignedEvent, of_notice, tokens_for};
use super::stream_events::{self, StreamEvent};
use super::{EventPusher, EventStream, PushOutcome};
use crate::issuer::SignalIssuer;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::security_event::StreamStatus;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{DeliveryOutcome, LedgerError, ReceiverPosition, ReceiverRow};
use tokio::time::{sleep, timeout};

/// How long a server keeps the right to send without renewing it. Longer than [`LIMIT`] for each token of one change.
const LEASE: Duration = Duration::from_secs(30);

/// How long a receiver may take for one token.
const LIMIT: Duration = Duration::from_secs(10);

/// How often the cache is asked for news.
const LOOK: Duration = Duration::from_millis(50);

/// How often the ledger is asked for issued certificates, which the cache knows nothing of.
const LOOK_FOR_ISSUED: Duration = Duration::from_millis(250);

/// Entries of the audit log without an issued certificate that are looked through again rather than noted.
const NOT_WORTH_NOTING: u64 = 1000;

/// How often the ledger is asked for what other processes ask for.
const PERIOD: Duration = Duration::from_secs(2);

/// From a first failure to the next attempt; doubled each time, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

pub(super) struct PushDelivery {
    issuer: Arc<SignalIssuer>,
    stream: Arc<EventStream>,
    push: Arc<dyn EventPusher>,
    /// Tells this process from others, and from itself before a restart.
    sender: String,
}

/// Why a round ended before everything was delivered.
#[derive(Debug, thiserror::Error)]
enum DeliveryHalt {
    /// The receiver did not take a token: how often in a row by now.
    #[error("the receiver takes nothing")]
    Failed(u32),
    /// Another process sends to it.
    #[error("another process sends")]
    Elsewhere,
    /// The stream does not flow any more.
    #[error("the stream was stopped")]
    Stopped,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("refused: {}", .0.code())]
    Refused(Refusal),
}

impl From<Refusal> for DeliveryHalt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl PushDelivery {
    pub(super) fn new(
        issuer: Arc<SignalIssuer>,
        stream: Arc<EventStream>,
        push: Arc<dyn EventPusher>,
    ) -> Self {
        let sender = base64url(&bytes::<12>(&*issuer.context.entropy));
        Self { issuer, stream, push, sender }
    }

    pub(super) async fn run(self) {
        loop {
            let id = self.id();
            let pause = match self.round().await {
                Ok(()) | Err(DeliveryHalt::Stopped) => continue,
                Err(DeliveryHalt::Elsewhere) => PERIOD,
                Err(DeliveryHalt::Failed(failures)) => pause_after(failures),
                Err(error) => {
                    tracing::error!(receiver = id, %error, "security events wait");
                    PERIOD
                }
            };
            sleep(pause).await;
        }
    }

    /// Waits for something to send, and sends all of it.
    async fn round(&self) -> Result<(), DeliveryHalt> {
        self.wait_for_news().await?;
        let mut row = self.claim().await?;
        for notice in self.issuer.context.ledger.notices(self.id()).await? {
            let number = notice.number;
            let token = of_notice(&self.stream.receiver, notice).sign(&self.issuer, &self.stream.receiver)?;
            self.send(&row, &token).await?;
            self.note(DeliveryOutcome::Noticed(number)).await?;
            row.failures = 0;
        }
        let mut place = row.place();
        while row.status() == StreamStatus::Enabled {
            let page = stream_events::after(&self.issuer.context.ledger, place).await?;
            for (stream_event, after) in &page.events {
                if self.tell(&row, stream_event).await? {
                    row.failures = 0;
                    self.note(DeliveryOutcome::Passed(*after)).await?;
                }
            }
            // Events that do not concern it are passed over in one step.
            if is_worth_noting(row.place(), page.place) {
                self.note(DeliveryOutcome::Passed(page.place)).await?;
            }
            if page.is_last {
                break;
            }
            place = page.place;
        }
        Ok(())
    }

    /// Whether there was anything to send.
    async fn tell(&self, row: &ReceiverRow, stream_event: &StreamEvent) -> Result<bool, DeliveryHalt> {
        let receiver = &self.stream.receiver;
        let unsigned = tokens_for(&self.issuer, receiver, stream_event).await?;
        if unsigned.is_empty() {
            return Ok(false);
        }
        // It may have been stopped since, here or by another process.
        let now = self.issuer.context.ledger.receiver(&receiver.id).await?;
        if now.is_none_or(|now| now.status() != StreamStatus::Enabled) {
            return Err(DeliveryHalt::Stopped);
        }
        for token in unsigned {
            self.send(row, &token.sign(&self.issuer, receiver)?).await?;
        }
        Ok(true)
    }

    async fn wait_for_news(&self) -> Result<(), DeliveryHalt> {
        let ledger = &self.issuer.context.ledger;
        loop {
            // Listened to from before the ledger is read, so that nothing falls in between.
            let mut stirred = pin!(self.stream.stirred.notified());
            let row = ledger.receiver(self.id()).await?;
            let Some(row) = row.filter(|row| row.waiting == 0) else { return Ok(()) };
            let mut waited = Duration::ZERO;
            while waited < PERIOD {
                let flows = row.status() == StreamStatus::Enabled;
                if flows && self.issuer.context.status.freshness().seq > row.seq() {
                    return Ok(());
                }
                if flows && row.place().issued.is_some() && self.has_issued(row.place()).await? {
                    return Ok(());
                }
                let look = if row.place().issued.is_some() { LOOK_FOR_ISSUED } else { LOOK };
                tokio::select! {
                    () = &mut stirred => break,
                    () = sleep(look) => waited += look,
                }
            }
        }
    }

    async fn has_issued(&self, place: ReceiverPosition) -> Result<bool, DeliveryHalt> {
        let page = stream_events::after(&self.issuer.context.ledger, place).await?;
        Ok(!page.events.is_empty() || is_worth_noting(place, page.place))
    }

    async fn claim(&self) -> Result<ReceiverRow, DeliveryHalt> {
        let now = self.now();
        let ledger = &self.issuer.context.ledger;
        let receiver = (self.id(), self.stream.receiver.issuance);
        let claimed = ledger.claim_receiver(receiver, &self.sender, now.plus(LEASE), now).await?;
        claimed.ok_or(DeliveryHalt::Elsewhere)
    }

    /// Returns when the receiver has it, or will never take it.
    async fn send(&self, row: &ReceiverRow, token: &SignedEvent) -> Result<(), DeliveryHalt> {
        let answer = timeout(LIMIT, self.push.push(&token.text)).await;
        let answer = answer.unwrap_or_else(|_| PushOutcome::Failed("no answer in time".into()));
        let (id, jti) = (self.id(), &token.jti);
        match answer {
            PushOutcome::Taken => Ok(()),
            PushOutcome::Rejected(why) => {
                tracing::warn!(receiver = id, jti, why, "a security event was rejected");
                self.note(DeliveryOutcome::Rejected(format!("{jti}: {why}"))).await
            }
            PushOutcome::Failed(why) => {
                tracing::warn!(receiver = id, jti, why, "a security event could not be delivered");
                self.note(DeliveryOutcome::Failed(why)).await?;
                Err(DeliveryHalt::Failed(u32::try_from(row.failures + 1).unwrap_or(u32::MAX)))
            }
        }
    }

    async fn note(&self, delivery: DeliveryOutcome) -> Result<(), DeliveryHalt> {
        let now = self.now();
        let ours = (self.id(), &*self.sender);
        let noted = self.issuer.context.ledger.note_delivery(ours, delivery, now.plus(LEASE), now).await?;
        if noted { Ok(()) } else { Err(DeliveryHalt::Elsewhere) }
    }

    fn id(&self) -> &str {
        &self.stream.receiver.id
    }

    fn now(&self) -> Timestamp {
        self.issuer.context.now()
    }
}

/// Tokens are issued all the time, and each is an entry: a place is not written for every one of them.
pub(super) fn is_worth_noting(from: ReceiverPosition, to: ReceiverPosition) -> bool {
    let entries = to.issued.unwrap_or_default().saturating_sub(from.issued.unwrap_or_default());
    to.feed > from.feed || entries > NOT_WORTH_NOTING
}

fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_is_away_is_asked_ever_more_rarely_and_never_given_up() {
        let pauses: Vec<_> =
            [1, 2, 3, 10, 11, u32::MAX].map(pause_after).map(|pause| pause.as_millis()).into();
        assert_eq!(pauses, [500, 1000, 2000, 256_000, 300_000, 300_000]);
        assert!(LEASE > LIMIT * 2, "another process may not begin while this one waits for an answer");
    }

    #[test]
    fn traffic_that_is_nobody_s_business_is_not_written_down_entry_by_entry() {
        let at = |feed, issued| ReceiverPosition { feed, issued };
        assert!(is_worth_noting(at(1, None), at(2, None)));
        assert!(!is_worth_noting(at(1, Some(5)), at(1, Some(1005))));
        assert!(is_worth_noting(at(1, Some(5)), at(1, Some(1006))));
    }
}
