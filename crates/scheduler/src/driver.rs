//! The life of one pass on one server: it waits for its lease, its time or its news, runs, and begins again.

use crate::environment::PassEnvironment;
use crate::pass::{Lease, Pass, Schedule};
use crate::run::{RunEnd, run_once};
use futures_util::FutureExt;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::entropy::{Entropy, bytes};
use tegata_storage::PassOutcome;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

/// From a failure to the next attempt, unless the period is shorter.
const RECOVERY: Duration = Duration::from_secs(1);

/// Runs in a row that fail before another server is let try.
const FAILURES: u32 = 3;

/// One pass and what is known of its last runs.
pub(crate) struct PassDriver {
    pass: Arc<dyn Pass>,
    schedule: Schedule,
    around: Arc<PassEnvironment>,
    /// Runs that failed in a row.
    failures: u32,
}

impl PassDriver {
    pub(crate) fn new(pass: Arc<dyn Pass>, around: Arc<PassEnvironment>) -> Self {
        Self { schedule: pass.schedule(), pass, around, failures: 0 }
    }

    /// Until the pass is not wanted any more.
    pub(crate) async fn drive(mut self) {
        let span = tracing::info_span!("pass", name = %self.schedule.name);
        async {
            self.begin();
            let mut due = Instant::now() + self.schedule.settling;
            while self.pass.is_wanted() {
                self.lease().await;
                if self.wait(due).await && self.pass.is_wanted() {
                    due = Instant::now() + self.turn().await;
                } else {
                    // Whoever takes over does at once what the other left undone.
                    due = Instant::now();
                }
            }
            self.end();
        }
        .instrument(span)
        .await;
    }

    fn begin(&self) {
        let now = self.around.clock.now();
        let exclusive = self.schedule.lease == Lease::Exclusive;
        let due_at = (!exclusive).then(|| now.plus(self.schedule.settling));
        self.around.records.add(&self.schedule, due_at);
        if exclusive {
            self.around.leases.want(&self.schedule.name);
        }
    }

    fn end(&self) {
        if self.schedule.lease == Lease::Exclusive {
            self.around.leases.let_go(&self.schedule.name);
        }
        self.around.records.remove(&self.schedule.name);
    }

    /// Until this server may do it.
    async fn lease(&self) {
        if self.schedule.lease == Lease::Exclusive {
            self.around.leases.held(&self.schedule.name).await;
        }
    }

    /// Until this server may not do it any more.
    async fn lost(&self) {
        match self.schedule.lease {
            Lease::None => pending().await,
            Lease::Exclusive => self.around.leases.lost(&self.schedule.name).await,
        }
    }

    /// Until it is time or there is news; false when the lease was lost before.
    async fn wait(&self, due: Instant) -> bool {
        // Whoever panics while they look for news is looked after at the next turn.
        let news = AssertUnwindSafe(async { self.pass.news().await }).catch_unwind();
        let news = async {
            if news.await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = self.lost() => {
                self.around.records.due(&self.schedule.name, None);
                false
            }
            () = sleep_until(due) => true,
            // After a failure nothing is hurried.
            () = news, if self.failures == 0 => true,
        }
    }

    /// One run. Gives how long to wait for the next.
    async fn turn(&mut self) -> Duration {
        let (name, around) = (&self.schedule.name, &self.around);
        let now = around.clock.now();
        around.records.started(name, now);
        let end = run_once(&*self.pass, now, self.schedule.limit, self.lost()).await;
        let at = around.clock.now();
        around.records.ended(name, &end, at);
        around.observer.ended(name, end.outcome, end.took, at);
        self.failures = if end.outcome.is_failure() { self.failures.saturating_add(1) } else { 0 };
        self.log(&end);
        let wait = self.pause(&end);
        self.around.records.due(&self.schedule.name, Some(at.plus(wait)));
        self.hand_over(&end);
        wait
    }

    fn pause(&self, end: &RunEnd) -> Duration {
        match end.outcome {
            PassOutcome::Done => jittered(self.schedule.period, &*self.around.entropy),
            PassOutcome::Interrupted => Duration::ZERO,
            PassOutcome::Failed | PassOutcome::TimedOut | PassOutcome::Panicked => {
                RECOVERY.min(self.schedule.period)
            }
        }
    }

    /// A server whose key does not answer, or that fails again and again, lets another one try.
    fn hand_over(&mut self, end: &RunEnd) {
        let fails = self.failures >= FAILURES || end.outcome == PassOutcome::TimedOut;
        if self.schedule.lease == Lease::Exclusive && fails {
            self.around.leases.stand_back(&self.schedule.name);
            self.around.records.due(&self.schedule.name, None);
        }
    }

    /// Each failure is counted; the log has the first, and then ever fewer.
    fn log(&self, end: &RunEnd) {
        let (took, counts) = (end.took.as_millis(), &end.report.counts);
        if end.outcome.is_failure() && self.failures.is_power_of_two() {
            let (pass, outcome) = (&self.schedule.name, end.outcome.as_str());
            let error = end.error.as_deref().unwrap_or_default();
            tracing::error!(
                pass,
                outcome,
                error,
                failures = self.failures,
                "a pass failed: it is tried again"
            );
        } else {
            let pass = &self.schedule.name;
            tracing::debug!(pass, outcome = end.outcome.as_str(), took, ?counts, "a pass has run");
        }
    }
}

/// The period or up to a tenth less, so that servers that started together do not do everything at the same moment.
fn jittered(period: Duration, entropy: &dyn Entropy) -> Duration {
    let chance = f64::from(u16::from_be_bytes(bytes(entropy))) / f64::from(u16::MAX);
    period.mul_f64(1.0 - chance / 10.0)
}

#[cfg(test)]
mod tests;
