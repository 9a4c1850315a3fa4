//! Receipts, published lists and tokens.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, LedgerFixture, day, operator};
use tegata_core::{CLOCKS_APART, Timestamp};
use tegata_storage::{FeedPosition, IssuedToken, StoredCrl};

on_both_engines! {
    async fn a_receipt_never_goes_backwards(fixture: LedgerFixture) {
        for (seq, at) in [(5, 3), (3, 4), (5, 5)] {
            fixture.ledger.acknowledge("gate:a", seq, day(at)).await.unwrap();
        }
        assert_eq!(receipt(fixture, "gate:a").await, (5, day(3), day(5)));
        fixture.ledger.acknowledge("gate:a", 9, day(6)).await.unwrap();
        fixture.ledger.acknowledge("gate:a", 9, day(6).minus(CLOCKS_APART)).await.unwrap();
        assert_eq!(receipt(fixture, "gate:a").await, (9, day(6), day(6)), "an old message heard late");
        fixture.ledger.acknowledge("gate:b", 1, day(1)).await.unwrap();
        assert_eq!(fixture.ledger.receipts().await.unwrap().len(), 2);
    }

    async fn a_published_list_only_goes_forward(fixture: LedgerFixture) {
        assert_eq!(fixture.ledger.crl(&fixture.issuer, 0).await.unwrap(), None);
        assert_eq!(fixture.ledger.crl_number(&fixture.issuer, 0).await.unwrap(), None);
        assert!(publish(fixture, 1, 10).await);
        for (number, seq) in [(1, 10), (1, 11), (2, 9), (0, 99)] {
            assert!(!publish(fixture, number, seq).await, "{number} {seq}");
        }
        assert_eq!(fixture.ledger.crl(&fixture.issuer, 0).await.unwrap(), Some(list(1, 10)));
        assert!(publish(fixture, 2, 10).await, "the same facts may be published anew");
        assert!(publish(fixture, 5, 12).await);
        assert_eq!(fixture.ledger.crl(&fixture.issuer, 0).await.unwrap(), Some(list(5, 12)));
        assert_eq!(fixture.ledger.crl_number(&fixture.issuer, 0).await.unwrap(), Some(5));
    }

    async fn a_token_is_taken_back_once(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let before = fixture.audited().await;
        let deny = async || {
            fixture.write(day(1), async |transaction| {
                transaction.deny_token("a-token", day(2), &device, &operator()).await
            }).await.unwrap()
        };
        assert_eq!(deny().await, Some(1));
        assert_eq!(deny().await, None);
        assert_eq!(fixture.actions_after(before).await, ["token.revoked"]);
        let denials = fixture.ledger.denials(day(2)).await.unwrap();
        assert!(denials.token_denied("a-token"));
        let mut folded = fixture.folded().await;
        folded.forget(day(2).plus(DAY));
        assert_eq!(fixture.ledger.denials(day(2).plus(DAY)).await.unwrap(), folded, "nobody need remember it longer");
    }

    async fn a_token_that_stands_alone_is_found_under_its_device(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let token = IssuedToken {
            jti: "a-token".into(),
            device: device.clone(),
            generation: 1,
            audience: "https://product.example".into(),
            at: day(1),
        };
        fixture.ledger.record_token(token).await.unwrap();
        let entry = fixture.ledger.everything().audit_of(&device, 1).await.unwrap().remove(0);
        assert!(entry.entry.contains("a-token"));
        assert_eq!(entry.at, day(1));
    }
}

async fn receipt(fixture: &LedgerFixture, surface: &str) -> (u64, Timestamp, Timestamp) {
    let receipts = fixture.ledger.receipts().await.unwrap();
    let row = receipts.into_iter().find(|row| row.surface == surface).unwrap();
    let FeedPosition(seq) = row.seq;
    (seq, row.applied_at, row.seen_at)
}

fn list(number: u64, revision: u64) -> StoredCrl {
    let made = day(u32::try_from(number).unwrap());
    StoredCrl { number, revision, this_update: made, next_update: made.plus(DAY), der: vec![1, 2, 3] }
}

async fn publish(fixture: &LedgerFixture, number: u64, revision: u64) -> bool {
    let list = list(number, revision);
    fixture
        .write(day(0), async |transaction| transaction.publish_crl(&fixture.issuer, 0, &list).await)
        .await
        .unwrap()
}
