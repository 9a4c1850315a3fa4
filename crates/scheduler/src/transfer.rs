//! Transfers of business, at their minute and with nobody awake.
//!
//! Exclusive to save work. Each step is a transaction that finds by itself what is still to be done, so two servers at once, or one
//! that dies over it and another that goes on, do the work of one.
//!
//! A clock that cannot be believed ([`clock`]) begins nothing, and what waits for that says so. What has begun goes on all the same.

mod clock;

pub use clock::DISTRUST;

use self::clock::{ClockSight, ClockTrust, ClockWatch};
use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::transfer::TransferState;
use tegata_core::{Entropy, Timestamp, TransferId};
use tegata_storage::{Actor, Ledger, TransferHold, TransferStep};
use tokio::time::Instant;

/// How long after its minute a transfer begins at the latest, while a server runs.
const PERIOD: Duration = Duration::from_secs(1);

/// A company with hundreds of sites. What is not done by then is done by the next run.
const LIMIT: Duration = Duration::from_mins(5);

const ACTOR: Actor = Actor::System("transfer");

/// Begins transfers and goes on with them.
pub struct TransferPass {
    ledger: Ledger,
    entropy: Arc<dyn Entropy>,
    watch: Mutex<ClockWatch>,
}

/// What a run has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransferRound {
    /// Steps that were done.
    pub steps: usize,
    /// Transfers that cannot begin though their minute has come.
    pub held: usize,
    /// Devices that have moved whose time to fetch their new certificate by the old one is over.
    pub closed: usize,
}

impl TransferPass {
    /// A pass over this ledger.
    pub fn new(ledger: Ledger, entropy: Arc<dyn Entropy>) -> Self {
        Self { ledger, entropy, watch: Mutex::default() }
    }

    /// Does what there is to do.
    ///
    /// # Errors
    /// The ledger cannot be read or written. What was done is done.
    pub async fn round(&self, now: Timestamp) -> Result<TransferRound, PassError> {
        let trust = self.look_at_the_clock(now).await?;
        let mut failed = None;
        let mut round = TransferRound::default();
        for (transfer, state) in self.ledger.transfers_due(now).await? {
            let worked = match (state, trust) {
                (TransferState::Running, _) | (_, ClockTrust::Trusted) => {
                    self.work_off(&transfer, now, &mut round).await
                }
                (_, ClockTrust::Listening) => continue,
                (_, ClockTrust::Doubted) => self.hold(&transfer, now, &mut round).await,
            };
            // One that fails holds up no other.
            if let Err(error) = worked {
                tracing::error!(%transfer, %error, "a transfer cannot go on");
                failed = Some(error);
            }
        }
        if trust == ClockTrust::Trusted {
            round.closed = self.close_windows(now).await?;
        }
        failed.map_or(Ok(round), Err)
    }

    async fn look_at_the_clock(&self, now: Timestamp) -> Result<ClockTrust, PassError> {
        let newest = self.ledger.newest_entry_at().await?;
        let signs = self.ledger.signs_of_life().await?;
        let sight = ClockSight { now, at: Instant::now(), newest, signs: &signs };
        Ok(self.watch.lock().unwrap_or_else(PoisonError::into_inner).look(&sight))
    }

    /// Says of one that would begin by this clock that it waits.
    async fn hold(
        &self,
        transfer: &TransferId,
        now: Timestamp,
        round: &mut TransferRound,
    ) -> Result<(), PassError> {
        let (mut transaction, hold) = (self.ledger.begin(now).await?, TransferHold::ClocksDiffer);
        if transaction.hold_transfer(transfer, hold).await? {
            transaction.commit().await?;
            warn(transfer, hold);
        }
        round.held += 1;
        Ok(())
    }

    /// Devices that have moved and did not fetch anything in their time are ended.
    async fn close_windows(&self, now: Timestamp) -> Result<usize, PassError> {
        let mut closed = 0;
        while self.ledger.has_ended_windows(now).await? {
            let mut transaction = self.ledger.begin(now).await?;
            let some = transaction.close_windows(&ACTOR).await?;
            transaction.commit().await?;
            if some == 0 {
                break;
            }
            closed += some;
        }
        Ok(closed)
    }

    /// One transfer, until there is nothing to do about it now.
    async fn work_off(
        &self,
        transfer: &TransferId,
        now: Timestamp,
        round: &mut TransferRound,
    ) -> Result<(), PassError> {
        loop {
            let mut transaction = self.ledger.begin(now).await?;
            match transaction.advance_transfer(transfer, self.entropy.as_ref(), &ACTOR).await? {
                TransferStep::Went => {
                    transaction.commit().await?;
                    round.steps += 1;
                }
                TransferStep::Held { hold, is_news } => {
                    if is_news {
                        transaction.commit().await?;
                        warn(transfer, hold);
                    }
                    round.held += 1;
                    return Ok(());
                }
                TransferStep::Rests => return Ok(()),
            }
        }
    }

    async fn once(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let round = self.round(now).await?;
        if round.steps > 0 {
            tracing::info!(steps = round.steps, "transfers went on");
        }
        Ok(PassReport::nothing()
            .with("steps", round.steps)
            .with("held", round.held)
            .with("closed", round.closed))
    }
}

fn warn(transfer: &TransferId, hold: TransferHold) {
    tracing::warn!(%transfer, why = hold.as_str(), "a transfer cannot begin though its minute has come");
}

impl Pass for TransferPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "transfer").exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
