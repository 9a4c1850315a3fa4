//! Many certificates in one commit: whoever is refused alone is refused among others, and harms nobody.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, InvitedDevice, LedgerFixture, day, guarded, operator};
use futures_util::future::join_all;
use std::time::Duration;
use tegata_core::CertificateState::{Issued, Reserved, Revoked};
use tegata_core::{DeviceId, IssuerId, Refusal, RevocationReason};
use tegata_storage::{
    Actor, AuditNote, DeviceAction, IssuanceRight, IssuerKind, IssuerState, LedgerError, Operation,
    ReserveSerial, Result, StoreCertificate, StoredIssuer,
};

on_both_engines! {
    async fn whoever_is_refused_harms_nobody_else_in_the_group(fixture: LedgerFixture) {
        let (enrolled, first) = fixture.enroll(day(0)).await;
        let used = key_of(fixture, &enrolled).await;
        let (suspended, theirs) = fixture.enroll(day(0)).await;
        fixture.act(&suspended, DeviceAction::Suspend, day(0)).await.unwrap();
        let blocked = [7; 32];
        fixture.write(day(0), async |transaction| transaction.block_key(&blocked, "found", &operator()).await)
            .await
            .unwrap();
        let claimed = fixture.invite("受付PC", day(1)).await;
        fixture.ledger.group(first_time(fixture, &claimed)).await.unwrap();
        let withdrawn = fixture.invite("受付PC", day(1)).await;
        fixture.write(day(1), async |transaction| transaction.withdraw_invitation(&withdrawn.id, &operator()).await)
            .await
            .unwrap();
        let expired = fixture.invite("受付PC", day(1).minus(DAY * 2)).await;
        let elsewhere = fixture.invite("裏のPC", day(1)).await;
        let resting = resting_issuer(fixture).await;

        let with = async |change: fn(&mut ReserveSerial, &[u8; 32], &IssuerId), key: &[u8; 32]| {
            let mut intent = first_time(fixture, &fixture.invite("受付PC", day(1)).await);
            change(&mut intent, key, &resting);
            intent
        };
        let refused = [
            (with(|intent, key, _| intent.key_hash = *key, &used).await, Some(Refusal::KeyReused)),
            (with(|intent, key, _| intent.key_hash = *key, &blocked).await, Some(Refusal::KeyBlocked)),
            (with(|intent, _, resting| intent.issuer = resting.clone(), &used).await, Some(Refusal::NoIssuer)),
            (first_time(fixture, &claimed), Some(Refusal::InvitationUsed)),
            (first_time(fixture, &withdrawn), Some(Refusal::InvitationWithdrawn)),
            (first_time(fixture, &expired), Some(Refusal::InvitationExpired)),
            (first_time(fixture, &elsewhere), None),
            (fixture.intent(&suspended, IssuanceRight::Renewal(theirs), day(1)), Some(Refusal::RenewalNotPossible)),
            (fixture.intent(&enrolled, IssuanceRight::Renewal(theirs), day(1)), Some(Refusal::RenewalNotPossible)),
        ];
        for (intent, why) in refused {
            let before = fixture.audited().await;
            let (device, invitation) = (intent.device.clone(), intent.origin.clone());
            let mut group = many(fixture, 6).await;
            group.push(fixture.intent(&enrolled, IssuanceRight::Renewal(first), day(1)));
            let good: Vec<_> = group.iter().map(|intent| intent.device.clone()).collect();
            group.insert(3, intent);
            let mut outcomes = together(fixture, group).await;
            match (outcomes.remove(3), why) {
                (Err(LedgerError::Refused(refusal)), Some(why)) => assert_eq!(refusal, why),
                (outcome, None) => assert!(guarded(&outcome), "{outcome:?}"),
                (outcome, why) => panic!("{outcome:?} for {invitation:?}, not {why:?}"),
            }
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?} beside {why:?}");
            assert!(fixture.audited().await >= before + 7, "each has its entry, and the chain is whole");
            for device in &good[..6] {
                assert_eq!(fixture.states(device).await, [Reserved]);
                assert_eq!(fixture.ledger.everything().device(device).await.unwrap().unwrap().generation, 1);
            }
            if device != enrolled && device != suspended {
                assert_eq!(fixture.ledger.everything().device(&device).await.unwrap(), None, "no device comes of a refusal");
            }
        }
    }

    async fn of_two_with_one_key_one_is_served(fixture: LedgerFixture) {
        let mut group = many(fixture, 5).await;
        group[3].key_hash = group[1].key_hash;
        let outcomes = together(fixture, group).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
        assert!(outcomes.into_iter().any(|outcome| is_refused(&outcome, Refusal::KeyReused)));
        fixture.audited().await;
    }

    async fn of_two_with_one_invitation_one_is_served(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(1)).await;
        let mut group = many(fixture, 3).await;
        group.push(first_time(fixture, &invited));
        group.insert(0, first_time(fixture, &invited));
        let devices: Vec<_> = group.iter().map(|intent| intent.device.clone()).collect();
        let outcomes = together(fixture, group).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
        for (device, outcome) in devices.iter().zip(&outcomes) {
            let exists = fixture.ledger.everything().device(device).await.unwrap().is_some();
            assert_eq!(exists, outcome.is_ok());
            assert!(outcome.is_ok() || is_refused(outcome, Refusal::InvitationUsed));
        }
        fixture.audited().await;
    }

    async fn a_device_that_renews_twice_at_once_keeps_the_later(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let mut group = many(fixture, 2).await;
        group.push(fixture.intent(&device, IssuanceRight::Renewal(first), day(1)));
        group.push(fixture.intent(&device, IssuanceRight::Renewal(first), day(1)));
        let outcomes: Vec<_> = together(fixture, group).await.into_iter().map(Result::unwrap).collect();
        let mut renewed = outcomes[2..].to_vec();
        renewed.sort_unstable();
        assert_eq!((&outcomes[..2], renewed.as_slice()), (&[1, 1][..], &[2, 3][..]));
        assert_eq!(fixture.states(&device).await[1..], [Revoked, Reserved]);
        fixture.audited().await;
    }

    async fn what_cannot_be_completed_harms_nobody_else(fixture: LedgerFixture) {
        let group = many(fixture, 8).await;
        let reserved: Vec<_> = group.iter().map(|intent| (intent.device.clone(), intent.serial)).collect();
        assert!(together(fixture, group).await.iter().all(Result::is_ok));
        let mut group: Vec<StoreCertificate> =
            reserved.iter().map(|(device, serial)| fixture.signed(device, *serial, day(1))).collect();
        group[2].device = reserved[3].0.clone();
        group[4].der.push(0);
        let twice = fixture.signed(&reserved[6].0, reserved[6].1, day(1));
        group.push(twice);
        let outcomes = together(fixture, group).await;
        for place in [0, 1, 3, 5, 7] {
            assert!(outcomes[place].is_ok());
            assert_eq!(fixture.states(&reserved[place].0).await, [Issued]);
        }
        assert!(guarded(&outcomes[2]) && guarded(&outcomes[4]));
        assert!(guarded(&outcomes[6]) != guarded(&outcomes[8]), "one of two");
        assert_eq!(fixture.states(&reserved[2].0).await, [Reserved]);
        fixture.audited().await;
    }

    async fn a_crowd_is_served_together(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let group = many(fixture, 150).await;
        let reserved: Vec<_> = group.iter().map(|intent| (intent.device.clone(), intent.serial)).collect();
        assert!(together(fixture, group).await.into_iter().all(|outcome| outcome.unwrap() == 1));
        let group = reserved.iter().map(|(device, serial)| fixture.signed(device, *serial, day(1))).collect();
        assert!(together(fixture, group).await.iter().all(Result::is_ok));
        for (device, serial) in &reserved {
            let certificate = fixture.certificates(device).await.remove(0);
            assert_eq!((certificate.state, certificate.serial), (Issued, *serial));
        }
        // An invitation, a reservation and a certificate each.
        assert_eq!(fixture.audited().await, before + 3 * 150);
    }

    async fn both_engines_take_many_rows_in_one_statement(fixture: LedgerFixture) {
        for count in [1, 2, 3, 64, 65] {
            let group = many(fixture, count).await;
            let all: Vec<_> = group.iter().collect();
            let generations = fixture
                .write(day(1), async |transaction| ReserveSerial::apply_all(&all, transaction).await)
                .await
                .expect("together, not one by one");
            assert_eq!(generations, vec![1; count]);
            let signed: Vec<_> =
                group.iter().map(|intent| fixture.signed(&intent.device, intent.serial, day(1))).collect();
            let all: Vec<_> = signed.iter().collect();
            fixture
                .write(day(1), async |transaction| StoreCertificate::apply_all(&all, transaction).await)
                .await
                .expect("together, not one by one");
        }
        fixture.audited().await;
    }

    async fn entries_of_others_survive_a_refusal_beside_them(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let invited = fixture.invite("受付PC", day(1)).await;
        fixture.ledger.group(first_time(fixture, &invited)).await.unwrap();
        let held = fixture.ledger.begin(day(1)).await.unwrap();
        let notes = join_all((0..100).map(|_| fixture.ledger.group(note())));
        let refused = fixture.ledger.group(first_time(fixture, &invited));
        let release = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(held);
        };
        let (notes, refused, ()) = tokio::join!(notes, refused, release);
        assert!(is_refused(&refused, Refusal::InvitationUsed) && notes.iter().all(Result::is_ok));
        assert_eq!(fixture.audited().await, before + 2 + 100);
    }
}

