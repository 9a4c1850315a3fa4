//! Rules of renewals: what a site says goes before what its tenant says, and nobody else's is read or changed.

use crate::engines::on_both_engines;
use crate::fixture::{DAY, Everything, LedgerFixture, day, guarded, operator};
use tegata_core::renewal::RenewalRules;
use tegata_core::{SiteId, TenantId, Timestamp};
use tegata_storage::{PolicyPlace, Result, ScopedLedger};

impl LedgerFixture {
    async fn plan_by(&self, place: &PolicyPlace, rules: &RenewalRules) -> Result<bool> {
        self.write(day(0), async |transaction| {
            transaction.set_renewal_rules(place, rules, "T-7", &operator()).await
        })
        .await
    }
}

on_both_engines! {
    async fn a_site_plans_its_renewals_by_its_own_rules_or_else_by_its_tenants(fixture: LedgerFixture) {
        let everything = fixture.ledger.everything();
        let tenant = PolicyPlace { tenant: fixture.tenant.clone(), site: None };
        let site = PolicyPlace { site: Some(fixture.site.clone()), ..tenant.clone() };
        let wide = RenewalRules {
            spread_days: Some(20),
            closed: vec!["2026-12-29..2027-01-03".parse().unwrap()],
            ..RenewalRules::default()
        };
        let near = RenewalRules { spread_days: Some(3), paused_until: Some(day(9)), ..RenewalRules::default() };
        assert!(fixture.plan_by(&tenant, &wide).await.unwrap());
        assert_eq!(everything.renewal_rules_of(&fixture.site).await.unwrap(), wide);
        let before = fixture.audited().await;
        assert!(fixture.plan_by(&site, &near).await.unwrap());
        assert!(!fixture.plan_by(&site, &near).await.unwrap(), "it is so already");
        assert_eq!(fixture.actions_after(before).await, ["renewal-rules.set"]);
        let both = everything.renewal_rules_of(&fixture.site).await.unwrap();
        assert_eq!(both, RenewalRules { closed: wide.closed.clone(), ..near.clone() });
        assert_eq!(everything.renewal_rules().await.unwrap(), [(tenant.clone(), wide.clone()), (site.clone(), near)]);
        assert!(fixture.plan_by(&site, &RenewalRules::default()).await.unwrap());
        assert_eq!(everything.renewal_rules().await.unwrap(), [(tenant, wide)]);
        let of_nobody = PolicyPlace { tenant: TenantId::random(&fixture.entropy), ..site };
        assert!(guarded(&fixture.plan_by(&of_nobody, &RenewalRules::default()).await), "another tenant's site is none");
        let nowhere = SiteId::random(&fixture.entropy);
        assert_eq!(everything.renewal_rules_of(&nowhere).await.unwrap(), RenewalRules::default());
    }

    async fn rules_that_a_newer_version_wrote_stop_nobody_elses_plan(fixture: LedgerFixture) {
        let tenant = PolicyPlace { tenant: fixture.tenant.clone(), site: None };
        let rules = RenewalRules { spread_days: Some(9), ..RenewalRules::default() };
        fixture.plan_by(&tenant, &rules).await.unwrap();
        fixture.place.script("UPDATE site SET renewal = '{\"by_moonlight\":true}'").await;
        let everything = fixture.ledger.everything();
        let known = everything.renewal_rules().await.unwrap();
        assert_eq!((&known[0], &known[1].1), (&(tenant, rules.clone()), &RenewalRules::default()));
        assert_eq!(everything.renewal_rules_of(&fixture.site).await.unwrap(), rules, "what its tenant says holds");
        let site = PolicyPlace { tenant: fixture.tenant.clone(), site: Some(fixture.site.clone()) };
        assert!(fixture.plan_by(&site, &rules).await.is_err(), "and nobody writes over what they cannot read");
    }

    async fn of_each_device_one_certificate_is_to_be_renewed(fixture: LedgerFixture) {
        let everything = fixture.ledger.everything();
        let (device, first) = fixture.enroll(day(0)).await;
        let generations = async |rows: &ScopedLedger| {
            let ending = rows.ending_before(Timestamp::END).await.unwrap();
            ending.iter().map(|one| one.generation).collect::<Vec<_>>()
        };
        fixture.renew(&device, first, day(1)).await.unwrap();
        assert_eq!(generations(&everything).await, [2], "of two that nobody has seen, the newer one");
        fixture.present(&first, day(1)).await;
        assert_eq!(generations(&everything).await, [1], "what works goes before what nobody has seen");
        let place = PolicyPlace { tenant: fixture.tenant.clone(), site: None };
        let since = |when| everything.made_before(&place, when, day(1));
        assert_eq!(since(day(1).plus(DAY)).await.unwrap().len(), 1);
        assert_eq!(since(day(1)).await.unwrap(), [], "it has made itself another one since");
        let progress = everything.renewed_since(&place, day(1), day(1)).await.unwrap();
        assert_eq!((progress[0].devices, progress[0].renewed), (1, 1));
        let progress = everything.renewed_since(&place, day(2), day(2)).await.unwrap();
        assert_eq!((progress[0].devices, progress[0].renewed), (1, 0));
    }
}
