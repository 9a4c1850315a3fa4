use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_hours(1);

fn pass(condition: &str, alarms: Option<u64>) -> PassHealth {
    PassHealth {
        name: "renewal".into(),
        condition: condition.into(),
        exclusive: true,
        server: "a".into(),
        ended_at: Some(NOW),
        succeeded_at: Some(NOW),
        milliseconds: Some(3),
        due_at: Some(NOW.plus(HOUR)),
        error: None,
        alarms,
    }
}

fn ca(kind: &str, days: u64, list: Option<(bool, Timestamp, Timestamp)>) -> CaHealth {
    let list = list.map(|(is_behind, made_at, ends_at)| ListHealth {
        shard: 0,
        number: 812,
        made_at,
        ends_at,
        is_behind,
    });
    CaHealth {
        ca: "ca".into(),
        kind: kind.into(),
        state: "active".into(),
        ends_at: NOW.plus(HOUR * 24 * u32::try_from(days).unwrap()),
        lists: list.into_iter().collect(),
    }
}

fn gate(behind: u64, applied_at: Timestamp) -> GateHealth {
    GateHealth { gate: "g".into(), label: Some("レジ".into()), behind, applied_at, seen_at: NOW }
}

fn receiver(failing_since: Option<Timestamp>) -> ReceiverHealth {
    ReceiverHealth {
        receiver: "crm".into(),
        told: "security-events",
        status: "enabled",
        waiting: 0,
        failing_since,
        failure: Some("refused".into()),
    }
}

fn check(ok: bool, at: Timestamp) -> CheckSummary {
    let line = CheckLine {
        code: "crl-stale".into(),
        severity: "wrong".into(),
        subject: "CRL 0".into(),
        detail: "it ended".into(),
        advice: "look".into(),
    };
    CheckSummary {
        at,
        ok,
        wrong: usize::from(!ok),
        warnings: 0,
        findings: if ok { vec![] } else { vec![line] },
    }
}

fn sound() -> HealthReport {
    let server =
        ServerHealth { server: "s".into(), name: "a".into(), started_at: NOW.minus(HOUR), seen_at: NOW };
    HealthReport {
        at: NOW,
        ok: false,
        troubles: vec![],
        check: Some(check(true, NOW.minus(HOUR))),
        servers: vec![server],
        passes: vec![pass("good", Some(0))],
        cas: vec![ca("issuing", 400, Some((false, NOW.minus(HOUR), NOW.plus(HOUR))))],
        gates_known: 1,
        gates_there: 1,
        gates: vec![gate(0, NOW.minus(HOUR))],
        receivers: vec![receiver(None)],
        counts: InstallationCounts { tenants: 1, suspended_tenants: 0, sites: 1, people: 1, gates: 1 },
        ledger: LedgerHealth {
            engine: "SQLite",
            waits_for: None,
            replication_fault: None,
            row_security: None,
            feed: 9,
        },
    }
}

fn found(change: impl FnOnce(&mut HealthReport)) -> Vec<TroubleKind> {
    let mut report = sound();
    change(&mut report);
    let report = report.judged();
    assert_eq!(report.ok, report.troubles.is_empty());
    report.troubles.into_iter().map(|trouble| trouble.kind).collect()
}

#[test]
fn each_fault_is_told_and_nothing_else_is() {
    use TroubleKind::*;
    assert_eq!(found(|_| {}), []);
    assert_eq!(found(|report| report.check = None), [], "a new installation was not checked yet");
    assert_eq!(found(|report| report.servers.clear()), [NoServer]);
    assert_eq!(found(|report| report.ledger.replication_fault = Some("x".into())), [Replication]);
    assert_eq!(found(|report| report.ledger.row_security = Some(false)), [RowSecurity]);
    assert_eq!(found(|report| report.ledger.row_security = Some(true)), []);
    assert_eq!(found(|report| report.check = Some(check(false, NOW))), [CheckWrong]);
    assert_eq!(found(|report| report.check = Some(check(true, NOW.minus(HOUR * 51)))), [CheckOld]);
    assert_eq!(found(|report| report.passes[0] = pass("failing", None)), [PassFailing]);
    assert_eq!(found(|report| report.passes[0] = pass("overdue", None)), [PassOverdue]);
    assert_eq!(found(|report| report.passes[0] = pass("good", Some(2))), [CanaryAlarm]);
    assert_eq!(found(|report| report.cas[0] = ca("root", 30, None)), [CaEnding]);
    assert_eq!(found(|report| report.cas[0] = ca("foreign", 30, None)), [], "it is another's to replace");
    let list = |is_behind, made_at, ends_at| {
        move |report: &mut HealthReport| {
            report.cas[0] = ca("issuing", 400, Some((is_behind, made_at, ends_at)));
        }
    };
    assert_eq!(found(list(false, NOW.minus(HOUR), NOW.minus(HOUR))), [ListEnded]);
    assert_eq!(found(list(true, NOW.minus(HOUR), NOW.plus(HOUR))), [ListBehind]);
    assert_eq!(found(|report| report.gates[0] = gate(3, NOW.minus(HOUR))), [GateBehind]);
    assert_eq!(found(|report| report.receivers[0] = receiver(Some(NOW.minus(HOUR)))), [ReceiverFailing]);
    assert_eq!(found(|report| report.receivers[0] = receiver(Some(NOW))), [], "it is being restarted");
}

#[test]
fn the_worst_comes_first() {
    let kinds = found(|report| {
        report.cas[0] = ca("root", 3, None);
        report.servers.clear();
        report.check = Some(check(false, NOW));
    });
    assert_eq!(kinds, [TroubleKind::NoServer, TroubleKind::CheckWrong, TroubleKind::CaEnding]);
}
