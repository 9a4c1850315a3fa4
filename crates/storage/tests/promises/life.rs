//! From delivery to the planned end: nobody is locked out.

use crate::engines::on_both_engines;
use crate::fixture::{DAY, Everything, GRACE, YEAR, day, operator};
use tegata_core::CertificateState::{Delivered, InUse, Issued, Retired, Retiring};
use tegata_core::Standing;
use tegata_core::Thumbprint;

on_both_engines! {
    async fn delivery_is_noted_once(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        assert!(deliver(fixture, &first).await);
        assert!(!deliver(fixture, &first).await);
        assert_eq!(fixture.states(&device).await, [Delivered]);
        assert!(fixture.present(&first, day(1)).await);
        assert!(!deliver(fixture, &first).await, "what is in use was delivered");
        assert_eq!(fixture.states(&device).await, [InUse]);
        assert!(!deliver(fixture, &Thumbprint::of(b"never issued")).await);
    }

    async fn use_is_noted_once_and_proves_delivery(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        assert!(fixture.present(&first, day(1)).await);
        assert!(!fixture.present(&first, day(2)).await);
        assert_eq!(fixture.states(&device).await, [InUse]);
    }

    async fn the_old_generation_retires_after_the_new_one_worked_and_grace_ended(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let second = fixture.renew(&device, first, day(1)).await.unwrap();
        deliver(fixture, &second).await;
        assert_eq!(fixture.retire_due(day(300)).await, 0);
        assert_eq!(fixture.states(&device).await, [InUse, Delivered], "received is not yet used");
        fixture.present(&second, day(300)).await;
        assert_eq!(fixture.states(&device).await, [Retiring, InUse]);
        let end = day(300).plus(GRACE);
        assert_eq!(fixture.retire_due(end.minus(DAY)).await, 0);
        assert_eq!(standing(fixture, &first, end.minus(DAY)).await, Standing::Good, "grace is for the old one");
        assert_eq!(fixture.retire_due(end).await, 1);
        assert_eq!(fixture.retire_due(end).await, 0, "a pass is idempotent");
        assert_eq!(fixture.states(&device).await, [Retired, InUse]);
        assert_eq!(standing(fixture, &first, end).await, Standing::Retired);
        assert_eq!(standing(fixture, &second, end).await, Standing::Good);
    }

    async fn an_unfinished_renewal_leaves_the_first_certificate_alone(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        for attempt in 1..50 {
            fixture.renew(&device, first, day(attempt * 5)).await.unwrap();
            fixture.retire_due(day(attempt * 5 + 4)).await;
            assert_eq!(standing(fixture, &first, day(attempt * 5 + 4)).await, Standing::Good);
        }
    }

    async fn three_years_of_yearly_renewals(fixture: LedgerFixture) {
        let (device, mut current) = fixture.enroll(day(0)).await;
        fixture.present(&current, day(0)).await;
        for year in 1..=3u32 {
            let due = day(335 * year);
            let worth_a_word = fixture.ledger.everything().ending_before(due.plus(DAY * 60)).await.unwrap();
            assert_eq!(worth_a_word.len(), 1);
            assert_eq!((&worth_a_word[0].device, worth_a_word[0].generation), (&device, i64::from(year)));
            let next = fixture.renew(&device, current, due).await.unwrap();
            fixture.present(&next, due.plus(DAY)).await;
            assert!(fixture.ledger.everything().ending_before(due.plus(DAY * 60)).await.unwrap().is_empty());
            assert_eq!(fixture.retire_due(due.plus(DAY + GRACE)).await, 1);
            assert_eq!(standing(fixture, &current, due.plus(DAY + GRACE)).await, Standing::Retired);
            current = next;
        }
        assert_eq!(fixture.states(&device).await, [Retired, Retired, Retired, InUse]);
        let end = day(335 * 3).plus(YEAR);
        assert_eq!(standing(fixture, &current, end).await, Standing::Good);
        assert_eq!(standing(fixture, &current, end.plus(DAY)).await, Standing::Expired);
        let serials: Vec<_> =
            fixture.ended(day(335 * 3 + 8)).await.iter().map(|one| one.serial).collect();
        assert_eq!(serials, [fixture.certificates(&device).await[2].serial], "the list forgets what has expired");
    }

    async fn first_use_of_a_late_generation_ends_all_before_it(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let second = fixture.renew(&device, first, day(1)).await.unwrap();
        let third = fixture.renew(&device, second, day(2)).await.unwrap();
        assert_eq!(fixture.states(&device).await, [Issued, Issued, Issued]);
        fixture.present(&third, day(3)).await;
        assert!(!fixture.present(&second, day(4)).await);
        assert_eq!(fixture.states(&device).await, [Retiring, Retiring, InUse]);
    }
}

async fn deliver(fixture: &crate::fixture::LedgerFixture, thumbprint: &Thumbprint) -> bool {
    fixture
        .write(day(0), async |transaction| transaction.mark_delivered(thumbprint, &operator()).await)
        .await
        .expect("a noted delivery")
}

async fn standing(
    fixture: &crate::fixture::LedgerFixture,
    thumbprint: &Thumbprint,
    now: tegata_core::Timestamp,
) -> Standing {
    fixture.ledger.holding(thumbprint).await.unwrap().unwrap().standing(now)
}
