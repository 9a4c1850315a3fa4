//! Numbers that are read when somebody asks: from the status cache, from the ledger, from the certificates.

use super::labels::{Labels, Level};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::IssuerSet;
use tegata_core::{ServerId, Timestamp};
use tegata_storage::{COMMIT_BOUNDS, IssuerKind, Ledger, ReceiptRow, StoredIssuer};
use tegata_web::{ServerContext, ShareCounts, TenantShares};
use tokio::sync::Mutex;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A gate that was seen within this time is connected.
const CONNECTED: Duration = Duration::from_secs(15);

/// What is due for renewal is counted at most this often: it reads many rows.
const DUE_PERIOD: Duration = Duration::from_mins(1);

/// What the numbers are read from.
#[derive(Clone)]
pub struct GaugeSource {
    pub context: ServerContext,
    pub authorities: Arc<IssuerSet>,
}

/// The metrics that are read when they are asked for.
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
    reviews_overdue: Level,
    unused_accounts: Level,
    copy_alarms: Level,
    connections: Family<Labels, Level>,
    receiver_lag: Family<Labels, Level>,
    receiver_failing: Family<Labels, Level>,
    logouts_waiting: Family<Labels, Level>,
    logouts_failing: Family<Labels, Level>,
    /// When renewals were counted last.
    due_at: Mutex<Timestamp>,
}

/// The writer of grouped operations: its numbers are told as they are.
struct GroupWriterMetrics(Ledger);

/// What tenants have under way: its numbers are told as they are, and never whose they are.
struct ShareMetrics(Arc<TenantShares>);

impl Gauges {
    pub fn register(registry: &mut Registry, context: &ServerContext) -> Self {
        registry.register_collector(Box::new(GroupWriterMetrics(context.ledger.clone())));
        registry.register_collector(Box::new(ShareMetrics(context.shares.clone())));
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
        registry.register(
            "person_reviews_overdue",
            "Reviews of people that nobody has answered in time",
            own.reviews_overdue.clone(),
        );
        registry.register(
            "accounts_unused",
            "Accounts that are suspended within two weeks unless somebody uses them",
            own.unused_accounts.clone(),
        );
        registry.register(
            "copy_alarms_open",
            "Devices whose certificate two machines seem to use, and of which nobody has said that it is well",
            own.copy_alarms.clone(),
        );
        registry.register(
            "receiver_lag_events",
            "Events that a receiver of security events has not taken",
            own.receiver_lag.clone(),
        );
        registry.register(
            "receiver_failing_seconds",
            "How long a receiver of security events has taken nothing it was sent",
            own.receiver_failing.clone(),
        );
        registry.register(
            "logouts_waiting",
            "Ends of sessions that a client has not taken",
            own.logouts_waiting.clone(),
        );
        registry.register(
            "logouts_failing_seconds",
            "How long a client has taken no end of a session",
            own.logouts_failing.clone(),
        );
        registry.register("connections_open", "Open connections of each listener", own.connections.clone());
        own
    }

