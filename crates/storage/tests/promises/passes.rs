//! Passes of several servers: one has a lease at a time, a lease always ends, and what is said of runs does not grow.

use crate::engines::on_both_engines;
use crate::fixture::{LedgerFixture, day};
use std::collections::BTreeMap;
use std::time::Duration;
use tegata_core::entropy::{Seeded, bytes};
use tegata_core::{CLOCKS_APART, ServerId, Timestamp};
use tegata_storage::{LeavePasses, PassOutcome, PassState, ReportPasses};

const LEASE: Duration = Duration::from_secs(5);

/// A server with a clock of its own.
struct LeaseServer {
    id: ServerId,
    /// How far its clock is ahead of the time that nobody knows.
    ahead: Duration,
    /// Until when it takes itself for the holder, by its clock.
    holds_until: Option<Timestamp>,
}

impl LeaseServer {
    fn new(entropy: &Seeded) -> Self {
        let [ahead] = bytes::<1>(entropy);
        let ahead = Duration::from_millis(u64::from(ahead) * 3000 / 255);
        Self { id: ServerId::random(entropy), ahead, holds_until: None }
    }

    async fn ask(&mut self, fixture: &LedgerFixture, time: Timestamp) -> bool {
        let at = time.plus(self.ahead);
        let granted = ask(fixture, &self.id, at).await;
        self.holds_until = granted.then(|| at.plus(LEASE));
        granted
    }

    /// How much longer it takes itself for the holder.
    fn holds_for(&self, time: Timestamp) -> Duration {
        self.holds_until.map_or(Duration::ZERO, |until| until.since(time.plus(self.ahead)))
    }
}

async fn ask(fixture: &LedgerFixture, server: &ServerId, at: Timestamp) -> bool {
    let report = ReportPasses {
        server: server.clone(),
        wanted: vec!["crl".into()],
        released: vec![],
        until: at.plus(LEASE),
        states: vec![],
        forgotten: vec![],
        at,
    };
    fixture.ledger.group(report).await.unwrap() == ["crl"]
}

async fn holder(fixture: &LedgerFixture) -> (String, u64) {
    let leases = fixture.ledger.pass_leases().await.unwrap();
    let [lease] = leases.as_slice() else { panic!("one lease: {leases:?}") };
    (lease.holder.clone(), lease.token)
}

fn state(name: &str, outcome: PassOutcome, at: Timestamp) -> PassState {
    PassState {
        name: name.into(),
        exclusive: false,
        period: Duration::from_mins(1),
        limit: Duration::from_secs(30),
        started_at: Some(at),
        ended_at: Some(at),
        succeeded_at: None,
        due_at: Some(at.plus(Duration::from_mins(1))),
        outcome: Some(outcome),
        error: outcome.is_failure().then(|| "why".into()),
        duration: Some(Duration::from_millis(7)),
        counts: BTreeMap::from([("retired".into(), 3)]),
        server: String::new(),
        seen_at: at,
    }
}

async fn say(fixture: &LedgerFixture, server: &ServerId, states: Vec<PassState>, at: Timestamp) {
    let server = server.clone();
    let report = ReportPasses {
        server,
        wanted: vec![],
        released: vec![],
        until: at.plus(LEASE),
        states,
        forgotten: vec![],
        at,
    };
    fixture.ledger.group(report).await.unwrap();
}

