//! Every CA has an OCSP responder, and a successor in time. Its key is in the memory of this server alone.

use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{IssuerSet, OcspResponders};
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};

const PERIOD: Duration = Duration::from_mins(1);

pub struct OcspRespondersPass {
    authorities: Arc<IssuerSet>,
    responders: Arc<OcspResponders>,
}

impl OcspRespondersPass {
    pub fn new(authorities: &Arc<IssuerSet>, responders: &Arc<OcspResponders>) -> Self {
        Self { authorities: authorities.clone(), responders: responders.clone() }
    }

    /// A CA that fails keeps no other from its responder.
    async fn appoint(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let mut failure = None;
        for authority in self.authorities.all() {
            if let Err(error) = self.responders.appoint(&authority, now).await {
                let issuer = authority.issuer().id();
                failure.get_or_insert(PassError::new(format!("no new OCSP responder of {issuer}: {error}")));
            }
        }
        failure.map_or(Ok(PassReport::nothing()), Err)
    }
}

impl Pass for OcspRespondersPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "ocsp-responders")
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.appoint(now))
    }
}
