//! The facts of how an installation does, read from its ledger: for the console, and for `tegata health`.

use crate::server::refusal_counter::RefusalCounter;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tegata_console::{
    CaHealth, CheckSummary, GateHealth, HealthLookup, HealthReport, InstallationCounts, InstallationHealth,
    LedgerHealth, ListHealth, PassHealth, ReceiverHealth, ServerHealth,
};
use tegata_core::security_event::StreamStatus;
use tegata_core::{DeviceId, IssuerId, Timestamp};
use tegata_installation::Config;
use tegata_scheduler::{PassOverview, overview};
use tegata_storage::{
    CrlShard, Ledger, LedgerError, Principal, ReceiptRow, RefusalHour, RegisteredServer, Result, StoredIssuer,
};
use tokio::time::sleep;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Gates that are told one by one.
const GATES: usize = 50;

/// What a change needs at most to be everywhere. What is behind is looked at again after it.
const SETTLED: Duration = Duration::from_secs(2);

/// The name under which the canary's rounds run.
const CANARY: &str = "canary";

/// Reads the facts of one installation.
pub struct LedgerFacts {
    ledger: Ledger,
    /// The receivers that the configuration names: others were once.
    receivers: Vec<String>,
    /// What this server has counted and not written down; nothing of a command.
    counter: Option<Arc<RefusalCounter>>,
}

/// What is published and confirmed at one moment.
struct Positions {
    head: u64,
    receipts: Vec<ReceiptRow>,
    shards: HashMap<IssuerId, Vec<CrlShard>>,
}

impl LedgerFacts {
    /// For the installation of this configuration.
    pub fn of(config: &Config, ledger: &Ledger) -> Self {
        let receivers = config.receivers.iter().map(|receiver| receiver.id.clone()).collect();
        Self { ledger: ledger.clone(), receivers, counter: None }
    }

    /// With what a running server has counted.
    #[must_use]
    pub fn counting(self, counter: &Arc<RefusalCounter>) -> Self {
        Self { counter: Some(counter.clone()), ..self }
    }

    /// The report as it stands.
    pub async fn read(&self, now: Timestamp) -> Result<HealthReport> {
        let ledger = &self.ledger;
        let issuers = ledger.issuers().await?;
        let trusted: Vec<_> = issuers.iter().filter(|issuer| issuer.is_trusted()).collect();
        let first = self.positions(&trusted).await?;
        let mut later = None;
        if first.is_behind(now) {
            sleep(SETTLED).await;
            later = Some(self.positions(&trusted).await?);
        }
        let last = later.as_ref().unwrap_or(&first);
        let servers = ledger.servers(now).await?;
        let passes = overview(ledger, now).await?;
        let gates: Vec<_> = last.receipts.iter().filter(|receipt| gate_of(receipt).is_some()).collect();
        let there = gates.iter().filter(|gate| GateHealth::is_there(gate.seen_at, now)).count();
        let counts = ledger.place_counts().await?;
        let report = HealthReport {
            at: now,
            ok: false,
            troubles: Vec::new(),
            check: ledger.last_check().await?.map(summary).transpose()?,
            passes: passes.iter().map(|pass| pass_health(pass, &servers)).collect(),
            cas: trusted.iter().map(|issuer| ca_health(issuer, &first, last)).collect(),
            gates_known: gates.len(),
            gates_there: there,
            gates: self.gates(&gates, first.head, now).await?,
            receivers: self.receivers(first.head).await?,
            servers: servers.into_iter().map(server_health).collect(),
            counts: InstallationCounts {
                tenants: counts.tenants,
                suspended_tenants: counts.suspended_tenants,
                sites: counts.sites,
                people: counts.people,
                gates: counts.gates,
            },
            ledger: self.engine(first.head).await?,
        };
        Ok(report.judged())
    }

    async fn positions(&self, issuers: &[&StoredIssuer]) -> Result<Positions> {
        let mut shards = HashMap::new();
        for issuer in issuers {
            shards.insert(issuer.id.clone(), self.ledger.shards(&issuer.id).await?);
        }
        let head = self.ledger.feed_head().await?;
        Ok(Positions { head, receipts: self.ledger.receipts().await?, shards })
    }

    /// The slowest of those that are there.
    async fn gates(&self, gates: &[&ReceiptRow], head: u64, now: Timestamp) -> Result<Vec<GateHealth>> {
        let everything = self.ledger.within(Principal::system("health").scope());
        let mut there: Vec<_> = gates.iter().filter(|gate| GateHealth::is_there(gate.seen_at, now)).collect();
        there.sort_by_key(|gate| gate.seq);
        let mut found = Vec::new();
        for gate in there.into_iter().take(GATES) {
            let id = gate_of(gate).unwrap_or_default();
            let device = match DeviceId::parse(id) {
                Some(device) => everything.device(&device).await?,
                None => None,
            };
            found.push(GateHealth {
                gate: id.to_owned(),
                label: device.map(|device| device.label),
                behind: head.saturating_sub(gate.seq.0),
                applied_at: gate.applied_at,
                seen_at: gate.seen_at,
            });
        }
        Ok(found)
    }

