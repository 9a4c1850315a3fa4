//! Clock-driven work of several servers: who may do what one does at a time, and what became of it.
//!
//! A lease always ends: whoever holds it renews it or loses it. Times are those of the holder's clock. Where two clocks differ,
//! a lease is taken over by as much too early or too late, and one from a clock that was far ahead binds nobody. So a lease
//! saves work and does not protect data: every exclusive pass writes by statements that two at once cannot spoil.

mod lease;
mod state;

pub use lease::PassLease;
pub use state::{PassOutcome, PassState};

use crate::group_commit::Operation;
use crate::{Result, Transaction};
use tegata_core::{ServerId, Timestamp};

/// What a server says of its passes, in one transaction: which leases it renews, wants or gives back, and what became of its
/// runs. Gives the leases that it has from now on, of those it asked for.
#[derive(Clone, Debug)]
pub struct ReportPasses {
    /// The server that says it.
    pub server: ServerId,
    /// Leases that it has and keeps, or would like to have.
    pub wanted: Vec<String>,
    /// Leases that it gives back.
    pub released: Vec<String>,
    /// Until when it has what it gets.
    pub until: Timestamp,
    /// What became of its runs, where there is news.
    pub states: Vec<PassState>,
    /// Passes of its that have ended for good.
    pub forgotten: Vec<String>,
    /// The time of its clock.
    pub at: Timestamp,
}

/// A server that stops in order: others need not wait for the end of its leases.
#[derive(Clone, Debug)]
pub struct LeavePasses {
    /// The server that stops.
    pub server: ServerId,
    /// The time of its clock.
    pub at: Timestamp,
}

impl Operation for ReportPasses {
    type Output = Vec<String>;

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<Vec<String>> {
        for name in &self.released {
            transaction.release_lease(&self.server, name).await?;
        }
        let granted = transaction.take_leases(&self.server, &self.wanted, self.until, self.at).await?;
        transaction.write_pass_states(&self.server, &self.states, self.at).await?;
        for name in &self.forgotten {
            transaction.forget_pass_state(&self.server, name).await?;
        }
        Ok(granted)
    }
}

impl Operation for LeavePasses {
    type Output = ();

    fn now(&self) -> Timestamp {
        self.at
    }

    async fn apply(&self, transaction: &mut Transaction) -> Result<()> {
        transaction.release_all_leases(&self.server).await?;
        transaction.forget_pass_states_of(&self.server).await
    }
}
