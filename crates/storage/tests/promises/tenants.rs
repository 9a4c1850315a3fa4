//! The switch that stops a tenant with all its devices, and signing out.

use crate::engines::on_both_engines;
use crate::house::{LedgerFixture, day, guarded, operator, refusal};
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::feed::{Change, Denial, TokenHolder};
use tegata_core::{
    DeviceId, DeviceState, Refusal, Role, Standing, TenantId, TenantState, Thumbprint, Timestamp,
};
use tegata_storage::TenantAction::{Resume, Suspend};
use tegata_storage::{DeviceAction, DeviceFilter, IssuanceRight, Result, StatusCache, Tenant, TenantAction};

on_both_engines! {
    async fn a_tenant_is_stopped_once_and_resumed_once(house: LedgerFixture) {
        assert!(guarded(&act(house, Resume).await), "it is at work");
        for (action, state, change) in [
            (Suspend, TenantState::Suspended, Change::TenantDenied { tenant: house.tenant.clone(), reason: Denial::Suspended }),
            (Resume, TenantState::Active, Change::TenantAllowed { tenant: house.tenant.clone() }),
        ] {
            let entries = house.audited().await;
            let seq = act(house, action).await.unwrap();
            assert!(guarded(&act(house, action).await), "once more is no change");
            assert_eq!(house.audited().await, entries + 1, "one entry, whatever the number of devices");
            assert_eq!(house.ledger.feed_head().await.unwrap(), seq);
            let event = house.ledger.feed_after(seq - 1).await.unwrap().remove(0);
            assert_eq!((event.at, event.change), (day(1), change));
            assert_eq!(house.ledger.tenants().await.unwrap()[0].state, state);
        }
    }

    async fn nobody_stops_a_tenant_nobody_knows_nor_the_systems_own(house: LedgerFixture) {
        house.write(day(0), async |writing| writing.add_tenant(&Tenant::system(), &operator()).await).await.unwrap();
        for tenant in [TenantId::random(&house.entropy), TenantId::system()] {
            let stopped = house.write(day(1), async |writing| writing.act_on_tenant(&tenant, Suspend, "", &operator()).await).await;
            assert!(guarded(&stopped));
        }
        assert_eq!(house.ledger.feed_head().await.unwrap(), 0);
    }

    async fn a_stopped_tenant_takes_its_devices_along_and_brings_them_back_as_they_were(house: LedgerFixture) {
        let (ours, lost) = (house.enrol(day(0)).await, house.enrol(day(0)).await);
        let suspended = house.enrol(day(0)).await;
        house.act(&lost.0, DeviceAction::Revoke(KeyCompromise), day(0)).await.unwrap();
        house.act(&suspended.0, DeviceAction::Suspend, day(0)).await.unwrap();
        let revision = revision(house).await;
        act(house, Suspend).await.unwrap();
        assert_eq!(revision + 1, self::revision(house).await, "the list is to be made anew");
        stands(house, &[(&ours, Standing::Suspended), (&lost, Standing::Revoked), (&suspended, Standing::Suspended)]).await;
        assert_eq!(house.ledger.device(&ours.0).await.unwrap().unwrap().effective_state(), DeviceState::Suspended);
        house.act(&suspended.0, DeviceAction::Resume, day(2)).await.unwrap();
        stands(house, &[(&suspended, Standing::Suspended)]).await;
        act(house, Resume).await.unwrap();
        stands(house, &[(&ours, Standing::Good), (&lost, Standing::Revoked), (&suspended, Standing::Good)]).await;
        assert_eq!(house.ended(day(2)).await.len(), 1, "the lost one");
    }

    async fn its_gates_go_on(house: LedgerFixture) {
        let (device, _) = house.enrol(day(0)).await;
        let gate = enrol_gate(house).await.unwrap();
        act(house, Suspend).await.unwrap();
        stands(house, &[(&gate, Standing::Good)]).await;
        assert_eq!(house.ended(day(2)).await.len(), 1, "the device alone is on hold");
        let renewed = house.renew(&gate.0, gate.1, day(2)).await.unwrap();
        stands(house, &[(&(gate.0, renewed), Standing::Good)]).await;
        enrol_gate(house).await.unwrap();
        assert_eq!(house.certificates(&device).await.len(), 1);
    }

    async fn another_tenant_does_not_notice(house: LedgerFixture) {
        let other = Tenant::new(TenantId::random(&house.entropy), "みどり薬局");
        house.write(day(0), async |writing| writing.add_tenant(&other, &operator()).await).await.unwrap();
        let ours = house.enrol(day(0)).await;
        house.write(day(1), async |writing| writing.act_on_tenant(&other.id, Suspend, "", &operator()).await).await.unwrap();
        stands(house, &[(&ours, Standing::Good)]).await;
        assert!(house.ended(day(1)).await.is_empty());
    }

    async fn list_and_responder_say_on_hold_of_every_certificate_signed_or_not(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        house.present(&first, day(0)).await;
        house.ledger.group(house.intent(&device, IssuanceRight::Renewal(first), day(0))).await.unwrap();
        act(house, Suspend).await.unwrap();
        let listed = house.ended(day(1)).await;
        assert_eq!(listed.len(), 2);
        for certificate in house.certificates(&device).await {
            let said = house.said(&certificate.serial).await.unwrap().unwrap();
            assert_eq!((said.at, said.reason), (day(1), None));
            assert!(listed.contains(&said));
        }
        act(house, Resume).await.unwrap();
        assert!(house.ended(day(1)).await.is_empty());
    }

    async fn nobody_receives_a_certificate_alone_or_together_until_it_is_resumed(house: LedgerFixture) {
        let (device, first) = house.enrol(day(0)).await;
        let mut enrolments = Vec::new();
        for _ in 0..3 {
            let invited = house.invite("受付PC", day(1)).await;
            let new = DeviceId::random(&house.entropy);
            enrolments.push(house.intent(&new, house.by_invitation(&invited.id), day(1)));
        }
        let origins: Vec<_> = enrolments.iter().map(|one| (one.device.clone(), one.origin.clone())).collect();
        act(house, Suspend).await.unwrap();
        let together = enrolments.into_iter().map(|one| house.ledger.group(one));
        for refused in futures_util::future::join_all(together).await {
            assert_eq!(refusal(refused), Refusal::TenantSuspended);
        }
        assert_eq!(refusal(house.renew(&device, first, day(1)).await), Refusal::TenantSuspended);
        assert_eq!(house.ledger.devices(&DeviceFilter::default()).await.unwrap().len(), 1, "nothing of the attempts is left");
        act(house, Resume).await.unwrap();
        for (device, origin) in origins {
            house.issue(house.intent(&device, origin, day(1))).await.expect("the same invitation");
        }
        house.renew(&device, first, day(1)).await.unwrap();
    }

    async fn the_memory_hears_of_it_by_the_feed(house: LedgerFixture) {
        let ours = house.enrol(day(0)).await;
        let status = StatusCache::load(house.ledger.clone(), day(1)).await.unwrap();
        for (action, standing) in [(Suspend, Standing::Suspended), (Resume, Standing::Good)] {
            act(house, action).await.unwrap();
            status.catch_up(day(1)).await.unwrap();
            let (facts, stands) = status.standing(&ours.1, day(1)).await.unwrap().unwrap();
            assert_eq!(stands, standing);
            assert_eq!(status.is_denied(Some(&facts.tenant), &ours.0, &ours.1), standing != Standing::Good);
            let loaded = StatusCache::load(house.ledger.clone(), day(1)).await.unwrap();
            assert_eq!(loaded.standing(&ours.1, day(1)).await.unwrap().unwrap().1, standing, "a fresh one as well");
        }
    }

    async fn who_is_signed_out_is_so_from_the_next_whole_second_on(house: LedgerFixture) {
        let (device, _) = house.enrol(day(0)).await;
        let holders = [TokenHolder::Device(device.clone()), TokenHolder::Tenant(house.tenant.clone())];
        for (of, moment) in holders.iter().zip([1_i64, 2]) {
            let entries = house.audited().await;
            let asked = Timestamp::from_millis(day(1).millis() + moment * 1000 - 700);
            let seq = sign_out(house, of, asked).await.unwrap();
            assert_eq!(house.audited().await, entries + 1);
            let event = house.ledger.feed_after(seq - 1).await.unwrap().remove(0);
            let Change::TokensDenied(tokens) = event.change else { panic!("tokens are denied") };
            let expected = Timestamp::from_millis(day(1).millis() + moment * 1000);
            assert_eq!((&tokens.of, tokens.issued_before), (of, expected));
            let known = house.ledger.tokens_before(&house.tenant, &device).await.unwrap();
            assert_eq!(known, Some(expected), "the later of the two holds");
        }
        assert_eq!(house.ledger.denials(day(2)).await.unwrap(), {
            let mut folded = house.folded().await;
            folded.forget(day(2));
            folded
        });
        let other = DeviceId::random(&house.entropy);
        let elsewhere = TenantId::random(&house.entropy);
        assert_eq!(house.ledger.tokens_before(&elsewhere, &other).await.unwrap(), None);
    }

    async fn whoever_is_signed_out_twice_in_a_second_loses_what_was_issued_in_between(house: LedgerFixture) {
        let (device, _) = house.enrol(day(0)).await;
        let (one, all) = (TokenHolder::Device(device.clone()), TokenHolder::Tenant(house.tenant.clone()));
        let mut dated = None;
        for (of, later) in [(&one, 0), (&one, 400), (&all, 999), (&one, 999), (&all, 999), (&all, 1000)] {
            let now = Timestamp::from_millis(day(1).millis() + later);
            house.sign_out(of, now).await.unwrap();
            let moment = house.ledger.tokens_before(&house.tenant, &device).await.unwrap().unwrap();
            assert!(moment > now && dated.is_none_or(|dated| moment > dated), "{moment} after {dated:?}");
            // How the token endpoint dates what it issues next.
            dated = Some(now.whole_second().max(moment));
        }
    }

    async fn signing_out_goes_only_forward_and_never_ahead(house: LedgerFixture) {
        let (device, _) = house.enrol(day(0)).await;
        let of = TokenHolder::Device(device);
        sign_out(house, &of, day(1)).await.unwrap();
        let before = (house.audited().await, house.ledger.feed_head().await.unwrap());
        for (of, moment) in [
            (&of, day(1)),
            (&of, day(0)),
            (&of, day(3)),
            (&TokenHolder::Device(DeviceId::random(&house.entropy)), day(1)),
            (&TokenHolder::Tenant(TenantId::random(&house.entropy)), day(1)),
        ] {
            assert!(guarded(&sign_out(house, of, moment).await), "{of:?} {moment}");
        }
        assert_eq!((house.audited().await, house.ledger.feed_head().await.unwrap()), before);
        sign_out(house, &of, day(2)).await.unwrap();
    }
}

