//! Many devices in a row by one code: never more than it says, and none after it was ended.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{LedgerFixture, day, guarded, operator, refusal};
use futures_util::future::join_all;
use std::time::Duration;
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::entropy::bytes;
use tegata_core::id::InvitationCode;
use tegata_core::{DeviceId, InvitationId, KittingId, Refusal, Role, SiteId, TenantId, Timestamp};
use tegata_storage::{DeviceAction, DeviceFilter, IssuanceRight, NewKitting, Result, TakePlace};

const MINUTE: Duration = Duration::from_mins(1);

on_both_engines! {
    async fn of_sixteen_who_want_the_last_place_at_once_one_gets_it(fixture: LedgerFixture) {
        let kitting = Batch::open(fixture, 3).await;
        kitting.enroll(fixture, day(0)).await.unwrap();
        kitting.enroll(fixture, day(0)).await.unwrap();
        let attempts = (0..16).map(|_| kitting.enroll(fixture, day(0)));
        let (winners, losers): (Vec<_>, Vec<_>) = join_all(attempts).await.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1);
        for loser in losers {
            assert_eq!(refusal(loser), Refusal::KittingUsedUp);
        }
        assert_eq!(fixture.ledger.everything().devices(&DeviceFilter::default()).await.unwrap().len(), 3);
        let places = fixture.ledger.everything().kitting_places(&kitting.id).await.unwrap();
        let named: Vec<_> = places.iter().map(|place| (place.number, place.label.as_str())).collect();
        assert_eq!(named, [(1, "棚卸-1"), (2, "棚卸-2"), (3, "棚卸-3")]);
        assert!(places.iter().all(|place| place.device.is_some() && !place.in_use));
        fixture.audited().await;
    }

    async fn an_ended_code_admits_nobody_not_even_who_has_just_taken_a_place(fixture: LedgerFixture) {
        let kitting = Batch::open(fixture, 3).await;
        let key = bytes(&fixture.entropy);
        let invitation = kitting.take(fixture, &key, None, day(0)).await.unwrap();
        fixture.write(day(0), async |transaction| transaction.end_kitting(&kitting.id, &operator()).await)
            .await
            .unwrap();
        assert_eq!(refusal(kitting.claim(fixture, &invitation, &key, "棚卸-1", day(0)).await), Refusal::InvitationWithdrawn);
        assert_eq!(refusal(kitting.enroll(fixture, day(0)).await), Refusal::InvitationWithdrawn);
        let known = fixture.ledger.everything().kitting(&kitting.id).await.unwrap().unwrap();
        assert_eq!(known.admits(day(0)), Err(Refusal::InvitationWithdrawn));
        let again = fixture
            .write(day(0), async |transaction| transaction.end_kitting(&kitting.id, &operator()).await)
            .await;
        assert!(guarded(&again), "it ends once");
    }

    async fn a_code_ends_with_its_time(fixture: LedgerFixture) {
        let kitting = Batch::open(fixture, 3).await;
        kitting.enroll(fixture, day(1)).await.unwrap();
        let after = day(1).plus(Duration::from_millis(1));
        assert_eq!(refusal(kitting.enroll(fixture, after).await), Refusal::InvitationExpired);
    }

    async fn a_place_that_came_to_nothing_is_free_for_the_next(fixture: LedgerFixture) {
        let kitting = Batch::open(fixture, 1).await;
        let key = bytes(&fixture.entropy);
        let refused = kitting.take(fixture, &key, None, day(0)).await.unwrap();
        assert_eq!(refusal(kitting.enroll(fixture, day(0)).await), Refusal::KittingUsedUp);
        let give_back = async || {
            fixture.write(day(0), async |transaction| transaction.give_place_back(&refused).await).await.unwrap()
        };
        assert!(give_back().await);
        assert!(!give_back().await, "it is given back once");
        let abandoned = bytes(&fixture.entropy);
        let lost = kitting.take(fixture, &abandoned, None, day(0)).await.unwrap();
        let later = day(0).plus(MINUTE * 11);
        kitting.enroll(fixture, later).await.expect("whoever took it is gone for more than ten minutes");
        assert_eq!(refusal(kitting.claim(fixture, &lost, &abandoned, "棚卸-2", later).await), Refusal::InvitationWithdrawn);
        assert_eq!(fixture.ledger.everything().kitting(&kitting.id).await.unwrap().unwrap().taken, 1);
    }

    async fn a_place_with_a_device_is_never_given_back(fixture: LedgerFixture) {
        let kitting = Batch::open(fixture, 1).await;
        let (_, invitation) = kitting.enroll(fixture, day(0)).await.unwrap();
        let given = fixture
            .write(day(0), async |transaction| transaction.give_place_back(&invitation).await)
            .await
            .unwrap();
        assert!(!given);
        let later = day(0).plus(MINUTE * 60);
        assert_eq!(refusal(kitting.enroll(fixture, later).await), Refusal::KittingUsedUp);
    }

    async fn a_key_finds_the_place_it_has_taken_and_no_other(fixture: LedgerFixture) {
        let kitting = Batch::open(fixture, 3).await;
        let key = bytes(&fixture.entropy);
        let invitation = kitting.take(fixture, &key, None, day(0)).await.unwrap();
        let found = fixture.ledger.kitting_place_of(&kitting.id, &key).await.unwrap();
        assert_eq!(found, Some((1, invitation)));
        assert_eq!(fixture.ledger.kitting_place_of(&kitting.id, &[7; 32]).await.unwrap(), None);
        let other = Batch::open(fixture, 3).await;
        assert_eq!(fixture.ledger.kitting_place_of(&other.id, &key).await.unwrap(), None);
    }

    async fn two_devices_of_a_code_are_never_called_the_same(fixture: LedgerFixture) {
        let kitting = Batch::open(fixture, 5).await;
        let (device, _) = kitting.enroll_called(fixture, Some("A-0815"), day(0)).await.unwrap();
        let twice = kitting.enroll_called(fixture, Some("A-0815"), day(0)).await;
        assert_eq!(refusal(twice), Refusal::KittingLabelTaken);
        fixture.act(&device, DeviceAction::Revoke(KeyCompromise), day(0)).await.unwrap();
        kitting.enroll_called(fixture, Some("A-0815"), day(0)).await.expect("the first one is revoked");
    }

    async fn a_code_in_other_hands_is_slow(fixture: LedgerFixture) {
        let kitting = Batch::open_with(fixture, 9, 2, day(1)).await;
        kitting.enroll(fixture, day(0)).await.unwrap();
        kitting.enroll(fixture, day(0)).await.unwrap();
        assert_eq!(refusal(kitting.enroll(fixture, day(0)).await), Refusal::KittingTooFast);
        kitting.enroll(fixture, day(0).plus(MINUTE)).await.expect("the next minute");
    }

    async fn a_kitting_code_opens_only_kitting_and_only_at_a_site_of_its_tenant(fixture: LedgerFixture) {
        let kitting = Batch::open(fixture, 1).await;
        let found = fixture.ledger.find_kitting(&kitting.code).await.unwrap().unwrap();
        assert_eq!((found.id, found.places, found.taken), (kitting.id.clone(), 1, 0));
        assert_eq!(fixture.ledger.find_invitation(&kitting.code).await.unwrap(), None);
        let stranger = TenantId::random(&fixture.entropy);
        let code = InvitationCode::random(&fixture.entropy);
        for (tenant, site) in [(&stranger, &fixture.site), (&fixture.tenant, &SiteId::random(&fixture.entropy))] {
            let new = new_kitting(fixture, &code, (tenant, site), 1, 60, day(1));
            let added = fixture
                .write(day(0), async |transaction| transaction.add_kitting(&new, &operator()).await)
                .await;
            assert!(guarded(&added));
        }
    }
}

