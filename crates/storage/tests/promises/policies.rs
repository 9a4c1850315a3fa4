//! Policies: rules of a tenant and of its sites, and the last place that is left goes to one.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{DAY, LedgerFixture, YEAR, day, guarded, operator, refusal};
use futures_util::future::join_all;
use tegata_core::id::InvitationCode;
use tegata_core::{
    DeviceId, EffectivePolicy, EnrollmentPolicy, InvitationId, Refusal, Role, SiteId, TenantId,
};
use tegata_storage::{
    Actor, DeviceAction, IssuanceRight, NewInvitation, PolicyPlace, ReserveSerial, Result, Site, Tenant,
};

impl LedgerFixture {
    fn everywhere(&self) -> PolicyPlace {
        PolicyPlace { tenant: self.tenant.clone(), site: None }
    }

    fn here(&self) -> PolicyPlace {
        PolicyPlace { tenant: self.tenant.clone(), site: Some(self.site.clone()) }
    }

    async fn set(&self, place: &PolicyPlace, policy: &EnrollmentPolicy) -> Result<bool> {
        self.write(day(0), async |transaction| transaction.set_policy(place, policy, &operator()).await).await
    }

    async fn own_rules(&self, place: &PolicyPlace) -> EnrollmentPolicy {
        self.write(day(0), async |transaction| transaction.policy(place).await).await.unwrap()
    }

    async fn site_of(&self, tenant: &TenantId) -> SiteId {
        let site =
            Site { id: SiteId::random(&self.entropy), tenant: tenant.clone(), name: "駅前店".into() };
        self.write(day(0), async |transaction| transaction.add_site(&site, &operator()).await).await.unwrap();
        site.id
    }

    /// Somebody new at a site, about to take a place.
    async fn newcomer(&self, site: &SiteId, role: Role) -> ReserveSerial {
        let code = InvitationCode::random(&self.entropy);
        let new = NewInvitation {
            id: InvitationId::random(&self.entropy),
            code: &code,
            tenant: self.tenant.clone(),
            site: site.clone(),
            role,
            label: "受付PC".into(),
            expires_at: day(2).plus(YEAR * 2),
        };
        self.write(day(0), async |transaction| transaction.invite(&new, &operator()).await).await.unwrap();
        let origin = IssuanceRight::Invitation {
            invitation: new.id,
            tenant: new.tenant,
            site: new.site,
            role,
            label: new.label,
        };
        self.intent(&DeviceId::random(&self.entropy), origin, day(1))
    }

    /// How many of so many newcomers at once are served; the others are told that there is no place left.
    async fn served(&self, site: &SiteId, newcomers: usize) -> usize {
        let mut all = Vec::new();
        for _ in 0..newcomers {
            all.push(self.newcomer(site, Role::Device).await);
        }
        let (mut served, mut devices) = (0, Vec::new());
        devices.extend(all.iter().map(|intent| intent.device.clone()));
        let outcomes = join_all(all.into_iter().map(|intent| self.ledger.group(intent))).await;
        for (outcome, device) in outcomes.into_iter().zip(devices) {
            let exists = self.ledger.everything().device(&device).await.unwrap().is_some();
            assert_eq!(exists, outcome.is_ok(), "no device comes of a refusal");
            if outcome.is_ok() {
                served += 1;
            } else {
                assert_eq!(refusal(outcome), Refusal::NoPlaceLeft);
            }
        }
        self.audited().await;
        served
    }
}

fn places(devices: u32) -> EnrollmentPolicy {
    EnrollmentPolicy { devices: Some(devices), ..EnrollmentPolicy::default() }
}

