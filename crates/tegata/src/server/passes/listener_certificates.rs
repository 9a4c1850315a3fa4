//! What the server's own CA signed for the listeners is renewed before it ends. The files that this writes are noticed as everybody
//! else's.

use crate::server::Server;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_installation::{Config, KeyRing, SystemContext, server_certificates};
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tokio::task::spawn_blocking;

const PERIOD: Duration = Duration::from_hours(1);

pub struct ListenerCertificatesPass {
    owned: Arc<RenewalInputs>,
}

struct RenewalInputs {
    config: Config,
    ring: Arc<KeyRing>,
    system: SystemContext,
}

impl ListenerCertificatesPass {
    pub fn new(server: &Server) -> Self {
        let system =
            SystemContext { clock: server.context.clock.clone(), entropy: server.context.entropy.clone() };
        let (config, ring) = (server.config.clone(), server.ring.clone());
        Self { owned: Arc::new(RenewalInputs { config, ring, system }) }
    }

    /// Making keys takes its time.
    async fn renew(&self) -> Result<PassReport, PassError> {
        let owned = self.owned.clone();
        let renew = move || server_certificates::renew_due(&owned.config, &owned.ring, &owned.system);
        spawn_blocking(renew).await.map_err(PassError::new)?.map_err(PassError::new)?;
        Ok(PassReport::nothing())
    }
}

impl Pass for ListenerCertificatesPass {
    /// The start has renewed what was due then.
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "listener-certificates").after(PERIOD)
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.renew())
    }
}
