//! What this server keeps in memory between two turns: on which day devices were seen and how many were refused is written down,
//! and denials that have ended are forgotten.

use crate::server::refusal_counter::RefusalCounter;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_web::ServerContext;

const PERIOD: Duration = Duration::from_mins(1);

pub struct SightingsPass {
    context: ServerContext,
    refusals: Arc<RefusalCounter>,
}

impl SightingsPass {
    pub fn new(context: &ServerContext, refusals: &Arc<RefusalCounter>) -> Self {
        Self { context: context.clone(), refusals: refusals.clone() }
    }

    /// One that fails keeps the others from nothing.
    async fn write(&self, now: Timestamp) -> Result<PassReport, PassError> {
        self.context.status.forget(now);
        let sightings = self.context.status.write_sightings(now).await;
        let counted = self.refusals.write(&self.context.ledger, now).await;
        self.context.ledger.write_refusals(now, false).await?;
        counted?;
        sightings?;
        Ok(PassReport::nothing())
    }
}

impl Pass for SightingsPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "sightings")
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.write(now))
    }
}