async fn act(house: &LedgerFixture, action: TenantAction) -> Result<u64> {
    house.act_on_tenant(action, day(1)).await
}

async fn sign_out(house: &LedgerFixture, of: &TokenHolder, before: Timestamp) -> Result<u64> {
    house.write(day(2), async |writing| writing.deny_tokens(of, Some(before), "", &operator()).await).await
}

async fn stands(house: &LedgerFixture, expected: &[(&(DeviceId, Thumbprint), Standing)]) {
    for ((_, thumbprint), standing) in expected {
        let holding = house.ledger.holding(thumbprint).await.unwrap().unwrap();
        assert_eq!(holding.standing(day(2)), *standing);
    }
}

async fn enrol_gate(house: &LedgerFixture) -> Result<(DeviceId, Thumbprint)> {
    let invited = house.invite_as(Role::Gate, "受付PC", day(1)).await;
    let IssuanceRight::Invitation { invitation, tenant, site, label, .. } = house.by_invitation(&invited.id)
    else {
        unreachable!("an invitation")
    };
    let origin = IssuanceRight::Invitation { invitation, tenant, site, role: Role::Gate, label };
    let gate = DeviceId::random(&house.entropy);
    Ok((gate.clone(), house.issue(house.intent(&gate, origin, day(1))).await?))
}

async fn revision(house: &LedgerFixture) -> u64 {
    house.ledger.shards(&house.issuer).await.unwrap()[0].revision
}
