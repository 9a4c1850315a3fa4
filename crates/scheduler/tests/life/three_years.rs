//! One device lives three years, and its operator hears of it at the right moments.

use std::time::Duration;
use tegata_ca::IssuedCertificate;
use tegata_core::CertificateState::{InUse, Retired};
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{CertificateState, Standing, Timestamp};
use tegata_scheduler::{RetirementReport, due, retire};
use tegata_storage::DueRenewal;
use tegata_testkit::ca::{CaFixture, DAY, NOW};
use tegata_testkit::{Everything, TestPlace};

const SECOND: Duration = Duration::from_secs(1);

tegata_testkit::on_both_engines!(
    a_device_that_renews_in_time_works_every_day_for_three_years,
    an_unfinished_renewal_leaves_the_old_certificate_working,
    a_device_that_never_renews_is_found_overdue,
    a_pass_done_twice_or_by_two_at_once_does_the_work_of_one,
);

async fn a_device_that_renews_in_time_works_every_day_for_three_years(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let policy = RenewalPolicy::default();
    let mut current = fixture.enroll(NOW).await;
    present(&fixture, &current, NOW).await;
    let mut retiring: Option<(IssuedCertificate, Timestamp)> = None;
    let mut renewals = 0;
    for day in 1..=3 * 365 {
        let now = NOW.plus(DAY * day);
        let report = turn(&fixture, now).await;
        assert_eq!(standing(&fixture, &current, now).await, Standing::Good, "day {day}");
        assert_eq!((report.abandoned, report.overdue.len()), (0, 0), "day {day}");
        retiring = retiring.filter(|(old, retire_at)| {
            assert_eq!(report.retired, usize::from(now >= *retire_at), "day {day}: {}", old.generation);
            now < *retire_at
        });
        if let Some((old, _)) = &retiring {
            assert_eq!(standing(&fixture, old, now).await, Standing::Good, "the grace is not over");
        }
        // Due is the last month, from its first moment on.
        let due = now >= current.not_after.minus(DAY * policy.due_days);
        assert_eq!(
            generations(&report.due),
            if due { vec![current.generation] } else { vec![] },
            "day {day}"
        );
        if due {
            let next = fixture.renew(&current, now).await.unwrap();
            let report = turn(&fixture, now.plus(SECOND)).await;
            assert_eq!(report.retired, 0, "nothing retires before its successor was presented");
            present(&fixture, &next, now.plus(SECOND * 2)).await;
            let retire_at = policy.retire_at(now.plus(SECOND * 2));
            assert_eq!(retire_at, now.plus(SECOND * 2).plus(DAY * 7));
            retiring = Some((std::mem::replace(&mut current, next), retire_at));
            renewals += 1;
        }
    }
    assert_eq!((renewals, current.generation), (3, 4));
    let states = states(&fixture, &current).await;
    assert_eq!(states, [Retired, Retired, Retired, InUse]);
    fixture.ledger.verify_audit().await.unwrap().unwrap();
}

async fn an_unfinished_renewal_leaves_the_old_certificate_working(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let first = fixture.enroll(NOW).await;
    present(&fixture, &first, NOW).await;
    let due_at = first.not_after.minus(DAY * 30);
    assert_eq!(turn(&fixture, due_at.minus(SECOND)).await.due, []);
    assert_eq!(generations(&turn(&fixture, due_at).await.due), [1]);

    // The answer is lost: the second generation is never presented.
    let lost = fixture.renew(&first, due_at).await.unwrap();
    for days in [0, 1, 8, 29] {
        let now = due_at.plus(DAY * days);
        let report = turn(&fixture, now).await;
        assert_eq!(report.retired, 0);
        assert_eq!(generations(&report.due), [1], "still due, {days} days later");
        assert_eq!(standing(&fixture, &first, now).await, Standing::Good);
    }
    // Once more, with another key: the lost one is taken back, and only then does the first one go.
    let now = due_at.plus(DAY * 29);
    let third = fixture.renew(&first, now).await.unwrap();
    assert_eq!(standing(&fixture, &lost, now).await, Standing::Revoked);
    assert_eq!(standing(&fixture, &first, now).await, Standing::Good);
    present(&fixture, &third, now).await;
    assert_eq!(turn(&fixture, now).await, Turn::default(), "in its grace");
    assert_eq!(standing(&fixture, &first, now).await, Standing::Good);
    let over = RenewalPolicy::default().retire_at(now);
    assert_eq!(turn(&fixture, over.minus(SECOND)).await.retired, 0);
    assert_eq!(turn(&fixture, over).await.retired, 1);
    assert_eq!(standing(&fixture, &first, over).await, Standing::Retired);
    assert_eq!(standing(&fixture, &third, over).await, Standing::Good);
}

