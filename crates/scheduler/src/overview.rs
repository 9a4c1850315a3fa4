//! What the ledger says of all passes, judged: for operators, and for whoever watches.

use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::{CLOCKS_APART, Timestamp};
use tegata_storage::{Ledger, PassLease, PassState, Result};

/// Servers tell the ledger of their passes every few seconds. Who was silent for this long does not run, and what should have happened
/// so long ago is late.
const SILENT: Duration = Duration::from_secs(20);

/// How a pass does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PassCondition {
    /// It does what it should.
    Good,
    /// Its last run failed. It is tried again.
    Failing,
    /// It should have run, or have ended, long ago; or no server has its lease.
    Overdue,
}

/// A pass as it runs on one server; of an exclusive pass, on the one that has its lease or had it last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PassOverview {
    /// What the server says.
    pub state: PassState,
    /// The lease of an exclusive pass.
    pub lease: Option<PassLease>,
    /// Whether somebody has to look.
    pub condition: PassCondition,
}

impl PassCondition {
    /// Its word in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Failing => "failing",
            Self::Overdue => "overdue",
        }
    }
}

/// The passes of all servers that run, by name and server. Nothing where none runs.
pub async fn overview(ledger: &Ledger, now: Timestamp) -> Result<Vec<PassOverview>> {
    let states = ledger.pass_states().await?;
    Ok(judged(states, &ledger.pass_leases().await?, now))
}

fn judged(states: Vec<PassState>, leases: &[PassLease], now: Timestamp) -> Vec<PassOverview> {
    let runs =
        |state: &PassState| now.since(state.seen_at) < SILENT && state.seen_at < now.plus(CLOCKS_APART);
    let mut by_name = BTreeMap::<String, Vec<PassState>>::new();
    for state in states.into_iter().filter(runs) {
        by_name.entry(state.name.clone()).or_default().push(state);
    }
    by_name.into_values().flat_map(|states| of_one_pass(states, leases, now)).collect()
}

fn of_one_pass(mut states: Vec<PassState>, leases: &[PassLease], now: Timestamp) -> Vec<PassOverview> {
    if !states.iter().any(|state| state.exclusive) {
        let alone = |state: PassState| PassOverview { condition: condition(&state, now), lease: None, state };
        return states.into_iter().map(alone).collect();
    }
    let lease = leases.iter().find(|lease| lease.name == states[0].name).cloned();
    let holds = |state: &PassState| lease.as_ref().is_some_and(|lease| lease.holder == state.server);
    // The holder comes last, and without one whoever ran it last.
    states.sort_by_key(|state| (holds(state), state.ended_at));
    let Some(state) = states.pop() else { return Vec::new() };
    let is_held = lease.as_ref().is_some_and(|lease| now.since(lease.until) < SILENT) && holds(&state);
    // Between two holders nobody need have it for a moment.
    let is_orphaned = !is_held && lease.as_ref().is_none_or(|lease| now.since(lease.until) >= SILENT);
    let condition = if is_orphaned { PassCondition::Overdue } else { condition(&state, now) };
    vec![PassOverview { state, lease, condition }]
}

fn condition(state: &PassState, now: Timestamp) -> PassCondition {
    let is_running = state.started_at > state.ended_at;
    let hangs = is_running && state.started_at.is_some_and(|at| now.since(at) >= state.limit + SILENT);
    let is_late = !is_running && state.due_at.is_some_and(|at| now.since(at) >= SILENT);
    if hangs || is_late {
        PassCondition::Overdue
    } else if state.outcome.is_some_and(tegata_storage::PassOutcome::is_failure) {
        PassCondition::Failing
    } else {
        PassCondition::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tegata_storage::PassOutcome;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const MINUTE: Duration = Duration::from_mins(1);

    fn state(server: &str, exclusive: bool) -> PassState {
        PassState {
            name: "crl".into(),
            exclusive,
            period: MINUTE,
            limit: MINUTE,
            started_at: Some(NOW.minus(MINUTE)),
            ended_at: Some(NOW.minus(MINUTE)),
            succeeded_at: Some(NOW.minus(MINUTE)),
            due_at: Some(NOW),
            outcome: Some(PassOutcome::Done),
            error: None,
            duration: Some(Duration::ZERO),
            counts: BTreeMap::new(),
            server: server.into(),
            seen_at: NOW,
        }
    }

    fn lease(holder: &str, until: Timestamp) -> PassLease {
        PassLease { name: "crl".into(), holder: holder.into(), token: 1, until }
    }

    fn conditions(states: Vec<PassState>, leases: &[PassLease]) -> Vec<(String, PassCondition)> {
        let all = judged(states, leases, NOW);
        all.into_iter().map(|pass| (pass.state.server, pass.condition)).collect()
    }

    #[test]
    fn a_pass_of_each_server_is_judged_for_each_server_that_runs() {
        let gone = PassState { seen_at: NOW.minus(MINUTE), ..state("gone", false) };
        let failing = PassState { outcome: Some(PassOutcome::Panicked), ..state("failing", false) };
        let late = PassState { due_at: Some(NOW.minus(SILENT)), ..state("late", false) };
        let hangs =
            PassState { started_at: Some(NOW.minus(MINUTE * 2)), ended_at: None, ..state("hangs", false) };
        let works =
            PassState { started_at: Some(NOW.minus(MINUTE / 2)), due_at: None, ..state("works", false) };
        let found = conditions(vec![state("good", false), gone, failing, late, hangs, works], &[]);
        let expected = [
            ("good", PassCondition::Good),
            ("failing", PassCondition::Failing),
            ("late", PassCondition::Overdue),
            ("hangs", PassCondition::Overdue),
            ("works", PassCondition::Good),
        ];
        assert_eq!(found, expected.map(|(server, condition)| (server.to_owned(), condition)));
    }

    #[test]
    fn an_exclusive_pass_is_late_where_no_server_has_its_lease() {
        let waits = PassState {
            due_at: None,
            started_at: None,
            ended_at: None,
            outcome: None,
            ..state("waits", true)
        };
        let states = || vec![state("holds", true), waits.clone()];
        let good = ("holds".to_owned(), PassCondition::Good);
        assert_eq!(conditions(states(), &[lease("holds", NOW.plus(MINUTE))]), [good]);
        let taken_over = [("waits".to_owned(), PassCondition::Good)];
        assert_eq!(
            conditions(states(), &[lease("waits", NOW.plus(MINUTE))]),
            taken_over,
            "it is about to begin"
        );
        let between = conditions(states(), &[lease("died", NOW.minus(MINUTE / 6))]);
        assert_eq!(between, [("holds".to_owned(), PassCondition::Good)]);
        for leases in [vec![], vec![lease("died", NOW.minus(MINUTE))]] {
            assert_eq!(conditions(states(), &leases)[0].1, PassCondition::Overdue, "{leases:?}");
        }
    }
}