/// A kitting code with its secret.
struct Batch {
    id: KittingId,
    code: InvitationCode,
}

impl Batch {
    async fn open(fixture: &LedgerFixture, places: u32) -> Self {
        Self::open_with(fixture, places, 60, day(1)).await
    }

    async fn open_with(fixture: &LedgerFixture, places: u32, per_minute: u32, expires_at: Timestamp) -> Self {
        let code = InvitationCode::random(&fixture.entropy);
        let new =
            new_kitting(fixture, &code, (&fixture.tenant, &fixture.site), places, per_minute, expires_at);
        let id = new.id.clone();
        fixture
            .write(day(0), async |transaction| transaction.add_kitting(&new, &operator()).await)
            .await
            .unwrap();
        Self { id, code }
    }

    /// The whole way of one device, with a fresh key.
    async fn enroll(&self, fixture: &LedgerFixture, now: Timestamp) -> Result<(DeviceId, InvitationId)> {
        self.enroll_called(fixture, None, now).await
    }

    async fn enroll_called(
        &self,
        fixture: &LedgerFixture,
        label: Option<&str>,
        now: Timestamp,
    ) -> Result<(DeviceId, InvitationId)> {
        let key = bytes(&fixture.entropy);
        let invitation = self.take(fixture, &key, label, now).await?;
        let known = fixture.ledger.everything().invitation(&invitation).await?.unwrap();
        let device = self.claim(fixture, &invitation, &key, &known.label, now).await?;
        Ok((device, invitation))
    }

    async fn take(
        &self,
        fixture: &LedgerFixture,
        key: &[u8; 32],
        label: Option<&str>,
        now: Timestamp,
    ) -> Result<InvitationId> {
        let invitation = InvitationId::random(&fixture.entropy);
        let wanted = TakePlace { kitting: &self.id, invitation: invitation.clone(), key_hash: key, label };
        fixture.write(now, async |transaction| transaction.take_place(&wanted).await).await?;
        Ok(invitation)
    }

    async fn claim(
        &self,
        fixture: &LedgerFixture,
        invitation: &InvitationId,
        key: &[u8; 32],
        label: &str,
        now: Timestamp,
    ) -> Result<DeviceId> {
        let device = DeviceId::random(&fixture.entropy);
        let origin = IssuanceRight::Invitation {
            invitation: invitation.clone(),
            tenant: fixture.tenant.clone(),
            site: fixture.site.clone(),
            role: Role::Device,
            label: label.into(),
        };
        let mut intent = fixture.intent(&device, origin, now);
        intent.key_hash = *key;
        fixture.ledger.group(intent).await?;
        Ok(device)
    }
}

fn new_kitting<'a>(
    fixture: &LedgerFixture,
    code: &'a InvitationCode,
    (tenant, site): (&TenantId, &SiteId),
    places: u32,
    per_minute: u32,
    expires_at: Timestamp,
) -> NewKitting<'a> {
    NewKitting {
        id: KittingId::random(&fixture.entropy),
        code,
        tenant: tenant.clone(),
        site: site.clone(),
        label: "棚卸-{n}".into(),
        places,
        per_minute,
        networks: Vec::new(),
        expires_at,
    }
}
