//! The doctor's view: one moment, nothing taken for granted.

use crate::engines::on_both_engines;
use crate::fixture::{day, operator};
use tegata_core::RevocationReason::KeyCompromise;
use tegata_storage::{DeviceAction, Lineage};

on_both_engines! {
    async fn a_sound_ledger_shows_nothing_that_must_not_be(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        fixture.renew(&device, first, day(1)).await.unwrap();
        let mut inspection = fixture.ledger.inspect().await.unwrap();
        assert_eq!(inspection.shared_keys(9).await.unwrap(), []);
        assert_eq!(inspection.shared_serials(9).await.unwrap(), []);
        assert_eq!(inspection.living_with_blocked_key(day(2), 9).await.unwrap(), []);
        assert_eq!(inspection.living_heirs_of_the_compromised(day(2), 9).await.unwrap(), []);
        assert_eq!(inspection.orphans(9).await.unwrap(), []);
        assert_eq!(inspection.responders(day(0)).await.unwrap(), []);
        let devices = inspection.devices("", 9).await.unwrap();
        assert_eq!(devices.len(), 1);
        let known = &devices[0];
        assert_eq!((known.generation, known.certificates, known.newest, known.is_placed), (2, 2, Some(2), true));
        let times = inspection.latest_times().await.unwrap();
        assert!(times.iter().all(|latest| latest.at <= day(1)), "{times:?}");
        assert!(times.iter().any(|latest| latest.table == "certificate" && latest.at == day(1)), "{times:?}");
        let mut entries = 0;
        let whole = inspection.walk_audit(&mut |_| entries += 1).await.unwrap();
        assert_eq!(whole, Ok(entries));
    }

    async fn a_view_stays_as_it_was_while_the_ledger_goes_on(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let mut inspection = fixture.ledger.inspect().await.unwrap();
        fixture.enroll(day(0)).await;
        fixture.act(&device, DeviceAction::Suspend, day(0)).await.unwrap();
        assert_eq!(inspection.count_certificates().await.unwrap(), 1);
        assert_eq!(inspection.certificates("", 0, 9).await.unwrap()[0].device_state.as_deref(), Some("active"));
        let mut events = 0;
        assert_eq!(inspection.walk_feed(&mut |_| events += 1).await.unwrap(), None);
        assert_eq!(events, 0);
        let mut later = fixture.ledger.inspect().await.unwrap();
        assert_eq!(later.count_certificates().await.unwrap(), 2);
        assert_eq!(later.walk_feed(&mut |_| events += 1).await.unwrap(), None);
        assert_eq!(events, 1);
    }

    async fn what_must_not_be_is_named(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let second = fixture.renew(&device, first, day(1)).await.unwrap();
        fixture.present(&second, day(1)).await;
        let revoke = async |transaction: &mut tegata_storage::Transaction| {
            transaction.revoke_certificate(&first, KeyCompromise, Lineage::This, "", &operator()).await
        };
        fixture.write(day(2), revoke).await.unwrap();
        let mut inspection = fixture.ledger.inspect().await.unwrap();
        let heirs = inspection.living_heirs_of_the_compromised(day(2), 9).await.unwrap();
        assert_eq!(heirs.iter().map(|heir| heir.generation).collect::<Vec<_>>(), [2]);
        drop(inspection);

        fixture.place.tamper("UPDATE certificate SET key_id = (SELECT c.key_id FROM certificate c WHERE c.generation = 1)").await;
        fixture.place.tamper("INSERT INTO blocked_key (key_hash, key_id, note, at) SELECT key_hash, key_id, '', 0 FROM certificate WHERE generation = 1").await;
        fixture.place.tamper(
            "INSERT INTO responder SELECT issuer, serial, tbs, der, not_after, 0 FROM certificate WHERE generation = 1",
        ).await;
        fixture.place.tamper("INSERT INTO feed (seq, at, change) VALUES (5, 0, '{}')").await;
        let mut inspection = fixture.ledger.inspect().await.unwrap();
        assert_eq!(inspection.shared_keys(9).await.unwrap().len(), 2);
        assert_eq!(inspection.shared_serials(9).await.unwrap().len(), 1);
        let blocked = inspection.living_with_blocked_key(day(2), 9).await.unwrap();
        assert_eq!(blocked.iter().map(|one| one.generation).collect::<Vec<_>>(), [2]);
        assert_eq!(inspection.walk_feed(&mut |_| {}).await.unwrap(), Some(2));
    }

    async fn only_another_machine_has_another_clock(fixture: LedgerFixture) {
        let clock = fixture.ledger.engine_clock().await.unwrap();
        let is_remote = fixture.place.url().starts_with("postgres");
        assert_eq!(clock.is_some(), is_remote);
        assert!(clock.is_none_or(|clock| clock > day(0)));
    }
}
