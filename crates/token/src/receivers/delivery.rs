//! One receiver's courier: one token under way at a time, so that order holds.

use super::signing::{Signed, tokens_for, verification};
use super::{Pushed, Receiver};
use crate::tokens::Tokens;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::encoding::base64url;
use tegata_core::entropy::bytes;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{Delivery, LedgerError, ReceiverRow};
use tokio::time::{sleep, timeout};

/// How long the right to send is kept without a word. Longer than [`LIMIT`] for each token of one change.
const LEASE: Duration = Duration::from_secs(30);

/// How long a receiver may take for one token.
const LIMIT: Duration = Duration::from_secs(10);

/// How often the memory is asked for news.
const LOOK: Duration = Duration::from_millis(50);

/// How often the ledger is, for what other processes ask for.
const PERIOD: Duration = Duration::from_secs(2);

/// From a first failure to the next attempt; doubled each time, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

pub(super) struct Courier {
    tokens: Arc<Tokens>,
    receiver: Receiver,
    /// Tells this process from others, and from itself before a restart.
    sender: String,
}

/// Why a round ended before everything was delivered.
#[derive(Debug, thiserror::Error)]
enum Halt {
    /// The receiver did not take a token: how often in a row by now.
    #[error("the receiver takes nothing")]
    Failed(u32),
    /// Another process sends to it.
    #[error("another process sends")]
    Elsewhere,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("refused: {}", .0.code())]
    Refused(Refusal),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Courier {
    pub(super) fn new(tokens: Arc<Tokens>, receiver: Receiver) -> Self {
        let sender = base64url(&bytes::<12>(&*tokens.context.entropy));
        Self { tokens, receiver, sender }
    }

    pub(super) async fn run(self) {
        loop {
            let id = &self.receiver.id;
            let pause = match self.round().await {
                Ok(()) => continue,
                Err(Halt::Elsewhere) => PERIOD,
                Err(Halt::Failed(failures)) => pause_after(failures),
                Err(error) => {
                    tracing::error!(receiver = id, %error, "security events wait");
                    PERIOD
                }
            };
            sleep(pause).await;
        }
    }

    /// Waits for something to send, and sends all of it.
    async fn round(&self) -> Result<(), Halt> {
        self.wait_for_news().await?;
        let mut row = self.claim().await?;
        if let Some(state) = &row.verification {
            let token = verification(&self.tokens, &self.receiver, state)?;
            self.send(&row, &token).await?;
            self.note(Delivery::Verified).await?;
            row.failures = 0;
        }
        let mut passed = row.seq();
        loop {
            let events = self.tokens.context.ledger.feed_after(passed).await?;
            if events.is_empty() {
                return Ok(());
            }
            for event in &events {
                let tokens = tokens_for(&self.tokens, &self.receiver, event).await?;
                for token in &tokens {
                    self.send(&row, token).await?;
                    row.failures = 0;
                }
                passed = event.seq;
                if !tokens.is_empty() {
                    self.note(Delivery::Passed(passed)).await?;
                }
            }
            // What is none of its business is passed over in one step.
            self.note(Delivery::Passed(passed)).await?;
        }
    }

    async fn wait_for_news(&self) -> Result<(), Halt> {
        loop {
            let row = self.tokens.context.ledger.receiver(&self.receiver.id).await?;
            let Some(row) = row.filter(|row| row.verification.is_none()) else { return Ok(()) };
            let mut waited = Duration::ZERO;
            while waited < PERIOD {
                if self.tokens.context.status.freshness().seq > row.seq() {
                    return Ok(());
                }
                sleep(LOOK).await;
                waited += LOOK;
            }
        }
    }

    async fn claim(&self) -> Result<ReceiverRow, Halt> {
        let now = self.now();
        let ledger = &self.tokens.context.ledger;
        let claimed = ledger.claim_receiver(&self.receiver.id, &self.sender, now.plus(LEASE), now).await?;
        claimed.ok_or(Halt::Elsewhere)
    }

    /// Returns when the receiver has it, or will never take it.
    async fn send(&self, row: &ReceiverRow, token: &Signed) -> Result<(), Halt> {
        let answer = timeout(LIMIT, self.receiver.push.push(&token.text)).await;
        let answer = answer.unwrap_or_else(|_| Pushed::Failed("no answer in time".into()));
        let (id, jti) = (&self.receiver.id, &token.jti);
        match answer {
            Pushed::Taken => Ok(()),
            Pushed::Rejected(why) => {
                tracing::warn!(receiver = id, jti, why, "a security event was rejected");
                self.note(Delivery::Rejected(format!("{jti}: {why}"))).await
            }
            Pushed::Failed(why) => {
                tracing::warn!(receiver = id, jti, why, "a security event could not be delivered");
                self.note(Delivery::Failed(why)).await?;
                Err(Halt::Failed(u32::try_from(row.failures + 1).unwrap_or(u32::MAX)))
            }
        }
    }

    async fn note(&self, delivery: Delivery) -> Result<(), Halt> {
        let now = self.now();
        let ours = (&*self.receiver.id, &*self.sender);
        let noted = self.tokens.context.ledger.note_delivery(ours, delivery, now.plus(LEASE), now).await?;
        if noted { Ok(()) } else { Err(Halt::Elsewhere) }
    }

    fn now(&self) -> Timestamp {
        self.tokens.context.now()
    }
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
}
