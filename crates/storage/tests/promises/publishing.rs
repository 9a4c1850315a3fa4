//! Receipts, published lists and tokens.

use crate::engines::on_both_engines;
use crate::house::{DAY, LedgerFixture, day, operator};
use tegata_core::{CLOCKS_APART, Timestamp};
use tegata_storage::{FeedPosition, IssuedToken, StoredCrl};

on_both_engines! {
    async fn a_receipt_never_goes_backwards(house: LedgerFixture) {
        for (seq, at) in [(5, 3), (3, 4), (5, 5)] {
            house.ledger.acknowledge("gate:a", seq, day(at)).await.unwrap();
        }
        assert_eq!(receipt(house, "gate:a").await, (5, day(3), day(5)));
        house.ledger.acknowledge("gate:a", 9, day(6)).await.unwrap();
        house.ledger.acknowledge("gate:a", 9, day(6).minus(CLOCKS_APART)).await.unwrap();
        assert_eq!(receipt(house, "gate:a").await, (9, day(6), day(6)), "an old message heard late");
        house.ledger.acknowledge("gate:b", 1, day(1)).await.unwrap();
        assert_eq!(house.ledger.receipts().await.unwrap().len(), 2);
    }

    async fn a_published_list_only_goes_forward(house: LedgerFixture) {
        assert_eq!(house.ledger.crl(&house.issuer, 0).await.unwrap(), None);
        assert_eq!(house.ledger.crl_number(&house.issuer, 0).await.unwrap(), None);
        assert!(publish(house, 1, 10).await);
        for (number, seq) in [(1, 10), (1, 11), (2, 9), (0, 99)] {
            assert!(!publish(house, number, seq).await, "{number} {seq}");
        }
        assert_eq!(house.ledger.crl(&house.issuer, 0).await.unwrap(), Some(list(1, 10)));
        assert!(publish(house, 2, 10).await, "the same facts may be published anew");
        assert!(publish(house, 5, 12).await);
        assert_eq!(house.ledger.crl(&house.issuer, 0).await.unwrap(), Some(list(5, 12)));
        assert_eq!(house.ledger.crl_number(&house.issuer, 0).await.unwrap(), Some(5));
    }

    async fn a_token_is_taken_back_once(house: LedgerFixture) {
        let (device, _) = house.enrol(day(0)).await;
        let before = house.audited().await;
        let deny = async || {
            house.write(day(1), async |transaction| {
                transaction.deny_token("a-token", day(2), &device, &operator()).await
            }).await.unwrap()
        };
        assert_eq!(deny().await, Some(1));
        assert_eq!(deny().await, None);
        assert_eq!(house.actions_after(before).await, ["token.revoked"]);
        let denials = house.ledger.denials(day(2)).await.unwrap();
        assert!(denials.token_denied("a-token"));
        let mut folded = house.folded().await;
        folded.forget(day(2).plus(DAY));
        assert_eq!(house.ledger.denials(day(2).plus(DAY)).await.unwrap(), folded, "nobody need remember it longer");
    }

    async fn a_token_that_stands_alone_is_found_under_its_device(house: LedgerFixture) {
        let (device, _) = house.enrol(day(0)).await;
        let token = IssuedToken {
            jti: "a-token".into(),
            device: device.clone(),
            generation: 1,
            audience: "https://product.example".into(),
            at: day(1),
        };
        house.ledger.record_token(token).await.unwrap();
        let entry = house.ledger.audit_of(&device, 1).await.unwrap().remove(0);
        assert!(entry.entry.contains("a-token"));
        assert_eq!(entry.at, day(1));
    }
}

async fn receipt(house: &LedgerFixture, surface: &str) -> (u64, Timestamp, Timestamp) {
    let receipts = house.ledger.receipts().await.unwrap();
    let row = receipts.into_iter().find(|row| row.surface == surface).unwrap();
    let FeedPosition(seq) = row.seq;
    (seq, row.applied_at, row.seen_at)
}

fn list(number: u64, revision: u64) -> StoredCrl {
    let made = day(u32::try_from(number).unwrap());
    StoredCrl { number, revision, this_update: made, next_update: made.plus(DAY), der: vec![1, 2, 3] }
}

async fn publish(house: &LedgerFixture, number: u64, revision: u64) -> bool {
    let list = list(number, revision);
    house
        .write(day(0), async |transaction| transaction.publish_crl(&house.issuer, 0, &list).await)
        .await
        .unwrap()
}
