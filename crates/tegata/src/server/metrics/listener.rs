//! The loopback listener: plain HTTP, for the machine itself.

use super::Metrics;
use super::gauges::GaugeSource;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::IssuerSet;
use tegata_core::IssuerId;
use tegata_installation::{Failure, FailureContext};
use tegata_signals::SignalIssuer;
use tegata_storage::{CrlShard, LedgerError};
use tegata_web::{Limits, ListenerKind, ServerContext, listener};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

/// How long the ledger may take to say that it is there: whoever sends requests here hears within a second that it is not.
const PATIENCE: Duration = Duration::from_millis(700);

/// A list is published within this time of a change.
const MOMENT: Duration = Duration::from_secs(1);

/// The listener for metrics and probes, bound.
pub struct MetricsListener {
    tcp: TcpListener,
    pub address: SocketAddr,
}

impl MetricsListener {
    pub async fn bind(address: SocketAddr) -> Result<Self, Failure> {
        let tcp =
            TcpListener::bind(address).await.doing(format!("cannot listen at {address} for metrics"))?;
        let address = tcp.local_addr().doing("cannot read the port of the metrics")?;
        Ok(Self { tcp, address })
    }

    /// Another hold on it.
    pub fn again(&self) -> Result<Self, Failure> {
        Ok(Self { tcp: crate::server::listeners::again(&self.tcp)?, address: self.address })
    }
}

#[derive(Clone)]
struct MetricsShared {
    metrics: Arc<Metrics>,
    room: GaugeSource,
    issuer: Arc<SignalIssuer>,
}

/// Serves until it is stopped.
pub async fn serve(
    listener: MetricsListener,
    metrics: Arc<Metrics>,
    context: ServerContext,
    authorities: Arc<IssuerSet>,
    issuer: Arc<SignalIssuer>,
    stopped: impl Future<Output = ()> + Send,
) {
    let server = MetricsShared { metrics, room: GaugeSource { context, authorities }, issuer };
    let router = Router::new()
        .route("/metrics", get(metrics_text))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(server);
    let limits = Limits { connections: 64, ..Limits::default() };
    listener::serve(listener.tcp, ListenerKind::Plain, router, limits, stopped).await;
}

async fn metrics_text(State(server): State<MetricsShared>) -> Response {
    let text = server.metrics.text(&server.room).await;
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

/// Whether requests should be sent here. An alarm of the canary does not make a server unready: nobody would serve.
async fn ready(State(server): State<MetricsShared>) -> Response {
    let faults = faults(&server.room, &server.issuer).await;
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({"ready": faults.is_empty(), "faults": faults}).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn faults(room: &GaugeSource, issuer: &SignalIssuer) -> Vec<String> {
    let now = room.context.now();
    let mut faults = Vec::new();
    if room.context.status.heard(now).is_none() {
        let at = room.context.status.freshness().at;
        return vec![format!("the ledger was last heard at {at}: requests are refused until it answers")];
    }
    if room.authorities.all().is_empty() {
        faults.push("no key of an issuing CA is loaded".to_owned());
    }
    if let Some(kid) = issuer.published().keys.lacking_kid() {
        faults.push(format!("the key {kid} that signs tokens cannot be opened here: no token is given"));
    }
    match timeout(PATIENCE, room.context.ledger.replication()).await {
        Ok(Ok(Some(replication))) if replication.refuses_writes() => faults.extend(replication.fault()),
        Ok(Ok(_)) => {}
        Ok(Err(error)) => faults.push(format!("the ledger: {error}")),
        Err(_) => faults.push("the ledger does not say how it is replicated".to_owned()),
    }
    match late_lists(room).await {
        Err(error) => faults.push(format!("the ledger: {error}")),
        Ok(late) => {
            faults.extend(late.iter().map(|(id, shard)| format!("CRL {shard} of CA {id} is not current")));
        }
    }
    faults
}

/// Lists that have ended, or still lack after a moment what they lacked before it.
async fn late_lists(room: &GaugeSource) -> Result<Vec<(IssuerId, u16)>, LedgerError> {
    let mut late = Vec::new();
    let behind = lists_in_time(room, &|_, shard| Some(shard.revision)).await?;
    if behind.is_empty() {
        return Ok(late);
    }
    sleep(MOMENT).await;
    let still = lists_in_time(room, &|id, shard| behind.get(&(id.clone(), shard.number)).copied()).await?;
    late.extend(still.into_keys());
    Ok(late)
}

async fn lists_in_time(
    room: &GaugeSource,
    wanted: MetricsRequest<'_>,
) -> Result<BTreeMap<(IssuerId, u16), u64>, LedgerError> {
    timeout(PATIENCE, lists_without(room, wanted)).await.unwrap_or(Err(LedgerError::OutOfReach))
}

/// Which revision a list has to have.
type MetricsRequest<'a> = &'a (dyn Fn(&IssuerId, &CrlShard) -> Option<u64> + Sync);

/// Lists that have ended, or lack the revision that `wanted` names.
async fn lists_without(
    room: &GaugeSource,
    wanted: MetricsRequest<'_>,
) -> Result<BTreeMap<(IssuerId, u16), u64>, LedgerError> {
    let mut found = BTreeMap::new();
    for authority in room.authorities.all() {
        let id = authority.issuer().id();
        for shard in room.context.ledger.shards(id).await? {
            let Some(revision) = wanted(id, &shard) else { continue };
            let is_out = shard
                .published
                .is_some_and(|crl| crl.revision >= revision && crl.next_update >= room.context.now());
            if !is_out {
                found.insert((id.clone(), shard.number), revision);
            }
        }
    }
    Ok(found)
}
