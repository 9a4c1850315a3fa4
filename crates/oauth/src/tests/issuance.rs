//! Lines 1-3, 12-15, 18 and 20-32 of what a conformance run checks at the token endpoint.

use crate::tests::fixture::{
    CertificateHolderFixture, DEVICE, LIFETIME, OTHER_PRODUCT, OauthFixture, PORTAL, PRODUCT, START, YEAR,
    act, products, secret,
};
use crate::{AuthorizationServer, ConfigurationError, ProductAudience, RefreshRules, TokenRules};
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::claims::ACCESS_TOKEN;
use tegata_core::encoding::from_base64url;
use tegata_core::feed::TokenHolder as Signed;
use tegata_core::{RevocationReason, Role};
use tegata_storage::{DeviceAction, TenantAction};
use tegata_testkit::Everything;
use tegata_web::{PeerCertificate, TrustVerdict};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

async fn world_with_device() -> (OauthFixture, CertificateHolderFixture) {
    let fixture = OauthFixture::new().await;
    let device = fixture.enroll(Role::Device).await;
    (fixture, device)
}

fn claims_of(fixture: &OauthFixture, token: &str) -> Value {
    serde_json::from_slice(&fixture.published().verify(token, ACCESS_TOKEN).unwrap()).unwrap()
}

#[tokio::test]
async fn a_device_obtains_a_token_bound_to_the_certificate_it_presents() {
    let (fixture, device) = world_with_device().await;
    let answer = fixture.ask_token(&device, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["pragma"], "no-cache");
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["access_token", "expires_in", "token_type"], "line 28: no refresh token");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));

    let claims = claims_of(&fixture, body["access_token"].as_str().unwrap());
    let thumbprint = device.certificate.thumbprint.to_string();
    assert_eq!(thumbprint.len(), 43, "line 20");
    assert_eq!(claims["cnf"], json!({"x5t#S256": thumbprint}));
    assert_eq!(claims["iss"], PORTAL);
    assert_eq!(claims["aud"], PRODUCT);
    assert_eq!(claims["sub"], format!("device:{}", device.id), "line 32");
    assert_eq!((&claims["client_id"], &claims["device"]), (&json!(device.id), &json!(device.id)));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(START.seconds()), &json!(START.seconds() + 300)));
    assert_eq!(claims["generation"], 1);
    assert_eq!(from_base64url(claims["jti"].as_str().unwrap()).unwrap().len(), 16, "line 29: 128 bits");
    let another = claims_of(&fixture, &fixture.obtain(&device).await);
    assert_ne!(claims["jti"], another["jti"]);
}

