//! What is counted of passes, in one family for all.

use super::Metrics;
use super::labels::{Labels, Level};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::PassObserver;
use tegata_storage::PassOutcome;

/// By the names of the passes.
#[derive(Default)]
pub(super) struct PassMetrics {
    runs: Family<Labels, Counter>,
    last_success: Family<Labels, Gauge>,
    duration: Family<Labels, Level>,
}

impl PassMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("pass_runs", "Runs of a pass on this server, by how they ended", self.runs.clone());
        registry.register(
            "pass_last_success_seconds",
            "When a pass last did on this server what there was to do, in seconds since 1970",
            self.last_success.clone(),
        );
        registry.register(
            "pass_duration_seconds",
            "How long the last run of a pass took on this server",
            self.duration.clone(),
        );
    }
}

impl PassObserver for Metrics {
    fn ended(&self, pass: &str, outcome: PassOutcome, took: Duration, at: Timestamp) {
        let name = || vec![("pass", pass.to_owned())];
        let run = vec![("pass", pass.to_owned()), ("outcome", outcome.as_str().to_owned())];
        self.passes.runs.get_or_create(&run).inc();
        self.passes.duration.get_or_create(&name()).set(took.as_secs_f64());
        if outcome == PassOutcome::Done {
            self.passes.last_success.get_or_create(&name()).set(at.seconds());
        }
    }
}
