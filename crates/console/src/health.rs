//! How an installation does, as operators and auditors see it, and what of it somebody has to look at.
//!
//! The facts are gathered by whoever may read the whole ledger ([`InstallationHealth`]); `tegata health` prints the same report.

use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::time::Duration;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::RefusalHour;
use utoipa::ToSchema;

/// What comes of asking for the facts.
pub type HealthLookup<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// Whoever reads what is about the whole installation.
pub trait InstallationHealth: Send + Sync {
    /// The report as it stands.
    ///
    /// # Errors
    /// The ledger cannot be read.
    fn report(&self, now: Timestamp) -> HealthLookup<'_, HealthReport>;

    /// How often what was refused, from this hour on.
    ///
    /// # Errors
    /// The ledger cannot be read.
    fn refusals(&self, since: Timestamp) -> HealthLookup<'_, Vec<RefusalHour>>;
}

/// A check is repeated every day.
const CHECK_IS_OLD: Duration = Duration::from_hours(50);

/// A gate that was heard of within this time is there. One that was not is switched off, for all that is known.
const GATE_IS_THERE: Duration = Duration::from_secs(15);

/// An outage of less than this is a restart.
const RECEIVER_PATIENCE: Duration = Duration::from_mins(10);

/// A CA is replaced by a ceremony, which takes time to arrange.
const CA_ENDS_SOON: u64 = 90;

/// How the installation does.
#[derive(Clone, Serialize, ToSchema)]
pub struct HealthReport {
    /// When the facts were gathered.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether nobody has to look at anything.
    pub ok: bool,
    /// What somebody has to look at, the worst first.
    pub troubles: Vec<Trouble>,
    /// What the last check by the clock has found; nothing before the first.
    pub check: Option<CheckSummary>,
    /// The servers that run.
    pub servers: Vec<ServerHealth>,
    /// What they do by the clock.
    pub passes: Vec<PassHealth>,
    /// The CAs that are trusted, with their lists.
    pub cas: Vec<CaHealth>,
    /// How many gates were ever heard of.
    pub gates_known: usize,
    /// How many are there now.
    pub gates_there: usize,
    /// Those that are there, the slowest first; at most 50.
    pub gates: Vec<GateHealth>,
    /// Who is told of changes and of the ends of sessions.
    pub receivers: Vec<ReceiverHealth>,
    /// How much there is.
    pub counts: InstallationCounts,
    /// What keeps the ledger.
    pub ledger: LedgerHealth,
}

/// Something that somebody has to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Trouble {
    /// What monitoring sees: it never changes its meaning.
    pub kind: TroubleKind,
    /// What it is about: a pass, a CA, a gate, a receiver; empty where there is only one.
    pub subject: String,
    /// What is known of it.
    pub detail: String,
}

/// What can be wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// No server of the installation runs.
    NoServer,
    /// The ledger cannot be written, or could lose what was acknowledged.
    Replication,
    /// The database does not keep tenants' rows apart.
    RowSecurity,
    /// The last check has found something wrong.
    CheckWrong,
    /// The canary found an endpoint that let in what was revoked.
    CanaryAlarm,
    /// A list has ended.
    ListEnded,
    /// A list lacks changes.
    ListBehind,
    /// A gate has not acknowledged a change.
    GateBehind,
    /// The last run of a pass failed.
    PassFailing,
    /// A pass is late, or hangs.
    PassOverdue,
    /// A receiver takes nothing.
    ReceiverFailing,
    /// A CA ends within 90 days.
    CaEnding,
    /// Nothing has been checked for two days.
    CheckOld,
}

/// What a check by the clock has found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckSummary {
    /// When the check ended.
    #[serde(default = "Timestamp::default")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether nothing is wrong.
    pub ok: bool,
    /// How often something wrong was found.
    pub wrong: usize,
    /// How often something was found that somebody should look at some day.
    pub warnings: usize,
    /// What was found, as `tegata check` says it.
    pub findings: Vec<CheckLine>,
}

/// One line of a check.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckLine {
    /// What monitoring sees of it.
    pub code: String,
    /// The word wrong or warning.
    pub severity: String,
    /// What it is about.
    pub subject: String,
    /// What was found there.
    pub detail: String,
    /// What can be done about it.
    pub advice: String,
}

/// A server that runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServerHealth {
    /// Its identifier, another after every start.
    pub server: String,
    /// The name of its host.
    pub name: String,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it last said that it is there.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
}

/// A pass on one server; of an exclusive one, on the server that has its lease.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PassHealth {
    /// Its name, as `tegata passes list` shows it.
    pub name: String,
    /// good, failing or overdue.
    pub condition: String,
    /// Whether one server does it at a time.
    pub exclusive: bool,
    /// The name of the host that does it.
    pub server: String,
    /// When its last run ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// When a run last did what there was to do.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub succeeded_at: Option<Timestamp>,
    /// How long the last run took.
    pub milliseconds: Option<u64>,
    /// When the next one begins at the latest.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// Why the last run failed.
    pub error: Option<String>,
    /// What the last canary found to let in what was revoked; nothing of other passes.
    pub alarms: Option<u64>,
}

/// A CA with its lists.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CaHealth {
    /// Identifier of the CA.
    pub ca: String,
    /// root, issuing or foreign.
    pub kind: String,
    /// The word active or resting.
    pub state: String,
    /// When its certificate ends.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// Its revocation lists; one alone unless it was made with several.
    pub lists: Vec<ListHealth>,
}

