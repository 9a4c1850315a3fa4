//! Numbers that are read when somebody asks: from the status memory, from the ledger, from the certificates.

use super::{Labels, Level};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tegata_ca::Authorities;
use tegata_core::Timestamp;
use tegata_storage::{COMMIT_BOUNDS, CommitCounts, IssuerKind, StoredIssuer};
use tegata_web::Context;
use tokio::sync::Mutex;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A gate that was heard of within this time is connected.
const CONNECTED: Duration = Duration::from_secs(15);

/// What is due for renewal is counted at most this often: it reads many rows.
const DUE_PERIOD: Duration = Duration::from_mins(1);

/// What the numbers are read from.
#[derive(Clone)]
pub struct Room {
    pub context: Context,
    pub authorities: Arc<Authorities>,
}

/// The gauges.
#[derive(Default)]
pub struct Gauges {
    up: Level,
    feed_seq: Level,
    feed_age: Level,
    gates: Level,
    gate_lag: Level,
    surfaces: Family<Labels, Level>,
    crl_age: Family<Labels, Level>,
    crl_left: Family<Labels, Level>,
    crl_behind: Family<Labels, Level>,
    ca_days: Family<Labels, Level>,
    renewals: Family<Labels, Level>,
    connections: Family<Labels, Level>,
    commits: Counter,
    operations: Counter,
    commit_seconds: Counter<f64, AtomicU64>,
    commit_classes: Family<Labels, Counter>,
    /// When renewals were counted last, and the commits already added.
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    due: Timestamp,
    commits: Option<CommitCounts>,
}

impl Gauges {
    pub fn register(registry: &mut Registry) -> Self {
        let own = Self::default();
        registry.register("ledger_up", "1 when the ledger answered this request", own.up.clone());
        registry.register("feed_seq", "The last event of the feed applied here", own.feed_seq.clone());
        registry.register("feed_age_seconds", "How long ago the ledger was last heard", own.feed_age.clone());
        registry.register("gates_connected", "Gates heard of within the last 15 seconds", own.gates.clone());
        registry.register(
            "gate_lag_events",
            "Events that the slowest connected gate has not acknowledged",
            own.gate_lag.clone(),
        );
        registry.register(
            "surface_lag_events",
            "Events that the platform's own surfaces have not acknowledged",
            own.surfaces.clone(),
        );
        registry.register("crl_age_seconds", "Age of the published list", own.crl_age.clone());
        registry.register("crl_left_seconds", "Time until its nextUpdate", own.crl_left.clone());
        registry.register("crl_behind", "1 while a list lacks the last changes", own.crl_behind.clone());
        registry.register("ca_days_left", "Days until a CA in service ends", own.ca_days.clone());
        registry.register(
            "renewals",
            "Devices that should renew now, and that ended without a successor",
            own.renewals.clone(),
        );
        registry.register("connections_open", "Open connections of each door", own.connections.clone());
        registry.register("ledger_commits", "Group commits", own.commits.clone());
        registry.register("ledger_operations", "Operations in group commits", own.operations.clone());
        registry.register("ledger_commit_seconds", "Time spent in group commits", own.commit_seconds.clone());
        registry.register(
            "ledger_commits_by_duration",
            "Group commits that took at most so many seconds, and longer than the class before",
            own.commit_classes.clone(),
        );
        own
    }

