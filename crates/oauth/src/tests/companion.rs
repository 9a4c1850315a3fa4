//! What comes with a renewed certificate.

use crate::tests::fixture::{
    CertificateHolderFixture, LIFETIME, OTHER_PRODUCT, OauthFixture, PRODUCT, START,
};
use crate::tests::issuance::{count_of_tokens, revoke_once_recorded};
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims};
use tegata_core::{CertificateState, Refusal, RevocationReason, Role};
use tegata_storage::DeviceAction;
use tegata_testkit::Everything;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// A device with a certificate that works and its successor, which nobody has presented.
struct Renewed {
    fixture: OauthFixture,
    old: CertificateHolderFixture,
    new: CertificateHolderFixture,
}

impl Renewed {
    async fn new() -> Self {
        let fixture = OauthFixture::new().await;
        let old = fixture.enroll(Role::Device).await;
        fixture.obtain(&old).await;
        let new = fixture.renew(&old).await;
        Self { fixture, old, new }
    }

    async fn ask(&self, resource: Option<&str>, scope: Option<&str>) -> Result<Value, Value> {
        companion(&self.fixture, &self.new, resource, scope).await
    }

    async fn is_refused(&self, error: &str, code: &str) {
        let told = self.ask(None, None).await.unwrap_err();
        assert_eq!((&told["error"], &told["code"]), (&json!(error), &json!(code)), "{told}");
    }
}

async fn companion(
    fixture: &OauthFixture,
    holder: &CertificateHolderFixture,
    resource: Option<&str>,
    scope: Option<&str>,
) -> Result<Value, Value> {
    let given = fixture.tokens.companion(&holder.certificate.thumbprint, resource, scope).await;
    given.map(|token| json!(token)).map_err(|error| json!(error))
}

#[tokio::test]
async fn it_is_a_token_like_any_other_bound_to_the_new_certificate() {
    let renewed = Renewed::new().await;
    let given = renewed.ask(Some(OTHER_PRODUCT), None).await.unwrap();
    let token = given["access_token"].as_str().unwrap();
    let payload = renewed.fixture.published().verify(token, ACCESS_TOKEN).unwrap();
    let claims: AccessClaims = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims.certificate(), Some(&renewed.new.certificate.thumbprint));
    assert_eq!((claims.generation, &*claims.aud), (2, OTHER_PRODUCT));
    assert_eq!(given["expires_in"], LIFETIME.as_secs());
    assert_eq!((&given["token_type"], &given["resource"]), (&json!("Bearer"), &json!(OTHER_PRODUCT)));
    assert_eq!(renewed.fixture.introspect(&renewed.new, token).await["active"], true);
    assert_eq!(renewed.fixture.introspect(&renewed.old, token).await["client_id"], json!(renewed.new.id));
    let log = renewed.fixture.context.ledger.audit_entries(0, 1000).await.unwrap();
    let recorded =
        log.iter().any(|entry| entry.entry.contains("token.issued") && entry.entry.contains(&claims.jti));
    assert!(recorded, "it stands in the audit log");
}

#[tokio::test]
async fn without_a_resource_it_is_for_the_default_product() {
    let renewed = Renewed::new().await;
    assert_eq!(renewed.ask(None, None).await.unwrap()["resource"], PRODUCT);
    assert_eq!(renewed.ask(Some(""), Some("")).await.unwrap()["resource"], PRODUCT);
}

#[tokio::test]
async fn it_is_good_for_what_was_asked_for() {
    let renewed = Renewed::new().await;
    let given = renewed.ask(None, Some("stock.read")).await.unwrap();
    assert_eq!(given["scope"], "stock.read");
    let told = renewed.fixture.introspect(&renewed.new, given["access_token"].as_str().unwrap()).await;
    assert_eq!(told["scope"], "stock.read");
}

#[tokio::test]
async fn giving_it_is_no_use_of_the_certificate() {
    let renewed = Renewed::new().await;
    renewed.ask(None, None).await.unwrap();
    let states = async || {
        let rows =
            renewed.fixture.context.ledger.everything().certificates_of(&renewed.new.id).await.unwrap();
        rows.into_iter().map(|row| row.state).collect::<Vec<_>>()
    };
    assert_eq!(states().await[1], CertificateState::Issued, "the old one need not retire yet");
    renewed.fixture.obtain(&renewed.new).await;
    assert_ne!(states().await[1], CertificateState::Issued);
}

#[tokio::test]
async fn it_is_refused_where_the_token_endpoint_would() {
    let renewed = Renewed::new().await;
    for (resource, scope, error) in
        [(Some("https://nowhere.example"), None, "invalid_target"), (None, Some("all"), "invalid_scope")]
    {
        let told = renewed.ask(resource, scope).await.unwrap_err();
        assert_eq!(told["error"], error);
        assert!(told["error_description_ja"].as_str().is_some_and(|text| !text.is_ascii()));
    }
    let gate = renewed.fixture.enroll(Role::Gate).await;
    let told = companion(&renewed.fixture, &gate, None, None).await.unwrap_err();
    assert_eq!(told["code"], Refusal::NotADevice.code());

    renewed.fixture.act(&renewed.new, DeviceAction::Suspend).await;
    renewed.is_refused("invalid_client", Refusal::DeviceSuspended.code()).await;
    renewed.fixture.act(&renewed.new, DeviceAction::Resume).await;
    renewed.ask(None, None).await.unwrap();
    renewed.fixture.act(&renewed.new, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    renewed.is_refused("invalid_client", Refusal::CertificateRevoked.code()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_acknowledged_while_it_is_recorded_wins() {
    let renewed = Renewed::new().await;
    let (context, id) = (renewed.fixture.context.clone(), renewed.new.id.clone());
    let recorded = count_of_tokens(&context).await;
    renewed.fixture.clock.whenever_looked_at(move || {
        let (context, id) = (context.clone(), id.clone());
        block_in_place(|| Handle::current().block_on(revoke_once_recorded(&context, &id, recorded)));
    });
    renewed.is_refused("invalid_client", Refusal::CertificateRevoked.code()).await;
    assert_eq!(count_of_tokens(&renewed.fixture.context).await, recorded + 1, "it was on its way");
}

#[tokio::test]
async fn it_ends_with_the_certificate() {
    let fixture = OauthFixture::new().await;
    let brief = Duration::from_secs(90);
    let holder = fixture.enroll_for(Role::Device, START, START.plus(brief)).await;
    assert_eq!(companion(&fixture, &holder, None, None).await.unwrap()["expires_in"], 90);
    fixture.advance(brief + Duration::from_secs(1)).await;
    let told = companion(&fixture, &holder, None, None).await.unwrap_err();
    assert_eq!(told["code"], Refusal::CertificateExpired.code());
}
