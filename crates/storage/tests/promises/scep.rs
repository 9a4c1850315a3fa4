//! SCEP: registrars of which every server knows, and transactions that nobody takes over.

use crate::engines::on_both_engines;
use crate::fixture::day;
use std::time::Duration;
use tegata_core::{Refusal, Serial};
use tegata_storage::{Actor, LedgerError, NewRegistrar};

const ACTOR: Actor = Actor::System("scep");

on_both_engines! {
    async fn a_registrar_exists_once_it_is_signed_and_until_it_ends(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        let issuer = ledger.issuers().await.unwrap().pop().unwrap().id;
        let serials = [1, 2].map(|seed| Serial::random(&tegata_core::entropy::Seeded::new(seed)));
        for (serial, days) in serials.iter().zip([60, 30]) {
            let new = NewRegistrar {
                issuer: &issuer, serial, tbs: b"tbs", sealed_key: "sealed", not_after: day(days),
            };
            let mut transaction = ledger.begin(day(1)).await.unwrap();
            transaction.reserve_registrar(&new, &ACTOR).await.unwrap();
            transaction.commit().await.unwrap();
            assert!(!ledger.has_responder(&issuer, serial).await.unwrap());
        }
        assert!(ledger.registrars(&issuer, day(2)).await.unwrap().is_empty(), "none is signed");
        for serial in &serials {
            let mut transaction = ledger.begin(day(2)).await.unwrap();
            transaction.complete_registrar(&issuer, serial, b"der", &ACTOR).await.unwrap();
            let twice = transaction.complete_registrar(&issuer, serial, b"other", &ACTOR).await;
            assert!(matches!(twice, Err(LedgerError::Guard(_))));
            transaction.commit().await.unwrap();
            assert!(ledger.has_responder(&issuer, serial).await.unwrap(), "OCSP calls it good");
        }
        let known = ledger.registrars(&issuer, day(2)).await.unwrap();
        assert_eq!(known.iter().map(|known| known.serial).collect::<Vec<_>>(), [serials[1], serials[0]]);
        assert!(known.iter().all(|known| known.certificate == b"der" && known.sealed_key == "sealed"));
        let later = ledger.registrars(&issuer, day(31)).await.unwrap();
        assert_eq!(later.len(), 1, "the other one has ended");
    }

    async fn a_transaction_is_for_one_key_of_one_holder(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        let keep = async |id: u8, holder: &str, key: &[u8], days| {
            let mut transaction = ledger.begin(day(days)).await.unwrap();
            let kept = transaction.keep_scep_transaction(&[id; 32], holder, key).await;
            transaction.commit().await.unwrap();
            kept.map_err(|error| error.refusal())
        };
        assert_eq!(keep(1, "one", b"key", 1).await, Ok(()));
        assert_eq!(keep(1, "one", b"key", 2).await, Ok(()), "the same message again");
        assert_eq!(keep(1, "one", b"another", 2).await, Err(Refusal::TransactionReused));
        assert_eq!(keep(1, "two", b"another", 2).await, Ok(()), "somebody else's transaction of this name");
        let begun = ledger.scep_transactions(&[1; 32]).await.unwrap();
        assert_eq!(begun.iter().map(|begun| (&*begun.holder, &*begun.public_key)).collect::<Vec<_>>(), [
            ("one", &b"key"[..]), ("two", b"another"),
        ]);
        assert_eq!(keep(2, "one", b"next", 70).await, Ok(()));
        assert!(ledger.scep_transactions(&[1; 32]).await.unwrap().is_empty(), "it is over for long");
    }

    async fn nobody_fills_the_ledger_with_transactions(fixture: LedgerFixture) {
        let ledger = &fixture.ledger;
        for number in 0..40 {
            let now = day(1).plus(Duration::from_secs(number));
            let mut transaction = ledger.begin(now).await.unwrap();
            let id = [u8::try_from(number).unwrap(); 32];
            transaction.keep_scep_transaction(&id, "one", b"key").await.unwrap();
            transaction.commit().await.unwrap();
        }
        assert!(ledger.scep_transactions(&[6; 32]).await.unwrap().is_empty(), "the oldest made way");
        assert_eq!(ledger.scep_transactions(&[39; 32]).await.unwrap().len(), 1);
        assert_eq!(ledger.scep_transactions(&[20; 32]).await.unwrap().len(), 1);
    }
}
