//! Lists of invitations that registered clients sent are worked off: those of this server at once, those that another received, or
//! left behind, within two seconds. Not exclusive, because whoever received a list need not wait for another server to look.

use std::time::Duration;
use tegata_core::Timestamp;
use tegata_enroll::BulkInvitations;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};

const PERIOD: Duration = Duration::from_secs(2);

/// A long list is gone on with by the next run.
const LIMIT: Duration = Duration::from_mins(5);

pub struct InvitationListsPass {
    bulk: BulkInvitations,
}

impl InvitationListsPass {
    pub fn new(bulk: &BulkInvitations) -> Self {
        Self { bulk: bulk.clone() }
    }

    async fn work_off(&self) -> Result<PassReport, PassError> {
        let lists = self.bulk.work_off().await;
        lists.map(|lists| PassReport::nothing().with("lists", lists)).map_err(|refusal| {
            PassError::new(format!("a list of invitations is not worked off yet: {}", refusal.code()))
        })
    }
}

impl Pass for InvitationListsPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "invitation-lists").within(LIMIT)
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.work_off())
    }

    fn news(&self) -> PassFuture<'_, ()> {
        Box::pin(self.bulk.received())
    }
}
