//! Tenants, sites and invitations.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, InvitedDevice, day, guarded, operator, refusal};
use futures_util::future::join_all;
use tegata_core::id::InvitationCode;
use tegata_core::{DeviceId, InvitationBatchId, InvitationId, Name, Refusal, Role, SiteId, TenantId};
use tegata_storage::InvitationProgress::{Enrolled, Expired, Fetched, Waiting, Withdrawn};
use tegata_storage::{DeviceFilter, InvitationState, IssuanceRight, NewInvitation, Site, Tenant};

on_both_engines! {
    async fn tenants_and_sites_are_found_again(fixture: LedgerFixture) {
        let tenants = fixture.ledger.everything().tenants().await.unwrap();
        assert_eq!(tenants, [Tenant::new(fixture.tenant.clone(), "あおば薬局")]);
        let sites = fixture.ledger.everything().sites(&fixture.tenant).await.unwrap();
        assert_eq!(sites, [Site { id: fixture.site.clone(), tenant: fixture.tenant.clone(), name: "本店".into() }]);
    }

    async fn a_site_needs_a_tenant_that_exists(fixture: LedgerFixture) {
        let site = Site {
            id: SiteId::random(&fixture.entropy),
            tenant: TenantId::random(&fixture.entropy),
            name: "どこにもない店".into(),
        };
        let before = fixture.audited().await;
        let added = fixture.write(day(0), async |transaction| transaction.add_site(&site, &operator()).await).await;
        assert!(guarded(&added));
        assert_eq!(fixture.audited().await, before);
    }

    async fn nobody_is_invited_to_a_site_of_another_tenant(fixture: LedgerFixture) {
        let other = Tenant::new(TenantId::random(&fixture.entropy), "別の法人");
        fixture.write(day(0), async |transaction| transaction.add_tenant(&other, &operator()).await).await.unwrap();
        let code = InvitationCode::random(&fixture.entropy);
        let new = NewInvitation {
            id: InvitationId::random(&fixture.entropy),
            code: &code,
            tenant: other.id,
            site: fixture.site.clone(),
            role: Role::Device,
            label: "受付PC".into(),
            expires_at: day(1),
        };
        let invited = fixture.write(day(0), async |transaction| transaction.invite(&new, &operator()).await).await;
        assert!(guarded(&invited));
        assert_eq!(fixture.ledger.find_invitation(&code).await.unwrap(), None);
    }

    async fn whoever_invites_many_sees_how_far_each_of_them_is(fixture: LedgerFixture) {
        let (batch, called) = (InvitationBatchId::random(&fixture.entropy), Name::label("春の入れ替え").unwrap());
        let [waiting, withdrawn] = [fixture.invite("受付PC", day(0)).await, fixture.invite("レジ", day(0)).await];
        let (device, certificate) = fixture.enroll(day(0)).await;
        let rows = fixture.ledger.everything();
        let enrolled = rows.invitation_of(&device).await.unwrap().unwrap();
        let begin = async || fixture.write(day(0), async |transaction| {
            transaction.add_invitation_batch(&batch, &fixture.tenant, &called, &operator()).await
        }).await;
        begin().await.unwrap();
        assert!(guarded(&begin().await), "a form that is sent twice invites once");
        fixture.write(day(0), async |transaction| {
            for one in [&waiting.id, &withdrawn.id, &enrolled] {
                transaction.put_into_batch(one, &batch).await?;
            }
            transaction.withdraw_invitation(&withdrawn.id, &operator()).await
        }).await.unwrap();
        let progress = async |at| {
            let all = rows.invitations_of_batch(&batch, at).await.unwrap();
            let of = |id: &InvitationId| all.iter().find(|one| one.id == *id).map(|one| one.progress);
            [&waiting.id, &withdrawn.id, &enrolled].map(of)
        };
        assert_eq!(progress(day(0)).await, [Some(Waiting), Some(Withdrawn), Some(Fetched)]);
        fixture.write(day(1), async |transaction| transaction.mark_used(&certificate, day(9)).await).await.unwrap();
        assert_eq!(progress(day(900)).await, [Some(Expired), Some(Withdrawn), Some(Enrolled)]);
        let again = fixture.invite("受付PC", day(1)).await;
        fixture.write(day(1), async |transaction| transaction.take_place_in_batch(&again.id, &waiting.id).await)
            .await
            .unwrap();
        assert_eq!(progress(day(1)).await, [None, Some(Withdrawn), Some(Enrolled)]);
        let unused = rows.unused_invitations(day(0), day(1)).await.unwrap();
        assert_eq!(unused.iter().map(|one| &one.id).collect::<Vec<_>>(), [&waiting.id], "it stands for itself again");
        assert_eq!(rows.invitation_batches(&fixture.tenant).await.unwrap().len(), 1);
    }

    async fn a_short_code_finds_its_invitation_for_a_while_and_is_unique(fixture: LedgerFixture) {
        let (first, second) = (fixture.invite("受付PC", day(0)).await, fixture.invite("レジ", day(0)).await);
        let hash = [7; 32];
        let set = async |invited: &InvitedDevice, now, until| {
            fixture.write(now, async |transaction| {
                transaction.set_short_code(&invited.id, &hash, until, &operator()).await
            }).await
        };
        set(&first, day(0), day(1)).await.unwrap();
        let found = async |now| fixture.ledger.find_invitation_by_short_code(&hash, now).await.unwrap();
        assert_eq!(found(day(1)).await.map(|found| found.id), Some(first.id.clone()));
        assert!(guarded(&set(&second, day(1), day(2)).await), "the code lives with another invitation");
        let after = day(1).plus(std::time::Duration::from_millis(1));
        assert_eq!(found(after).await, None);
        set(&second, after, day(2)).await.unwrap();
        assert_eq!(found(after).await.map(|found| found.id), Some(second.id.clone()));
        fixture.write(after, async |transaction| transaction.withdraw_invitation(&second.id, &operator()).await)
            .await
            .unwrap();
        assert!(guarded(&set(&second, after, day(2)).await), "a withdrawn invitation gets no code");
    }

    async fn however_many_ask_at_once_each_finds_the_invitation_of_their_own_code(fixture: LedgerFixture) {
        let mut invited = Vec::new();
        for _ in 0..5 {
            invited.push(fixture.invite("受付PC", day(0)).await);
        }
        let strangers: Vec<_> = (0..3).map(|_| InvitationCode::random(&fixture.entropy)).collect();
        // More than one statement takes, some codes many times.
        let asked = (0..200).map(|place| match (place % 8, place % 5) {
            (stranger @ 0..3, _) => (&strangers[stranger], None),
            (_, known) => (&invited[known].code, Some(&invited[known].id)),
        });
        let asked: Vec<_> = asked.collect();
        let found = join_all(asked.iter().map(|(code, _)| fixture.ledger.find_invitation(code))).await;
        for ((_, wanted), found) in asked.iter().zip(found) {
            assert_eq!(found.unwrap().map(|found| found.id).as_ref(), *wanted);
        }
    }

    async fn an_invitation_admits_only_to_the_site_it_names(fixture: LedgerFixture) {
        let other = Tenant::new(TenantId::random(&fixture.entropy), "別の法人");
        let shop = Site { id: SiteId::random(&fixture.entropy), tenant: other.id.clone(), name: "別の店".into() };
        fixture.write(day(0), async |transaction| {
            transaction.add_tenant(&other, &operator()).await?;
            transaction.add_site(&shop, &operator()).await
        }).await.unwrap();
        let invited = fixture.invite("受付PC", day(0)).await;
        for (tenant, site, role) in [
            (&other.id, &shop.id, Role::Device),
            (&fixture.tenant, &shop.id, Role::Device),
            (&other.id, &fixture.site, Role::Device),
            (&fixture.tenant, &fixture.site, Role::Gate),
        ] {
            let device = DeviceId::random(&fixture.entropy);
            let origin = IssuanceRight::Invitation {
                invitation: invited.id.clone(),
                tenant: tenant.clone(),
                site: site.clone(),
                role,
                label: "受付PC".into(),
            };
            let reserved = fixture.ledger.group(fixture.intent(&device, origin, day(0))).await;
            assert!(guarded(&reserved), "{tenant} {site} {role}");
            assert_eq!(fixture.ledger.everything().device(&device).await.unwrap(), None);
        }
    }

    async fn of_eight_claimants_one_wins_and_the_others_read_why(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let claims = (0..8).map(|_| {
            let device = DeviceId::random(&fixture.entropy);
            fixture.ledger.group(fixture.intent(&device, fixture.by_invitation(&invited.id), day(0)))
        });
        let (winners, losers): (Vec<_>, Vec<_>) = join_all(claims).await.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1);
        for loser in losers {
            assert_eq!(refusal(loser), Refusal::InvitationUsed);
        }
        assert_eq!(fixture.ledger.everything().devices(&DeviceFilter::default()).await.unwrap().len(), 1, "losers leave no device behind");
        let invitation = fixture.ledger.find_invitation(&invited.code).await.unwrap().unwrap();
        assert_eq!(invitation.state, InvitationState::Claimed);
        assert_eq!(invitation.admits(Some(&[1; 32]), day(0)), Err(Refusal::InvitationUsed));
        assert_eq!(invitation.admits(invitation.key_hash.as_deref(), day(0)), Ok(()));
    }

    async fn an_expired_invitation_is_refused_by_name(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let late = day(0).plus(DAY * 2);
        let device = DeviceId::random(&fixture.entropy);
        let claim = fixture.ledger.group(fixture.intent(&device, fixture.by_invitation(&invited.id), late)).await;
        assert_eq!(refusal(claim), Refusal::InvitationExpired);
        let invitation = fixture.ledger.find_invitation(&invited.code).await.unwrap().unwrap();
        assert_eq!(invitation.admits(None, late), Err(Refusal::InvitationExpired));
        assert_eq!(invitation.admits(None, day(1)), Ok(()), "its last moment counts");
    }

    async fn a_withdrawn_invitation_is_refused_by_name(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        withdraw(fixture, &invited).await.unwrap();
        let device = DeviceId::random(&fixture.entropy);
        let claim = fixture.ledger.group(fixture.intent(&device, fixture.by_invitation(&invited.id), day(0))).await;
        assert_eq!(refusal(claim), Refusal::InvitationWithdrawn);
        let invitation = fixture.ledger.find_invitation(&invited.code).await.unwrap().unwrap();
        assert_eq!(invitation.admits(None, day(0)), Err(Refusal::InvitationWithdrawn));
        assert!(guarded(&withdraw(fixture, &invited).await), "it is taken back once");
    }

    async fn a_used_invitation_cannot_be_withdrawn(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&fixture.entropy);
        fixture.ledger.group(fixture.intent(&device, fixture.by_invitation(&invited.id), day(0))).await.unwrap();
        assert!(guarded(&withdraw(fixture, &invited).await));
    }

    async fn the_same_key_may_come_again_after_a_failed_attempt(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&fixture.entropy);
        let first = fixture.intent(&device, fixture.by_invitation(&invited.id), day(0));
        let key_hash = first.key_hash;
        assert_eq!(fixture.ledger.group(first).await.unwrap(), 1);
        let mut again = fixture.intent(&device, IssuanceRight::Again(invited.id.clone()), day(0));
        again.key_hash = key_hash;
        let complete = fixture.signed(&device, again.serial, day(0));
        assert_eq!(fixture.ledger.group(again).await.unwrap(), 2);
        fixture.ledger.group(complete).await.unwrap();
        let mut third = fixture.intent(&device, IssuanceRight::Again(invited.id.clone()), day(0));
        third.key_hash = key_hash;
        assert_eq!(refusal(fixture.ledger.group(third).await), Refusal::KeyReused, "it has its certificate");
    }

    async fn coming_again_takes_the_key_the_device_and_the_time_of_the_first(fixture: LedgerFixture) {
        let invited = fixture.invite("受付PC", day(0)).await;
        let device = DeviceId::random(&fixture.entropy);
        let first = fixture.intent(&device, fixture.by_invitation(&invited.id), day(0));
        let key_hash = first.key_hash;
        fixture.ledger.group(first).await.unwrap();
        let (other_device, _) = fixture.enroll(day(0)).await;
        let other_key = fixture.intent(&device, IssuanceRight::Again(invited.id.clone()), day(0));
        assert_eq!(refusal(fixture.ledger.group(other_key).await), Refusal::InvitationUsed);
        let elsewhere = fixture.intent(&other_device, IssuanceRight::Again(invited.id.clone()), day(0));
        assert_eq!(refusal(fixture.ledger.group(elsewhere).await), Refusal::InvitationUsed);
        let mut late = fixture.intent(&device, IssuanceRight::Again(invited.id.clone()), day(2));
        late.key_hash = key_hash;
        assert_eq!(refusal(fixture.ledger.group(late).await), Refusal::InvitationExpired);
    }
}

async fn withdraw(
    fixture: &crate::fixture::LedgerFixture,
    invited: &InvitedDevice,
) -> tegata_storage::Result<()> {
    fixture
        .write(day(0), async |transaction| transaction.withdraw_invitation(&invited.id, &operator()).await)
        .await
}