/// Hands everything to the group while another writer holds the ledger, so that it comes as one group or two. The
/// outcomes are in the order of the operations.
async fn together<O: Operation>(fixture: &LedgerFixture, operations: Vec<O>) -> Vec<Result<O::Output>> {
    let held = fixture.ledger.begin(day(1)).await.expect("the right to write");
    let tasks: Vec<_> = operations
        .into_iter()
        .map(|operation| {
            let ledger = fixture.ledger.clone();
            tokio::spawn(async move { ledger.group(operation).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(held);
    join_all(tasks).await.into_iter().map(|outcome| outcome.expect("an outcome")).collect()
}

async fn many(fixture: &LedgerFixture, count: usize) -> Vec<ReserveSerial> {
    let mut intents = Vec::with_capacity(count);
    for _ in 0..count {
        intents.push(first_time(fixture, &fixture.invite("受付PC", day(1)).await));
    }
    intents
}

/// The intention of a new device.
fn first_time(fixture: &LedgerFixture, invited: &InvitedDevice) -> ReserveSerial {
    fixture.intent(&DeviceId::random(&fixture.entropy), fixture.by_invitation(&invited.id), day(1))
}

async fn key_of(fixture: &LedgerFixture, device: &DeviceId) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(&fixture.certificates(device).await[0].key_hash);
    key
}

async fn resting_issuer(fixture: &LedgerFixture) -> IssuerId {
    let id = IssuerId::random(&fixture.entropy);
    let issuer = StoredIssuer::new(id.clone(), IssuerKind::Issuing, b"another CA".to_vec(), None);
    let reason = RevocationReason::CessationOfOperation;
    fixture
        .write(day(0), async |transaction| {
            transaction.add_issuer(&issuer, &operator()).await?;
            transaction.move_issuer(&id, IssuerState::Resting, reason, "", &operator()).await
        })
        .await
        .expect("a resting CA");
    id
}

fn is_refused<T>(outcome: &Result<T>, with: Refusal) -> bool {
    matches!(outcome, Err(LedgerError::Refused(refusal)) if *refusal == with)
}

fn note() -> AuditNote {
    AuditNote {
        actor: Actor::System("test"),
        action: "test.noted",
        device: None,
        detail: serde_json::Value::Null,
        at: day(1),
    }
}
