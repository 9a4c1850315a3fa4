//! SCEP registrars have successors in time. They lie sealed in the ledger, where the first server that makes one wins.

use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{IssuerSet, Registrars};
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};

const PERIOD: Duration = Duration::from_hours(1);

pub struct ScepRegistrarsPass {
    authorities: Arc<IssuerSet>,
    registrars: Arc<Registrars>,
}

impl ScepRegistrarsPass {
    pub fn new(authorities: &Arc<IssuerSet>, registrars: &Arc<Registrars>) -> Self {
        Self { authorities: authorities.clone(), registrars: registrars.clone() }
    }

    /// A CA that fails keeps no other from its registrar.
    async fn succeed(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let mut failure = None;
        for authority in self.authorities.all() {
            if let Err(error) = self.registrars.succeed(&authority, now).await {
                let issuer = authority.issuer().id();
                failure.get_or_insert(PassError::new(format!("no new SCEP registrar of {issuer}: {error}")));
            }
        }
        failure.map_or(Ok(PassReport::nothing()), Err)
    }
}

impl Pass for ScepRegistrarsPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "scep-registrars").within(Duration::from_mins(2))
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.succeed(now))
    }
}
