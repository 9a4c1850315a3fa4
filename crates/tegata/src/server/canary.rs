//! The canary: a device of the system's own that is enrolled, works, and is stopped, again and again, from outside.
//!
//! It uses the endpoints as every client does and measures how long each takes to refuse what was revoked: the
//! token endpoint, introspection, OCSP, the published list, and each connected gate. Whatever misses its deadline, or
//! leaves its list before it expires, is an alarm: an error in the log and a number that monitoring watches. It never
//! makes the server unready, because then nobody would be served. It asks at the listeners of its own server, whatever their
//! names lead to: of several servers, each knows of itself.

mod answers;
mod device;
mod own_listeners;
mod place;
mod round;
mod trust;

use crate::server::Server;
use crate::server::listeners::Listeners;
use crate::server::metrics::Metrics;
use own_listeners::OwnListeners;
pub use round::RevokedWitness;
use round::{CanaryMeasurement, CanaryRound};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::HttpOrigin;
use tegata_installation::Failure;
use tegata_web::ServerContext;
use trust::CanaryTrust;

/// Certificates whose place on the list is looked after.
const KEPT: usize = 64;

/// What the canary needs.
pub struct Canary {
    pub context: ServerContext,
    pub metrics: Arc<Metrics>,
    /// What verifies the HTTPS listeners.
    pub trust: CanaryTrust,
    /// Where it asks: each server its own listeners, whatever the names lead to.
    pub own: OwnListeners,
    /// The names of the listeners, which clients look up.
    pub hosts: Vec<String>,
    pub period: Duration,
    /// How long after the start it is not said that a name does not resolve.
    pub grace: Duration,
    /// How long each endpoint may take to refuse.
    pub deadline: Duration,
}

/// How often, by default.
pub const EVERY_MINUTES: u32 = 15;

impl Canary {
    /// A canary of an installation; none when it flies every 0 minutes.
    pub fn of(
        server: &Server,
        metrics: &Arc<Metrics>,
        bound: &Listeners,
        minutes: u32,
    ) -> Result<Option<Self>, Failure> {
        if minutes == 0 {
            return Ok(None);
        }
        let config = &server.config;
        let mut hosts: Vec<_> = [&config.portal.url, &config.device.url, &config.public.url]
            .map(HttpOrigin::host)
            .map(str::to_owned)
            .into();
        hosts.dedup();
        Ok(Some(Self {
            context: server.context.clone(),
            metrics: metrics.clone(),
            trust: CanaryTrust::of(config),
            own: OwnListeners::of(bound)?,
            hosts,
            period: Duration::from_mins(minutes.into()),
            grace: Duration::from_secs(config.canary.grace_seconds.into()),
            deadline: Duration::from_secs(config.canary.deadline_seconds.into()),
        }))
    }

    /// One round: what was revoked now, and whether what was revoked before is still on its list. Gives how many alarms and
    /// faults there were.
    pub async fn round(&self, kept: &mut Vec<RevokedWitness>) -> usize {
        let mut round = CanaryRound::begin(self);
        let ended = Box::pin(round.run()).await;
        let mut faults = round.clear_up().await;
        let CanaryMeasurement { steps, late } = round.measured();
        for (step, took) in &steps {
            let labels = vec![("step", (*step).into())];
            self.metrics.canary_seconds.get_or_create(&labels).set(took.as_secs_f64());
        }
        let mut alarms: Vec<_> =
            late.into_iter().map(|step| (step, "it missed its deadline".to_owned())).collect();
        if let Err((step, failure)) = ended {
            faults.push((step, failure.to_string()));
        }
        alarms.extend(self.left_early(kept).await);
        kept.extend(round.into_kept());
        kept.drain(..kept.len().saturating_sub(KEPT));
        self.tell(&alarms, &faults, &steps);
        alarms.len() + faults.len()
    }

    /// What was revoked in earlier rounds and has not expired is still on its list.
    async fn left_early(&self, kept: &mut Vec<RevokedWitness>) -> Vec<(&'static str, String)> {
        let now = self.context.now();
        kept.retain(|one| one.not_after > now);
        let mut alarms = Vec::new();
        let lists: std::collections::BTreeSet<_> = kept.iter().map(|one| one.list.clone()).collect();
        for list in lists {
            let Some(named) = answers::listed(self.own.public, &list).await else {
                alarms.push(("crl", format!("{list} cannot be read")));
                continue;
            };
            let missing = kept.iter().filter(|one| one.list == list && !named.contains(&one.serial)).count();
            if missing > 0 {
                alarms
                    .push(("crl", format!("{missing} revoked certificates left {list} before they expired")));
            }
        }
        alarms
    }

    /// What was seen to be wrong with revocation, and what kept the canary from looking.
    fn tell(
        &self,
        alarms: &[(&'static str, String)],
        faults: &[(&'static str, String)],
        steps: &[(&'static str, Duration)],
    ) {
        for (step, _) in alarms.iter().chain(faults) {
            self.metrics.canary_failures.get_or_create(&vec![("step", (*step).into())]).inc();
        }
        for (step, what) in alarms {
            tracing::error!(step, what, "canary: what was revoked is not refused as it should be");
        }
        for (step, what) in faults {
            tracing::error!(step, what, "canary: it did not come to the end of its round");
        }
        if alarms.is_empty() && faults.is_empty() {
            self.metrics.canary_success.set(self.context.now().seconds());
            let slowest = steps.iter().map(|(_, took)| took.as_millis()).max().unwrap_or_default();
            tracing::debug!(slowest, "canary: all endpoints refuse");
        }
    }
}

/// What failed, by the step that did.
type FailedStep = (&'static str, Failure);
