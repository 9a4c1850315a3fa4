//! The switch that stops a tenant with all its devices, and signing out.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{LedgerFixture, day, guarded, operator, refusal};
use tegata_core::RevocationReason::KeyCompromise;
use tegata_core::feed::{Change, Denial, TokenHolder};
use tegata_core::{
    DeviceId, DeviceState, Refusal, Role, Standing, TenantId, TenantState, Thumbprint, Timestamp,
};
use tegata_storage::TenantAction::{Resume, Suspend};
use tegata_storage::{DeviceAction, DeviceFilter, IssuanceRight, Result, StatusCache, Tenant, TenantAction};

on_both_engines! {
    async fn a_tenant_is_stopped_once_and_resumed_once(fixture: LedgerFixture) {
        assert!(guarded(&act(fixture, Resume).await), "it is at work");
        for (action, state, change) in [
            (Suspend, TenantState::Suspended, Change::TenantDenied { tenant: fixture.tenant.clone(), reason: Denial::Suspended }),
            (Resume, TenantState::Active, Change::TenantAllowed { tenant: fixture.tenant.clone() }),
        ] {
            let entries = fixture.audited().await;
            let seq = act(fixture, action).await.unwrap();
            assert!(guarded(&act(fixture, action).await), "once more is no change");
            assert_eq!(fixture.audited().await, entries + 1, "one entry, whatever the number of devices");
            assert_eq!(fixture.ledger.feed_head().await.unwrap(), seq);
            let event = fixture.ledger.feed_after(seq - 1).await.unwrap().remove(0);
            assert_eq!((event.at, event.change), (day(1), change));
            assert_eq!(fixture.ledger.everything().tenants().await.unwrap()[0].state, state);
        }
    }

    async fn nobody_stops_a_tenant_nobody_knows_nor_the_systems_own(fixture: LedgerFixture) {
        fixture.write(day(0), async |writing| writing.add_tenant(&Tenant::system(), &operator()).await).await.unwrap();
        for tenant in [TenantId::random(&fixture.entropy), TenantId::system()] {
            let stopped = fixture.write(day(1), async |writing| writing.act_on_tenant(&tenant, Suspend, "", &operator()).await).await;
            assert!(guarded(&stopped));
        }
        assert_eq!(fixture.ledger.feed_head().await.unwrap(), 0);
    }

    async fn a_stopped_tenant_stops_its_devices_and_brings_them_back_as_they_were(fixture: LedgerFixture) {
        let (ours, lost) = (fixture.enroll(day(0)).await, fixture.enroll(day(0)).await);
        let suspended = fixture.enroll(day(0)).await;
        fixture.act(&lost.0, DeviceAction::Revoke(KeyCompromise), day(0)).await.unwrap();
        fixture.act(&suspended.0, DeviceAction::Suspend, day(0)).await.unwrap();
        let revision = revision(fixture).await;
        act(fixture, Suspend).await.unwrap();
        assert_eq!(revision + 1, self::revision(fixture).await, "the list is to be made anew");
        stands(fixture, &[(&ours, Standing::Suspended), (&lost, Standing::Revoked), (&suspended, Standing::Suspended)]).await;
        assert_eq!(fixture.ledger.everything().device(&ours.0).await.unwrap().unwrap().effective_state(), DeviceState::Suspended);
        fixture.act(&suspended.0, DeviceAction::Resume, day(2)).await.unwrap();
        stands(fixture, &[(&suspended, Standing::Suspended)]).await;
        act(fixture, Resume).await.unwrap();
        stands(fixture, &[(&ours, Standing::Good), (&lost, Standing::Revoked), (&suspended, Standing::Good)]).await;
        assert_eq!(fixture.ended(day(2)).await.len(), 1, "the lost one");
    }

    async fn its_gates_go_on(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let gate = enroll_gate(fixture).await.unwrap();
        act(fixture, Suspend).await.unwrap();
        stands(fixture, &[(&gate, Standing::Good)]).await;
        assert_eq!(fixture.ended(day(2)).await.len(), 1, "the device alone is on hold");
        let renewed = fixture.renew(&gate.0, gate.1, day(2)).await.unwrap();
        stands(fixture, &[(&(gate.0, renewed), Standing::Good)]).await;
        enroll_gate(fixture).await.unwrap();
        assert_eq!(fixture.certificates(&device).await.len(), 1);
    }

    async fn another_tenant_does_not_notice(fixture: LedgerFixture) {
        let other = Tenant::new(TenantId::random(&fixture.entropy), "みどり薬局");
        fixture.write(day(0), async |writing| writing.add_tenant(&other, &operator()).await).await.unwrap();
        let ours = fixture.enroll(day(0)).await;
        fixture.write(day(1), async |writing| writing.act_on_tenant(&other.id, Suspend, "", &operator()).await).await.unwrap();
        stands(fixture, &[(&ours, Standing::Good)]).await;
        assert!(fixture.ended(day(1)).await.is_empty());
    }

    async fn list_and_responder_say_on_hold_of_every_certificate_signed_or_not(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        fixture.present(&first, day(0)).await;
        fixture.ledger.group(fixture.intent(&device, IssuanceRight::Renewal(first), day(0))).await.unwrap();
        act(fixture, Suspend).await.unwrap();
        let listed = fixture.ended(day(1)).await;
        assert_eq!(listed.len(), 2);
        for certificate in fixture.certificates(&device).await {
            let said = fixture.said(&certificate.serial).await.unwrap().unwrap();
            assert_eq!((said.at, said.reason), (day(1), None));
            assert!(listed.contains(&said));
        }
        act(fixture, Resume).await.unwrap();
        assert!(fixture.ended(day(1)).await.is_empty());
    }

    async fn nobody_receives_a_certificate_alone_or_together_until_it_is_resumed(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let mut enrollments = Vec::new();
        for _ in 0..3 {
            let invited = fixture.invite("受付PC", day(1)).await;
            let new = DeviceId::random(&fixture.entropy);
            enrollments.push(fixture.intent(&new, fixture.by_invitation(&invited.id), day(1)));
        }
        let origins: Vec<_> = enrollments.iter().map(|one| (one.device.clone(), one.origin.clone())).collect();
        act(fixture, Suspend).await.unwrap();
        let together = enrollments.into_iter().map(|one| fixture.ledger.group(one));
        for refused in futures_util::future::join_all(together).await {
            assert_eq!(refusal(refused), Refusal::TenantSuspended);
        }
        assert_eq!(refusal(fixture.renew(&device, first, day(1)).await), Refusal::TenantSuspended);
        assert_eq!(fixture.ledger.everything().devices(&DeviceFilter::default()).await.unwrap().len(), 1, "nothing of the attempts is left");
        act(fixture, Resume).await.unwrap();
        for (device, origin) in origins {
            fixture.issue(fixture.intent(&device, origin, day(1))).await.expect("the same invitation");
        }
        fixture.renew(&device, first, day(1)).await.unwrap();
    }

    async fn the_memory_hears_of_it_by_the_feed(fixture: LedgerFixture) {
        let ours = fixture.enroll(day(0)).await;
        let status = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
        for (action, standing) in [(Suspend, Standing::Suspended), (Resume, Standing::Good)] {
            act(fixture, action).await.unwrap();
            status.catch_up(day(1)).await.unwrap();
            let (facts, stands) = status.standing(&ours.1, day(1)).await.unwrap().unwrap();
            assert_eq!(stands, standing);
            assert_eq!(status.is_denied(Some(&facts.tenant), &ours.0, &ours.1), standing != Standing::Good);
            let loaded = StatusCache::load(fixture.ledger.clone(), day(1)).await.unwrap();
            assert_eq!(loaded.standing(&ours.1, day(1)).await.unwrap().unwrap().1, standing, "a fresh one as well");
        }
    }

    async fn who_is_signed_out_is_so_from_the_next_whole_second_on(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let holders = [TokenHolder::Device(device.clone()), TokenHolder::Tenant(fixture.tenant.clone())];
        for (of, moment) in holders.iter().zip([1_i64, 2]) {
            let entries = fixture.audited().await;
            let asked = Timestamp::from_millis(day(1).millis() + moment * 1000 - 700);
            let seq = sign_out(fixture, of, asked).await.unwrap();
            assert_eq!(fixture.audited().await, entries + 1);
            let event = fixture.ledger.feed_after(seq - 1).await.unwrap().remove(0);
            let Change::TokensDenied(tokens) = event.change else { panic!("tokens are denied") };
            let expected = Timestamp::from_millis(day(1).millis() + moment * 1000);
            assert_eq!((&tokens.of, tokens.issued_before), (of, expected));
            let known = fixture.ledger.tokens_before(&fixture.tenant, &device).await.unwrap();
            assert_eq!(known, Some(expected), "the later of the two holds");
        }
        assert_eq!(fixture.ledger.denials(day(2)).await.unwrap(), {
            let mut folded = fixture.folded().await;
            folded.forget(day(2));
            folded
        });
        let other = DeviceId::random(&fixture.entropy);
        let elsewhere = TenantId::random(&fixture.entropy);
        assert_eq!(fixture.ledger.tokens_before(&elsewhere, &other).await.unwrap(), None);
    }

    async fn a_holder_signed_out_twice_in_a_second_loses_the_tokens_between(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let (one, all) = (TokenHolder::Device(device.clone()), TokenHolder::Tenant(fixture.tenant.clone()));
        let mut dated = None;
        for (of, later) in [(&one, 0), (&one, 400), (&all, 999), (&one, 999), (&all, 999), (&all, 1000)] {
            let now = Timestamp::from_millis(day(1).millis() + later);
            fixture.sign_out(of, now).await.unwrap();
            let moment = fixture.ledger.tokens_before(&fixture.tenant, &device).await.unwrap().unwrap();
            assert!(moment > now && dated.is_none_or(|dated| moment > dated), "{moment} after {dated:?}");
            // How the token endpoint dates what it issues next.
            dated = Some(now.whole_second().max(moment));
        }
    }

    async fn signing_out_goes_only_forward_and_never_ahead(fixture: LedgerFixture) {
        let (device, _) = fixture.enroll(day(0)).await;
        let of = TokenHolder::Device(device);
        sign_out(fixture, &of, day(1)).await.unwrap();
        let before = (fixture.audited().await, fixture.ledger.feed_head().await.unwrap());
        for (of, moment) in [
            (&of, day(1)),
            (&of, day(0)),
            (&of, day(3)),
            (&TokenHolder::Device(DeviceId::random(&fixture.entropy)), day(1)),
            (&TokenHolder::Tenant(TenantId::random(&fixture.entropy)), day(1)),
        ] {
            assert!(guarded(&sign_out(fixture, of, moment).await), "{of:?} {moment}");
        }
        assert_eq!((fixture.audited().await, fixture.ledger.feed_head().await.unwrap()), before);
        sign_out(fixture, &of, day(2)).await.unwrap();
    }
}

