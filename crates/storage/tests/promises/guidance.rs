//! What staff are told: whom to call, where to go on, and why a device was stopped.

use crate::engines::on_both_engines;
use crate::house::{LedgerFixture, day, guarded, operator};
use tegata_core::{Contact, Guidance, ProductLink, SiteId, StopCause, TenantId};
use tegata_storage::{DeviceAction, Lineage, PolicyPlace, Result};

impl LedgerFixture {
    async fn guide(&self, place: &PolicyPlace, guidance: &Guidance) -> Result<bool> {
        self.write(day(0), async |transaction| transaction.set_guidance(place, guidance, &operator()).await)
            .await
    }
}

on_both_engines! {
    async fn a_site_says_whom_to_call_or_else_its_tenant_does(house: LedgerFixture) {
        let tenant = PolicyPlace { tenant: house.tenant.clone(), site: None };
        let site = PolicyPlace { site: Some(house.site.clone()), ..tenant.clone() };
        assert_eq!(house.ledger.guidance_of(&house.site).await.unwrap(), Guidance::default());
        let product = ProductLink::new("電子薬歴", "https://yakureki.example.jp").ok();
        let wide = Guidance { contact: Contact::new("本部", "03-1234-5678").ok(), product: product.clone() };
        let near = Guidance { contact: Contact::new("エリア担当", "06-1234-5678").ok(), product: None };
        assert!(house.guide(&tenant, &wide).await.unwrap());
        assert_eq!(house.ledger.guidance_of(&house.site).await.unwrap(), wide);
        let before = house.audited().await;
        assert!(house.guide(&site, &near).await.unwrap());
        assert!(!house.guide(&site, &near).await.unwrap(), "it is so already");
        assert_eq!(house.actions_after(before).await, ["guidance.set"]);
        let told = house.ledger.guidance_of(&house.site).await.unwrap();
        assert_eq!(told, Guidance { product, ..near.clone() });
        assert_eq!(house.ledger.guidance_at(&site).await.unwrap(), near);
        house.guide(&site, &Guidance::default()).await.unwrap();
        assert_eq!(house.ledger.guidance_of(&house.site).await.unwrap(), wide);
        let nowhere = SiteId::random(&house.entropy);
        assert_eq!(house.ledger.guidance_of(&nowhere).await.unwrap(), Guidance::default());
        let of_nobody = PolicyPlace { tenant: TenantId::random(&house.entropy), site: Some(house.site.clone()) };
        assert!(guarded(&house.guide(&of_nobody, &wide).await), "another tenant's site is none");
        assert!(guarded(&house.ledger.guidance_at(&of_nobody).await));
    }

    async fn what_was_said_of_a_stop_is_told_and_nothing_is_made_up(house: LedgerFixture) {
        for cause in StopCause::ALL.iter().copied().map(Some).chain([None]) {
            let (device, thumbprint) = house.enrol(day(0)).await;
            let action = DeviceAction::Revoke(cause.map(StopCause::reason).unwrap_or_default());
            house.write(day(0), async |transaction| {
                transaction.act_on_device_because(&device, action, cause, "", &operator()).await
            }).await.unwrap();
            assert_eq!(house.ledger.stop_cause(&thumbprint).await.unwrap(), cause);
            assert_eq!(house.ledger.device(&device).await.unwrap().unwrap().reason.as_deref(), Some(cause.map(StopCause::reason).unwrap_or_default().as_str()));
        }
        let (_, thumbprint) = house.enrol(day(0)).await;
        house.write(day(0), async |transaction| {
            let lost = StopCause::Lost;
            transaction.revoke_certificate_because(&thumbprint, lost, Lineage::This, "", &operator()).await
        }).await.unwrap();
        assert_eq!(house.ledger.stop_cause(&thumbprint).await.unwrap(), Some(StopCause::Lost));
        let (device, elder) = house.enrol(day(0)).await;
        house.present(&elder, day(0)).await;
        let given_up = house.renew(&device, elder, day(0)).await.unwrap();
        house.renew(&device, elder, day(0)).await.unwrap();
        let told = house.ledger.stop_cause(&given_up).await.unwrap();
        assert_eq!(told, Some(StopCause::Superseded), "a renewal that was begun anew");
        house.audited().await;
    }
}
