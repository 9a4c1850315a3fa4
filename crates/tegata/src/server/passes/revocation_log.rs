//! What other servers have stopped is copied to this server's revocation log, so that it alone would do after a restore.

use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_web::ServerContext;

const PERIOD: Duration = Duration::from_secs(10);

pub struct RevocationLogPass {
    context: ServerContext,
}

impl RevocationLogPass {
    pub fn new(context: &ServerContext) -> Self {
        Self { context: context.clone() }
    }

    async fn copy(&self, now: Timestamp) -> Result<PassReport, PassError> {
        self.context.ledger.complete_log(now).await?;
        Ok(PassReport::nothing())
    }
}

impl Pass for RevocationLogPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "revocation-log")
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.copy(now))
    }
}