on_both_engines! {
    /// Servers ask, fall silent and come back as others, in an order that chance says.
    async fn one_server_has_a_lease_and_whoever_has_it_may_die_at_any_time(fixture: LedgerFixture) {
        let entropy = Seeded::new(31);
        let mut servers = [(); 3].map(|()| LeaseServer::new(&entropy));
        let (mut time, mut last) = (day(1), None::<(String, u64)>);
        for _ in 0..250 {
            let [pause, who, what] = bytes::<3>(&entropy);
            time = time.plus(Duration::from_millis(u64::from(pause) * 10));
            let who = usize::from(who) % servers.len();
            if what < 20 {
                // It dies; what comes in its place is another.
                servers[who] = LeaseServer::new(&entropy);
            }
            let before = last.clone();
            if servers[who].ask(fixture, time).await {
                let (name, token) = holder(fixture).await;
                assert_eq!(name, servers[who].id.as_str(), "whoever got it has it");
                let moved = before.as_ref().is_none_or(|(before, _)| *before != name);
                assert_eq!(token, before.map_or(0, |(_, token)| token) + u64::from(moved));
                last = Some((name, token));
                for (other, server) in servers.iter().enumerate().filter(|(other, _)| *other != who) {
                    let apart = servers[who].ahead.abs_diff(server.ahead);
                    let both = server.holds_for(time);
                    assert!(both <= apart, "{other} takes itself for the holder for {both:?}, clocks are {apart:?} apart");
                }
            } else {
                assert_eq!(Some(holder(fixture).await), last, "a refusal changes nothing");
            }
        }
        let late = ServerId::random(&entropy);
        let over = time.plus(LEASE + Duration::from_secs(3) + Duration::from_millis(1));
        assert!(ask(fixture, &late, over).await, "there is a holder again after the end of the last lease");
    }

    async fn a_lease_that_is_given_back_or_was_taken_in_the_future_binds_nobody(fixture: LedgerFixture) {
        let entropy = Seeded::new(1);
        let [one, other] = [(); 2].map(|()| ServerId::random(&entropy));
        assert!(ask(fixture, &one, day(1)).await);
        assert!(!ask(fixture, &other, day(1)).await);
        fixture.ledger.group(LeavePasses { server: one.clone(), at: day(1) }).await.unwrap();
        assert!(ask(fixture, &other, day(1)).await, "others need not wait for its end");
        let back = ReportPasses {
            server: other.clone(),
            wanted: vec![],
            released: vec!["crl".into(), "never-had".into()],
            until: day(1).plus(LEASE),
            states: vec![],
        forgotten: vec![],
            at: day(1),
        };
        fixture.ledger.group(back).await.unwrap();
        assert!(ask(fixture, &one, day(100)).await, "a clock that is ahead");
        assert!(ask(fixture, &other, day(2)).await, "binds nobody when it is right again");
        assert!(!ask(fixture, &one, day(2).minus(CLOCKS_APART)).await, "a little behind is no reason");
        assert_eq!(holder(fixture).await, (other.as_str().to_owned(), 4));
    }

    async fn a_run_replaces_the_one_before_and_goes_with_its_server(fixture: LedgerFixture) {
        let entropy = Seeded::new(1);
        let [one, other] = [(); 2].map(|()| ServerId::random(&entropy));
        say(fixture, &one, vec![state("renewal", PassOutcome::Failed, day(1)), state("crl", PassOutcome::Done, day(1))], day(1)).await;
        let later = day(1).plus(LEASE);
        say(fixture, &one, vec![state("renewal", PassOutcome::Done, later)], later).await;
        say(fixture, &other, vec![state("renewal", PassOutcome::TimedOut, later)], later).await;
        let states = fixture.ledger.pass_states().await.unwrap();
        assert_eq!(states.len(), 3);
        let of = |name: &str, server: &ServerId| {
            states.iter().find(|state| state.name == name && state.server == server.as_str()).unwrap().clone()
        };
        let expected = PassState { server: one.as_str().into(), ..state("renewal", PassOutcome::Done, later) };
        assert_eq!(of("renewal", &one), expected);
        assert_eq!(of("crl", &one).seen_at, later, "whoever says anything is there");
        assert_eq!((of("renewal", &other).outcome, of("renewal", &other).error), (Some(PassOutcome::TimedOut), Some("why".into())));

        // Many servers that crash, one after the other, leave no more than the last.
        let mut at = later;
        for _ in 0..20 {
            at = at.plus(Duration::from_mins(11));
            say(fixture, &ServerId::random(&entropy), vec![state("renewal", PassOutcome::Done, at)], at).await;
        }
        assert_eq!(fixture.ledger.pass_states().await.unwrap().len(), 1);
        say(fixture, &one, vec![state("renewal", PassOutcome::Done, at)], at).await;
        fixture.ledger.group(LeavePasses { server: one.clone(), at }).await.unwrap();
        assert_eq!(fixture.ledger.pass_states().await.unwrap().len(), 1, "whoever stops in order takes theirs along");
    }

    async fn a_hundred_leases_and_states_are_one_transaction(fixture: LedgerFixture) {
        let server = ServerId::random(&Seeded::new(1));
        let names: Vec<_> = (0..100).map(|number| format!("crl:{number:03}")).collect();
        let report = ReportPasses {
            server: server.clone(),
            wanted: names.clone(),
            released: vec![],
            until: day(1).plus(LEASE),
            states: names.iter().map(|name| state(name, PassOutcome::Done, day(1))).collect(),
            forgotten: vec![],
            at: day(1),
        };
        let commits = fixture.ledger.commits().groups;
        let mut granted = fixture.ledger.group(report).await.unwrap();
        granted.sort();
        assert_eq!(granted, names);
        assert_eq!(fixture.ledger.commits().groups, commits + 1);
        assert_eq!(fixture.ledger.pass_states().await.unwrap().len(), 100);
        let over = ReportPasses { server, wanted: vec![], released: names.clone(), until: day(1), states: vec![], forgotten: names, at: day(1) };
        fixture.ledger.group(over).await.unwrap();
        assert!(fixture.ledger.pass_states().await.unwrap().is_empty(), "a pass that ended for good is not said to be late");
    }
}