    /// Reads everything anew. What the ledger does not answer keeps its last value, and `ledger_up` says so.
    pub async fn refresh(&self, room: &Room, doors: &[(&'static str, Arc<AtomicUsize>)]) {
        let mut last = self.last.lock().await;
        let now = room.context.now();
        let freshness = room.context.status.freshness();
        self.feed_seq.set(number(freshness.seq));
        self.feed_age.set(now.since(freshness.at).as_secs_f64());
        for (door, open) in doors {
            let open = open.load(Ordering::Relaxed);
            self.connections.get_or_create(&vec![("door", (*door).into())]).set(number(open as u64));
        }
        self.commits(&mut last, room.context.ledger.commits());
        let read = self.read_ledger(room, &mut last, freshness.seq, now).await;
        if let Err(error) = &read {
            tracing::warn!(%error, "the ledger did not answer the metrics");
        }
        self.up.set(if read.is_ok() { 1.0 } else { 0.0 });
    }

    /// The room counts from its beginning, and so do counters: what came since the last look is added.
    fn commits(&self, last: &mut Last, now: CommitCounts) {
        let zero = CommitCounts { groups: 0, operations: 0, micros: 0, classes: [0; COMMIT_BOUNDS.len()] };
        let before = last.commits.take().unwrap_or(zero);
        self.commits.inc_by(now.groups - before.groups);
        self.operations.inc_by(now.operations - before.operations);
        self.commit_seconds.inc_by(Duration::from_micros(now.micros - before.micros).as_secs_f64());
        for (class, bound) in COMMIT_BOUNDS.iter().enumerate() {
            let bound = Duration::from_micros(*bound).as_secs_f64().to_string();
            let counter = self.commit_classes.get_or_create(&vec![("at_most", bound)]).clone();
            counter.inc_by(now.classes[class] - before.classes[class]);
        }
        last.commits = Some(now);
    }

    async fn read_ledger(
        &self,
        room: &Room,
        last: &mut Last,
        seq: u64,
        now: Timestamp,
    ) -> tegata_storage::Result<()> {
        let ledger = &room.context.ledger;
        self.receipts(&ledger.receipts().await?, seq, now);
        for issuer in ledger.issuers().await?.iter().filter(|issuer| issuer.is_trusted()) {
            self.authority(issuer, now);
            for shard in ledger.shards(&issuer.id).await? {
                let labels = vec![("issuer", issuer.id.to_string()), ("shard", shard.number.to_string())];
                let Some(crl) = shard.published else { continue };
                self.crl_age.get_or_create(&labels).set(now.since(crl.this_update).as_secs_f64());
                let left = signed_seconds(crl.next_update, now);
                self.crl_left.get_or_create(&labels).set(left);
                let behind = if crl.revision < shard.revision { 1.0 } else { 0.0 };
                self.crl_behind.get_or_create(&labels).set(behind);
            }
        }
        if now.since(last.due) >= DUE_PERIOD {
            let (due, overdue) = tegata_renewal::due(ledger, &room.context.renewal, now).await?;
            for (state, count) in [("due", due.len()), ("overdue", overdue.len())] {
                self.renewals.get_or_create(&vec![("state", state.into())]).set(number(count as u64));
            }
            last.due = now;
        }
        Ok(())
    }

    /// Gates are not told apart: their identifiers are devices'.
    fn receipts(&self, receipts: &[tegata_storage::ReceiptRow], seq: u64, now: Timestamp) {
        let (mut connected, mut slowest) = (0u64, 0);
        for receipt in receipts {
            let lag = seq.saturating_sub(receipt.seq.0);
            if receipt.surface.starts_with("gate:") {
                if now.since(receipt.seen_at) < CONNECTED {
                    connected += 1;
                    slowest = slowest.max(lag);
                }
            } else {
                self.surfaces.get_or_create(&vec![("surface", receipt.surface.clone())]).set(number(lag));
            }
        }
        self.gates.set(number(connected));
        self.gate_lag.set(number(slowest));
    }

    fn authority(&self, issuer: &StoredIssuer, now: Timestamp) {
        let Ok((_, certificate)) = X509Certificate::from_der(&issuer.certificate) else { return };
        let end = Timestamp::from_seconds(certificate.validity().not_after.timestamp());
        let labels = vec![("issuer", issuer.id.to_string()), ("kind", issuer.kind.as_str().into())];
        if issuer.kind != IssuerKind::Foreign {
            self.ca_days.get_or_create(&labels).set((signed_seconds(end, now) / 86_400.0).floor());
        }
    }
}

/// Below zero once it has passed.
fn signed_seconds(at: Timestamp, now: Timestamp) -> f64 {
    at.since(now).as_secs_f64() - now.since(at).as_secs_f64()
}

/// Exact up to 2^53, which no number here comes near.
#[allow(clippy::cast_precision_loss)]
fn number(count: u64) -> f64 {
    count as f64
}
