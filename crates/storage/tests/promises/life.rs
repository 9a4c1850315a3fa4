//! From delivery to the planned end: nobody is locked out.

use crate::engines::on_both_engines;
use crate::house::{DAY, GRACE, YEAR, day, operator};
use tegata_core::CertificateState::{Delivered, InUse, Issued, Retired, Retiring};
use tegata_core::Standing;
use tegata_core::Thumbprint;

on_both_engines! {
    async fn delivery_is_noted_once(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        assert!(deliver(house, &first).await);
        assert!(!deliver(house, &first).await);
        assert_eq!(house.states(&device).await, [Delivered]);
        assert!(house.present(&first, day(1)).await);
        assert!(!deliver(house, &first).await, "what is in use was delivered");
        assert_eq!(house.states(&device).await, [InUse]);
        assert!(!deliver(house, &Thumbprint::of(b"never issued")).await);
    }

    async fn use_is_noted_once_and_proves_delivery(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        assert!(house.present(&first, day(1)).await);
        assert!(!house.present(&first, day(2)).await);
        assert_eq!(house.states(&device).await, [InUse]);
    }

    async fn the_old_generation_retires_only_after_the_new_one_worked_and_grace_ended(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        house.present(&first, day(0)).await;
        let second = house.renew(&device, first, day(1)).await.unwrap();
        deliver(house, &second).await;
        assert_eq!(house.retire_due(day(300)).await, 0);
        assert_eq!(house.states(&device).await, [InUse, Delivered], "received is not yet used");
        house.present(&second, day(300)).await;
        assert_eq!(house.states(&device).await, [Retiring, InUse]);
        let end = day(300).plus(GRACE);
        assert_eq!(house.retire_due(end.minus(DAY)).await, 0);
        assert_eq!(standing(house, &first, end.minus(DAY)).await, Standing::Good, "grace is for the old one");
        assert_eq!(house.retire_due(end).await, 1);
        assert_eq!(house.retire_due(end).await, 0, "a pass is idempotent");
        assert_eq!(house.states(&device).await, [Retired, InUse]);
        assert_eq!(standing(house, &first, end).await, Standing::Retired);
        assert_eq!(standing(house, &second, end).await, Standing::Good);
    }

    async fn an_unfinished_renewal_leaves_the_first_certificate_alone(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        house.present(&first, day(0)).await;
        for attempt in 1..50 {
            house.renew(&device, first, day(attempt * 5)).await.unwrap();
            house.retire_due(day(attempt * 5 + 4)).await;
            assert_eq!(standing(house, &first, day(attempt * 5 + 4)).await, Standing::Good);
        }
    }

    async fn three_years_of_yearly_renewals(house: LedgerFixture) {
        let (device, mut current) = house.enrol(day(0)).await;
        house.present(&current, day(0)).await;
        for year in 1..=3u32 {
            let due = day(335 * year);
            let worth_a_word = house.ledger.ending_before(due.plus(DAY * 60)).await.unwrap();
            assert_eq!(worth_a_word.len(), 1);
            assert_eq!((&worth_a_word[0].device, worth_a_word[0].generation), (&device, i64::from(year)));
            let next = house.renew(&device, current, due).await.unwrap();
            house.present(&next, due.plus(DAY)).await;
            assert!(house.ledger.ending_before(due.plus(DAY * 60)).await.unwrap().is_empty());
            assert_eq!(house.retire_due(due.plus(DAY + GRACE)).await, 1);
            assert_eq!(standing(house, &current, due.plus(DAY + GRACE)).await, Standing::Retired);
            current = next;
        }
        assert_eq!(house.states(&device).await, [Retired, Retired, Retired, InUse]);
        let end = day(335 * 3).plus(YEAR);
        assert_eq!(standing(house, &current, end).await, Standing::Good);
        assert_eq!(standing(house, &current, end.plus(DAY)).await, Standing::Expired);
        let serials: Vec<_> =
            house.ended(day(335 * 3 + 8)).await.iter().map(|one| one.serial).collect();
        assert_eq!(serials, [house.certificates(&device).await[2].serial], "the list forgets what has expired");
    }

    async fn first_use_of_a_late_generation_ends_all_before_it(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        let second = house.renew(&device, first, day(1)).await.unwrap();
        let third = house.renew(&device, second, day(2)).await.unwrap();
        assert_eq!(house.states(&device).await, [Issued, Issued, Issued]);
        house.present(&third, day(3)).await;
        assert!(!house.present(&second, day(4)).await);
        assert_eq!(house.states(&device).await, [Retiring, Retiring, InUse]);
    }
}

async fn deliver(house: &crate::house::LedgerFixture, thumbprint: &Thumbprint) -> bool {
    house
        .write(day(0), async |transaction| transaction.mark_delivered(thumbprint, &operator()).await)
        .await
        .expect("a noted delivery")
}

async fn standing(
    house: &crate::house::LedgerFixture,
    thumbprint: &Thumbprint,
    now: tegata_core::Timestamp,
) -> Standing {
    house.ledger.holding(thumbprint).await.unwrap().unwrap().standing(now)
}
