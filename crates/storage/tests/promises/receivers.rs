//! Receivers of security events: one sender at a time, a place that never goes back, and streams that are stopped.

use crate::engines::on_both_engines;
use crate::fixture::{LedgerFixture, day, operator};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::security_event::{EventName, EventType, StreamStatus};
use tegata_storage::{
    Actor, ChangeStream, DeliveryOutcome, DeviceAction, PollAcknowledgment, ReceiverPosition, ReceiverRow,
    StreamChange, VerificationAsked,
};

const LEASE: Duration = Duration::from_secs(30);
const SIEM: (&str, bool) = ("siem", false);

const fn passed(feed: u64) -> DeliveryOutcome {
    DeliveryOutcome::Passed(ReceiverPosition { feed, issued: None })
}

impl LedgerFixture {
    async fn siem(&self) -> ReceiverRow {
        self.ledger.receiver("siem").await.unwrap().unwrap()
    }

    async fn flow(&self, status: StreamStatus, as_operator: bool, at: Timestamp) -> StreamChange {
        let by = if as_operator { operator() } else { Actor::Client("siem".into()) };
        let change =
            ChangeStream { id: "siem".into(), status, reason: Some("why".into()), by, as_operator, at };
        self.ledger.group(change).await.unwrap()
    }

    async fn take(&self, feed: u64, told: Vec<EventName>) {
        let place = ReceiverPosition { feed, issued: None };
        let take =
            PollAcknowledgment { id: "siem".into(), place, told, rejected: vec![], failed: None, at: day(3) };
        self.ledger.group(take).await.unwrap();
    }

    /// Suspends and resumes a device: two events each time.
    async fn stir(&self, times: u32) {
        let (device, _) = self.enroll(day(0)).await;
        for _ in 0..times {
            self.act(&device, DeviceAction::Suspend, day(1)).await.unwrap();
            self.act(&device, DeviceAction::Resume, day(1)).await.unwrap();
        }
    }
}

fn change(seq: u64) -> EventName {
    EventName::Change { seq, kind: EventType::SessionRevoked }
}