async fn act(fixture: &LedgerFixture, action: TenantAction) -> Result<u64> {
    fixture.act_on_tenant(action, day(1)).await
}

async fn sign_out(fixture: &LedgerFixture, of: &TokenHolder, before: Timestamp) -> Result<u64> {
    fixture.write(day(2), async |writing| writing.deny_tokens(of, Some(before), "", &operator()).await).await
}

async fn stands(fixture: &LedgerFixture, expected: &[(&(DeviceId, Thumbprint), Standing)]) {
    for ((_, thumbprint), standing) in expected {
        let holding = fixture.ledger.holding(thumbprint).await.unwrap().unwrap();
        assert_eq!(holding.standing(day(2)), *standing);
    }
}

async fn enroll_gate(fixture: &LedgerFixture) -> Result<(DeviceId, Thumbprint)> {
    let invited = fixture.invite_as(Role::Gate, "受付PC", day(1)).await;
    let IssuanceRight::Invitation { invitation, tenant, site, label, .. } =
        fixture.by_invitation(&invited.id)
    else {
        unreachable!("an invitation")
    };
    let origin = IssuanceRight::Invitation { invitation, tenant, site, role: Role::Gate, label };
    let gate = DeviceId::random(&fixture.entropy);
    Ok((gate.clone(), fixture.issue(fixture.intent(&gate, origin, day(1))).await?))
}

async fn revision(fixture: &LedgerFixture) -> u64 {
    fixture.ledger.shards(&fixture.issuer).await.unwrap()[0].revision
}
