//! Tenants, sites and invitations.

use crate::engines::on_both_engines;
use crate::house::{DAY, InvitedDevice, day, guarded, operator, refusal};
use futures_util::future::join_all;
use tegata_core::id::InvitationCode;
use tegata_core::{DeviceId, InvitationId, Refusal, Role, SiteId, TenantId};
use tegata_storage::{
    DeviceFilter, InvitationState, IssuanceRight, LedgerError, NewInvitation, Site, Tenant,
};

on_both_engines! {
    async fn tenants_and_sites_are_found_again(house: LedgerFixture) {
        let tenants = house.ledger.tenants().await.unwrap();
        assert_eq!(tenants, [Tenant::new(house.tenant.clone(), "あおば薬局")]);
        let sites = house.ledger.sites(&house.tenant).await.unwrap();
        assert_eq!(sites, [Site { id: house.site.clone(), tenant: house.tenant.clone(), name: "本店".into() }]);
    }

    async fn a_site_needs_a_tenant_that_exists(house: LedgerFixture) {
        let site = Site {
            id: SiteId::random(&house.entropy),
            tenant: TenantId::random(&house.entropy),
            name: "どこにもない店".into(),
        };
        let before = house.audited().await;
        let added = house.write(day(0), async |transaction| transaction.add_site(&site, &operator()).await).await;
        assert!(matches!(added, Err(LedgerError::Engine(_))), "foreign keys are enforced");
        assert_eq!(house.audited().await, before);
    }

    async fn nobody_is_invited_to_a_site_of_another_tenant(house: LedgerFixture) {
        let other = Tenant::new(TenantId::random(&house.entropy), "別の法人");
        house.write(day(0), async |transaction| transaction.add_tenant(&other, &operator()).await).await.unwrap();
        let code = InvitationCode::random(&house.entropy);
        let new = NewInvitation {
            id: InvitationId::random(&house.entropy),
            code: &code,
            tenant: other.id,
            site: house.site.clone(),
            role: Role::Device,
            label: "受付PC".into(),
            expires_at: day(1),
        };
        let invited = house.write(day(0), async |transaction| transaction.invite(&new, &operator()).await).await;
        assert!(guarded(&invited));
        assert_eq!(house.ledger.find_invitation(&code).await.unwrap(), None);
    }

    async fn a_short_code_finds_its_invitation_for_a_while_and_no_two_living_ones_are_alike(house: LedgerFixture) {
        let (first, second) = (house.invite("受付PC", day(0)).await, house.invite("レジ", day(0)).await);
        let hash = [7; 32];
        let set = async |invited: &InvitedDevice, now, until| {
            house.write(now, async |transaction| {
                transaction.set_short_code(&invited.id, &hash, until, &operator()).await
            }).await
        };
        set(&first, day(0), day(1)).await.unwrap();
        let found = async |now| house.ledger.find_invitation_by_short_code(&hash, now).await.unwrap();
        assert_eq!(found(day(1)).await.map(|found| found.id), Some(first.id.clone()));
        assert!(guarded(&set(&second, day(1), day(2)).await), "the code lives with another invitation");
        let after = day(1).plus(std::time::Duration::from_millis(1));
        assert_eq!(found(after).await, None);
        set(&second, after, day(2)).await.unwrap();
        assert_eq!(found(after).await.map(|found| found.id), Some(second.id.clone()));
        house.write(after, async |transaction| transaction.withdraw_invitation(&second.id, &operator()).await)
            .await
            .unwrap();
        assert!(guarded(&set(&second, after, day(2)).await), "a withdrawn invitation gets no code");
    }

    async fn however_many_ask_at_once_each_finds_the_invitation_of_their_own_code(house: LedgerFixture) {
        let mut invited = Vec::new();
        for _ in 0..5 {
            invited.push(house.invite("受付PC", day(0)).await);
        }
        let strangers: Vec<_> = (0..3).map(|_| InvitationCode::random(&house.entropy)).collect();
        // More than one statement takes, some codes many times.
        let asked = (0..200).map(|place| match (place % 8, place % 5) {
            (stranger @ 0..3, _) => (&strangers[stranger], None),
            (_, known) => (&invited[known].code, Some(&invited[known].id)),
        });
        let asked: Vec<_> = asked.collect();
        let found = join_all(asked.iter().map(|(code, _)| house.ledger.find_invitation(code))).await;
        for ((_, wanted), found) in asked.iter().zip(found) {
            assert_eq!(found.unwrap().map(|found| found.id).as_ref(), *wanted);
        }
    }

    async fn an_invitation_admits_only_to_the_site_it_names(house: LedgerFixture) {
        let other = Tenant::new(TenantId::random(&house.entropy), "別の法人");
        let shop = Site { id: SiteId::random(&house.entropy), tenant: other.id.clone(), name: "別の店".into() };
        house.write(day(0), async |transaction| {
            transaction.add_tenant(&other, &operator()).await?;
            transaction.add_site(&shop, &operator()).await
        }).await.unwrap();
        let invited = house.invite("受付PC", day(0)).await;
        for (tenant, site, role) in [
            (&other.id, &shop.id, Role::Device),
            (&house.tenant, &shop.id, Role::Device),
            (&other.id, &house.site, Role::Device),
            (&house.tenant, &house.site, Role::Gate),
        ] {
            let device = DeviceId::random(&house.entropy);
            let origin = IssuanceRight::Invitation {
                invitation: invited.id.clone(),
                tenant: tenant.clone(),
                site: site.clone(),
                role,
                label: "受付PC".into(),
            };
            let reserved = house.ledger.group(house.intent(&device, origin, day(0))).await;
            assert!(guarded(&reserved), "{tenant} {site} {role}");
            assert_eq!(house.ledger.device(&device).await.unwrap(), None);
        }
    }

    async fn of_eight_claimants_one_wins_and_the_others_read_why(house: LedgerFixture) {
        let invited = house.invite("受付PC", day(0)).await;
        let claims = (0..8).map(|_| {
            let device = DeviceId::random(&house.entropy);
            house.ledger.group(house.intent(&device, house.by_invitation(&invited.id), day(0)))
        });
        let (winners, losers): (Vec<_>, Vec<_>) = join_all(claims).await.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1);
        for loser in losers {
            assert_eq!(refusal(loser), Refusal::InvitationUsed);
        }
        assert_eq!(house.ledger.devices(&DeviceFilter::default()).await.unwrap().len(), 1, "losers leave no device behind");
        let invitation = house.ledger.find_invitation(&invited.code).await.unwrap().unwrap();
        assert_eq!(invitation.state, InvitationState::Claimed);
        assert_eq!(invitation.admits(Some(&[1; 32]), day(0)), Err(Refusal::InvitationUsed));
        assert_eq!(invitation.admits(invitation.key_hash.as_deref(), day(0)), Ok(()));
    }

    async fn an_expired_invitation_is_refused_by_name(house: LedgerFixture) {
        let invited = house.invite("受付PC", day(0)).await;
        let late = day(0).plus(DAY * 2);
        let device = DeviceId::random(&house.entropy);
        let claim = house.ledger.group(house.intent(&device, house.by_invitation(&invited.id), late)).await;
        assert_eq!(refusal(claim), Refusal::InvitationExpired);
        let invitation = house.ledger.find_invitation(&invited.code).await.unwrap().unwrap();
        assert_eq!(invitation.admits(None, late), Err(Refusal::InvitationExpired));
        assert_eq!(invitation.admits(None, day(1)), Ok(()), "its last moment counts");
    }

    async fn a_withdrawn_invitation_is_refused_by_name(house: LedgerFixture) {
        let invited = house.invite("受付PC", day(0)).await;
        withdraw(house, &invited).await.unwrap();
        let device = DeviceId::random(&house.entropy);
        let claim = house.ledger.group(house.intent(&device, house.by_invitation(&invited.id), day(0))).await;
        assert_eq!(refusal(claim), Refusal::InvitationWithdrawn);
        let invitation = house.ledger.find_invitation(&invited.code).await.unwrap().unwrap();
        assert_eq!(invitation.admits(None, day(0)), Err(Refusal::InvitationWithdrawn));
        assert!(guarded(&withdraw(house, &invited).await), "it is taken back once");
    }

    async fn a_used_invitation_cannot_be_withdrawn(house: LedgerFixture) {
        let invited = house.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&house.entropy);
        house.ledger.group(house.intent(&device, house.by_invitation(&invited.id), day(0))).await.unwrap();
        assert!(guarded(&withdraw(house, &invited).await));
    }

    async fn the_same_key_may_come_again_after_a_failed_attempt(house: LedgerFixture) {
        let invited = house.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&house.entropy);
        let first = house.intent(&device, house.by_invitation(&invited.id), day(0));
        let key_hash = first.key_hash;
        assert_eq!(house.ledger.group(first).await.unwrap(), 1);
        let mut again = house.intent(&device, IssuanceRight::Again(invited.id.clone()), day(0));
        again.key_hash = key_hash;
        let complete = house.signed(&device, again.serial, day(0));
        assert_eq!(house.ledger.group(again).await.unwrap(), 2);
        house.ledger.group(complete).await.unwrap();
        let mut third = house.intent(&device, IssuanceRight::Again(invited.id.clone()), day(0));
        third.key_hash = key_hash;
        assert_eq!(refusal(house.ledger.group(third).await), Refusal::KeyReused, "it has its certificate");
    }

    async fn coming_again_takes_the_key_the_device_and_the_time_of_the_first(house: LedgerFixture) {
        let invited = house.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&house.entropy);
        let first = house.intent(&device, house.by_invitation(&invited.id), day(0));
        let key_hash = first.key_hash;
        house.ledger.group(first).await.unwrap();
        let (other_device, _) = house.enrol(day(0)).await;
        let other_key = house.intent(&device, IssuanceRight::Again(invited.id.clone()), day(0));
        assert_eq!(refusal(house.ledger.group(other_key).await), Refusal::InvitationUsed);
        let elsewhere = house.intent(&other_device, IssuanceRight::Again(invited.id.clone()), day(0));
        assert_eq!(refusal(house.ledger.group(elsewhere).await), Refusal::InvitationUsed);
        let mut late = house.intent(&device, IssuanceRight::Again(invited.id.clone()), day(2));
        late.key_hash = key_hash;
        assert_eq!(refusal(house.ledger.group(late).await), Refusal::InvitationExpired);
    }
}

async fn withdraw(
    house: &crate::house::LedgerFixture,
    invited: &InvitedDevice,
) -> tegata_storage::Result<()> {
    house
        .write(day(0), async |transaction| transaction.withdraw_invitation(&invited.id, &operator()).await)
        .await
}