    async fn receivers(&self, head: u64) -> Result<Vec<ReceiverHealth>> {
        let rows = self.ledger.receivers().await?;
        let told =
            rows.into_iter().filter(|row| self.receivers.contains(&row.id)).map(|row| ReceiverHealth {
                told: "security-events",
                status: match row.status() {
                    StreamStatus::Enabled => "enabled",
                    StreamStatus::Paused => "paused",
                    StreamStatus::Disabled => "disabled",
                },
                waiting: row.behind(head),
                failing_since: row.failing_since(),
                failure: row.failure.clone(),
                receiver: row.id,
            });
        let clients = self.ledger.logout_receivers().await?.into_iter().map(|client| ReceiverHealth {
            told: "logouts",
            status: "enabled",
            waiting: client.waiting.unsigned_abs(),
            failing_since: client.failing_since(),
            failure: client.failure.clone(),
            receiver: client.client,
        });
        Ok(told.chain(clients).collect())
    }

    async fn engine(&self, feed: u64) -> Result<LedgerHealth> {
        let replication = self.ledger.replication().await?;
        let row_security = self.ledger.row_security().await?;
        Ok(LedgerHealth {
            engine: self.ledger.engine_name(),
            waits_for: replication.as_ref().map(|replication| replication.waits_for),
            replication_fault: replication.and_then(|replication| replication.fault()),
            row_security: row_security.map(|rules| rules.is_whole()),
            feed,
        })
    }
}

impl InstallationHealth for LedgerFacts {
    fn report(&self, now: Timestamp) -> HealthLookup<'_, HealthReport> {
        Box::pin(async move { Ok(self.read(now).await?) })
    }

    fn refusals(&self, since: Timestamp) -> HealthLookup<'_, Vec<RefusalHour>> {
        Box::pin(async move {
            let written = self.ledger.refusal_hours(since).await?;
            let unwritten = self.counter.as_ref().map(|counter| counter.unwritten(since));
            let mut all = BTreeMap::new();
            for RefusalHour { from, code, refused } in
                written.into_iter().chain(unwritten.unwrap_or_default())
            {
                *all.entry((from, code)).or_default() += refused;
            }
            let row = |((from, code), refused)| RefusalHour { from, code, refused };
            Ok(all.into_iter().map(row).collect())
        })
    }
}

impl Positions {
    /// Whether anything has not caught up with what has happened.
    fn is_behind(&self, now: Timestamp) -> bool {
        let gates = self.receipts.iter().filter(|receipt| gate_of(receipt).is_some());
        let mut there = gates.filter(|gate| GateHealth::is_there(gate.seen_at, now));
        let lacks = |shard: &CrlShard| shard.published.is_some_and(|list| list.revision < shard.revision);
        there.any(|gate| gate.seq.0 < self.head) || self.shards.values().flatten().any(lacks)
    }
}

fn gate_of(receipt: &ReceiptRow) -> Option<&str> {
    receipt.surface.strip_prefix("gate:")
}

fn summary((at, report): (Timestamp, String)) -> Result<CheckSummary> {
    let read: CheckSummary =
        serde_json::from_str(&report).map_err(|_| LedgerError::Unreadable("check_report.report"))?;
    Ok(CheckSummary { at, ..read })
}

fn server_health(server: RegisteredServer) -> ServerHealth {
    ServerHealth {
        server: server.id.to_string(),
        name: server.name,
        started_at: server.started_at,
        seen_at: server.seen_at,
    }
}

fn pass_health(pass: &PassOverview, servers: &[RegisteredServer]) -> PassHealth {
    let state = &pass.state;
    let by = pass.lease.as_ref().map_or(&state.server, |lease| &lease.holder);
    let known = servers.iter().find(|server| server.id.as_str() == by);
    let name = known.map_or_else(|| by.get(..8).unwrap_or(by).to_owned(), |server| server.name.clone());
    PassHealth {
        name: state.name.clone(),
        condition: pass.condition.as_str().into(),
        exclusive: state.exclusive,
        server: name,
        ended_at: state.ended_at,
        succeeded_at: state.succeeded_at,
        milliseconds: state.duration.and_then(|took| u64::try_from(took.as_millis()).ok()),
        due_at: state.due_at,
        error: state.error.clone(),
        alarms: state.counts.get("alarms").copied().filter(|_| state.name == CANARY),
    }
}

/// A certificate that cannot be read has ended: `tegata check` says more of it.
fn ca_health(issuer: &StoredIssuer, first: &Positions, last: &Positions) -> CaHealth {
    let ends_at = X509Certificate::from_der(&issuer.certificate)
        .map(|(_, certificate)| Timestamp::from_seconds(certificate.validity().not_after.timestamp()));
    let shards = |positions: &Positions| positions.shards.get(&issuer.id).cloned().unwrap_or_default();
    let wanted = shards(first);
    let list = |shard: CrlShard| {
        let list = shard.published?;
        let revision = wanted.iter().find(|known| known.number == shard.number)?.revision;
        Some(ListHealth {
            shard: shard.number,
            number: list.number,
            made_at: list.this_update,
            ends_at: list.next_update,
            is_behind: list.revision < revision,
        })
    };
    CaHealth {
        ca: issuer.id.to_string(),
        kind: issuer.kind.as_str().into(),
        state: issuer.state.as_str().into(),
        ends_at: ends_at.unwrap_or_default(),
        lists: shards(last).into_iter().filter_map(list).collect(),
    }
}
