//! After a clock was ahead for a while and is right again: what was written meanwhile stands in nobody's way.

use crate::engines::on_both_engines;
use crate::fixture::{DAY, day, operator};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::feed::TokenHolder;
use tegata_core::{Clock, Timestamp};
use tegata_storage::{DeviceAction, Outdated, ReceiptWait, Rotation, StatusCache};

/// Half a year later, as a wrong clock says.
fn ahead() -> Timestamp {
    day(1).plus(DAY * 200)
}

on_both_engines! {
    async fn a_surface_seen_in_the_future_is_not_waited_for_and_is_seen_again(fixture: LedgerFixture) {
        fixture.ledger.acknowledge("gate:gone", 1, ahead()).await.unwrap();
        fixture.ledger.acknowledge("gate:a", 1, ahead()).await.unwrap();
        fixture.ledger.acknowledge("gate:a", 1, day(1)).await.unwrap();
        let wait = ReceiptWait::begin(&fixture.ledger, day(1)).await.unwrap();
        let seen = wait.committed(1, day(1)).await.unwrap().look().await.unwrap();
        assert_eq!(seen.iter().map(|one| &*one.of.surface).collect::<Vec<_>>(), ["gate:a"]);
    }

    async fn a_right_to_send_taken_in_the_future_ends_now(fixture: LedgerFixture) {
        let lease = Duration::from_secs(30);
        let claim = async |sender: &str, at: Timestamp| {
            fixture.ledger.claim_receiver(("siem", false), sender, at.plus(lease), at).await.unwrap().is_some()
        };
        assert!(claim("ahead", ahead()).await);
        assert!(claim("right", day(1)).await, "nobody waits for half a year");
        assert!(!claim("another", day(1)).await, "and it is one's alone");
    }

    async fn a_refresh_token_given_in_the_future_is_over(fixture: LedgerFixture) {
        let session = fixture.session().await;
        let before = day(1).minus(DAY);
        let (rotation, _) = fixture.refresh(&session, &session.first, before).await;
        assert!(matches!(rotation, Rotation::Refused), "it would live longer than any may");
    }

    async fn a_device_signed_out_in_the_future_can_sign_in_and_out_again(fixture: LedgerFixture) {
        let (device, thumbprint) = fixture.enroll(day(0)).await;
        let holder = TokenHolder::Device(device.clone());
        fixture.sign_out(&holder, ahead()).await.unwrap();
        let status = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        let (facts, _) = status.standing(&thumbprint, day(1)).await.unwrap().unwrap();
        let counted = status.tokens_before(&facts).unwrap();
        assert!(counted > day(1) && !counted.is_ahead_of(day(1)), "{counted}: tokens of before stay denied");
        fixture.sign_out(&holder, day(2)).await.unwrap();
        let known = fixture.ledger.tokens_before(&fixture.tenant, &device).await.unwrap().unwrap();
        assert!(known > day(2) && !known.is_ahead_of(day(2)), "{known}");
    }

    async fn what_a_wrong_clock_had_forgotten_is_denied_again(fixture: LedgerFixture) {
        let (device, thumbprint) = fixture.enroll(day(0)).await;
        fixture.act(&device, DeviceAction::Revoke(KeyCompromise), day(1)).await.unwrap();
        fixture.write(day(1), async |transaction| {
            transaction.deny_token("a-token", day(2), &device, &operator()).await
        }).await.unwrap();
        let status = StatusCache::load(fixture.ledger.clone(), ahead()).await.unwrap();
        assert!(!status.token_denied("a-token"), "it has ended by then");
        let back = Back(std::sync::Mutex::new(vec![day(1), ahead(), ahead()]));
        let ended = tokio::time::timeout(DAY, status.clone().follow(Arc::new(back))).await;
        assert_eq!(ended.expect("it is gone on with no more"), Outdated::ClockSetBack { ahead: ahead() });
        let again = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        assert!(again.token_denied("a-token"));
        let standing = again.standing(&thumbprint, day(1)).await.unwrap().unwrap().1;
        assert_eq!(standing, tegata_core::Standing::Revoked);
    }
}

/// Says these, the last first.
struct Back(std::sync::Mutex<Vec<Timestamp>>);

impl Clock for Back {
    fn now(&self) -> Timestamp {
        let mut left = self.0.lock().unwrap();
        if left.len() > 1 { left.pop().unwrap() } else { left[0] }
    }
}
