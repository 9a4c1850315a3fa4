//! One device lives three years, and its operator hears of it at the right moments.

#![allow(clippy::unwrap_used)]

#[path = "../../ca/tests/support/mod.rs"]
mod support;

use std::time::Duration;
use support::{CaFixture, DAY, LedgerPlace, NOW};
use tegata_ca::IssuedCertificate;
use tegata_core::CertificateState::{InUse, Retired};
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{CertificateState, Standing, Timestamp};
use tegata_renewal::{PassReport, pass};
use tegata_storage::DueRenewal;

const SECOND: Duration = Duration::from_secs(1);

on_both_engines!(
    a_device_that_renews_in_time_works_every_day_for_three_years,
    an_unfinished_renewal_leaves_the_old_certificate_working,
    a_device_that_never_renews_is_found_overdue,
    a_pass_done_twice_or_by_two_at_once_does_the_work_of_one,
);

async fn a_device_that_renews_in_time_works_every_day_for_three_years(place: LedgerPlace) {
    let house = CaFixture::found(place).await;
    let policy = RenewalPolicy::default();
    let mut current = house.enroll(NOW).await;
    present(&house, &current, NOW).await;
    let mut retiring: Option<(IssuedCertificate, Timestamp)> = None;
    let mut renewals = 0;
    for day in 1..=3 * 365 {
        let now = NOW.plus(DAY * day);
        let report = turn(&house, now).await;
        assert_eq!(standing(&house, &current, now).await, Standing::Good, "day {day}");
        assert_eq!((report.abandoned, report.overdue.len()), (0, 0), "day {day}");
        retiring = retiring.filter(|(old, retire_at)| {
            assert_eq!(report.retired, usize::from(now >= *retire_at), "day {day}: {}", old.generation);
            now < *retire_at
        });
        if let Some((old, _)) = &retiring {
            assert_eq!(standing(&house, old, now).await, Standing::Good, "the grace is not over");
        }
        // Due is the last month, from its first moment on.
        let due = now >= current.not_after.minus(DAY * policy.due_days);
        assert_eq!(
            generations(&report.due),
            if due { vec![current.generation] } else { vec![] },
            "day {day}"
        );
        if due {
            let next = house.renew(&current, now).await.unwrap();
            let report = turn(&house, now.plus(SECOND)).await;
            assert_eq!(report.retired, 0, "nothing retires before its successor was presented");
            present(&house, &next, now.plus(SECOND * 2)).await;
            let retire_at = policy.retire_at(now.plus(SECOND * 2));
            assert_eq!(retire_at, now.plus(SECOND * 2).plus(DAY * 7));
            retiring = Some((std::mem::replace(&mut current, next), retire_at));
            renewals += 1;
        }
    }
    assert_eq!((renewals, current.generation), (3, 4));
    let states = states(&house, &current).await;
    assert_eq!(states, [Retired, Retired, Retired, InUse]);
    house.ledger.verify_audit().await.unwrap().unwrap();
}

async fn an_unfinished_renewal_leaves_the_old_certificate_working(place: LedgerPlace) {
    let house = CaFixture::found(place).await;
    let first = house.enroll(NOW).await;
    present(&house, &first, NOW).await;
    let due_at = first.not_after.minus(DAY * 30);
    assert_eq!(turn(&house, due_at.minus(SECOND)).await.due, []);
    assert_eq!(generations(&turn(&house, due_at).await.due), [1]);

    // The answer is lost: the second generation is never presented.
    let lost = house.renew(&first, due_at).await.unwrap();
    for days in [0, 1, 8, 29] {
        let now = due_at.plus(DAY * days);
        let report = turn(&house, now).await;
        assert_eq!(report.retired, 0);
        assert_eq!(generations(&report.due), [1], "still due, {days} days later");
        assert_eq!(standing(&house, &first, now).await, Standing::Good);
    }
    // Once more, with another key: the lost one is taken back, and only then does the first one go.
    let now = due_at.plus(DAY * 29);
    let third = house.renew(&first, now).await.unwrap();
    assert_eq!(standing(&house, &lost, now).await, Standing::Revoked);
    assert_eq!(standing(&house, &first, now).await, Standing::Good);
    present(&house, &third, now).await;
    assert_eq!(turn(&house, now).await, PassReport::default(), "in its grace");
    assert_eq!(standing(&house, &first, now).await, Standing::Good);
    let over = RenewalPolicy::default().retire_at(now);
    assert_eq!(turn(&house, over.minus(SECOND)).await.retired, 0);
    assert_eq!(turn(&house, over).await.retired, 1);
    assert_eq!(standing(&house, &first, over).await, Standing::Retired);
    assert_eq!(standing(&house, &third, over).await, Standing::Good);
}

