//! The feed: no gaps, and the same as the states themselves.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::day;
use futures_util::future::{join, join_all};
use tegata_core::RevocationReason::KeyCompromise;
use tegata_storage::{DeviceAction, Ledger};

on_both_engines! {
    async fn eight_writers_leave_no_gap(fixture: LedgerFixture) {
        let writers = (0..8).map(|_| async {
            let (device, _) = fixture.enroll(day(0)).await;
            for action in [DeviceAction::Suspend, DeviceAction::Resume, DeviceAction::Revoke(KeyCompromise)] {
                fixture.act(&device, action, day(1)).await.unwrap();
            }
        });
        join_all(writers).await;
        let events = fixture.ledger.feed_after(0).await.unwrap();
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=24).collect::<Vec<_>>());
        fixture.audited().await;
    }

    async fn two_programs_on_one_ledger_leave_no_gap(fixture: LedgerFixture) {
        let other = Ledger::open(&fixture.place.url()).await.unwrap();
        let mut devices = Vec::new();
        for _ in 0..8 {
            devices.push(fixture.enroll(day(0)).await.0);
        }
        let writers = devices.iter().enumerate().map(|(count, device)| {
            let ledger = if count % 2 == 0 { &fixture.ledger } else { &other };
            async move {
                for action in [DeviceAction::Suspend, DeviceAction::Resume, DeviceAction::Retire] {
                    let mut transaction = ledger.begin(day(1)).await.unwrap();
                    transaction.act_on_device(device, action, "", &crate::fixture::operator()).await.unwrap();
                    transaction.commit().await.unwrap();
                }
            }
        });
        join_all(writers).await;
        assert_eq!(fixture.ledger.feed_head().await.unwrap(), 24);
        assert_eq!(fixture.folded().await, other.denials(day(1)).await.unwrap());
        fixture.audited().await;
        other.close().await;
    }

    async fn a_long_feed_is_read_to_its_end(fixture: LedgerFixture) {
        let (device, thumbprint) = fixture.enroll(day(0)).await;
        let operator = crate::fixture::operator();
        fixture.write(day(1), async |transaction| {
            for _ in 0..600 {
                transaction.act_on_device(&device, DeviceAction::Suspend, "", &operator).await?;
                transaction.act_on_device(&device, DeviceAction::Resume, "", &operator).await?;
            }
            transaction.act_on_device(&device, DeviceAction::Retire, "", &operator).await
        }).await.unwrap();
        assert_eq!(fixture.ledger.denials(day(1)).await.unwrap(), fixture.folded().await);
        let status = tegata_storage::StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        assert_eq!(status.freshness().seq, 1201);
        assert_eq!(fixture.folded().await.denial(&device, &thumbprint), Some(tegata_core::feed::Denial::Retired));
    }

    async fn what_is_undone_leaves_no_event(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let mut transaction = fixture.ledger.begin(day(1)).await.unwrap();
        let operator = crate::fixture::operator();
        transaction.act_on_device(&device, DeviceAction::Suspend, "", &operator).await.unwrap();
        assert_eq!(transaction.feed_seq(), 1);
        drop(transaction);
        assert_eq!(fixture.ledger.feed_head().await.unwrap(), 0);
        assert!(fixture.ledger.feed_after(0).await.unwrap().is_empty());
        assert_eq!(fixture.act(&device, DeviceAction::Suspend, day(1)).await.unwrap(), 1);
    }

    async fn a_snapshot_taken_while_others_write_is_that_of_its_number(fixture: LedgerFixture) {
        let mut devices = Vec::new();
        for _ in 0..4 {
            devices.push(fixture.enroll(day(0)).await.0);
        }
        let writing = join_all(devices.iter().map(|device| async {
            for _ in 0..15 {
                fixture.act(device, DeviceAction::Suspend, day(1)).await.unwrap();
                fixture.act(device, DeviceAction::Resume, day(1)).await.unwrap();
            }
        }));
        let reading = async {
            let mut snapshots = Vec::new();
            for _ in 0..40 {
                snapshots.push(fixture.ledger.denials(day(1)).await.unwrap());
            }
            snapshots
        };
        let (_, snapshots) = join(writing, reading).await;
        let events = fixture.ledger.feed_after(0).await.unwrap();
        for snapshot in snapshots {
            let mut folded = tegata_core::feed::Denials::default();
            for event in events.iter().take_while(|event| event.seq <= snapshot.seq()) {
                folded.apply(event).unwrap();
            }
            assert_eq!(snapshot, folded);
        }
    }

    async fn a_ledger_opened_again_has_everything(fixture: LedgerFixture) {
        let (device, thumbprint) = fixture.enroll(day(0)).await;
        fixture.act(&device, DeviceAction::Suspend, day(1)).await.unwrap();
        let (entries, denials) = (fixture.audited().await, fixture.folded().await);
        let certificates = fixture.certificates(&device).await;
        fixture.ledger.close().await;
        let again = Ledger::open(&fixture.place.url()).await.unwrap();
        assert_eq!(again.verify_audit().await.unwrap(), Ok(entries));
        assert_eq!(again.denials(day(1)).await.unwrap(), denials);
        assert_eq!(again.everything().certificates_of(&device).await.unwrap(), certificates);
        assert!(again.holding(&thumbprint).await.unwrap().is_some());
        let mut transaction = again.begin(day(2)).await.unwrap();
        transaction
            .act_on_device(&device, DeviceAction::Resume, "", &crate::fixture::operator())
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(again.feed_head().await.unwrap(), 2, "numbers go on where they were");
        assert_eq!(again.verify_audit().await.unwrap(), Ok(entries + 1));
        again.close().await;
    }
}