#[tokio::test]
async fn no_token_leaves_before_its_record_is_in_the_ledger() {
    let (fixture, device) = world_with_device().await;
    let claims = claims_of(&fixture, &fixture.obtain(&device).await);
    let log = fixture.context.ledger.everything().audit_of(&device.id, 1).await.unwrap();
    let entry: Value = serde_json::from_str(&log[0].entry).unwrap();
    assert_eq!(entry["action"], "token.issued");
    assert_eq!(entry["detail"]["tokens"][0][4], claims["jti"]);

    fixture.context.ledger.close().await;
    let answer = fixture.ask_token(&device, "").await;
    answer.is_error(503, "temporarily_unavailable", "S-01");
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn without_a_certificate_there_is_an_error_and_no_unbound_token() {
    let (fixture, device) = world_with_device().await;
    let body = format!("grant_type=client_credentials&client_id={}", device.id);
    fixture.post("/oauth/token", None, body).await.is_error(401, "invalid_client", "C-01");
}

#[tokio::test]
async fn a_missing_client_id_is_always_the_same_error() {
    let (fixture, device) = world_with_device().await;
    let gate = fixture.enroll(Role::Gate).await;
    let foreign = PeerCertificate { path: TrustVerdict::Foreign, ..device.certificate.clone() };
    let mut texts = Vec::new();
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        for certificate in [None, Some(&device.certificate), Some(&gate.certificate), Some(&foreign)] {
            for body in ["", "grant_type=client_credentials", "client_id=&grant_type=password"] {
                let answer = fixture.post(path, certificate, body).await;
                answer.is_error(401, "invalid_client", "R-01");
                texts.push(answer.text);
            }
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[tokio::test]
async fn nobody_obtains_a_token_in_the_name_of_another() {
    let (fixture, device) = world_with_device().await;
    let other = fixture.enroll(Role::Device).await;
    let impostor = CertificateHolderFixture { id: other.id.clone(), certificate: device.certificate.clone() };
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let body = format!("grant_type=client_credentials&token=x&client_id={}", impostor.id);
        fixture.post(path, Some(&impostor.certificate), body).await.is_error(401, "invalid_client", "C-12");
    }
}

#[tokio::test]
async fn a_certificate_of_another_ca_or_outside_the_ledger_is_refused() {
    let (fixture, device) = world_with_device().await;
    let foreign = PeerCertificate { path: TrustVerdict::Foreign, ..device.certificate.clone() };
    let foreign = CertificateHolderFixture { certificate: foreign, ..device.clone() };
    fixture.ask_token(&foreign, "").await.is_error(401, "invalid_client", "C-02");
    let mut unknown = device.clone();
    unknown.certificate.thumbprint = tegata_core::Thumbprint::of(b"signed by our key, recorded by nobody");
    fixture.ask_token(&unknown, "").await.is_error(401, "invalid_client", "C-03");
}

#[tokio::test]
async fn a_certificate_counts_from_its_first_second_to_its_last() {
    let fixture = OauthFixture::new().await;
    let early = fixture.enroll_for(Role::Device, START.plus(Duration::from_mins(1)), START.plus(YEAR)).await;
    fixture.ask_token(&early, "").await.is_error(401, "invalid_client", "C-05");

    let short = fixture.enroll_for(Role::Device, START, START.plus(Duration::from_secs(100))).await;
    let answer = fixture.ask_token(&short, "").await;
    assert_eq!(answer.json()["expires_in"], 100, "a token does not outlive its certificate");
    fixture.advance(Duration::from_secs(101)).await;
    fixture.ask_token(&short, "").await.is_error(401, "invalid_client", "C-04");
    let _ = fixture.obtain(&early).await;
}

#[tokio::test]
async fn a_stopped_device_obtains_nothing_and_a_resumed_one_goes_on() {
    let (fixture, device) = world_with_device().await;
    let _ = fixture.obtain(&device).await;
    fixture.act(&device, DeviceAction::Suspend).await;
    fixture.ask_token(&device, "").await.is_error(401, "invalid_client", "C-07");
    fixture.act(&device, DeviceAction::Resume).await;
    let _ = fixture.obtain(&device).await;
    fixture.act(&device, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    fixture.ask_token(&device, "").await.is_error(401, "invalid_client", "C-06");
}

#[tokio::test]
async fn devices_of_a_stopped_tenant_obtain_nothing_until_it_is_resumed() {
    let (fixture, device) = world_with_device().await;
    fixture.act_on_tenant(TenantAction::Suspend).await;
    fixture.ask_token(&device, "").await.is_error(401, "invalid_client", "C-07");
    fixture.act_on_tenant(TenantAction::Resume).await;
    let _ = fixture.obtain(&device).await;
}

#[tokio::test]
async fn who_was_signed_out_obtains_a_token_in_the_same_second_and_it_works() {
    let (fixture, device) = world_with_device().await;
    fixture.clock.set(START.plus(Duration::from_millis(300)));
    let old = fixture.obtain(&device).await;
    for of in [Signed::Device(device.id.clone()), Signed::Tenant(fixture.tenant.clone())] {
        fixture.advance(Duration::from_millis(1100)).await;
        fixture.sign_out(&of).await;
        assert_eq!(fixture.introspect(&device, &old).await["active"], false);
        let new = fixture.obtain(&device).await;
        let said = fixture.introspect(&device, &new).await;
        assert_eq!(said["active"], true, "{of:?}: {said}");
        assert!(said["iat"].as_i64() > Some(fixture.context.now().seconds()), "never dated before: {said}");
        assert!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap() <= 300);
    }
}

#[tokio::test]
async fn a_stopped_device_obtains_nothing_while_the_memory_is_deaf() {
    let (fixture, device) = world_with_device().await;
    let _ = fixture.obtain(&device).await;
    fixture.deafen().await;
    act(&fixture.context, &device.id, DeviceAction::Suspend).await;
    fixture.clock.set(START.plus(Duration::from_secs(2)));
    fixture.ask_token(&device, "").await.is_error(401, "invalid_client", "C-07");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_acknowledged_while_the_token_is_recorded_wins() {
    let (fixture, device) = world_with_device().await;
    let _ = fixture.obtain(&device).await;
    let (context, id) = (fixture.context.clone(), device.id.clone());
    let recorded = count_of_tokens(&context).await;
    fixture.clock.whenever_looked_at(move || {
        let (context, id) = (context.clone(), id.clone());
        block_in_place(|| Handle::current().block_on(revoke_once_recorded(&context, &id, recorded)));
    });
    fixture.ask_token(&device, "").await.is_error(401, "invalid_client", "C-06");
    assert_eq!(count_of_tokens(&fixture.context).await, recorded + 1, "it was on its way");
}

/// At the first look at the clock after the record.
pub(super) async fn revoke_once_recorded(
    context: &tegata_web::ServerContext,
    id: &tegata_core::DeviceId,
    recorded: usize,
) {
    if count_of_tokens(context).await == recorded || context.status.freshness().seq > 0 {
        return;
    }
    let action = DeviceAction::Revoke(RevocationReason::KeyCompromise);
    let mut transaction = context.ledger.begin(START).await.unwrap();
    let actor = tegata_storage::Actor::System("test");
    transaction.act_on_device(id, action, "", &actor).await.unwrap();
    transaction.commit().await.unwrap();
    while context.status.freshness().seq == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(super) async fn count_of_tokens(context: &tegata_web::ServerContext) -> usize {
    let entries = context.ledger.audit_entries(0, 1000).await.unwrap();
    entries.iter().filter(|entry| entry.entry.contains("token.issued")).count()
}

#[tokio::test]
async fn a_gate_is_no_client_of_the_token_endpoint() {
    let fixture = OauthFixture::new().await;
    let gate = fixture.enroll(Role::Gate).await;
    fixture.ask_token(&gate, "").await.is_error(400, "unauthorized_client", "C-09");
}

#[tokio::test]
async fn a_second_credential_beside_the_certificate_is_refused_everywhere() {
    let (fixture, device) = world_with_device().await;
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let body = format!("grant_type=client_credentials&token=x&client_id={}", device.id);
        for more in ["client_secret=s", "client_assertion=a", "client_assertion_type=t"] {
            let answer = fixture.post(path, Some(&device.certificate), format!("{body}&{more}")).await;
            answer.is_error(400, "invalid_request", "R-01");
        }
        for (name, value) in [("authorization", "Basic eDp5"), ("dpop", "eyJ")] {
            let request = Request::post(path)
                .header("content-type", "application/x-www-form-urlencoded")
                .header(name, value)
                .body(Body::from(body.clone()));
            let answer = fixture.send(Some(&device.certificate), request.unwrap()).await;
            answer.is_error(400, "invalid_request", "R-01");
        }
    }
}

#[tokio::test]
async fn only_the_grant_for_machines_and_no_scope_unless_asked() {
    let (fixture, device) = world_with_device().await;
    let post = async |body: String| fixture.post("/oauth/token", Some(&device.certificate), body).await;
    let id = &device.id;
    post(format!("client_id={id}")).await.is_error(400, "invalid_request", "R-01");
    for grant in ["password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "CLIENT_CREDENTIALS"]
    {
        let answer = post(format!("client_id={id}&grant_type={grant}&username=u&password=p")).await;
        answer.is_error(400, "unsupported_grant_type", "R-01");
    }
    fixture.ask_token(&device, "&scope=admin").await.is_error(400, "invalid_scope", "R-01");
    assert_eq!(fixture.ask_token(&device, "&scope=&unknown=1").await.status, StatusCode::OK, "RFC 6749 3.2");
}

#[tokio::test]
async fn a_token_is_for_one_product_that_exists() {
    let (fixture, device) = world_with_device().await;
    for wanted in ["resource", "audience"] {
        let answer = fixture.ask_token(&device, &format!("&{wanted}={OTHER_PRODUCT}")).await;
        assert_eq!(
            claims_of(&fixture, answer.json()["access_token"].as_str().unwrap())["aud"],
            OTHER_PRODUCT
        );
        let unknown = fixture.ask_token(&device, &format!("&{wanted}=https://evil.example")).await;
        unknown.is_error(400, "invalid_target", "T-05");
    }
    let two = fixture.ask_token(&device, &format!("&resource={PRODUCT}&resource={OTHER_PRODUCT}")).await;
    two.is_error(400, "invalid_target", "R-01");
    let torn = fixture.ask_token(&device, &format!("&resource={PRODUCT}&audience={OTHER_PRODUCT}")).await;
    torn.is_error(400, "invalid_target", "R-01");
    let both = fixture.ask_token(&device, &format!("&resource={PRODUCT}&audience={PRODUCT}")).await;
    assert_eq!(both.status, StatusCode::OK);
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_refused() {
    let (fixture, device) = world_with_device().await;
    for more in ["&grant_type=client_credentials", "&x=1&x=1", "&audience=a&audience=a", "&x=%", "&x=%ff"] {
        fixture.ask_token(&device, more).await.is_error(400, "invalid_request", "R-01");
    }
    let send = async |uri: &str, media: &str, body: String| {
        let request = Request::post(uri).header("content-type", media).body(Body::from(body)).unwrap();
        fixture.send(Some(&device.certificate), request).await
    };
    let body = format!("grant_type=client_credentials&client_id={}", device.id);
    let form = "application/x-www-form-urlencoded";
    send("/oauth/token?x=1", form, body.clone()).await.is_error(400, "invalid_request", "R-01");
    send("/oauth/token", "application/json", body.clone()).await.is_error(400, "invalid_request", "R-07");
    let long = format!("{body}&x={}", "a".repeat(64 * 1024));
    send("/oauth/token", form, long).await.is_error(413, "invalid_request", "R-02");
    assert_eq!(send(&format!("{DEVICE}/oauth/token"), form, body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_bound_to_the_new_certificate_names_its_generation() {
    let (fixture, old) = world_with_device().await;
    let _ = fixture.obtain(&old).await;
    let new = fixture.renew(&old).await;
    let claims = claims_of(&fixture, &fixture.obtain(&new).await);
    assert_eq!(claims["generation"], 2);
    assert_eq!(claims["cnf"]["x5t#S256"], new.certificate.thumbprint.to_string());
    let claims = claims_of(&fixture, &fixture.obtain(&old).await);
    assert_eq!(claims["generation"], 1, "the old one works within its grace");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_meant_is_refused() {
    let fixture = OauthFixture::new().await;
    let refused = |products, lifetime| {
        AuthorizationServer::new(&fixture.signals, Arc::default(), products, lifetime, secret()).err()
    };
    let product = |audience: &str, default| ProductAudience {
        audience: audience.into(),
        default,
        licensed: false,
        scopes: vec![],
        origins: vec![],
    };
    for scope in ["", "a b", "a\"", "在庫"] {
        let odd = ProductAudience { scopes: vec![scope.into()], ..product("a", true) };
        assert_eq!(refused(vec![odd], LIFETIME), Some(ConfigurationError::Scopes), "{scope}");
    }
    assert_eq!(refused(vec![], LIFETIME), Some(ConfigurationError::Products));
    assert_eq!(refused(vec![product("", false)], LIFETIME), Some(ConfigurationError::Products));
    let twice = vec![product("a", true), product("a", false)];
    assert_eq!(refused(twice, LIFETIME), Some(ConfigurationError::Products));
    let defaults = vec![product("a", true), product("b", true)];
    assert_eq!(refused(defaults, LIFETIME), Some(ConfigurationError::Defaults));
    assert_eq!(refused(products(), Duration::from_hours(2)), Some(ConfigurationError::Lifetime));
    assert_eq!(refused(products(), LIFETIME), None);
    let [lifetime, hour] = [LIFETIME, Duration::from_hours(1)];
    for (refresh_lifetime, idle, grace) in
        [(hour, LIFETIME / 2, hour / 60), (LIFETIME, hour, hour / 60), (hour, hour, hour)]
    {
        let refresh = RefreshRules { lifetime: refresh_lifetime, idle, grace };
        let rules = TokenRules { refresh, ..lifetime.into() };
        let refused =
            AuthorizationServer::new(&fixture.signals, Arc::default(), products(), rules, secret()).err();
        assert_eq!(refused, Some(ConfigurationError::Refresh));
    }
}
