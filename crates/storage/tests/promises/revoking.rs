//! Single certificates, their descendants, and compromised keys.

use crate::engines::on_both_engines;
use crate::fixture::{LedgerFixture, day, operator, refusal};
use tegata_core::feed::Denial;
use tegata_core::{DeviceId, InvitationId, Refusal, RevocationReason, Standing, Thumbprint};
use tegata_storage::{
    IssuanceRight, IssuerKind, IssuerState, Ledger, LedgerError, Lineage, Result, RevocationEffect,
    StoredIssuer,
};

on_both_engines! {
    async fn what_descends_from_a_stolen_certificate_dies_with_it(fixture: LedgerFixture) {
        let (device, line) = three_generations(fixture).await;
        let done = revoke(fixture, &line[1], RevocationReason::KeyCompromise).await.unwrap();
        assert_eq!(done.certificates, 2);
        assert_eq!(standings(fixture, &line).await, [Standing::Good, Standing::Revoked, Standing::Revoked]);
        let denials = fixture.ledger.denials(day(3)).await.unwrap();
        assert_eq!(denials.denial(&device, &line[0]), None, "the ancestor was not in those hands");
        assert_eq!(denials.denial(&device, &line[2]), Some(Denial::Revoked));
        assert_eq!(denials, fixture.folded().await, "gates hear of each");
        assert_eq!(fixture.ended(day(3)).await.len(), 2);
    }

    async fn a_planned_replacement_leaves_its_successor_alone(fixture: LedgerFixture) {
        let (_, line) = three_generations(fixture).await;
        let done = revoke(fixture, &line[0], RevocationReason::Superseded).await.unwrap();
        assert_eq!(done.certificates, 1);
        assert_eq!(standings(fixture, &line).await, [Standing::Revoked, Standing::Good, Standing::Good]);
        assert!(matches!(revoke(fixture, &line[0], RevocationReason::Superseded).await, Err(LedgerError::Guard(_))));
        assert!(revoke(fixture, &line[0], RevocationReason::KeyCompromise).await.is_ok(), "worse news still counts for the rest");
        assert_eq!(standings(fixture, &line).await, [Standing::Revoked; 3]);
    }

    async fn an_unknown_certificate_is_not_revoked_in_silence(fixture: LedgerFixture) {
        let unknown = Thumbprint::of(b"unknown");
        assert!(matches!(revoke(fixture, &unknown, RevocationReason::Unspecified).await, Err(LedgerError::Guard(_))));
    }

    async fn a_key_in_other_hands_is_refused_for_ever_with_all_its_certificates(fixture: LedgerFixture) {
        let (device, line) = three_generations(fixture).await;
        let key = fixture.certificates(&device).await[0].key_hash.clone();
        let key: [u8; 32] = key.try_into().unwrap();
        let done = fixture.write(day(4), async |transaction| transaction.block_key(&key, "INC-7", &operator()).await).await;
        assert_eq!(done.unwrap().certificates, 3, "its certificate and what was renewed from it");
        assert_eq!(standings(fixture, &line).await, [Standing::Revoked; 3]);
        let again = fixture.write(day(5), async |transaction| transaction.block_key(&key, "", &operator()).await).await;
        assert_eq!(again.unwrap().certificates, 0);
        let listed = fixture.ledger.blocked_keys().await.unwrap();
        assert_eq!(listed.iter().map(|one| one.note.as_str()).collect::<Vec<_>>(), ["INC-7"]);

        let invited = fixture.invite("受付PC", day(5)).await;
        let mut intent = fixture.intent(&DeviceId::random(&fixture.entropy), fixture.by_invitation(&invited.id), day(5));
        intent.key_hash = key;
        let refused = fixture.ledger.group(intent).await;
        assert!(matches!(refused, Err(LedgerError::Refused(Refusal::KeyBlocked))), "{refused:?}");
    }

    async fn a_key_is_the_same_whatever_else_is_written_around_its_secret(fixture: LedgerFixture) {
        let (modulus, other) = ([0xc5; 256], [0xc7; 256]);
        let with = async |key: &[u8], invited: &InvitationId| {
            let mut intent = fixture.intent(&DeviceId::random(&fixture.entropy), fixture.by_invitation(invited), day(0));
            intent.tbs = tbs(key);
            intent
        };
        let [first, second, third, fourth] = [1, 2, 3, 4].map(|_| fixture.invite("受付PC", day(0)));
        let first = with(&rsa(&modulus, &[1, 0, 1]), &first.await.id).await;
        fixture.issue(first).await.unwrap();
        let same = with(&rsa(&modulus, &[1, 0, 3]), &second.await.id).await;
        assert_eq!(refusal(fixture.issue(same).await), Refusal::KeyReused);
        // Rows from before keys had an identity get one when the ledger is opened.
        fixture.place.tamper("UPDATE certificate SET key_id = NULL").await;
        let again = Ledger::open(&fixture.place.url()).await.unwrap();
        again.close().await;
        let same = with(&rsa(&modulus, &[1, 0, 3]), &third.await.id).await;
        assert_eq!(refusal(fixture.issue(same).await), Refusal::KeyReused);
        for (key, revoked) in [(&modulus, 1), (&other, 0)] {
            let info = rsa(key, &[1, 0, 5]);
            let block = fixture.write(day(1), async |writing| writing.block_public_key(&info, "found", &operator()).await);
            assert_eq!(block.await.unwrap().certificates, revoked);
        }
        let blocked = with(&rsa(&other, &[1, 0, 1]), &fourth.await.id).await;
        assert_eq!(refusal(fixture.issue(blocked).await), Refusal::KeyBlocked);
    }

    async fn a_ca_at_rest_issues_nothing_and_its_certificates_live_on(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        move_issuer(fixture, IssuerState::Resting).await.unwrap();
        let refused = fixture.ledger.group(fixture.intent(&device, IssuanceRight::Renewal(first), day(1))).await;
        assert!(matches!(refused, Err(LedgerError::Refused(Refusal::NoIssuer))), "{refused:?}");
        assert_eq!(standings(fixture, &[first]).await, [Standing::Good]);
        assert_eq!(fixture.ledger.living_certificates(&fixture.issuer, day(1)).await.unwrap(), 1);
    }

    async fn a_ca_moves_along_its_life_and_never_back(fixture: LedgerFixture) {
        for wrong in [IssuerState::Active, IssuerState::Retired] {
            assert!(matches!(move_issuer(fixture, wrong).await, Err(LedgerError::Guard(_))));
        }
        for step in [IssuerState::Resting, IssuerState::Retired] {
            move_issuer(fixture, step).await.unwrap();
            let issuer = fixture.ledger.issuers().await.unwrap().remove(0);
            assert_eq!((issuer.state, issuer.is_trusted()), (step, step == IssuerState::Resting));
        }
        for late in [IssuerState::Active, IssuerState::Resting, IssuerState::Revoked] {
            assert!(matches!(move_issuer(fixture, late).await, Err(LedgerError::Guard(_))));
        }
    }

    async fn the_end_of_a_ca_takes_its_certificates_along_in_bearable_portions(fixture: LedgerFixture) {
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(fixture.enroll(day(0)).await.1);
        }
        let take = async || {
            let reason = RevocationReason::CessationOfOperation;
            fixture.write(day(1), async |transaction| {
                transaction.revoke_certificates_of(&fixture.issuer, reason, 3, &operator()).await
            }).await.unwrap().certificates
        };
        assert_eq!([take().await, take().await, take().await], [3, 2, 0]);
        assert!(standings(fixture, &all).await.iter().all(|standing| *standing == Standing::Revoked));
    }

    async fn a_root_learns_that_its_list_must_name_a_revoked_ca(fixture: LedgerFixture) {
        let root = StoredIssuer::new(tegata_core::IssuerId::random(&fixture.entropy), IssuerKind::Root, vec![1], None);
        let mut below = StoredIssuer::new(
            tegata_core::IssuerId::random(&fixture.entropy), IssuerKind::Issuing, vec![2], Some(root.id.clone()),
        );
        below.shards = 3;
        fixture.write(day(0), async |transaction| {
            transaction.add_issuer(&root, &operator()).await?;
            transaction.add_issuer(&below, &operator()).await
        }).await.unwrap();
        assert_eq!(fixture.ledger.shards(&below.id).await.unwrap().len(), 3);
        let revision = async || fixture.ledger.shards(&root.id).await.unwrap()[0].revision;
        let before = revision().await;
        fixture.write(day(1), async |transaction| {
            let reason = RevocationReason::KeyCompromise;
            transaction.move_issuer(&below.id, IssuerState::Revoked, reason, "", &operator()).await
        }).await.unwrap();
        assert_eq!(revision().await, before + 1);
        let stored = fixture.ledger.issuers().await.unwrap().into_iter().find(|one| one.id == below.id).unwrap();
        assert_eq!(stored.ended, Some((day(1), RevocationReason::KeyCompromise)));
    }
}

