//! Certificates: recorded before they are signed, and one key for each.

use crate::engines::on_both_engines;
use crate::house::{DAY, day, guarded, operator, refusal};
use tegata_core::CertificateState::{InUse, Issued, Reserved, Revoked};
use tegata_core::feed::{Change, Denial};
use tegata_core::{DeviceId, IssuerId, Refusal, Standing, TenantId, Thumbprint};
use tegata_storage::{
    DeviceAction, IssuanceRight, IssuerKind, LedgerError, StoredIssuer, Tenant, TenantIssuers,
};

on_both_engines! {
    async fn what_is_signed_was_recorded_before(house: LedgerFixture) {
        let invited = house.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&house.entropy);
        let intent = house.intent(&device, house.by_invitation(&invited.id), day(0));
        let (serial, tbs) = (intent.serial, intent.tbs.clone());
        assert_eq!(house.ledger.group(intent).await.unwrap(), 1);
        let reserved = house.certificates(&device).await.remove(0);
        assert_eq!((reserved.state, reserved.serial, &reserved.tbs), (Reserved, serial, &tbs));
        assert_eq!((reserved.thumbprint(), reserved.reserved_at), (None, day(0)));
        let complete = house.signed(&device, serial, day(0));
        let (thumbprint, der) = (complete.thumbprint, complete.der.clone());
        house.ledger.group(complete).await.unwrap();
        let issued = house.certificates(&device).await.remove(0);
        assert_eq!((issued.state, issued.der.as_deref()), (Issued, Some(der.as_slice())));
        let holding = house.ledger.holding(&thumbprint).await.unwrap().unwrap();
        assert_eq!((holding.device.clone(), holding.generation), (device, 1));
        assert_eq!(holding.standing(day(1)), Standing::Good);
    }

    async fn a_certificate_is_completed_once(house: LedgerFixture) {
        let invited = house.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&house.entropy);
        let intent = house.intent(&device, house.by_invitation(&invited.id), day(0));
        let serial = intent.serial;
        house.ledger.group(intent).await.unwrap();
        let first = house.signed(&device, serial, day(0));
        let der = first.der.clone();
        house.ledger.group(first).await.unwrap();
        assert!(guarded(&house.ledger.group(house.signed(&device, serial, day(0))).await));
        assert_eq!(house.certificates(&device).await[0].der, Some(der), "the first bytes stay");
    }

    async fn only_what_was_reserved_for_this_device_is_completed(house: LedgerFixture) {
        let (other, _) = house.enrol(day(0)).await;
        let invited = house.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&house.entropy);
        let intent = house.intent(&device, house.by_invitation(&invited.id), day(0));
        let serial = intent.serial;
        house.ledger.group(intent).await.unwrap();
        assert!(guarded(&house.ledger.group(house.signed(&other, serial, day(0))).await));
        let mut misnamed = house.signed(&device, serial, day(0));
        misnamed.thumbprint = Thumbprint::of(b"other bytes");
        assert!(guarded(&house.ledger.group(misnamed).await));
        let mut elsewhere = house.signed(&device, serial, day(0));
        elsewhere.issuer = IssuerId::random(&house.entropy);
        assert!(guarded(&house.ledger.group(elsewhere).await));
        assert_eq!(house.states(&device).await, [Reserved]);
    }

    async fn a_serial_is_used_once(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        let taken = house.certificates(&device).await[0].serial;
        let mut intent = house.intent(&device, IssuanceRight::Renewal(first), day(1));
        intent.serial = taken;
        let before = house.audited().await;
        assert!(matches!(house.ledger.group(intent).await, Err(LedgerError::Engine(_))));
        assert_eq!(house.states(&device).await, [Issued], "nothing of the attempt is left");
        assert_eq!(house.audited().await, before);
    }

    async fn an_unknown_issuer_reserves_nothing(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        let mut intent = house.intent(&device, IssuanceRight::Renewal(first), day(1));
        intent.issuer = IssuerId::random(&house.entropy);
        assert!(matches!(house.ledger.group(intent).await, Err(LedgerError::Refused(Refusal::NoIssuer))));
        assert_eq!(house.states(&device).await, [Issued]);
    }

    async fn a_silo_gets_nothing_from_the_shared_issuers_nor_from_another_tenants(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        let other = Tenant::new(TenantId::random(&house.entropy), "みどり薬局");
        let issuer = |tenant: &TenantId| {
            let id = IssuerId::random(&house.entropy);
            let certificate = id.as_str().as_bytes().to_vec();
            StoredIssuer { tenant: Some(tenant.clone()), ..StoredIssuer::new(id, IssuerKind::Issuing, certificate, None) }
        };
        let (own, others) = (issuer(&house.tenant), issuer(&other.id));
        house
            .write(day(1), async |transaction| {
                transaction.add_tenant(&other, &operator()).await?;
                transaction.add_issuer(&own, &operator()).await?;
                transaction.add_issuer(&others, &operator()).await?;
                transaction.set_issuing(&house.tenant, TenantIssuers::Silo, &operator()).await
            })
            .await
            .unwrap();
        assert_eq!(house.ledger.silos().await.unwrap(), std::slice::from_ref(&house.tenant));
        // A process that has not heard of it yet still asks the shared one, for new devices and known ones.
        for issuer in [&house.issuer, &others.id] {
            let invited = house.invite("受付PC", day(1)).await;
            let new = DeviceId::random(&house.entropy);
            let mut enrolment = house.intent(&new, house.by_invitation(&invited.id), day(1));
            enrolment.issuer = issuer.clone();
            assert_eq!(refusal(house.ledger.group(enrolment).await), Refusal::NoIssuer);
            let mut renewal = house.intent(&device, IssuanceRight::Renewal(first), day(1));
            renewal.issuer = issuer.clone();
            assert_eq!(refusal(house.ledger.group(renewal).await), Refusal::NoIssuer);
        }
        let mut renewal = house.intent(&device, IssuanceRight::Renewal(first), day(1));
        renewal.issuer = own.id.clone();
        assert_eq!(house.ledger.group(renewal).await.unwrap(), 2);
    }

    async fn generations_count_up(house: LedgerFixture) {
        let (device, mut current) = house.enrol(day(0)).await;
        for generation in 2..6 {
            house.present(&current, day(generation)).await;
            current = house.renew(&device, current, day(generation)).await.unwrap();
        }
        let generations: Vec<_> = house.certificates(&device).await.iter().map(|c| c.generation).collect();
        assert_eq!(generations, [1, 2, 3, 4, 5]);
        assert_eq!(house.ledger.device(&device).await.unwrap().unwrap().generation, 5);
    }

    async fn a_key_gets_one_certificate(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        let used = house.certificates(&device).await[0].key_hash.clone();
        let mut renewal = house.intent(&device, IssuanceRight::Renewal(first), day(1));
        renewal.key_hash.copy_from_slice(&used);
        assert_eq!(refusal(house.ledger.group(renewal).await), Refusal::KeyReused);
        let invited = house.invite("別のPC", day(1)).await;
        let stranger = DeviceId::random(&house.entropy);
        let mut enrolment = house.intent(&stranger, house.by_invitation(&invited.id), day(1));
        enrolment.key_hash.copy_from_slice(&used);
        assert_eq!(refusal(house.ledger.group(enrolment).await), Refusal::KeyReused);
        assert_eq!(Refusal::KeyReused.code(), "K-05");
    }

    async fn a_renewal_that_died_before_it_was_signed_may_come_again_with_its_key(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        house.present(&first, day(0)).await;
        let died = house.intent(&device, IssuanceRight::Renewal(first), day(1));
        let key_hash = died.key_hash;
        house.ledger.group(died).await.unwrap();
        let again = |at| {
            let mut again = house.intent(&device, IssuanceRight::Renewal(first), at);
            again.key_hash = key_hash;
            again
        };
        let twin = house.ledger.group(again(day(1))).await;
        assert_eq!(refusal(twin), Refusal::KeyReused, "the first may still be signed");
        assert_eq!(house.ledger.group(again(day(2))).await.unwrap(), 3);
        assert_eq!(house.states(&device).await, [InUse, Revoked, Reserved]);
    }

    async fn a_renewal_whose_answer_was_lost_is_superseded_by_the_next(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        house.present(&first, day(0)).await;
        let lost = house.renew(&device, first, day(1)).await.unwrap();
        house.ledger.group(house.intent(&device, IssuanceRight::Renewal(first), day(2))).await.unwrap();
        let third = house.renew(&device, first, day(3)).await.unwrap();
        assert_eq!(house.states(&device).await, [InUse, Revoked, Revoked, Issued]);
        let changes: Vec<_> =
            house.ledger.feed_after(0).await.unwrap().into_iter().map(|event| event.change).collect();
        let until = day(1).plus(crate::house::YEAR);
        let denied = Change::CertificateDenied { thumbprint: lost, reason: Denial::Revoked, until };
        assert_eq!(changes, [denied], "what had been signed is denied; what had not has no name");
        let standing = house.ledger.holding(&lost).await.unwrap().unwrap().standing(day(3));
        assert_eq!(standing, Standing::Revoked);
        assert!(!house.present(&lost, day(4)).await, "and it cannot come to life");
        assert!(house.present(&third, day(4)).await);
    }

    async fn a_renewal_may_start_from_a_certificate_just_received(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        let second = house.renew(&device, first, day(1)).await.unwrap();
        let third = house.renew(&device, second, day(2)).await.unwrap();
        assert_eq!(house.states(&device).await, [Issued, Issued, Issued]);
        house.present(&third, day(2)).await;
        assert_eq!(house.retire_due(day(10)).await, 2);
    }

    async fn no_renewal_starts_from_an_old_generation(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        house.present(&first, day(0)).await;
        let second = house.renew(&device, first, day(1)).await.unwrap();
        house.present(&second, day(1)).await;
        let retiring = house.renew(&device, first, day(2)).await;
        assert_eq!(refusal(retiring), Refusal::RenewalNotPossible);
        assert_eq!(house.retire_due(day(9)).await, 1);
        let retired = house.renew(&device, first, day(9)).await;
        assert_eq!(refusal(retired), Refusal::RenewalNotPossible);
        assert_eq!(house.states(&device).await.len(), 2);
    }

    async fn no_renewal_starts_from_a_revoked_certificate(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        house.present(&first, day(0)).await;
        let lost = house.renew(&device, first, day(1)).await.unwrap();
        house.renew(&device, first, day(2)).await.unwrap();
        assert_eq!(refusal(house.renew(&device, lost, day(3)).await), Refusal::RenewalNotPossible);
    }

    async fn no_renewal_for_a_device_that_is_stopped(house: LedgerFixture) {
        for action in [
            DeviceAction::Suspend,
            DeviceAction::Retire,
            DeviceAction::Revoke(tegata_core::RevocationReason::KeyCompromise),
        ] {
            let (device, first) = house.enrol(day(0)).await;
            house.act(&device, action, day(1)).await.unwrap();
            assert_eq!(refusal(house.renew(&device, first, day(1)).await), Refusal::RenewalNotPossible);
        }
    }

    async fn no_device_renews_with_anothers_certificate(house: LedgerFixture) {
        let (_, first) = house.enrol(day(0)).await;
        let (thief, _) = house.enrol(day(0)).await;
        assert_eq!(refusal(house.renew(&thief, first, day(1)).await), Refusal::RenewalNotPossible);
        let unknown = Thumbprint::of(b"never issued");
        assert_eq!(refusal(house.renew(&thief, unknown, day(1)).await), Refusal::RenewalNotPossible);
    }

    async fn a_reservation_given_up_is_on_the_revocation_list(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        house.present(&first, day(0)).await;
        let intent = house.intent(&device, IssuanceRight::Renewal(first), day(1));
        let serial = intent.serial;
        house.ledger.group(intent).await.unwrap();
        let early = house.write(day(2), async |transaction| transaction.abandon_reserved(day(1)).await).await;
        assert_eq!(early.unwrap(), 0, "an attempt that may still be going on is left alone");
        assert_eq!(house.said(&serial).await, None);
        let late = day(1).plus(DAY);
        let given_up = house.write(late, async |transaction| transaction.abandon_reserved(late).await).await;
        assert_eq!(given_up.unwrap(), 1);
        let ended = house.ended(late).await;
        assert_eq!(ended.iter().map(|one| (one.serial, one.at)).collect::<Vec<_>>(), [(serial, late)]);
        let status = house.said(&serial).await;
        assert_eq!(status, Some(Some(ended[0].clone())), "OCSP says what the list says");
        assert!(guarded(&house.ledger.group(house.signed(&device, serial, late)).await), "no late signature");
    }
}
