//! A product that asks for a licence is for those who have one, whichever way they come.

use crate::tests::world::{CertificateHolderFixture, LIFETIME, OTHER_PRODUCT, OauthFixture, products};
use http::StatusCode;
use tegata_core::entropy::Seeded;
use tegata_core::{Role, SiteId, TenantId};
use tegata_storage::{Actor, Licence, Site, Tenant};

const OPERATOR: Actor = Actor::System("test");

/// Where [`OTHER_PRODUCT`] asks for a licence.
async fn open() -> (OauthFixture, CertificateHolderFixture) {
    let mut world = OauthFixture::new().await;
    let mut products = products();
    products[1].licensed = true;
    world.serve(products, LIFETIME);
    let device = world.enroll(Role::Device).await;
    (world, device)
}

impl OauthFixture {
    fn licence(&self, site: Option<SiteId>) -> Licence {
        Licence { product: OTHER_PRODUCT.into(), tenant: self.tenant.clone(), site }
    }

    async fn grant(&self, licence: &Licence) {
        let mut transaction = self.context.ledger.begin(self.context.now()).await.unwrap();
        assert!(transaction.grant_licence(licence, &OPERATOR).await.unwrap());
        transaction.commit().await.unwrap();
    }

    async fn withdraw(&self, licence: &Licence) {
        let mut transaction = self.context.ledger.begin(self.context.now()).await.unwrap();
        assert!(transaction.withdraw_licence(licence, &OPERATOR).await.unwrap());
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
    let (world, device) = open().await;
    for licence in [world.licence(None), world.licence(Some(world.site.clone()))] {
        assert!(!world.may_ask(&device).await);
        world.grant(&licence).await;
        assert!(world.may_ask(&device).await);
        world.withdraw(&licence).await;
        assert!(!world.may_ask(&device).await);
    }
}

#[tokio::test]
async fn another_s_licence_is_no_licence() {
    let (world, device) = open().await;
    let elsewhere = Seeded::new(9);
    let stranger = Tenant::new(TenantId::random(&elsewhere), "みどり薬局");
    let next_door =
        Site { id: SiteId::random(&elsewhere), tenant: world.tenant.clone(), name: "駅前店".into() };
    let mut transaction = world.context.ledger.begin(world.context.now()).await.unwrap();
    transaction.add_tenant(&stranger, &OPERATOR).await.unwrap();
    transaction.add_site(&next_door, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    world.grant(&Licence { tenant: stranger.id, ..world.licence(None) }).await;
    world.grant(&world.licence(Some(next_door.id))).await;
    world.grant(&Licence { product: "https://third.example".into(), ..world.licence(None) }).await;
    assert!(!world.may_ask(&device).await);
}

#[tokio::test]
async fn a_sign_in_goes_on_for_as_long_as_the_product_is_licensed() {
    let (world, device) = open().await;
    let licence = world.licence(None);
    world.grant(&licence).await;
    let facts = world.context.caller(Some(&device.certificate)).await.unwrap();
    let now = world.context.now();
    let terms =
        crate::issuance::TokenRequest { audience: OTHER_PRODUCT, scope: None, person: Some("person:x") };
    let claims = world.tokens.claims(&facts, terms, now);
    let member = crate::refresh::start(&world.tokens, &claims, Some("person:x"), now).await.unwrap();
    let value = member.rsplit('"').nth(1).unwrap();
    let refresh = async || {
        let body = format!("grant_type=refresh_token&client_id={}&refresh_token={value}", device.id);
        world.post("/oauth/token", Some(&device.certificate), body).await
    };
    world.withdraw(&licence).await;
    refresh().await.is_error(400, "invalid_target", "T-04");
    world.grant(&licence).await;
    assert_eq!(refresh().await.status, StatusCode::OK, "the refusal has not used up the value");
}

#[tokio::test]
async fn without_the_ledger_nobody_is_licensed() {
    let (world, device) = open().await;
    world.grant(&world.licence(None)).await;
    world.context.ledger.close().await;
    let answer = world.ask_token(&device, &format!("&resource={OTHER_PRODUCT}")).await;
    answer.is_error(503, "temporarily_unavailable", "S-01");
}
