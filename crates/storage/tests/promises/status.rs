//! The cache of the token path: never behind what it admits, never more generous than the ledger.

use crate::engines::on_both_engines;
use crate::fixture::{GRACE, day};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::{Clock, Standing, Thumbprint, Timestamp};
use tegata_storage::{DeviceAction, StatusCache};

on_both_engines! {
    async fn standing_follows_when_the_memory_catches_up(fixture: LedgerFixture) {
        let status = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        let (device, thumbprint) = fixture.enroll(day(1)).await;
        assert_eq!(standing(&status, &thumbprint, day(1)).await, Some(Standing::Good), "new ones are known at once");
        for (action, expected) in [
            (DeviceAction::Suspend, Standing::Suspended),
            (DeviceAction::Resume, Standing::Good),
            (DeviceAction::Revoke(KeyCompromise), Standing::Revoked),
        ] {
            let seq = fixture.act(&device, action, day(1)).await.unwrap();
            status.catch_up(day(1)).await.unwrap();
            assert_eq!(status.freshness().seq, seq);
            assert_eq!(standing(&status, &thumbprint, day(1)).await, Some(expected));
        }
    }

    async fn a_retired_generation_is_told_apart(fixture: LedgerFixture) {
        let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let second = fixture.renew(&device, first, day(0)).await.unwrap();
        fixture.present(&second, day(0)).await;
        let end = day(0).plus(GRACE);
        fixture.retire_due(end).await;
        status.catch_up(end).await.unwrap();
        assert_eq!(standing(&status, &first, end).await, Some(Standing::Retired));
        assert_eq!(standing(&status, &second, end).await, Some(Standing::Good));
    }

    async fn the_calendar_counts_in_memory_too(fixture: LedgerFixture) {
        let (_, thumbprint) = fixture.enroll(day(10)).await;
        for (now, expected) in [
            (day(9), Standing::NotYetValid),
            (day(10), Standing::Good),
            (day(375), Standing::Good),
            (day(375).plus(Duration::from_millis(1)), Standing::Expired),
        ] {
            let status = StatusCache::load(fixture.ledger.clone(), now).await.unwrap();
            assert_eq!(standing(&status, &thumbprint, now).await, Some(expected), "{now}");
        }
    }

    async fn nobody_is_remembered_whom_the_ledger_does_not_know(fixture: LedgerFixture) {
        let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
        assert_eq!(standing(&status, &Thumbprint::of(b"never issued"), day(0)).await, None);
        assert_eq!(standing(&status, &Thumbprint::of(b"never issued"), day(1)).await, None);
    }

    async fn a_stale_memory_asks_the_ledger(fixture: LedgerFixture) {
        let (device, thumbprint) = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
        assert_eq!(standing(&status, &thumbprint, day(0)).await, Some(Standing::Good));
        fixture.act(&device, DeviceAction::Suspend, day(0)).await.unwrap();
        let later = day(0).plus(Duration::from_millis(1001));
        assert_eq!(standing(&status, &thumbprint, later).await, Some(Standing::Suspended));
    }

    async fn a_memory_from_the_future_is_stale(fixture: LedgerFixture) {
        let (device, thumbprint) = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(9)).await.unwrap();
        assert_eq!(standing(&status, &thumbprint, day(9)).await, Some(Standing::Good));
        fixture.act(&device, DeviceAction::Suspend, day(9)).await.unwrap();
        let set_back = standing(&status, &thumbprint, day(8)).await;
        assert_eq!(set_back, Some(Standing::Suspended), "a clock set back does not keep the memory fresh");
    }

    async fn with_the_ledger_gone_nobody_is_let_in(fixture: LedgerFixture) {
        let (_, thumbprint) = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
        assert_eq!(standing(&status, &thumbprint, day(0)).await, Some(Standing::Good));
        fixture.ledger.close().await;
        assert!(status.catch_up(day(0)).await.is_err());
        assert!(status.standing(&thumbprint, day(1)).await.is_err(), "stale, and nobody to ask");
        assert!(status.standing(&Thumbprint::of(b"unknown"), day(0)).await.is_err());
        let refused = fixture.ledger.begin(day(0)).await.err().unwrap().refusal();
        assert_eq!(refused, tegata_core::Refusal::Unavailable);
    }

    async fn a_first_use_is_written_once(fixture: LedgerFixture) {
        let (_, thumbprint) = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
        let before = fixture.audited().await;
        let (facts, _) = status.standing(&thumbprint, day(0)).await.unwrap().unwrap();
        let uses = join_all((0..8).map(|_| status.note_use(&facts, day(7), day(0)))).await;
        assert!(uses.iter().all(Result::is_ok));
        let (again, _) = status.standing(&thumbprint, day(3)).await.unwrap().unwrap();
        status.note_use(&again, day(7), day(3)).await.unwrap();
        assert_eq!(fixture.actions_after(before).await, ["certificate.used"]);
    }

    async fn a_token_taken_back_is_refused_after_catching_up(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
        assert!(!status.token_denied("a-token"));
        fixture.write(day(0), async |transaction| {
            transaction.deny_token("a-token", day(1), &device, &crate::fixture::operator()).await
        }).await.unwrap();
        status.catch_up(day(0)).await.unwrap();
        assert!(status.token_denied("a-token"));
        status.forget(day(2));
        assert!(!status.token_denied("a-token"), "an expired token needs no memory");
    }

    async fn a_follower_hears_of_a_change_by_itself(fixture: LedgerFixture) {
        let (device, thumbprint) = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
        let following = tokio::spawn(status.clone().follow(Arc::new(Midnight)));
        let seq = fixture.act(&device, DeviceAction::Suspend, day(0)).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), async {
            while status.freshness().seq < seq {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }).await.expect("the memory follows");
        assert_eq!(standing(&status, &thumbprint, day(0)).await, Some(Standing::Suspended));
        following.abort();
    }

    async fn a_subscriber_misses_nothing_and_hears_in_order(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(0)).await.unwrap();
        let (mut denials, mut events) = status.subscribe();
        let listening = tokio::spawn(async move {
            while denials.seq() < 60 {
                let event = events.recv().await.expect("the stream goes on");
                assert!(event.seq > denials.seq(), "no event is told twice");
                denials.apply(&event).expect("no event is missing or late");
            }
            denials
        });
        let catching = join_all((0..3).map(|_| {
            let status = status.clone();
            tokio::spawn(async move {
                while status.freshness().seq < 60 {
                    status.catch_up(day(0)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        }));
        for _ in 0..30 {
            fixture.act(&device, DeviceAction::Suspend, day(0)).await.unwrap();
            fixture.act(&device, DeviceAction::Resume, day(0)).await.unwrap();
        }
        for caught in catching.await {
            caught.unwrap();
        }
        assert_eq!(listening.await.unwrap(), fixture.folded().await);
    }
}

/// A clock that stands still.
struct Midnight;

impl Clock for Midnight {
    fn now(&self) -> Timestamp {
        day(0)
    }
}

async fn standing(status: &StatusCache, thumbprint: &Thumbprint, now: Timestamp) -> Option<Standing> {
    status.standing(thumbprint, now).await.unwrap().map(|(_, standing)| standing)
}