async fn a_device_that_never_renews_is_found_overdue(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let [forgotten, careful] = [fixture.enroll(NOW).await, fixture.enroll(NOW.plus(DAY)).await];
    present(&fixture, &forgotten, NOW).await;
    present(&fixture, &careful, NOW.plus(DAY)).await;
    let last = forgotten.not_after;
    let report = turn(&fixture, last).await;
    let devices: Vec<_> = report.due.iter().map(|due| &due.device).collect();
    assert_eq!(devices, [&forgotten.device, &careful.device], "the most urgent first");
    assert_eq!(report.overdue, []);

    let report = turn(&fixture, last.plus(SECOND)).await;
    assert_eq!(report.overdue.len(), 1);
    assert_eq!(report.overdue[0].device, forgotten.device);
    assert_eq!(report.due.len(), 1);
    assert_eq!(standing(&fixture, &forgotten, last.plus(SECOND)).await, Standing::Expired);
    let year_later = turn(&fixture, last.plus(DAY * 365)).await;
    assert_eq!(year_later.overdue.len(), 2, "nobody is forgotten");
}

async fn a_pass_done_twice_or_by_two_at_once_does_the_work_of_one(place: TestPlace) {
    let fixture = CaFixture::found(place).await;
    let other = CaFixture::reopen(fixture.place.clone(), 2).await;
    let mut expected = 0;
    for _ in 0..8 {
        let old = fixture.enroll(NOW).await;
        present(&fixture, &old, NOW).await;
        let new = fixture.renew(&old, NOW).await.unwrap();
        present(&fixture, &new, NOW).await;
        expected += 1;
    }
    let now = NOW.plus(DAY * 8);
    let passes = [&fixture, &other, &fixture, &other].map(|fixture| {
        let ledger = fixture.ledger.clone();
        tokio::spawn(async move { retire(&ledger, now).await.unwrap().retired })
    });
    let mut retired = 0;
    for pass in passes {
        retired += pass.await.unwrap();
    }
    assert_eq!(retired, expected);
    let (feed, audit) =
        (fixture.ledger.feed_head().await.unwrap(), fixture.ledger.verify_audit().await.unwrap());
    assert_eq!(turn(&fixture, now).await, Turn::default());
    assert_eq!(fixture.ledger.feed_head().await.unwrap(), feed, "nothing more was said");
    assert_eq!(fixture.ledger.verify_audit().await.unwrap(), audit, "nothing more was written");
}

/// What a run found and did.
#[derive(PartialEq, Eq, Debug, Default)]
struct Turn {
    retired: usize,
    abandoned: usize,
    due: Vec<DueRenewal>,
    overdue: Vec<DueRenewal>,
}

/// A pass, and the same pass once more, which does nothing.
async fn turn(fixture: &CaFixture, now: Timestamp) -> Turn {
    let RetirementReport { retired, abandoned, .. } = retire(&fixture.ledger, now).await.unwrap();
    assert_eq!(retire(&fixture.ledger, now).await.unwrap(), RetirementReport::default());
    let (due, overdue) = due(&fixture.ledger, &RenewalPolicy::default(), now).await.unwrap();
    Turn { retired, abandoned, due, overdue }
}

async fn present(fixture: &CaFixture, certificate: &IssuedCertificate, now: Timestamp) {
    fixture.present(certificate, RenewalPolicy::default().retire_at(now), now).await;
}

pub(crate) async fn standing(
    fixture: &CaFixture,
    certificate: &IssuedCertificate,
    now: Timestamp,
) -> Standing {
    let thumbprint = &certificate.certificate.thumbprint;
    fixture.ledger.holding(thumbprint).await.unwrap().unwrap().standing(now)
}

async fn states(fixture: &CaFixture, certificate: &IssuedCertificate) -> Vec<CertificateState> {
    let rows = fixture.ledger.everything().certificates_of(&certificate.device).await.unwrap();
    rows.iter().map(|row| row.state).collect()
}

fn generations(due: &[DueRenewal]) -> Vec<u32> {
    due.iter().map(|due| u32::try_from(due.generation).unwrap()).collect()
}
