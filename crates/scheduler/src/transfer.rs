//! Transfers of business, at their minute and with nobody awake.
//!
//! Exclusive to save work. Each step is a transaction that finds by itself what is still to be done, so two servers at once, or one
//! that dies over it and another that goes on, do the work of one.
//!
//! What is begun cannot be taken back, and so a clock that jumps ahead must not begin it. Between two runs the clock that people set
//! and the one that nobody sets go on alike; where they do not, nothing is begun for [`DISTRUST`], in which somebody or a time server
//! may set it right. What has begun goes on all the same.

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

/// A clock that was set by more than this has jumped.
const JUMP: Duration = Duration::from_mins(2);

/// For so long nobody may have written to a ledger whose servers are well: the canary and passes do, far more often.
const SILENCE: Duration = Duration::from_hours(1);

/// For how long nothing is begun after a jump.
pub const DISTRUST: Duration = Duration::from_mins(3);

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
}

/// Compares the clock that is set with the one that is not.
#[derive(Default)]
struct ClockWatch {
    last: Option<(Timestamp, Instant)>,
    distrusted_until: Option<Instant>,
    /// By how much it jumped ahead the last time.
    ahead_by: Duration,
}

impl ClockWatch {
    /// Whether something may be begun at `now`. At first sight there is nothing to compare with but `newest`, when the ledger was last
    /// written to: a clock far ahead of that may be wrong, or nobody wrote for long. Set right is a clock that jumped as far back.
    fn trusts(&mut self, now: Timestamp, newest: Option<Timestamp>, at: Instant) -> bool {
        let former = self.last.replace((now, at));
        let expected = former.map(|(clock, instant)| clock.plus(at.saturating_duration_since(instant)));
        let ahead = match (expected, newest) {
            (Some(expected), _) => now.since(expected),
            (None, Some(newest)) => now.since(newest).saturating_sub(SILENCE),
            (None, None) => Duration::ZERO,
        };
        if ahead > JUMP {
            tracing::warn!("the clock may be ahead: no transfer begins before it has stayed so for a while");
            self.distrusted_until = Some(at + DISTRUST);
            self.ahead_by = ahead;
        }
        let back = expected.map_or(Duration::ZERO, |expected| expected.since(now));
        if back > JUMP && back + JUMP >= self.ahead_by {
            self.distrusted_until = None;
        }
        self.distrusted_until.is_none_or(|until| until <= at)
    }
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
        let newest = self.ledger.newest_entry_at().await?;
        let may_begin =
            self.watch.lock().unwrap_or_else(PoisonError::into_inner).trusts(now, newest, Instant::now());
        let mut failed = None;
        let mut round = TransferRound::default();
        for (transfer, state) in self.ledger.transfers_due(now).await? {
            if state == TransferState::Running || may_begin {
                // One that fails holds up no other.
                if let Err(error) = self.work_off(&transfer, now, &mut round).await {
                    tracing::error!(%transfer, %error, "a transfer cannot go on");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(round), Err)
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
        Ok(PassReport::nothing().with("steps", round.steps).with("held", round.held))
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    /// The ledger was written to a moment ago.
    const FRESH: Option<Timestamp> = Some(NOW);

    #[test]
    fn a_clock_that_jumps_ahead_begins_nothing_for_a_while() {
        let (mut watch, start) = (ClockWatch::default(), Instant::now());
        assert!(watch.trusts(NOW, FRESH, start));
        assert!(watch.trusts(NOW.plus(SECOND), FRESH, start + SECOND));
        let ahead = NOW.plus(Duration::from_hours(24));
        assert!(!watch.trusts(ahead, FRESH, start + SECOND * 2));
        assert!(!watch.trusts(ahead.plus(SECOND), FRESH, start + SECOND * 3));
        assert!(
            watch.trusts(ahead.plus(DISTRUST), FRESH, start + SECOND * 2 + DISTRUST),
            "it stays so: it is right"
        );
    }

    #[test]
    fn only_a_clock_that_is_set_right_again_is_trusted() {
        let (mut watch, start) = (ClockWatch::default(), Instant::now());
        assert!(watch.trusts(NOW, FRESH, start));
        let ahead = NOW.plus(Duration::from_hours(1));
        assert!(!watch.trusts(ahead, FRESH, start + SECOND));
        assert!(
            !watch.trusts(ahead.minus(Duration::from_mins(5)), FRESH, start + SECOND * 2),
            "55 minutes are left"
        );
        let (mut watch, start) = (ClockWatch::default(), Instant::now());
        assert!(watch.trusts(NOW, FRESH, start));
        assert!(!watch.trusts(ahead, FRESH, start + SECOND));
        assert!(watch.trusts(NOW.plus(SECOND * 2), FRESH, start + SECOND * 2));
    }

    #[test]
    fn a_machine_that_starts_with_a_clock_far_ahead_of_its_ledger_waits() {
        let (mut watch, start) = (ClockWatch::default(), Instant::now());
        let ahead = NOW.plus(Duration::from_hours(24 * 30));
        assert!(!watch.trusts(ahead, FRESH, start));
        assert!(!watch.trusts(ahead.plus(SECOND), FRESH, start + SECOND));
        assert!(ClockWatch::default().trusts(ahead, None, start), "a new ledger has nothing to say");
    }

    #[test]
    fn a_pass_that_rested_for_hours_trusts_a_clock_that_went_on() {
        let (mut watch, start) = (ClockWatch::default(), Instant::now());
        let later = Duration::from_hours(9);
        assert!(watch.trusts(NOW, FRESH, start) && watch.trusts(NOW.plus(later), FRESH, start + later));
    }
}
