//! A product that asks for a license is for those who have one, whichever way they come.

use crate::tests::fixture::{CertificateHolderFixture, LIFETIME, OTHER_PRODUCT, OauthFixture, products};
use http::StatusCode;
use tegata_core::entropy::Seeded;
use tegata_core::{Role, SiteId, TenantId};
use tegata_storage::{Actor, License, Site, Tenant};

const OPERATOR: Actor = Actor::System("test");

/// Where [`OTHER_PRODUCT`] asks for a license.
async fn open() -> (OauthFixture, CertificateHolderFixture) {
    let mut fixture = OauthFixture::new().await;
    let mut products = products();
    products[1].licensed = true;
    fixture.serve(products, LIFETIME);
    let device = fixture.enroll(Role::Device).await;
    (fixture, device)
}

impl OauthFixture {
    fn license(&self, site: Option<SiteId>) -> License {
        License { product: OTHER_PRODUCT.into(), tenant: self.tenant.clone(), site }
    }

    async fn grant(&self, license: &License) {
        let mut transaction = self.context.ledger.begin(self.context.now()).await.unwrap();
        assert!(transaction.grant_license(license, &OPERATOR).await.unwrap());
        transaction.commit().await.unwrap();
    }

    async fn withdraw(&self, license: &License) {
        let mut transaction = self.context.ledger.begin(self.context.now()).await.unwrap();
        assert!(transaction.withdraw_license(license, &OPERATOR).await.unwrap());
        transaction.commit().await.unwrap();
    }

    async fn may_ask(&self, device: &CertificateHolderFixture) -> bool {
        assert_eq!(self.ask_token(device, "").await.status, StatusCode::OK, "the other product is for all");
        let answer = self.ask_token(device, &format!("&resource={OTHER_PRODUCT}")).await;
        if answer.status != StatusCode::OK {
            answer.is_error(400, "invalid_target", "T-04");
        }
        answer.status == StatusCode::OK
    }
}

#[tokio::test]
async fn a_licence_counts_from_the_moment_it_is_granted_until_it_is_withdrawn() {
    let (fixture, device) = open().await;
    for license in [fixture.license(None), fixture.license(Some(fixture.site.clone()))] {
        assert!(!fixture.may_ask(&device).await);
        fixture.grant(&license).await;
        assert!(fixture.may_ask(&device).await);
        fixture.withdraw(&license).await;
        assert!(!fixture.may_ask(&device).await);
    }
}

#[tokio::test]
async fn another_s_license_is_no_license() {
    let (fixture, device) = open().await;
    let elsewhere = Seeded::new(9);
    let stranger = Tenant::new(TenantId::random(&elsewhere), "みどり薬局");
    let next_door =
        Site { id: SiteId::random(&elsewhere), tenant: fixture.tenant.clone(), name: "駅前店".into() };
    let mut transaction = fixture.context.ledger.begin(fixture.context.now()).await.unwrap();
    transaction.add_tenant(&stranger, &OPERATOR).await.unwrap();
    transaction.add_site(&next_door, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    fixture.grant(&License { tenant: stranger.id, ..fixture.license(None) }).await;
    fixture.grant(&fixture.license(Some(next_door.id))).await;
    fixture.grant(&License { product: "https://third.example".into(), ..fixture.license(None) }).await;
    assert!(!fixture.may_ask(&device).await);
}

#[tokio::test]
async fn a_sign_in_goes_on_for_as_long_as_the_product_is_licensed() {
    let (fixture, device) = open().await;
    let license = fixture.license(None);
    fixture.grant(&license).await;
    let facts = fixture.context.caller(Some(&device.certificate), fixture.context.now()).await.unwrap();
    let now = fixture.context.now();
    let terms = crate::access_token::TokenRequest {
        audience: OTHER_PRODUCT,
        scope: None,
        person: Some("person:x"),
        key: None,
    };
    let claims = fixture.tokens.claims(&facts, terms, now);
    let value = crate::refresh_grant::start(&fixture.tokens, &claims, Some("person:x"), now).await.unwrap();
    let value = value.reveal();
    let refresh = async || {
        let body = format!("grant_type=refresh_token&client_id={}&refresh_token={value}", device.id);
        fixture.post("/oauth/token", Some(&device.certificate), body).await
    };
    fixture.withdraw(&license).await;
    refresh().await.is_error(400, "invalid_target", "T-04");
    fixture.grant(&license).await;
    assert_eq!(refresh().await.status, StatusCode::OK, "the refusal has not used up the value");
}

#[tokio::test]
async fn without_the_ledger_nobody_is_licensed() {
    let (fixture, device) = open().await;
    fixture.grant(&fixture.license(None)).await;
    fixture.context.ledger.close().await;
    let answer = fixture.ask_token(&device, &format!("&resource={OTHER_PRODUCT}")).await;
    answer.is_error(503, "temporarily_unavailable", "S-01");
}
