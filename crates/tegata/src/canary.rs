//! The canary: a device of the system's own that is enrolled, works, and is stopped, again and again, from outside.
//!
//! It goes through the doors as every client does and measures how long each takes to refuse what was revoked: the
//! token endpoint, introspection, OCSP, the published list, and each connected gate. Whatever misses its deadline, or
//! leaves its list before it expires, is an alarm: an error in the log and a number that monitoring watches. It never
//! makes the server unready, because then nobody would be served.

mod answers;
mod device;
mod place;
mod round;

use crate::client;
use crate::failure::Failure;
use crate::house::House;
use crate::metrics::Metrics;
use round::{Kept, Measured, Round};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tegata_web::Context;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// From the start of the server to the first round: its listeners answer by then.
const SETTLING: Duration = Duration::from_secs(2);

/// Certificates whose place on the list is looked after.
const KEPT: usize = 64;

/// What the canary needs.
pub struct Canary {
    pub context: Context,
    pub metrics: Arc<Metrics>,
    /// PEM that verifies the HTTPS listeners.
    pub trust: PathBuf,
    pub period: Duration,
    /// How long each door may take to refuse.
    pub deadline: Duration,
}

/// How often, unless it is said otherwise.
pub const EVERY_MINUTES: u32 = 15;

impl Canary {
    /// A canary of an installation; none when it flies every 0 minutes.
    pub fn of(house: &House, metrics: &Arc<Metrics>, minutes: u32) -> Option<Self> {
        // Where the listeners' certificates are from a CA of their own, that one verifies them.
        let own = house.config.path(Path::new("tls/ca.pem"));
        (minutes > 0).then(|| Self {
            context: house.context.clone(),
            metrics: metrics.clone(),
            trust: if own.exists() { own } else { PathBuf::from(client::SYSTEM_TRUST) },
            period: Duration::from_mins(minutes.into()),
            deadline: Duration::from_secs(house.config.canary.deadline_seconds.into()),
        })
    }

    /// Runs for ever.
    pub async fn run(self) {
        sleep(SETTLING).await;
        let mut turns = interval(self.period);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept = Vec::new();
        loop {
            turns.tick().await;
            self.turn(&mut kept).await;
        }
    }

    async fn turn(&self, kept: &mut Vec<Kept>) {
        let mut round = Round::begin(&self.context, &self.trust, self.deadline);
        let ended = round.run().await;
        let mut alarms = round.clear_up().await;
        let Measured { steps, late } = round.measured();
        for (step, took) in &steps {
            self.metrics
                .canary_seconds
                .get_or_create(&vec![("step", (*step).into())])
                .set(took.as_secs_f64());
        }
        alarms.extend(late.into_iter().map(|step| (step, "it missed its deadline".to_owned())));
        if let Err((step, failure)) = ended {
            alarms.push((step, failure.to_string()));
        }
        alarms.extend(self.left_early(kept).await);
        kept.extend(round.into_kept());
        kept.drain(..kept.len().saturating_sub(KEPT));
        self.tell(&alarms, &steps);
    }

    /// What was revoked in earlier rounds and has not expired is still on its list.
    async fn left_early(&self, kept: &mut Vec<Kept>) -> Vec<(&'static str, String)> {
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

    fn tell(&self, alarms: &[(&'static str, String)], steps: &[(&'static str, Duration)]) {
        for (step, what) in alarms {
            self.metrics.canary_failures.get_or_create(&vec![("step", (*step).into())]).inc();
            tracing::error!(step, what, "canary: what was revoked is not refused as it should be");
        }
        if alarms.is_empty() {
            self.metrics.canary_success.set(self.context.now().seconds());
            let slowest = steps.iter().map(|(_, took)| took.as_millis()).max().unwrap_or_default();
            tracing::debug!(slowest, "canary: all doors refuse");
        }
    }
}

/// What failed, by the step that did.
type Failed = (&'static str, Failure);
