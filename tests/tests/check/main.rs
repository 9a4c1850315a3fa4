//! `tegata check` finds what is wrong, names it by its code, and finds nothing else.

mod certificates;
mod furnished;
mod lists;
mod machine;

use furnished::{Copy, each, findings, text};
use tegata_tests::RunningInstallation;

#[test]
fn a_sound_installation_passes_whether_or_not_its_server_runs() {
    let (codes, code, said) = Copy::make().found();
    assert!(codes.is_empty() && code == 0, "{said}");

    let running = RunningInstallation::start();
    let _second = running.enroll("register-1").renew(&running);
    let report = running.command(&["check"]).good().json();
    assert_eq!(report["wrong"], 0, "{report}");
    let areas: Vec<_> = report["checks"].as_array().expect("areas").iter().collect();
    assert!(areas.iter().all(|area| area["ok"] == true), "{report}");
    let clocks = areas.iter().find(|area| area["check"] == "clocks").expect("the clocks");
    assert!(text(&clocks["detail"]).contains("server agrees"), "{report}");
}

#[test]
fn a_history_that_does_not_fit_the_rows_is_told_apart_by_its_code() {
    each(&[
        (
            "an edited entry",
            &|copy| {
                copy.sql("UPDATE audit SET entry = replace(entry, 'suspended', 'resumed') WHERE entry LIKE '%suspended%'");
            },
            &["audit-broken"],
        ),
        (
            "a row removed",
            &|copy| copy.sql("DELETE FROM certificate WHERE device = :plain"),
            &["certificate-missing", "generation-missing"],
        ),
        (
            "a row slipped in",
            &|copy| {
                copy.sql(
                    "INSERT INTO certificate (issuer, serial, device, generation, state, key_hash, tbs, not_before, not_after, \
                     reserved_at) SELECT issuer, x'01', device, 2, 'reserved', x'02', tbs, not_before, not_after, reserved_at \
                     FROM certificate WHERE device = :plain; UPDATE device SET generation = 2 WHERE id = :plain",
                );
            },
            &["certificate-unrecorded"],
        ),
        (
            "a revoked device let in again",
            &|copy| copy.sql("UPDATE device SET state = 'active', reason = NULL WHERE id = :revoked"),
            &["announcement-unfounded", "crl-excess", "revocation-undone"],
        ),
        (
            "a certificate stopped behind the log",
            &|copy| {
                copy.sql("UPDATE certificate SET state = 'revoked', reason = 'superseded', ended_at = 1 WHERE device = :plain");
            },
            &["crl-incomplete", "revocation-unannounced", "revocation-unrecorded"],
        ),
        (
            "a suspended device called retired",
            &|copy| copy.sql("UPDATE device SET state = 'retired' WHERE id = :suspended"),
            &["device-state-unrecorded", "revocation-unannounced"],
        ),
        (
            "a suspended tenant let in again",
            &|copy| copy.sql("UPDATE tenant SET state = 'active'"),
            &["announcement-unfounded", "revocation-undone"],
        ),
        (
            "a tenant stopped behind the log",
            &|copy| {
                copy.sql(
                    "UPDATE tenant SET state = 'suspended', changed_at = 1 WHERE name = 'あおば薬局グループ'",
                );
            },
            &["crl-incomplete", "device-state-unrecorded", "revocation-unannounced"],
        ),
        (
            "a device signed in again",
            &|copy| copy.sql("DELETE FROM denied_tokens"),
            &["announcement-unfounded", "revocation-undone"],
        ),
        (
            "a device signed out behind the log",
            &|copy| {
                copy.sql("INSERT INTO denied_tokens SELECT kind, :renewed, issued_before, until FROM denied_tokens");
            },
            &["device-state-unrecorded", "revocation-unannounced"],
        ),
        (
            "an event exchanged",
            &|copy| {
                copy.sql(
                    "UPDATE feed SET change = '{\"change\":\"token_denied\",\"jti\":\"x\",\"until\":\"2027-01-01T00:00:00Z\"}' \
                     WHERE change LIKE '%' || :revoked || '%'",
                );
            },
            &["revocation-unannounced"],
        ),
        (
            "an event slipped in",
            &|copy| {
                copy.sql(
                    "UPDATE head SET feed_seq = feed_seq + 1; INSERT INTO feed SELECT feed_seq, 0, \
                     '{\"change\":\"device_denied\",\"device\":\"' || :plain || '\",\"reason\":\"revoked\"}' FROM head",
                );
            },
            &["announcement-unfounded"],
        ),
        ("an event removed", &|copy| copy.sql("DELETE FROM feed WHERE seq = 1"), &["feed-broken"]),
    ]);
}

#[test]
fn a_ledger_that_is_wrong_everywhere_is_told_in_a_few_lines() {
    let copy = Copy::make();
    copy.python(
        "rows = [(bytes([3, n]), n + 2) for n in range(60)]\n\
         for serial, generation in rows:\n    execute(\"INSERT INTO certificate (issuer, serial, device, generation, state, key_hash, tbs, not_before, not_after, reserved_at) \
         SELECT issuer, ?, device, ?, 'reserved', ?, tbs, not_before, not_after, 0 FROM certificate WHERE device = ? AND generation = 1\", \
         (serial, generation, serial, :plain))",
    );
    let report = copy.check().json();
    let of_kind = findings(&report).filter(|finding| finding["code"] == "reserved-long-ago");
    let of_kind: Vec<_> = of_kind.collect();
    assert_eq!(of_kind.len(), 21, "twenty examples and a count");
    assert!(of_kind.iter().any(|finding| text(&finding["detail"]).contains("60 of this kind")), "{report}");
    let shown = copy.check_as_text();
    assert!(shown.contains("WRONG") && shown.contains("reserved-long-ago"), "{shown}");
}
