//! The canary: a device of the system's own that is enrolled, works, and is stopped, again and again, from outside.
//!
//! It uses the endpoints as every client does and measures how long each takes to refuse what was revoked: the
//! token endpoint, introspection, OCSP, the published list, and each connected gate. Whatever misses its deadline, or
//! leaves its list before it expires, is an alarm: an error in the log and a number that monitoring watches. It never
//! makes the server unready, because then nobody would be served. Where the names of the listeners do not resolve, it
//! says that and no more: nothing is known about revocation then.

mod answers;
mod device;
mod place;
mod round;
mod trust;

use crate::failure::Failure;
use crate::resolver;
use crate::server::Server;
use crate::server::metrics::Metrics;
use round::{CanaryMeasurement, CanaryRound, RevokedWitness};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::HttpOrigin;
use tegata_web::ServerContext;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use trust::CanaryTrust;

/// From the start of the server to the first round: its listeners answer by then.
const SETTLING: Duration = Duration::from_secs(2);

/// How often names are looked for that do not resolve yet.
const AGAIN: Duration = Duration::from_secs(10);

/// Certificates whose place on the list is looked after.
const KEPT: usize = 64;

/// What the canary needs.
pub struct Canary {
    pub context: ServerContext,
    pub metrics: Arc<Metrics>,
    /// What verifies the HTTPS listeners.
    pub trust: CanaryTrust,
    /// The names under which it asks.
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
    pub fn of(server: &Server, metrics: &Arc<Metrics>, minutes: u32) -> Option<Self> {
        let config = &server.config;
        let mut hosts: Vec<_> = [&config.portal.url, &config.device.url, &config.public.url]
            .map(HttpOrigin::host)
            .map(str::to_owned)
            .into();
        hosts.dedup();
        (minutes > 0).then(|| Self {
            context: server.context.clone(),
            metrics: metrics.clone(),
            trust: CanaryTrust::of(config),
            hosts,
            period: Duration::from_mins(minutes.into()),
            grace: Duration::from_secs(config.canary.grace_seconds.into()),
            deadline: Duration::from_secs(server.config.canary.deadline_seconds.into()),
        })
    }

    /// Runs rounds until the task is dropped.
    pub async fn run(self) {
        let started = Instant::now();
        sleep(SETTLING).await;
        let mut turns = interval(self.period);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept = Vec::new();
        loop {
            turns.tick().await;
            match self.unresolved_name().await {
                None => self.turn(&mut kept).await,
                Some(_) if started.elapsed() < self.grace => turns.reset_after(AGAIN.min(self.grace)),
                Some(name) => self.tell_unresolved(&name),
            }
        }
    }

    async fn unresolved_name(&self) -> Option<String> {
        for host in &self.hosts {
            if !resolver::resolves(host).await {
                return Some(host.clone());
            }
        }
        None
    }

    fn tell_unresolved(&self, name: &str) {
        self.metrics.canary_failures.get_or_create(&vec![("step", "name".into())]).inc();
        tracing::warn!(
            name,
            "canary: this name does not resolve on this machine, so nothing was looked at from outside. Mend DNS, or \
             name it in /etc/hosts; revocation does not depend on it"
        );
    }

    async fn turn(&self, kept: &mut Vec<RevokedWitness>) {
        let mut round = CanaryRound::begin(&self.context, &self.trust, self.deadline);
        let ended = Box::pin(round.run()).await;
        let mut alarms = Vec::new();
        let mut faults = round.clear_up().await;
        let CanaryMeasurement { steps, late } = round.measured();
        for (step, took) in &steps {
            self.metrics
                .canary_seconds
                .get_or_create(&vec![("step", (*step).into())])
                .set(took.as_secs_f64());
        }
        alarms.extend(late.into_iter().map(|step| (step, "it missed its deadline".to_owned())));
        if let Err((step, failure)) = ended {
            faults.push((step, failure.to_string()));
        }
        alarms.extend(self.left_early(kept).await);
        kept.extend(round.into_kept());
        kept.drain(..kept.len().saturating_sub(KEPT));
        self.tell(&alarms, &faults, &steps);
    }

    /// What was revoked in earlier rounds and has not expired is still on its list.
    async fn left_early(&self, kept: &mut Vec<RevokedWitness>) -> Vec<(&'static str, String)> {
        let now = self.context.now();
        kept.retain(|one| one.not_after > now);
        let mut alarms = Vec::new();
        let lists: std::collections::BTreeSet<_> = kept.iter().map(|one| one.list.clone()).collect();
        for list in lists {
            let Some(named) = answers::listed(&list).await else {
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
