//! Receivers of security events: one sender at a time, and a place that never goes back.

use crate::engines::on_both_engines;
use crate::house::day;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_storage::{Delivery, DeviceAction};

const LEASE: Duration = Duration::from_secs(30);

on_both_engines! {
    async fn a_new_receiver_begins_at_the_end_of_the_feed_with_a_verification(house: House) {
        let (device, _) = house.enrol(day(0)).await;
        house.act(&device, DeviceAction::Suspend, day(1)).await.unwrap();
        assert!(house.ledger.receivers().await.unwrap().is_empty());
        assert!(!house.ledger.ask_verification("siem", "", day(1)).await.unwrap(), "nobody of that name");
        let row = house.ledger.claim_receiver("siem", "one", day(1).plus(LEASE), day(1)).await.unwrap().unwrap();
        assert_eq!((row.seq(), row.verification.as_deref()), (1, Some("")));
        house.act(&device, DeviceAction::Resume, day(1)).await.unwrap();
        let row = house.ledger.claim_receiver("siem", "one", day(1).plus(LEASE), day(1)).await.unwrap().unwrap();
        assert_eq!(row.seq(), 1, "it begins once");
    }

    async fn of_two_senders_one_sends_and_the_other_when_the_first_is_gone(house: House) {
        let (ledger, now) = (&house.ledger, day(1));
        let later = now.plus(LEASE).plus(Duration::from_millis(1));
        let claim = async |sender: &str, at: Timestamp| ledger.claim_receiver("siem", sender, at.plus(LEASE), at).await.unwrap();
        let pass = async |sender: &str, seq, at: Timestamp| {
            ledger.note_delivery(("siem", sender), Delivery::Passed(seq), at.plus(LEASE), at).await.unwrap()
        };
        assert!(claim("one", now).await.is_some());
        assert!(claim("two", now).await.is_none());
        assert!(claim("two", now.plus(LEASE)).await.is_none(), "to the last moment");
        assert!(!pass("two", 9, now).await);
        assert!(pass("one", 5, now).await);
        assert_eq!(claim("two", later).await.unwrap().seq(), 5, "where the first one was");
        assert!(!pass("one", 7, later).await, "it was overtaken and learns of it");
        assert!(pass("two", 6, later).await);
        assert!(pass("two", 3, later).await);
        assert_eq!(ledger.receiver("siem").await.unwrap().unwrap().seq(), 6, "never backwards");
    }

    async fn failures_are_remembered_from_the_first_until_one_succeeds(house: House) {
        let ledger = &house.ledger;
        ledger.claim_receiver("siem", "one", day(9), day(1)).await.unwrap();
        let note = async |delivery, at| {
            assert!(ledger.note_delivery(("siem", "one"), delivery, day(9), at).await.unwrap());
            ledger.receiver("siem").await.unwrap().unwrap()
        };
        note(Delivery::Failed("away".into()), day(2)).await;
        let row = note(Delivery::Failed("still away".into()), day(3)).await;
        assert_eq!((row.failures, row.failing_since()), (2, Some(day(2))));
        assert_eq!(row.failure.as_deref(), Some("still away"));
        let row = note(Delivery::Rejected("7: invalid_request".into()), day(4)).await;
        assert_eq!((row.rejections, row.rejection.as_deref()), (1, Some("7: invalid_request")));
        let row = note(Delivery::Passed(7), day(4)).await;
        assert_eq!((row.failures, row.failing_since(), row.failure), (0, None, None));
        assert_eq!(row.rejections, 1, "it is not forgotten");
        assert!(ledger.ask_verification("siem", "word", day(5)).await.unwrap());
        assert_eq!(ledger.receiver("siem").await.unwrap().unwrap().verification.as_deref(), Some("word"));
        assert_eq!(note(Delivery::Verified, day(5)).await.verification, None);
    }
}
