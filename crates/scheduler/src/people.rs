//! Who works where is looked at again, and accounts that nobody uses are suspended, where a tenant's policy says so.
//!
//! Exclusive to save work. Each step is a transaction of one tenant under the lock of all writers, and does only what is still
//! to be done.

use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Entropy, ReviewId, TenantId, Timestamp};
use tegata_storage::{Actor, Ledger, PeoplePolicy};

/// Days are what policies are made of.
const PERIOD: Duration = Duration::from_mins(10);

/// A tenant with thousands of accounts that nobody uses.
const LIMIT: Duration = Duration::from_mins(5);

/// Who does it, to the audit log.
const ACTOR: Actor = Actor::System("people");

/// Reviews of people, and accounts that nobody uses.
pub struct PeoplePass {
    ledger: Ledger,
    entropy: Arc<dyn Entropy>,
}

/// What a round has done, for all tenants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeopleRound {
    /// Reviews that were opened.
    pub opened: usize,
    /// Reviews in which nobody is left.
    pub closed: usize,
    /// Accounts that were suspended.
    pub suspended: usize,
    /// Accounts that nobody uses and that stay, because nobody else could administrate.
    pub kept: usize,
}

impl PeoplePass {
    /// A pass over this ledger.
    pub fn new(ledger: Ledger, entropy: Arc<dyn Entropy>) -> Self {
        Self { ledger, entropy }
    }

    /// Does what there is to do.
    ///
    /// # Errors
    /// The ledger cannot be read or written. What was done is done.
    pub async fn round(&self, now: Timestamp) -> Result<PeopleRound, PassError> {
        let mut round = PeopleRound::default();
        for (tenant, policy) in self.ledger.people_policies().await? {
            self.review(&tenant, &policy, now, &mut round).await?;
            self.suspend(&tenant, &policy, now, &mut round).await?;
        }
        Ok(round)
    }

    async fn review(
        &self,
        tenant: &TenantId,
        policy: &PeoplePolicy,
        now: Timestamp,
        round: &mut PeopleRound,
    ) -> Result<(), PassError> {
        let fresh = || ReviewId::random(self.entropy.as_ref());
        let mut transaction = self.ledger.begin(now).await?;
        let done = transaction.round_of_reviews(tenant, policy, &fresh, &ACTOR).await?;
        round.opened += done.opened;
        round.closed += done.closed;
        if done.opened + done.closed > 0 {
            transaction.commit().await?;
        }
        Ok(())
    }

    async fn suspend(
        &self,
        tenant: &TenantId,
        policy: &PeoplePolicy,
        now: Timestamp,
        round: &mut PeopleRound,
    ) -> Result<(), PassError> {
        if policy.unused_days.is_none() {
            return Ok(());
        }
        loop {
            let mut transaction = self.ledger.begin(now).await?;
            let done = transaction.suspend_unused(tenant, policy, &ACTOR).await?;
            round.suspended += done.suspended;
            if done.suspended > 0 {
                transaction.commit().await?;
            }
            if !done.is_more {
                round.kept += done.kept;
                return Ok(());
            }
        }
    }

    async fn once(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let round = self.round(now).await?;
        Ok(PassReport::nothing()
            .with("opened", round.opened)
            .with("closed", round.closed)
            .with("suspended", round.suspended)
            .with("kept", round.kept))
    }
}

impl Pass for PeoplePass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "people").exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
