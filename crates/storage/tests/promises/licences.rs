//! Licences: granted to a tenant or a site, withdrawn one by one, and each change is in the log.

use crate::engines::on_both_engines;
use crate::house::{LedgerFixture, day, guarded, operator};
use tegata_core::{SiteId, TenantId};
use tegata_storage::{Licence, Result, Site, Tenant};

const PRODUCT: &str = "https://rezept.example";
const OTHER: &str = "https://stock.example";

impl LedgerFixture {
    fn licence(&self, site: Option<&SiteId>) -> Licence {
        Licence { product: PRODUCT.into(), tenant: self.tenant.clone(), site: site.cloned() }
    }

    async fn another_site(&self, tenant: &TenantId) -> SiteId {
        let id = SiteId::random(&self.entropy);
        let site = Site { id: id.clone(), tenant: tenant.clone(), name: format!("{id}店") };
        self.write(day(0), async |transaction| transaction.add_site(&site, &operator()).await).await.unwrap();
        id
    }

    async fn grant(&self, licence: &Licence) -> Result<bool> {
        self.write(day(1), async |transaction| transaction.grant_licence(licence, &operator()).await).await
    }

    async fn withdraw(&self, licence: &Licence) -> bool {
        let done =
            self.write(day(2), async |transaction| transaction.withdraw_licence(licence, &operator()).await);
        done.await.unwrap()
    }

    async fn covers(&self, site: &SiteId) -> bool {
        self.ledger.is_licensed(PRODUCT, &self.tenant, site).await.unwrap()
    }
}

on_both_engines! {
    async fn a_site_has_what_was_granted_to_it_or_to_its_tenant(house: LedgerFixture) {
        let (own, other) = (house.site.clone(), house.another_site(&house.tenant).await);
        assert!(!house.covers(&own).await);
        assert!(house.grant(&house.licence(Some(&own))).await.unwrap());
        assert_eq!((house.covers(&own).await, house.covers(&other).await), (true, false));
        assert!(!house.ledger.is_licensed(OTHER, &house.tenant, &own).await.unwrap());
        assert!(house.grant(&house.licence(None)).await.unwrap());
        assert_eq!((house.covers(&own).await, house.covers(&other).await), (true, true));
        let later = house.another_site(&house.tenant).await;
        assert!(house.covers(&later).await, "also those to come");
        assert!(house.withdraw(&house.licence(None)).await);
        assert_eq!((house.covers(&own).await, house.covers(&other).await), (true, false));
        assert!(house.withdraw(&house.licence(Some(&own))).await);
        assert!(!house.covers(&own).await);
    }

    async fn each_change_is_audited_once(house: LedgerFixture) {
        let before = house.audited().await;
        let [all, one] = [house.licence(None), house.licence(Some(&house.site))];
        for licence in [&all, &one] {
            assert!(house.grant(licence).await.unwrap());
            assert!(!house.grant(licence).await.unwrap(), "there is one already");
        }
        let known = house.ledger.licences().await.unwrap();
        assert_eq!(known, [(all.clone(), day(1)), (one.clone(), day(1))]);
        for licence in [&all, &one] {
            assert!(house.withdraw(licence).await);
            assert!(!house.withdraw(licence).await, "there is none any more");
        }
        assert_eq!(
            house.actions_after(before).await,
            ["licence.granted", "licence.granted", "licence.withdrawn", "licence.withdrawn"]
        );
        assert_eq!(house.ledger.licences().await.unwrap(), []);
    }

    async fn nobody_gets_a_licence_for_another_s_site(house: LedgerFixture) {
        let stranger = Tenant::new(TenantId::random(&house.entropy), "みどり薬局");
        house.write(day(0), async |transaction| transaction.add_tenant(&stranger, &operator()).await).await.unwrap();
        let theirs = house.another_site(&stranger.id).await;
        let before = house.audited().await;
        let nobody = TenantId::random(&house.entropy);
        for wrong in [
            house.licence(Some(&theirs)),
            house.licence(Some(&SiteId::random(&house.entropy))),
            Licence { tenant: nobody, ..house.licence(None) },
        ] {
            assert!(guarded(&house.grant(&wrong).await));
        }
        assert!(house.grant(&house.licence(None)).await.unwrap());
        assert!(!house.ledger.is_licensed(PRODUCT, &stranger.id, &theirs).await.unwrap());
        assert_eq!(house.actions_after(before).await, ["licence.granted"]);
    }
}
