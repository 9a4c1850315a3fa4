//! Certificates: recorded before they are signed, and one key for each.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, day, guarded, operator, refusal};
use tegata_core::CertificateState::{InUse, Issued, Reserved, Revoked};
use tegata_core::feed::{Change, Denial};
use tegata_core::{DeviceId, IssuerId, Refusal, Standing, TenantId, Thumbprint};
use tegata_storage::{
    DeviceAction, IssuanceRight, IssuerKind, LedgerError, StoredIssuer, Tenant, TenantIssuers,
};

on_both_engines! {
    async fn what_is_signed_was_recorded_before(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&fixture.entropy);
        let intent = fixture.intent(&device, fixture.by_invitation(&invited.id), day(0));
        let (serial, tbs) = (intent.serial, intent.tbs.clone());
        assert_eq!(fixture.ledger.group(intent).await.unwrap(), 1);
        let reserved = fixture.certificates(&device).await.remove(0);
        assert_eq!((reserved.state, reserved.serial, &reserved.tbs), (Reserved, serial, &tbs));
        assert_eq!((reserved.thumbprint(), reserved.reserved_at), (None, day(0)));
        let complete = fixture.signed(&device, serial, day(0));
        let (thumbprint, der) = (complete.thumbprint, complete.der.clone());
        fixture.ledger.group(complete).await.unwrap();
        let issued = fixture.certificates(&device).await.remove(0);
        assert_eq!((issued.state, issued.der.as_deref()), (Issued, Some(der.as_slice())));
        let holding = fixture.ledger.holding(&thumbprint).await.unwrap().unwrap();
        assert_eq!((holding.device.clone(), holding.generation), (device, 1));
        assert_eq!(holding.standing(day(1)), Standing::Good);
    }

    async fn a_certificate_is_completed_once(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&fixture.entropy);
        let intent = fixture.intent(&device, fixture.by_invitation(&invited.id), day(0));
        let serial = intent.serial;
        fixture.ledger.group(intent).await.unwrap();
        let first = fixture.signed(&device, serial, day(0));
        let der = first.der.clone();
        fixture.ledger.group(first).await.unwrap();
        assert!(guarded(&fixture.ledger.group(fixture.signed(&device, serial, day(0))).await));
        assert_eq!(fixture.certificates(&device).await[0].der, Some(der), "the first bytes stay");
    }

    async fn only_what_was_reserved_for_this_device_is_completed(fixture: LedgerFixture) {
        let (other, _) = fixture.enroll(day(0)).await;
        let invited = fixture.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&fixture.entropy);
        let intent = fixture.intent(&device, fixture.by_invitation(&invited.id), day(0));
        let serial = intent.serial;
        fixture.ledger.group(intent).await.unwrap();
        assert!(guarded(&fixture.ledger.group(fixture.signed(&other, serial, day(0))).await));
        let mut misnamed = fixture.signed(&device, serial, day(0));
        misnamed.thumbprint = Thumbprint::of(b"other bytes");
        assert!(guarded(&fixture.ledger.group(misnamed).await));
        let mut elsewhere = fixture.signed(&device, serial, day(0));
        elsewhere.issuer = IssuerId::random(&fixture.entropy);
        assert!(guarded(&fixture.ledger.group(elsewhere).await));
        assert_eq!(fixture.states(&device).await, [Reserved]);
    }

    async fn a_serial_is_used_once(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let taken = fixture.certificates(&device).await[0].serial;
        let mut intent = fixture.intent(&device, IssuanceRight::Renewal(first), day(1));
        intent.serial = taken;
        let before = fixture.audited().await;
        assert!(matches!(fixture.ledger.group(intent).await, Err(LedgerError::Engine(_))));
        assert_eq!(fixture.states(&device).await, [Issued], "nothing of the attempt is left");
        assert_eq!(fixture.audited().await, before);
    }

    async fn an_unknown_issuer_reserves_nothing(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let mut intent = fixture.intent(&device, IssuanceRight::Renewal(first), day(1));
        intent.issuer = IssuerId::random(&fixture.entropy);
        assert!(matches!(fixture.ledger.group(intent).await, Err(LedgerError::Refused(Refusal::NoIssuer))));
        assert_eq!(fixture.states(&device).await, [Issued]);
    }

    async fn a_silo_gets_nothing_from_the_shared_issuers_nor_from_another_tenants(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let other = Tenant::new(TenantId::random(&fixture.entropy), "みどり薬局");
        let issuer = |tenant: &TenantId| {
            let id = IssuerId::random(&fixture.entropy);
            let certificate = id.as_str().as_bytes().to_vec();
            StoredIssuer { tenant: Some(tenant.clone()), ..StoredIssuer::new(id, IssuerKind::Issuing, certificate, None) }
        };
        let (own, others) = (issuer(&fixture.tenant), issuer(&other.id));
        fixture
            .write(day(1), async |transaction| {
                transaction.add_tenant(&other, &operator()).await?;
                transaction.add_issuer(&own, &operator()).await?;
                transaction.add_issuer(&others, &operator()).await?;
                transaction.set_issuing(&fixture.tenant, TenantIssuers::Silo, &operator()).await
            })
            .await
            .unwrap();
        assert_eq!(fixture.ledger.silos().await.unwrap(), std::slice::from_ref(&fixture.tenant));
        // A process that has not heard of it yet still asks the shared one, for new devices and known ones.
        for issuer in [&fixture.issuer, &others.id] {
            let invited = fixture.invite("受付PC", day(1)).await;
            let new = DeviceId::random(&fixture.entropy);
            let mut enrollment = fixture.intent(&new, fixture.by_invitation(&invited.id), day(1));
            enrollment.issuer = issuer.clone();
            assert_eq!(refusal(fixture.ledger.group(enrollment).await), Refusal::NoIssuer);
            let mut renewal = fixture.intent(&device, IssuanceRight::Renewal(first), day(1));
            renewal.issuer = issuer.clone();
            assert_eq!(refusal(fixture.ledger.group(renewal).await), Refusal::NoIssuer);
        }
        let mut renewal = fixture.intent(&device, IssuanceRight::Renewal(first), day(1));
        renewal.issuer = own.id.clone();
        assert_eq!(fixture.ledger.group(renewal).await.unwrap(), 2);
    }

    async fn generations_count_up(fixture: LedgerFixture) {
        let (device, mut current) = fixture.enroll(day(0)).await;
        for generation in 2..6 {
            fixture.present(&current, day(generation)).await;
            current = fixture.renew(&device, current, day(generation)).await.unwrap();
        }
        let generations: Vec<_> = fixture.certificates(&device).await.iter().map(|c| c.generation).collect();
        assert_eq!(generations, [1, 2, 3, 4, 5]);
        assert_eq!(fixture.ledger.everything().device(&device).await.unwrap().unwrap().generation, 5);
    }

    async fn a_key_gets_one_certificate(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let used = fixture.certificates(&device).await[0].key_hash.clone();
        let mut renewal = fixture.intent(&device, IssuanceRight::Renewal(first), day(1));
        renewal.key_hash.copy_from_slice(&used);
        assert_eq!(refusal(fixture.ledger.group(renewal).await), Refusal::KeyReused);
        let invited = fixture.invite("別のPC", day(1)).await;
        let stranger = DeviceId::random(&fixture.entropy);
        let mut enrollment = fixture.intent(&stranger, fixture.by_invitation(&invited.id), day(1));
        enrollment.key_hash.copy_from_slice(&used);
        assert_eq!(refusal(fixture.ledger.group(enrollment).await), Refusal::KeyReused);
        assert_eq!(Refusal::KeyReused.code(), "K-05");
    }

    async fn a_renewal_that_died_before_it_was_signed_may_come_again_with_its_key(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let died = fixture.intent(&device, IssuanceRight::Renewal(first), day(1));
        let key_hash = died.key_hash;
        fixture.ledger.group(died).await.unwrap();
        let again = |at| {
            let mut again = fixture.intent(&device, IssuanceRight::Renewal(first), at);
            again.key_hash = key_hash;
            again
        };
        let twin = fixture.ledger.group(again(day(1))).await;
        assert_eq!(refusal(twin), Refusal::KeyReused, "the first may still be signed");
        assert_eq!(fixture.ledger.group(again(day(2))).await.unwrap(), 3);
        assert_eq!(fixture.states(&device).await, [InUse, Revoked, Reserved]);
    }

    async fn a_renewal_whose_answer_was_lost_is_superseded_by_the_next(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let lost = fixture.renew(&device, first, day(1)).await.unwrap();
        fixture.ledger.group(fixture.intent(&device, IssuanceRight::Renewal(first), day(2))).await.unwrap();
        let third = fixture.renew(&device, first, day(3)).await.unwrap();
        assert_eq!(fixture.states(&device).await, [InUse, Revoked, Revoked, Issued]);
        let changes: Vec<_> =
            fixture.ledger.feed_after(0).await.unwrap().into_iter().map(|event| event.change).collect();
        let until = day(1).plus(crate::fixture::YEAR);
        let denied = Change::CertificateDenied { thumbprint: lost, reason: Denial::Revoked, until };
        assert_eq!(changes, [denied], "what had been signed is denied; what had not has no name");
        let standing = fixture.ledger.holding(&lost).await.unwrap().unwrap().standing(day(3));
        assert_eq!(standing, Standing::Revoked);
        assert!(!fixture.present(&lost, day(4)).await, "and it cannot come to life");
        assert!(fixture.present(&third, day(4)).await);
    }

    async fn a_renewal_may_start_from_a_certificate_just_received(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let second = fixture.renew(&device, first, day(1)).await.unwrap();
        let third = fixture.renew(&device, second, day(2)).await.unwrap();
        assert_eq!(fixture.states(&device).await, [Issued, Issued, Issued]);
        fixture.present(&third, day(2)).await;
        assert_eq!(fixture.retire_due(day(10)).await, 2);
    }

    async fn no_renewal_starts_from_an_old_generation(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let second = fixture.renew(&device, first, day(1)).await.unwrap();
        fixture.present(&second, day(1)).await;
        let retiring = fixture.renew(&device, first, day(2)).await;
        assert_eq!(refusal(retiring), Refusal::RenewalNotPossible);
        assert_eq!(fixture.retire_due(day(9)).await, 1);
        let retired = fixture.renew(&device, first, day(9)).await;
        assert_eq!(refusal(retired), Refusal::RenewalNotPossible);
        assert_eq!(fixture.states(&device).await.len(), 2);
    }

    async fn no_renewal_starts_from_a_revoked_certificate(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let lost = fixture.renew(&device, first, day(1)).await.unwrap();
        fixture.renew(&device, first, day(2)).await.unwrap();
        assert_eq!(refusal(fixture.renew(&device, lost, day(3)).await), Refusal::RenewalNotPossible);
    }

    async fn no_renewal_for_a_device_that_is_stopped(fixture: LedgerFixture) {
        for action in [
            DeviceAction::Suspend,
            DeviceAction::Retire,
            DeviceAction::Revoke(tegata_core::RevocationReason::KeyCompromise),
        ] {
            let (device, first) = fixture.enroll(day(0)).await;
            fixture.act(&device, action, day(1)).await.unwrap();
            assert_eq!(refusal(fixture.renew(&device, first, day(1)).await), Refusal::RenewalNotPossible);
        }
    }

    async fn no_device_renews_with_anothers_certificate(fixture: LedgerFixture) {
        let (_, first) = fixture.enroll(day(0)).await;
        let (thief, _) = fixture.enroll(day(0)).await;
        assert_eq!(refusal(fixture.renew(&thief, first, day(1)).await), Refusal::RenewalNotPossible);
        let unknown = Thumbprint::of(b"never issued");
        assert_eq!(refusal(fixture.renew(&thief, unknown, day(1)).await), Refusal::RenewalNotPossible);
    }

    async fn a_reservation_given_up_is_on_the_revocation_list(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        let intent = fixture.intent(&device, IssuanceRight::Renewal(first), day(1));
        let serial = intent.serial;
        fixture.ledger.group(intent).await.unwrap();
        let early = fixture.write(day(2), async |transaction| transaction.abandon_reserved(day(1)).await).await;
        assert_eq!(early.unwrap(), 0, "an attempt that may still be going on is left alone");
        assert_eq!(fixture.said(&serial).await, None);
        let late = day(1).plus(DAY);
        let given_up = fixture.write(late, async |transaction| transaction.abandon_reserved(late).await).await;
        assert_eq!(given_up.unwrap(), 1);
        let ended = fixture.ended(late).await;
        assert_eq!(ended.iter().map(|one| (one.serial, one.at)).collect::<Vec<_>>(), [(serial, late)]);
        let status = fixture.said(&serial).await;
        assert_eq!(status, Some(Some(ended[0].clone())), "OCSP says what the list says");
        assert!(guarded(&fixture.ledger.group(fixture.signed(&device, serial, late)).await), "no late signature");
    }
}
