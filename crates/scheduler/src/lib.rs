//! The clock-driven pass over the ledger: who is due, what retires, what is given up.
//!
//! The pass has no input but time and is idempotent: run twice, or by two processes, it does the work of once. It
//! notifies nobody itself; whoever runs it reads the [`PassReport`].

use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::renewal::RenewalPolicy;
use tegata_storage::{DueRenewal, Ledger, Result};

/// After this time a reserved certificate is given up. Far longer than any honest issuing takes.
const ABANDON_AFTER: Duration = Duration::from_mins(10);

/// How long orders of ACME clients that came to nothing, and decided approvals, can still be asked about.
const FORGET_AFTER: Duration = Duration::from_hours(7 * 24);

/// What one pass found and did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PassReport {
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

/// Runs the pass at `now`.
pub async fn pass(ledger: &Ledger, policy: &RenewalPolicy, now: Timestamp) -> Result<PassReport> {
    let mut transaction = ledger.begin(now).await?;
    let retired = transaction.retire_due().await?;
    let abandoned = transaction.abandon_reserved(now.minus(ABANDON_AFTER)).await?;
    let forgotten = transaction.prune_families().await?;
    transaction.forget_acme(now.minus(FORGET_AFTER)).await?;
    transaction.forget_approvals(now.minus(FORGET_AFTER)).await?;
    transaction.commit().await?;
    let (due, overdue) = due(ledger, policy, now).await?;
    Ok(PassReport { retired, abandoned, forgotten, due, overdue })
}

/// Which devices should renew now, and which are too late. Changes nothing.
pub async fn due(
    ledger: &Ledger,
    policy: &RenewalPolicy,
    now: Timestamp,
) -> Result<(Vec<DueRenewal>, Vec<DueRenewal>)> {
    // The ledger is asked for what ends before the horizon; what ends in that very moment is due as well.
    let horizon = now.plus(policy.longest_notice()).plus(Duration::from_millis(1));
    let candidates = ledger.ending_before(horizon).await?;
    let (overdue, alive): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|due| due.not_after < now);
    let due = alive.into_iter().filter(|due| policy.due_at(due.not_before, due.not_after) <= now).collect();
    Ok((due, overdue))
}