/// A published revocation list.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ListHealth {
    /// Which of the CA's, from 0.
    pub shard: u16,
    /// The CRL number of the list.
    pub number: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// When the list ends.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// Whether it lacks changes that are two seconds old.
    pub is_behind: bool,
}

/// A gate that is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GateHealth {
    /// Identifier of the gate's device.
    pub gate: String,
    /// What it is called.
    pub label: Option<String>,
    /// Events that it has not acknowledged within two seconds.
    pub behind: u64,
    /// When it last acknowledged one.
    #[schema(value_type = String, format = DateTime)]
    pub applied_at: Timestamp,
    /// When it was last heard of.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
}

/// Somebody who is told what happens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceiverHealth {
    /// Its name in the configuration, or the client's.
    pub receiver: String,
    /// What it is told: security-events or logouts.
    pub told: &'static str,
    /// enabled, paused or disabled.
    pub status: &'static str,
    /// What it has not taken.
    pub waiting: u64,
    /// Since when nothing was taken that was sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// How the last attempt failed.
    pub failure: Option<String>,
}

/// How much there is, without the system's own.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct InstallationCounts {
    /// Tenants that are not suspended.
    pub tenants: u64,
    /// Tenants that are suspended.
    pub suspended_tenants: u64,
    /// Sites of all tenants.
    pub sites: u64,
    /// People with an account.
    pub people: u64,
    /// Gates that are in use.
    pub gates: u64,
}

/// What keeps the ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerHealth {
    /// The name `SQLite` or `PostgreSQL`.
    pub engine: &'static str,
    /// Stand-bys that a commit waits for; nothing with SQLite.
    pub waits_for: Option<u32>,
    /// What is wrong with replication.
    pub replication_fault: Option<String>,
    /// Whether the database keeps the rows of tenants apart; nothing with SQLite.
    pub row_security: Option<bool>,
    /// The last event of the feed.
    pub feed: u64,
}

impl HealthReport {
    /// Says what of the facts somebody has to look at.
    #[must_use]
    pub fn judged(mut self) -> Self {
        let mut troubles = Vec::new();
        let mut note = |kind, subject: &str, detail: String| {
            troubles.push(Trouble { kind, subject: subject.to_owned(), detail });
        };
        if self.servers.is_empty() {
            note(TroubleKind::NoServer, "", String::new());
        }
        if let Some(fault) = &self.ledger.replication_fault {
            note(TroubleKind::Replication, "", fault.clone());
        }
        if self.ledger.row_security == Some(false) {
            note(TroubleKind::RowSecurity, "", String::new());
        }
        match &self.check {
            Some(check) if !check.ok => {
                let found = check.findings.first().map_or(String::new(), |line| {
                    format!("{}: {}: {}", line.code, line.subject, line.detail)
                });
                note(TroubleKind::CheckWrong, "", found);
            }
            Some(check) if self.at.since(check.at) > CHECK_IS_OLD => {
                note(TroubleKind::CheckOld, "", check.at.to_string());
            }
            _ => {}
        }
        self.passes.iter().for_each(|pass| pass.judge(&mut note));
        self.cas.iter().for_each(|ca| ca.judge(self.at, &mut note));
        self.gates.iter().for_each(|gate| gate.judge(&mut note));
        self.receivers.iter().for_each(|receiver| receiver.judge(self.at, &mut note));
        troubles.sort_by_key(|trouble| trouble.kind);
        self.ok = troubles.is_empty();
        self.troubles = troubles;
        self
    }
}

/// Hears of a trouble: its kind, what it is about, what is known.
type Note<'a> = &'a mut dyn FnMut(TroubleKind, &str, String);

impl PassHealth {
    fn judge(&self, note: Note<'_>) {
        let error = self.error.clone().unwrap_or_default();
        match self.condition.as_str() {
            "good" => {}
            "failing" => note(TroubleKind::PassFailing, &self.name, error),
            _ => note(TroubleKind::PassOverdue, &self.name, error),
        }
        if let Some(alarms) = self.alarms.filter(|alarms| *alarms > 0) {
            note(TroubleKind::CanaryAlarm, &self.server, alarms.to_string());
        }
    }
}

impl CaHealth {
    fn judge(&self, now: Timestamp, note: Note<'_>) {
        let days = self.ends_at.since(now).as_secs() / 86_400;
        if self.kind != "foreign" && days < CA_ENDS_SOON {
            note(TroubleKind::CaEnding, &self.ca, self.ends_at.to_string());
        }
        for list in &self.lists {
            if list.ends_at < now {
                note(TroubleKind::ListEnded, &self.ca, format!("CRL {}", list.number));
            } else if list.is_behind {
                note(TroubleKind::ListBehind, &self.ca, format!("CRL {}", list.number));
            }
        }
    }
}

impl GateHealth {
    /// Whether a gate that was last heard of at this time is there.
    pub fn is_there(seen_at: Timestamp, now: Timestamp) -> bool {
        now.since(seen_at) < GATE_IS_THERE
    }

    fn judge(&self, note: Note<'_>) {
        if self.behind > 0 {
            let name = self.label.as_deref().unwrap_or(&self.gate);
            note(TroubleKind::GateBehind, name, self.behind.to_string());
        }
    }
}

impl ReceiverHealth {
    fn judge(&self, now: Timestamp, note: Note<'_>) {
        if self.failing_since.is_some_and(|since| now.since(since) >= RECEIVER_PATIENCE) {
            note(TroubleKind::ReceiverFailing, &self.receiver, self.failure.clone().unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests;
