//! The renewal pass: who is due, what retires, what is given up.
//!
//! Exclusive to save work. Each of its statements moves only rows that are still in the state it is about, so two servers at once
//! do the work of one. It notifies nobody; the log and the state of the pass say what it found.

use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use crate::plan::plan;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::renewal::RenewalPolicy;
use tegata_storage::{DueRenewal, Ledger, Principal, Result};

/// After this time a reserved certificate is given up. Far longer than any honest issuing takes.
const ABANDON_AFTER: Duration = Duration::from_mins(10);

/// How long orders of ACME clients that came to nothing, and decided approvals, can still be asked about.
const FORGET_AFTER: Duration = Duration::from_hours(7 * 24);

/// How often it is done.
const PERIOD: Duration = Duration::from_mins(1);

/// [`renew`], once a minute.
pub struct RenewalPass {
    ledger: Ledger,
    policy: RenewalPolicy,
}

/// What a run found and did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RenewalReport {
    /// Old generations whose grace had ended: they are refused from now on.
    pub retired: usize,
    /// Certificates that were reserved and never completed: on the CRL from now on.
    pub abandoned: usize,
    /// Families of refresh tokens that were over: forgotten.
    pub forgotten: usize,
    /// Newest certificates that should be renewed now, the most urgent first.
    pub due: Vec<DueRenewal>,
    /// Newest certificates that ended without a successor, the oldest first: these devices are locked out and need a
    /// new invitation.
    pub overdue: Vec<DueRenewal>,
}

/// Retires, gives up and forgets what it is time for, and finds who is due.
pub async fn renew(ledger: &Ledger, policy: &RenewalPolicy, now: Timestamp) -> Result<RenewalReport> {
    let mut transaction = ledger.begin(now).await?;
    let retired = transaction.retire_due().await?;
    let abandoned = transaction.abandon_reserved(now.minus(ABANDON_AFTER)).await?;
    let forgotten = transaction.prune_families().await?;
    transaction.forget_acme(now.minus(FORGET_AFTER)).await?;
    transaction.forget_approvals(now.minus(FORGET_AFTER)).await?;
    transaction.forget_ended_sign_ins().await?;
    transaction.forget_authorizations().await?;
    transaction.commit().await?;
    let (due, overdue) = due(ledger, policy, now).await?;
    Ok(RenewalReport { retired, abandoned, forgotten, due, overdue })
}

/// Which devices should renew now, by the rules of their places, and which are too late. Changes nothing.
pub async fn due(
    ledger: &Ledger,
    policy: &RenewalPolicy,
    now: Timestamp,
) -> Result<(Vec<DueRenewal>, Vec<DueRenewal>)> {
    let everything = ledger.within(Principal::system("renewal").scope());
    let (planned, overdue) = plan(&everything, policy, now, now).await?;
    let mut due: Vec<_> = planned.into_iter().map(|planned| planned.certificate).collect();
    due.sort_by_key(|certificate| certificate.not_after);
    Ok((due, overdue))
}

impl RenewalPass {
    /// A pass over this ledger by these rules.
    pub fn new(ledger: Ledger, policy: RenewalPolicy) -> Self {
        Self { ledger, policy }
    }

    async fn once(&self, now: Timestamp) -> std::result::Result<PassReport, PassError> {
        let report = renew(&self.ledger, &self.policy, now).await?;
        let (due, overdue) = (report.due.len(), report.overdue.len());
        // Worth a line when somebody may have to act on it, or something was done.
        if report.retired + report.abandoned + due + overdue > 0 {
            tracing::info!(
                retired = report.retired,
                abandoned = report.abandoned,
                due,
                overdue,
                "renewal pass"
            );
        }
        Ok(PassReport::nothing()
            .with("retired", report.retired)
            .with("abandoned", report.abandoned)
            .with("forgotten", report.forgotten)
            .with("due", due)
            .with("overdue", overdue))
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
