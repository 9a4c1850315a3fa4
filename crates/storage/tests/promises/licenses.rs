//! Licences: granted to a tenant or a site, withdrawn one by one, and each change is in the log.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{LedgerFixture, day, guarded, operator};
use tegata_core::{SiteId, TenantId};
use tegata_storage::{License, Result, Site, Tenant};

const PRODUCT: &str = "https://rezept.example";
const OTHER: &str = "https://stock.example";

impl LedgerFixture {
    fn license(&self, site: Option<&SiteId>) -> License {
        License { product: PRODUCT.into(), tenant: self.tenant.clone(), site: site.cloned() }
    }

    async fn another_site(&self, tenant: &TenantId) -> SiteId {
        let id = SiteId::random(&self.entropy);
        let site = Site { id: id.clone(), tenant: tenant.clone(), name: format!("{id}店") };
        self.write(day(0), async |transaction| transaction.add_site(&site, &operator()).await).await.unwrap();
        id
    }

    async fn grant(&self, license: &License) -> Result<bool> {
        self.write(day(1), async |transaction| transaction.grant_license(license, &operator()).await).await
    }

    async fn withdraw(&self, license: &License) -> bool {
        let done =
            self.write(day(2), async |transaction| transaction.withdraw_license(license, &operator()).await);
        done.await.unwrap()
    }

    async fn covers(&self, site: &SiteId) -> bool {
        self.ledger.is_licensed(PRODUCT, &self.tenant, site).await.unwrap()
    }
}

on_both_engines! {
    async fn a_site_has_what_was_granted_to_it_or_to_its_tenant(fixture: LedgerFixture) {
        let (own, other) = (fixture.site.clone(), fixture.another_site(&fixture.tenant).await);
        assert!(!fixture.covers(&own).await);
        assert!(fixture.grant(&fixture.license(Some(&own))).await.unwrap());
        assert_eq!((fixture.covers(&own).await, fixture.covers(&other).await), (true, false));
        assert!(!fixture.ledger.is_licensed(OTHER, &fixture.tenant, &own).await.unwrap());
        assert!(fixture.grant(&fixture.license(None)).await.unwrap());
        assert_eq!((fixture.covers(&own).await, fixture.covers(&other).await), (true, true));
        let later = fixture.another_site(&fixture.tenant).await;
        assert!(fixture.covers(&later).await, "also those to come");
        assert!(fixture.withdraw(&fixture.license(None)).await);
        assert_eq!((fixture.covers(&own).await, fixture.covers(&other).await), (true, false));
        assert!(fixture.withdraw(&fixture.license(Some(&own))).await);
        assert!(!fixture.covers(&own).await);
    }

    async fn each_change_is_audited_once(fixture: LedgerFixture) {
        let before = fixture.audited().await;
        let [all, one] = [fixture.license(None), fixture.license(Some(&fixture.site))];
        for license in [&all, &one] {
            assert!(fixture.grant(license).await.unwrap());
            assert!(!fixture.grant(license).await.unwrap(), "there is one already");
        }
        let known = fixture.ledger.everything().licenses().await.unwrap();
        assert_eq!(known, [(all.clone(), day(1)), (one.clone(), day(1))]);
        for license in [&all, &one] {
            assert!(fixture.withdraw(license).await);
            assert!(!fixture.withdraw(license).await, "there is none any more");
        }
        assert_eq!(
            fixture.actions_after(before).await,
            ["licence.granted", "licence.granted", "licence.withdrawn", "licence.withdrawn"]
        );
        assert_eq!(fixture.ledger.everything().licenses().await.unwrap(), []);
    }

    async fn nobody_gets_a_license_for_another_s_site(fixture: LedgerFixture) {
        let stranger = Tenant::new(TenantId::random(&fixture.entropy), "みどり薬局");
        fixture.write(day(0), async |transaction| transaction.add_tenant(&stranger, &operator()).await).await.unwrap();
        let theirs = fixture.another_site(&stranger.id).await;
        let before = fixture.audited().await;
        let nobody = TenantId::random(&fixture.entropy);
        for wrong in [
            fixture.license(Some(&theirs)),
            fixture.license(Some(&SiteId::random(&fixture.entropy))),
            License { tenant: nobody, ..fixture.license(None) },
        ] {
            assert!(guarded(&fixture.grant(&wrong).await));
        }
        assert!(fixture.grant(&fixture.license(None)).await.unwrap());
        assert!(!fixture.ledger.is_licensed(PRODUCT, &stranger.id, &theirs).await.unwrap());
        assert_eq!(fixture.actions_after(before).await, ["licence.granted"]);
    }
}
