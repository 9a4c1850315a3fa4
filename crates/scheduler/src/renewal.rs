//! The renewal pass: what retires, what is given up, and how many are due.
//!
//! Exclusive to save work. Each of its statements moves only rows that are still in the state it is about, so two servers at once
//! do the work of one. What is due is told by [`NoticePass`](crate::NoticePass); this one counts it, for the log and the state of
//! the pass.

use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use crate::plan::{DueCounts, count_due, plan};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::renewal::RenewalPolicy;
use tegata_storage::{DueRenewal, Ledger, Principal, Result, ScopedLedger};

/// After this time a reserved certificate is given up. Far longer than any honest issuing takes.
const ABANDON_AFTER: Duration = Duration::from_mins(10);

/// How long orders of ACME clients that came to nothing, and decided approvals, can still be asked about.
const FORGET_AFTER: Duration = Duration::from_hours(7 * 24);

/// How often it is done.
const PERIOD: Duration = Duration::from_mins(1);

/// How often what is due is counted: days are what it is made of, and it reads a row of each device that is due.
const RECOUNT: Duration = Duration::from_mins(10);

/// [`retire`] once a minute, and [`count_due`] now and then.
pub struct RenewalPass {
    ledger: Ledger,
    policy: RenewalPolicy,
    counted: Mutex<Option<(Timestamp, DueCounts)>>,
}

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RetirementReport {
    /// Old generations whose grace had ended: they are refused from now on.
    pub retired: usize,
    /// Certificates that were reserved and never completed: on the CRL from now on.
    pub abandoned: usize,
    /// Families of refresh tokens that were over: forgotten.
    pub forgotten: usize,
}

/// Retires, gives up and forgets what it is time for.
pub async fn retire(ledger: &Ledger, now: Timestamp) -> Result<RetirementReport> {
    let mut transaction = ledger.begin(now).await?;
    let retired = transaction.retire_due().await?;
    let abandoned = transaction.abandon_reserved(now.minus(ABANDON_AFTER)).await?;
    let forgotten = transaction.prune_families().await?;
    transaction.forget_acme(now.minus(FORGET_AFTER)).await?;
    transaction.forget_approvals(now.minus(FORGET_AFTER)).await?;
    transaction.forget_ended_sign_ins().await?;
    transaction.forget_authorizations().await?;
    transaction.commit().await?;
    Ok(RetirementReport { retired, abandoned, forgotten })
}

/// Which devices should renew now, by the rules of their places, and which are too late. Changes nothing.
pub async fn due(
    ledger: &Ledger,
    policy: &RenewalPolicy,
    now: Timestamp,
) -> Result<(Vec<DueRenewal>, Vec<DueRenewal>)> {
    let (planned, overdue) = plan(&everything(ledger), policy, now, now).await?;
    let mut due: Vec<_> = planned.into_iter().map(|planned| planned.certificate).collect();
    due.sort_by_key(|certificate| certificate.not_after);
    Ok((due, overdue))
}

/// How many devices should renew now, and how many are too late.
pub async fn due_counts(ledger: &Ledger, policy: &RenewalPolicy, now: Timestamp) -> Result<DueCounts> {
    count_due(&everything(ledger), policy, now).await
}

pub(crate) fn everything(ledger: &Ledger) -> ScopedLedger {
    ledger.within(Principal::system("renewal").scope())
}

impl RenewalPass {
    /// A pass over this ledger by these rules.
    pub fn new(ledger: Ledger, policy: RenewalPolicy) -> Self {
        Self { ledger, policy, counted: Mutex::default() }
    }

    async fn once(&self, now: Timestamp) -> std::result::Result<PassReport, PassError> {
        let RetirementReport { retired, abandoned, forgotten } = retire(&self.ledger, now).await?;
        let DueCounts { due, overdue } = self.counts(now).await?;
        // Worth a line when something was done.
        if retired + abandoned > 0 {
            tracing::info!(retired, abandoned, due, overdue, "renewal pass");
        }
        Ok(PassReport::nothing()
            .with("retired", retired)
            .with("abandoned", abandoned)
            .with("forgotten", forgotten)
            .with("due", due)
            .with("overdue", overdue))
    }

    async fn counts(&self, now: Timestamp) -> Result<DueCounts> {
        let known = *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counts)) = known.filter(|(at, _)| *at <= now && now.since(*at) < RECOUNT) {
            return Ok(counts);
        }
        let counts = due_counts(&self.ledger, &self.policy, now).await?;
        if counts.due + counts.overdue > 0 {
            tracing::info!(due = counts.due, overdue = counts.overdue, "renewals");
        }
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, counts));
        Ok(counts)
    }
}

impl Pass for RenewalPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "renewal").exclusive().within(Duration::from_mins(5))
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, std::result::Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
