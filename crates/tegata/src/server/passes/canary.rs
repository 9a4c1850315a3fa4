//! The canary's rounds, and a look whether clients find the listeners by their names. Each server has a canary of its own, with a
//! device of its own, because each is to know of its own listeners.

use crate::server::canary::{Canary, RevokedWitness};
use crate::server::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tokio::sync::Mutex;

/// From the start of the server to the first round: its listeners answer by then.
const SETTLING: Duration = Duration::from_secs(2);

/// What a round may take besides the deadline of its listeners.
const LIMIT: Duration = Duration::from_mins(2);

pub struct CanaryPass {
    canary: Canary,
    /// What was revoked in earlier rounds and has not expired.
    kept: Mutex<Vec<RevokedWitness>>,
}

impl CanaryPass {
    pub fn new(canary: Canary) -> Self {
        Self { canary, kept: Mutex::default() }
    }

    async fn round(&self) -> Result<PassReport, PassError> {
        let mut kept = self.kept.lock().await;
        // An alarm is what the pass is for, not a failure of it: the log and the metrics say what is wrong.
        let alarms = self.canary.round(&mut kept).await;
        Ok(PassReport::nothing().with("alarms", alarms))
    }
}

impl Pass for CanaryPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(self.canary.period, "canary").after(SETTLING).within(LIMIT + self.canary.deadline)
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.round())
    }
}

/// Says of a name that does not resolve on this machine that it does not. A new installation is often started before its DNS.
pub struct ListenerNamesPass {
    hosts: Vec<String>,
    metrics: Arc<Metrics>,
    period: Duration,
    grace: Duration,
}

impl ListenerNamesPass {
    pub fn new(canary: &Canary) -> Self {
        let Canary { hosts, metrics, period, grace, .. } = canary;
        Self { hosts: hosts.clone(), metrics: metrics.clone(), period: *period, grace: *grace }
    }

    async fn look(&self) -> Result<PassReport, PassError> {
        let mut unresolved = 0;
        for name in &self.hosts {
            if !crate::resolver::resolves(name).await {
                unresolved += 1;
                self.metrics.canary_failures.get_or_create(&vec![("step", "name".into())]).inc();
                tracing::warn!(
                    name,
                    "this name of a listener does not resolve on this machine. Mend DNS, or name it in /etc/hosts; \
                     revocation does not depend on it"
                );
            }
        }
        Ok(PassReport::nothing().with("unresolved", unresolved))
    }
}

impl Pass for ListenerNamesPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(self.period, "listener-names").after(self.grace)
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.look())
    }
}