async fn three_generations(fixture: &LedgerFixture) -> (DeviceId, Vec<Thumbprint>) {
    let (device, first) = fixture.enroll(day(0)).await;
    fixture.present(&first, day(0)).await;
    let second = fixture.renew(&device, first, day(1)).await.unwrap();
    fixture.present(&second, day(1)).await;
    let third = fixture.renew(&device, second, day(2)).await.unwrap();
    (device, vec![first, second, third])
}

async fn revoke(
    fixture: &LedgerFixture,
    which: &Thumbprint,
    reason: RevocationReason,
) -> Result<RevocationEffect> {
    fixture
        .write(day(3), async |transaction| {
            transaction.revoke_certificate(which, reason, Lineage::of(reason), "", &operator()).await
        })
        .await
}

async fn standings(fixture: &LedgerFixture, line: &[Thumbprint]) -> Vec<Standing> {
    let mut standings = Vec::new();
    for thumbprint in line {
        standings.push(fixture.ledger.holding(thumbprint).await.unwrap().unwrap().standing(day(3)));
    }
    standings
}

async fn move_issuer(fixture: &LedgerFixture, to: IssuerState) -> Result<()> {
    fixture
        .write(day(1), async |transaction| {
            let reason = RevocationReason::CessationOfOperation;
            transaction.move_issuer(&fixture.issuer, to, reason, "", &operator()).await
        })
        .await
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], &content].concat()
}

/// A `SubjectPublicKeyInfo`.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    const ALGORITHM: &[u8] = &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 5, 0];
    let key = der(0x30, &[&der(2, &[&[0], modulus]), &der(2, &[exponent])]);
    der(0x30, &[ALGORITHM, &der(3, &[&[0], &key])])
}

/// The least of a certificate that there has to be around its key.
fn tbs(info: &[u8]) -> Vec<u8> {
    let empty = der(0x30, &[]);
    der(0x30, &[&der(2, &[&[1]]), &empty, &empty, &empty, &empty, info])
}
