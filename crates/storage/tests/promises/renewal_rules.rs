//! Rules of renewals: what a site says goes before what its tenant says, and nobody else's is read or changed.

use crate::engines::on_both_engines;
use crate::fixture::{Everything, LedgerFixture, day, guarded, operator};
use tegata_core::renewal::RenewalRules;
use tegata_core::{SiteId, TenantId};
use tegata_storage::{PolicyPlace, Result};

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
}
