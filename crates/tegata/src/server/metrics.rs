//! What the running server says of itself, on loopback: `/metrics`, `/healthz`, `/readyz`. Other crates know nothing of
//! the exporter. Responses are counted by middleware; what only another crate sees it keeps as a plain number;
//! everything else is read from status cache and ledger on request. Labels name CAs and codes, never tenants, sites,
//! devices or persons.

mod counting;
mod gauges;
mod labels;
mod listener;
mod ocsp;
mod passes;
mod sign_ins;

pub use counting::counted;
pub use listener::{MetricsListener, serve};
pub use ocsp::status_of_answer;

use labels::{Labels, Level};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tegata_core::feed::{Change, Denial};
use tegata_web::ServerContext;
use tokio::sync::broadcast::error::RecvError;

/// Open connections of each listener.
#[derive(Default)]
pub struct OpenConnections {
    pub portal: Arc<AtomicUsize>,
    pub device: Arc<AtomicUsize>,
    pub public: Arc<AtomicUsize>,
}

impl OpenConnections {
    /// How many each has, with its name.
    fn each(&self) -> [(&'static str, usize); 3] {
        let count = |open: &AtomicUsize| open.load(Ordering::Relaxed);
        [("portal", count(&self.portal)), ("device", count(&self.device)), ("public", count(&self.public))]
    }
}

/// All that is counted in this process. Cheap to share.
pub struct Metrics {
    registry: Registry,
    certificates_issued: Counter,
    certificates_refused: Family<Labels, Counter>,
    tokens_issued: Counter,
    tokens_refused: Family<Labels, Counter>,
    introspections: Family<Labels, Counter>,
    ocsp_answers: Family<Labels, Counter>,
    changes: Family<Labels, Counter>,
    logouts: Family<Labels, Counter>,
    pub connections: OpenConnections,
    passes: passes::PassMetrics,
    pub sign_ins: Arc<sign_ins::SignInMetrics>,
    /// How long each endpoint took to refuse what the canary had revoked, in the last round.
    pub canary_seconds: Family<Labels, Level>,
    pub canary_success: Gauge,
    pub canary_failures: Family<Labels, Counter>,
    gauges: gauges::Gauges,
}

impl Metrics {
    /// Registers all metrics with the value zero.
    pub fn new(context: &ServerContext) -> Arc<Self> {
        let mut registry = Registry::with_prefix("tegata");
        let gauges = gauges::Gauges::register(&mut registry, context);
        let mut metrics = Self {
            registry,
            certificates_issued: Counter::default(),
            certificates_refused: Family::default(),
            tokens_issued: Counter::default(),
            tokens_refused: Family::default(),
            introspections: Family::default(),
            ocsp_answers: Family::default(),
            changes: Family::default(),
            logouts: Family::default(),
            connections: OpenConnections::default(),
            passes: passes::PassMetrics::default(),
            sign_ins: Arc::default(),
            canary_seconds: Family::default(),
            canary_success: Gauge::default(),
            canary_failures: Family::default(),
            gauges,
        };
        metrics.register();
        Arc::new(metrics)
    }

    fn register(&mut self) {
        self.passes.register(&mut self.registry);
        self.sign_ins.register(&mut self.registry);
        let registry = &mut self.registry;
        registry.register(
            "certificates_issued",
            "Answers that handed a certificate over",
            self.certificates_issued.clone(),
        );
        registry.register(
            "certificates_refused",
            "Requests for a certificate that were refused, by code",
            self.certificates_refused.clone(),
        );
        registry.register("tokens_issued", "Access tokens handed out", self.tokens_issued.clone());
        registry.register(
            "tokens_refused",
            "Token requests that were refused, by code",
            self.tokens_refused.clone(),
        );
        registry.register(
            "introspections",
            "Introspection requests, by whether they were answered or the code of the refusal",
            self.introspections.clone(),
        );
        registry.register(
            "ocsp_answers",
            "OCSP answers, by what they say of the first certificate asked about",
            self.ocsp_answers.clone(),
        );
        registry.register(
            "status_changes",
            "Events of the feed seen by this process, by what they change",
            self.changes.clone(),
        );
        registry.register(
            "backchannel_logouts",
            "Attempts to tell a client that a session has ended, by whether it took it",
            self.logouts.clone(),
        );
        registry.register(
            "canary_seconds",
            "How long each step of the last canary took: from the revocation to the refusal",
            self.canary_seconds.clone(),
        );
        registry.register(
            "canary_last_success_timestamp_seconds",
            "When a canary last went through without an alarm",
            self.canary_success.clone(),
        );
        registry.register(
            "canary_failures",
            "Alarms of the canary, by the step that failed",
            self.canary_failures.clone(),
        );
    }

    /// The text that Prometheus reads.
    pub async fn text(&self, room: &gauges::GaugeSource) -> String {
        self.gauges.refresh(room, self.connections.each()).await;
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Counts every change of status that this process hears of, whoever made it. Runs until the status cache is gone.
    pub async fn follow(self: Arc<Self>, context: ServerContext) {
        let (_, mut events) = context.status.subscribe();
        loop {
            match events.recv().await {
                Ok(event) => drop(self.changes.get_or_create(&name_of(&event.change)).inc()),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

fn name_of(change: &Change) -> Labels {
    let word = |denial: &Denial| match denial {
        Denial::Suspended => "suspended",
        Denial::Revoked => "revoked",
        Denial::Retired => "retired",
    };
    let (what, how) = match change {
        Change::DeviceDenied { reason, .. } => ("device", word(reason)),
        Change::DeviceAllowed { .. } => ("device", "resumed"),
        Change::CertificateDenied { reason, .. } => ("certificate", word(reason)),
        Change::TokenDenied { .. } => ("token", "revoked"),
        Change::TenantDenied { reason, .. } => ("tenant", word(reason)),
        Change::TenantAllowed { .. } => ("tenant", "resumed"),
        Change::TokensDenied(_) => ("tokens", "revoked"),
    };
    vec![("of", what.into()), ("to", how.into())]
}

#[cfg(test)]
mod tests;