on_both_engines! {
    async fn a_new_receiver_begins_at_the_end_of_the_feed_with_a_verification(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        fixture.act(&device, DeviceAction::Suspend, day(1)).await.unwrap();
        let ledger = &fixture.ledger;
        assert!(ledger.receivers().await.unwrap().is_empty());
        assert_eq!(ledger.ask_verification("siem", "", Duration::ZERO, day(1)).await.unwrap(), VerificationAsked::Unknown);
        let row = ledger.claim_receiver(SIEM, "one", day(1).plus(LEASE), day(1)).await.unwrap().unwrap();
        assert_eq!((row.seq(), row.waiting, row.place().issued), (1, 1, None));
        let notices = ledger.notices("siem").await.unwrap();
        assert_eq!((notices[0].kind, notices[0].payload.to_string()), (EventType::Verification, "{}".into()));
        fixture.act(&device, DeviceAction::Resume, day(1)).await.unwrap();
        ledger.introduce_receiver("siem", false, day(1)).await.unwrap();
        let row = ledger.claim_receiver(SIEM, "one", day(1).plus(LEASE), day(1)).await.unwrap().unwrap();
        assert_eq!((row.seq(), row.waiting), (1, 1), "it begins once");
    }

    async fn of_two_senders_one_sends_and_the_other_when_the_first_is_gone(fixture: LedgerFixture) {
        let (ledger, now) = (&fixture.ledger, day(1));
        let later = now.plus(LEASE).plus(Duration::from_millis(1));
        let claim = async |sender: &str, at: Timestamp| ledger.claim_receiver(SIEM, sender, at.plus(LEASE), at).await.unwrap();
        let pass = async |sender: &str, seq, at: Timestamp| {
            ledger.note_delivery(("siem", sender), passed(seq), at.plus(LEASE), at).await.unwrap()
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
        assert_eq!(fixture.siem().await.seq(), 6, "never backwards");
    }

    async fn failures_are_remembered_from_the_first_until_one_succeeds(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        ledger.claim_receiver(SIEM, "one", day(9), day(1)).await.unwrap();
        let note = async |delivery, at| {
            assert!(ledger.note_delivery(("siem", "one"), delivery, day(9), at).await.unwrap());
            fixture.siem().await
        };
        note(DeliveryOutcome::Failed("away".into()), day(2)).await;
        let row = note(DeliveryOutcome::Failed("still away".into()), day(3)).await;
        assert_eq!((row.failures, row.failing_since()), (2, Some(day(2))));
        assert_eq!(row.failure.as_deref(), Some("still away"));
        let row = note(DeliveryOutcome::Rejected("7: invalid_request".into()), day(4)).await;
        assert_eq!((row.rejections, row.rejection.as_deref()), (1, Some("7: invalid_request")));
        let row = note(passed(7), day(4)).await;
        assert_eq!((row.failures, row.failing_since(), row.failure), (0, None, None));
        assert_eq!(row.rejections, 1, "it is not forgotten");
    }

    async fn of_two_verifications_each_is_sent_whatever_comes_between(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        ledger.claim_receiver(SIEM, "one", day(9), day(1)).await.unwrap();
        let first = ledger.notices("siem").await.unwrap();
        let ask = async |state: &str, interval| ledger.ask_verification("siem", state, interval, day(2)).await.unwrap();
        assert_eq!(ask("a", Duration::ZERO).await, VerificationAsked::Noted);
        assert_eq!(ask("b", LEASE).await, VerificationAsked::TooOften);
        assert_eq!(ask("b", Duration::ZERO).await, VerificationAsked::Noted);
        assert!(ledger.note_delivery(("siem", "one"), DeliveryOutcome::Noticed(first[0].number), day(9), day(2)).await.unwrap());
        let left: Vec<_> = ledger.notices("siem").await.unwrap().iter().map(|notice| notice.payload["state"].clone()).collect();
        assert_eq!(left, ["a", "b"], "taking one takes no other");
        for _ in 0..14 {
            assert_eq!(ask("", Duration::ZERO).await, VerificationAsked::Noted);
        }
        assert_eq!(ask("", Duration::ZERO).await, VerificationAsked::TooOften, "they do not pile up without end");
    }

    async fn what_is_acknowledged_out_of_turn_is_remembered_until_its_turn(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        ledger.introduce_receiver("siem", false, day(0)).await.unwrap();
        fixture.stir(3).await;
        fixture.take(0, vec![change(3), change(5), change(99)]).await;
        let mut known = ledger.acknowledged("siem").await.unwrap();
        known.sort_by_key(|told| told.jti(""));
        assert_eq!(known, [change(3), change(5)], "nobody acknowledges what has not happened");
        fixture.take(4, vec![change(4)]).await;
        assert_eq!(ledger.acknowledged("siem").await.unwrap(), [change(5)]);
        fixture.take(2, vec![]).await;
        assert_eq!(fixture.siem().await.seq(), 4, "never backwards");
        fixture.take(6, vec![]).await;
        assert!(ledger.acknowledged("siem").await.unwrap().is_empty());
        assert_eq!(fixture.siem().await.heard_at(), Some(day(3)));
    }

    async fn a_paused_stream_keeps_its_place_and_a_disabled_one_begins_anew(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        assert_eq!(fixture.flow(StreamStatus::Paused, true, day(0)).await, StreamChange::Unknown);
        ledger.introduce_receiver("siem", true, day(0)).await.unwrap();
        let begun = fixture.siem().await.place();
        fixture.flow(StreamStatus::Paused, false, day(1)).await;
        fixture.stir(1).await;
        fixture.flow(StreamStatus::Enabled, false, day(1)).await;
        assert_eq!((fixture.siem().await.place(), fixture.siem().await.behind(2)), (begun, 2), "all of it is held");
        fixture.flow(StreamStatus::Disabled, false, day(1)).await;
        fixture.stir(1).await;
        assert_eq!(fixture.siem().await.behind(4), 0, "it waits for nothing");
        fixture.flow(StreamStatus::Enabled, false, day(1)).await;
        let row = fixture.siem().await;
        assert_eq!((row.seq(), row.dropped), (4, 0));
        assert!(row.place().issued > begun.issued);
        assert_eq!(row.waiting, 1, "what the receiver does itself it is not told");
        let actions = fixture.actions_after(0).await;
        let said: Vec<_> = actions.iter().filter(|action| action.starts_with("stream.")).collect();
        assert_eq!(said, ["stream.paused", "stream.enabled", "stream.disabled", "stream.enabled"]);
    }

    async fn what_the_operator_stopped_the_receiver_cannot_let_go_on(fixture: LedgerFixture) {
        fixture.ledger.introduce_receiver("siem", false, day(0)).await.unwrap();
        fixture.flow(StreamStatus::Paused, true, day(1)).await;
        assert_eq!(fixture.flow(StreamStatus::Enabled, false, day(1)).await, StreamChange::Held);
        assert!(matches!(fixture.flow(StreamStatus::Paused, false, day(1)).await, StreamChange::Done(_)));
        assert!(fixture.siem().await.is_held(), "saying the same takes nothing away from it");
        fixture.flow(StreamStatus::Enabled, true, day(1)).await;
        let told: Vec<_> = fixture.ledger.notices("siem").await.unwrap();
        let statuses: Vec<_> = told[1..].iter().map(|notice| notice.payload["status"].clone()).collect();
        assert_eq!(statuses, ["paused", "enabled"]);
        assert!(told[1..].iter().all(|notice| notice.kind == EventType::StreamUpdated));
        assert!(matches!(fixture.flow(StreamStatus::Disabled, false, day(1)).await, StreamChange::Done(_)));
    }

    async fn issued_certificates_are_read_in_log_order_with_the_event_before_them(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.act(&device, DeviceAction::Suspend, day(1)).await.unwrap();
        fixture.act(&device, DeviceAction::Resume, day(1)).await.unwrap();
        let second = fixture.renew(&device, first, day(2)).await.unwrap();
        let ends = ledger.ends().await.unwrap();
        let page = ledger.issued_after(0, ends.audit).await.unwrap();
        let told: Vec<_> = page.issued.iter().map(|one| (one.thumbprint, one.after, one.is_renewal)).collect();
        assert_eq!((told, page.until), (vec![(first, 0, false), (second, 2, true)], ends.audit));
        assert!(page.issued.iter().all(|one| one.device == device && one.tenant == fixture.tenant));
        let rest = ledger.issued_after(page.issued[1].entry, ends.audit).await.unwrap();
        assert_eq!((rest.issued.len(), rest.until), (0, ends.audit));
    }
}