async fn a_device_that_never_renews_is_found_overdue(place: LedgerPlace) {
    let house = CaFixture::found(place).await;
    let [forgotten, careful] = [house.enroll(NOW).await, house.enroll(NOW.plus(DAY)).await];
    present(&house, &forgotten, NOW).await;
    present(&house, &careful, NOW.plus(DAY)).await;
    let last = forgotten.not_after;
    let report = turn(&house, last).await;
    let devices: Vec<_> = report.due.iter().map(|due| &due.device).collect();
    assert_eq!(devices, [&forgotten.device, &careful.device], "the most urgent first");
    assert_eq!(report.overdue, []);

    let report = turn(&house, last.plus(SECOND)).await;
    assert_eq!(report.overdue.len(), 1);
    assert_eq!(report.overdue[0].device, forgotten.device);
    assert_eq!(report.due.len(), 1);
    assert_eq!(standing(&house, &forgotten, last.plus(SECOND)).await, Standing::Expired);
    let year_later = turn(&house, last.plus(DAY * 365)).await;
    assert_eq!(year_later.overdue.len(), 2, "nobody is forgotten");
}

async fn a_pass_done_twice_or_by_two_at_once_does_the_work_of_one(place: LedgerPlace) {
    let house = CaFixture::found(place).await;
    let other = CaFixture::reopen(house.place.clone(), 2).await;
    let mut expected = 0;
    for _ in 0..8 {
        let old = house.enroll(NOW).await;
        present(&house, &old, NOW).await;
        let new = house.renew(&old, NOW).await.unwrap();
        present(&house, &new, NOW).await;
        expected += 1;
    }
    let now = NOW.plus(DAY * 8);
    let passes = [&house, &other, &house, &other].map(|house| {
        let ledger = house.ledger.clone();
        tokio::spawn(async move { pass(&ledger, &RenewalPolicy::default(), now).await.unwrap().retired })
    });
    let mut retired = 0;
    for pass in passes {
        retired += pass.await.unwrap();
    }
    assert_eq!(retired, expected);
    let (feed, audit) = (house.ledger.feed_head().await.unwrap(), house.ledger.verify_audit().await.unwrap());
    assert_eq!(turn(&house, now).await, PassReport::default());
    assert_eq!(house.ledger.feed_head().await.unwrap(), feed, "nothing more was said");
    assert_eq!(house.ledger.verify_audit().await.unwrap(), audit, "nothing more was written");
}

/// A pass, and the same pass once more: the second finds the same and does nothing.
async fn turn(house: &CaFixture, now: Timestamp) -> PassReport {
    let policy = RenewalPolicy::default();
    let first = pass(&house.ledger, &policy, now).await.unwrap();
    let second = pass(&house.ledger, &policy, now).await.unwrap();
    assert_eq!(second, PassReport { retired: 0, abandoned: 0, forgotten: 0, ..first.clone() });
    first
}

async fn present(house: &CaFixture, certificate: &IssuedCertificate, now: Timestamp) {
    house.present(certificate, RenewalPolicy::default().retire_at(now), now).await;
}

async fn standing(house: &CaFixture, certificate: &IssuedCertificate, now: Timestamp) -> Standing {
    let thumbprint = &certificate.certificate.thumbprint;
    house.ledger.holding(thumbprint).await.unwrap().unwrap().standing(now)
}

async fn states(house: &CaFixture, certificate: &IssuedCertificate) -> Vec<CertificateState> {
    let rows = house.ledger.certificates_of(&certificate.device).await.unwrap();
    rows.iter().map(|row| row.state).collect()
}

fn generations(due: &[DueRenewal]) -> Vec<u32> {
    due.iter().map(|due| u32::try_from(due.generation).unwrap()).collect()
}
