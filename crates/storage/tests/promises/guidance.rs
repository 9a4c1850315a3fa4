//! What staff are told: whom to call, where to go on, and why a device was stopped.

use crate::engines::on_both_engines;
use crate::fixture::Everything;
use crate::fixture::{LedgerFixture, day, guarded, operator};
use tegata_core::{Contact, Guidance, ProductLink, SiteId, StopCause, TenantId};
use tegata_storage::{DeviceAction, Lineage, PolicyPlace, Result};

impl LedgerFixture {
    async fn guide(&self, place: &PolicyPlace, guidance: &Guidance) -> Result<bool> {
        self.write(day(0), async |transaction| transaction.set_guidance(place, guidance, &operator()).await)
            .await
    }
}

on_both_engines! {
    async fn a_site_says_whom_to_call_or_else_its_tenant_does(fixture: LedgerFixture) {
        let tenant = PolicyPlace { tenant: fixture.tenant.clone(), site: None };
        let site = PolicyPlace { site: Some(fixture.site.clone()), ..tenant.clone() };
        assert_eq!(fixture.ledger.everything().guidance_of(&fixture.site).await.unwrap(), Guidance::default());
        let product = ProductLink::new("電子薬歴", "https://yakureki.example.jp").ok();
        let wide = Guidance { contact: Contact::new("本部", "03-1234-5678").ok(), product: product.clone() };
        let near = Guidance { contact: Contact::new("エリア担当", "06-1234-5678").ok(), product: None };
        assert!(fixture.guide(&tenant, &wide).await.unwrap());
        assert_eq!(fixture.ledger.everything().guidance_of(&fixture.site).await.unwrap(), wide);
        let before = fixture.audited().await;
        assert!(fixture.guide(&site, &near).await.unwrap());
        assert!(!fixture.guide(&site, &near).await.unwrap(), "it is so already");
        assert_eq!(fixture.actions_after(before).await, ["guidance.set"]);
        let told = fixture.ledger.everything().guidance_of(&fixture.site).await.unwrap();
        assert_eq!(told, Guidance { product, ..near.clone() });
        assert_eq!(fixture.ledger.everything().guidance_at(&site).await.unwrap(), near);
        fixture.guide(&site, &Guidance::default()).await.unwrap();
        assert_eq!(fixture.ledger.everything().guidance_of(&fixture.site).await.unwrap(), wide);
        let nowhere = SiteId::random(&fixture.entropy);
        assert_eq!(fixture.ledger.everything().guidance_of(&nowhere).await.unwrap(), Guidance::default());
        let of_nobody = PolicyPlace { tenant: TenantId::random(&fixture.entropy), site: Some(fixture.site.clone()) };
        assert!(guarded(&fixture.guide(&of_nobody, &wide).await), "another tenant's site is none");
        assert!(guarded(&fixture.ledger.everything().guidance_at(&of_nobody).await));
    }

    async fn what_was_said_of_a_stop_is_told_and_nothing_is_made_up(fixture: LedgerFixture) {
        for cause in StopCause::ALL.iter().copied().map(Some).chain([None]) {
            let (device, thumbprint) = fixture.enroll(day(0)).await;
            let action = DeviceAction::Revoke(cause.map(StopCause::reason).unwrap_or_default());
            fixture.write(day(0), async |transaction| {
                transaction.act_on_device_because(&device, action, cause, "", &operator()).await
            }).await.unwrap();
            assert_eq!(fixture.ledger.stop_cause(&thumbprint).await.unwrap(), cause);
            assert_eq!(fixture.ledger.everything().device(&device).await.unwrap().unwrap().reason.as_deref(), Some(cause.map(StopCause::reason).unwrap_or_default().as_str()));
        }
        let (_, thumbprint) = fixture.enroll(day(0)).await;
        fixture.write(day(0), async |transaction| {
            let lost = StopCause::Lost;
            transaction.revoke_certificate_because(&thumbprint, lost, Lineage::This, "", &operator()).await
        }).await.unwrap();
        assert_eq!(fixture.ledger.stop_cause(&thumbprint).await.unwrap(), Some(StopCause::Lost));
        let (device, elder) = fixture.enroll(day(0)).await;
        fixture.present(&elder, day(0)).await;
        let given_up = fixture.renew(&device, elder, day(0)).await.unwrap();
        fixture.renew(&device, elder, day(0)).await.unwrap();
        let told = fixture.ledger.stop_cause(&given_up).await.unwrap();
        assert_eq!(told, Some(StopCause::Superseded), "a renewal that was begun anew");
        fixture.audited().await;
    }
}
