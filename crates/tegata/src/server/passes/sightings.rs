//! What this server keeps in memory between two turns: on which day devices were seen and how many were refused is written down,
//! and denials that have ended are forgotten.

use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_web::ServerContext;

const PERIOD: Duration = Duration::from_mins(1);

pub struct SightingsPass {
    context: ServerContext,
}

impl SightingsPass {
    pub fn new(context: &ServerContext) -> Self {
        Self { context: context.clone() }
    }

    /// One that fails keeps the other from nothing.
    async fn write(&self, now: Timestamp) -> Result<PassReport, PassError> {
        self.context.status.forget(now);
        let sightings = self.context.status.write_sightings(now).await;
        self.context.ledger.write_refusals(now, false).await?;
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