on_both_engines! {
    async fn rules_hold_where_they_were_put_and_each_change_is_audited_once(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let [everywhere, here] = [fixture.everywhere(), fixture.here()];
        let strict = EnrollmentPolicy {
            networks: Some(vec!["192.0.2.0/24".parse().unwrap()]),
            approval: true,
            ..places(3)
        };
        assert!(fixture.set(&everywhere, &strict).await.unwrap());
        assert!(!fixture.set(&everywhere, &strict).await.unwrap(), "they are in force already");
        assert!(fixture.set(&here, &places(1)).await.unwrap());
        assert_eq!(fixture.own_rules(&everywhere).await, strict);
        assert_eq!(
            fixture.ledger.everything().policies().await.unwrap(),
            [(everywhere.clone(), strict.clone()), (here.clone(), places(1))]
        );
        let invited = fixture.invite("受付PC", day(0)).await;
        let by_code = fixture.ledger.find_invitation(&invited.code).await.unwrap().unwrap();
        let both = EffectivePolicy { tenant: strict, site: places(1) };
        assert_eq!(by_code.policies, both, "whoever is invited is judged by both");
        assert_eq!(fixture.ledger.everything().invitation(&invited.id).await.unwrap().unwrap().policies, both);
        assert!(fixture.set(&everywhere, &EnrollmentPolicy::default()).await.unwrap());
        assert!(!fixture.set(&everywhere, &EnrollmentPolicy::default()).await.unwrap());
        assert_eq!(fixture.ledger.everything().policies().await.unwrap(), [(here, places(1))]);
        let actions = fixture.actions_after(before).await;
        let actions: Vec<_> = actions.iter().filter(|action| action.starts_with("policy")).collect();
        assert_eq!(actions, ["policy.set", "policy.set", "policy.cleared"]);
    }

    async fn nobody_writes_rules_for_anothers_site(fixture: LedgerFixture) {
        let stranger = Tenant::new(TenantId::random(&fixture.entropy), "みどり薬局");
        fixture.write(day(0), async |transaction| transaction.add_tenant(&stranger, &operator()).await).await.unwrap();
        let theirs = fixture.site_of(&stranger.id).await;
        let before = fixture.audited().await;
        for wrong in [
            PolicyPlace { site: Some(theirs), ..fixture.everywhere() },
            PolicyPlace { tenant: stranger.id.clone(), site: Some(fixture.site.clone()) },
            PolicyPlace { tenant: TenantId::random(&fixture.entropy), site: None },
        ] {
            assert!(guarded(&fixture.set(&wrong, &places(1)).await));
        }
        assert_eq!(fixture.audited().await, before);
    }

    async fn of_many_at_once_as_many_are_served_as_there_are_places(fixture: LedgerFixture) {
        fixture.set(&fixture.here(), &places(3)).await.unwrap();
        assert_eq!(fixture.served(&fixture.site, 16).await, 3);
        assert_eq!(fixture.served(&fixture.site, 2).await, 0);
        fixture.set(&fixture.here(), &places(4)).await.unwrap();
        assert_eq!(fixture.served(&fixture.site, 2).await, 1, "the last place goes to one");
    }

    async fn a_tenants_places_are_those_of_all_its_sites_and_a_site_has_no_more(fixture: LedgerFixture) {
        let other = fixture.site_of(&fixture.tenant).await;
        fixture.set(&fixture.everywhere(), &places(5)).await.unwrap();
        fixture.set(&fixture.here(), &places(2)).await.unwrap();
        assert_eq!(fixture.served(&fixture.site, 6).await, 2);
        assert_eq!(fixture.served(&other, 6).await, 3);
        fixture.set(&fixture.here(), &places(100)).await.unwrap();
        assert_eq!(fixture.served(&fixture.site, 1).await, 0, "a site's rule is no way past its tenant's");
    }

    async fn a_place_is_free_again_when_its_device_can_no_longer_come(fixture: LedgerFixture) {
        fixture.set(&fixture.here(), &places(1)).await.unwrap();
        let (device, _) = fixture.enroll(day(0)).await;
        assert_eq!(fixture.served(&fixture.site, 1).await, 0);
        fixture.act(&device, DeviceAction::Suspend, day(0)).await.unwrap();
        assert_eq!(fixture.served(&fixture.site, 1).await, 0, "it may come back");
        fixture.act(&device, DeviceAction::Retire, day(0)).await.unwrap();
        assert_eq!(fixture.served(&fixture.site, 1).await, 1);

        let mut late = fixture.newcomer(&fixture.site, Role::Device).await;
        late.at = day(1).plus(YEAR);
        (late.not_before, late.not_after) = (late.at, late.at.plus(YEAR));
        assert_eq!(refusal(fixture.ledger.group(fixture.newcomer(&fixture.site, Role::Device).await).await), Refusal::NoPlaceLeft);
        late.at = late.at.plus(DAY);
        fixture.ledger.group(late).await.expect("the place of a device whose certificate has ended");
    }

    async fn a_renewal_and_a_lost_answer_need_no_place_and_gates_have_their_own(fixture: LedgerFixture) {
        let (device, first) = fixture.enroll(day(0)).await;
        let claimed = fixture.newcomer(&fixture.site, Role::Device).await;
        let IssuanceRight::Invitation { invitation, .. } = claimed.origin.clone() else { unreachable!() };
        let mut again = fixture.intent(&claimed.device, IssuanceRight::Again(invitation), day(1));
        again.key_hash = claimed.key_hash;
        fixture.ledger.group(claimed).await.unwrap();
        fixture.set(&fixture.everywhere(), &places(0)).await.unwrap();
        fixture.set(&fixture.here(), &places(1)).await.unwrap();
        fixture.renew(&device, first, day(1)).await.expect("who is known is not locked out");
        fixture.ledger.group(again).await.expect("what was claimed is claimed");
        assert_eq!(fixture.served(&fixture.site, 1).await, 0);
        let gate = fixture.newcomer(&fixture.site, Role::Gate).await;
        fixture.ledger.group(gate).await.expect("a gate is nobody's device");
        let entries = fixture.ledger.everything().audit_of(&device, 10).await.unwrap();
        assert!(entries.iter().any(|entry| entry.entry.contains(&Actor::Device(device.clone()).to_string())));
    }
}