    /// Reads everything anew. What the ledger does not answer keeps its last value, and `ledger_up` says so.
    pub async fn refresh(&self, room: &GaugeSource, listeners: [(&'static str, usize); 3]) {
        let mut due_at = self.due_at.lock().await;
        let now = room.context.now();
        let freshness = room.context.status.freshness();
        self.feed_seq.set(number(freshness.seq));
        self.feed_age.set(now.since(freshness.at).as_secs_f64());
        for (listener, open) in listeners {
            self.connections.get_or_create(&vec![("door", listener.into())]).set(number(open as u64));
        }
        let read = self.read_ledger(room, &mut due_at, freshness.seq, now).await;
        if let Err(error) = &read {
            tracing::warn!(%error, "the ledger did not answer the metrics");
        }
        self.up.set(if read.is_ok() { 1.0 } else { 0.0 });
    }

    async fn read_ledger(
        &self,
        room: &GaugeSource,
        due_at: &mut Timestamp,
        seq: u64,
        now: Timestamp,
    ) -> tegata_storage::Result<()> {
        let ledger = &room.context.ledger;
        self.receipts(&ledger.receipts().await?, &room.context.server, seq, now);
        self.copy_alarms.set(number(ledger.open_copy_alarms().await?));
        for receiver in ledger.receivers().await? {
            let labels = vec![("receiver", receiver.id.clone())];
            self.receiver_lag.get_or_create(&labels).set(number(receiver.behind(seq)));
            let failing = receiver.failing_since().map_or(0.0, |since| now.since(since).as_secs_f64());
            self.receiver_failing.get_or_create(&labels).set(failing);
        }
        for receiver in ledger.logout_receivers().await? {
            let failing = receiver.failing_since().map_or(0.0, |since| now.since(since).as_secs_f64());
            let labels = vec![("client", receiver.client)];
            self.logouts_waiting.get_or_create(&labels).set(number(receiver.waiting.unsigned_abs()));
            self.logouts_failing.get_or_create(&labels).set(failing);
        }
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
        if now.since(*due_at) >= DUE_PERIOD {
            let counts = tegata_scheduler::due_counts(ledger, &room.context.renewal, now).await?;
            for (state, count) in [("due", counts.due), ("overdue", counts.overdue)] {
                self.renewals.get_or_create(&vec![("state", state.into())]).set(number(count as u64));
            }
            self.people(ledger, now).await?;
            *due_at = now;
        }
        Ok(())
    }

    async fn people(&self, ledger: &Ledger, now: Timestamp) -> tegata_storage::Result<()> {
        self.reviews_overdue.set(number(ledger.overdue_reviews(now).await?));
        let mut unused = 0;
        for (tenant, policy) in ledger.people_policies().await? {
            unused += ledger.unused_soon(&tenant, &policy, now).await?;
        }
        self.unused_accounts.set(number(unused));
        Ok(())
    }

    /// Gates are not told apart: their identifiers are devices'. Of the servers' surfaces each server shows its own.
    fn receipts(&self, receipts: &[ReceiptRow], server: &ServerId, seq: u64, now: Timestamp) {
        let (mut connected, mut slowest) = (0u64, 0);
        for receipt in receipts {
            let lag = seq.saturating_sub(receipt.seq.0);
            match receipt.surface.split_once(':') {
                Some(("gate", _)) if now.since(receipt.seen_at) < CONNECTED => {
                    connected += 1;
                    slowest = slowest.max(lag);
                }
                Some(("crl", _)) => self.surface(&receipt.surface, lag),
                Some((surface, of)) if of == server.as_str() => self.surface(surface, lag),
                _ => {}
            }
        }
        self.gates.set(number(connected));
        self.gate_lag.set(number(slowest));
    }

    fn surface(&self, surface: &str, lag: u64) {
        self.surfaces.get_or_create(&vec![("surface", surface.to_owned())]).set(number(lag));
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

impl Collector for GroupWriterMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let commits = self.0.commits();
        let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
        let mut classes: Vec<_> = COMMIT_BOUNDS.into_iter().map(seconds).zip(commits.classes).collect();
        classes
            .push((f64::INFINITY, commits.groups - commits.classes.iter().sum::<u64>().min(commits.groups)));
        let help = "Duration of group commits";
        encoder
            .encode_descriptor("ledger_commit_seconds", help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(seconds(commits.micros), commits.groups, &classes, None)?;
        let help = "Operations in group commits: divided by the number of commits, the size of a group";
        encoder
            .encode_descriptor("ledger_operations", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&commits.operations, None)
    }
}

/// One of the numbers that are counted.
type CountOf = fn(&ShareCounts) -> u64;

impl Collector for ShareMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counts = self.0.counts();
        let counters: [(&str, &str, CountOf); 2] = [
            ("tenant_requests_waited", "Requests that waited since their tenant had its share", |of| {
                of.waited
            }),
            ("tenant_requests_refused", "Requests refused since their tenant had its share", |of| of.refused),
        ];
        for (name, help, count) in counters {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for of in &counts {
                family
                    .encode_family(&[("work", of.work)])?
                    .encode_counter::<NoLabelSet, _, u64>(&count(of), None)?;
            }
        }
        let help = "Requests of tenants that are under way";
        let mut family = encoder.encode_descriptor("tenant_requests_open", help, None, MetricType::Gauge)?;
        for of in &counts {
            family.encode_family(&[("work", of.work)])?.encode_gauge(&of.under_way)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ShareMetrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Shares")
    }
}

impl fmt::Debug for GroupWriterMetrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Writer")
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
