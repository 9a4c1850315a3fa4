//! A person's sign-in and the device's certificate become one token that names both (RFC 8693), and nothing else does.

use crate::TokenRules;
use crate::tests::fixture::{
    CertificateHolderFixture, LIFETIME, OTHER_PRODUCT, OauthFixture, PRODUCT, START, TestResponse, products,
};
use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, person_subject};
use tegata_core::entropy::Seeded;
use tegata_core::feed::TokenHolder as Signed;
use tegata_core::jws::SigningKey;
use tegata_core::{DeviceState, RevocationReason, Role, TenantId};
use tegata_federation::{IdentityProvider, IdentityProviders, ProviderTransport, TransportAnswer};
use tegata_signals::SigningKeys;
use tegata_storage::DeviceAction;
use tegata_testkit::Everything;

const ISSUER: &str = "https://login.example/aoba";
const DISCOVERY: &str = "https://login.example/aoba/.well-known/openid-configuration";
const JWKS: &str = "https://keys.example/aoba.json";
const APP: &str = "rezept-app";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A provider on a web of its own, that can be changed and counted.
#[derive(Default)]
struct Web {
    documents: Mutex<HashMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
}

impl ProviderTransport for Web {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Option<Vec<u8>>> {
        self.asked.lock().unwrap().push(url.to_owned());
        let found = self.documents.lock().unwrap().get(url).cloned();
        Box::pin(async move { found })
    }

    fn post_form<'a>(
        &'a self,
        _: &'a str,
        _: Option<HeaderValue>,
        _: String,
    ) -> BoxFuture<'a, Option<TransportAnswer>> {
        Box::pin(async { None })
    }
}

impl Web {
    fn put(&self, url: &str, document: &Value) {
        self.documents.lock().unwrap().insert(url.to_owned(), document.to_string().into_bytes());
    }

    fn go_away(&self) {
        self.documents.lock().unwrap().clear();
    }

    fn publish(&self, keys: &SigningKeys) {
        self.put(DISCOVERY, &json!({"issuer": ISSUER, "jwks_uri": JWKS}));
        self.put(JWKS, &serde_json::to_value(keys.published().jwks()).unwrap());
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().iter().filter(|url| *url == DISCOVERY).count()
    }
}

/// A store where people sign in.
struct Store {
    fixture: OauthFixture,
    device: CertificateHolderFixture,
    web: Arc<Web>,
    keys: SigningKeys,
}

fn new_keys() -> SigningKeys {
    SigningKeys::new(SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap(), [])
}

impl Store {
    async fn open() -> Self {
        Self::open_with(|provider| provider).await
    }

    async fn open_with(change: impl FnOnce(IdentityProvider) -> IdentityProvider) -> Self {
        let mut fixture = OauthFixture::new().await;
        let (web, keys) = (Arc::new(Web::default()), new_keys());
        web.publish(&keys);
        let provider = change(IdentityProvider {
            tenant: fixture.tenant.clone(),
            issuer: ISSUER.into(),
            audiences: vec![APP.into(), PRODUCT.into()],
            require: BTreeMap::new(),
            person_claim: "sub".into(),
            site_claim: None,
            sign_in: None,
            transport: web.clone(),
        });
        fixture
            .serve(products(), TokenRules { people: IdentityProviders::new([provider]), ..LIFETIME.into() });
        let device = fixture.enroll(Role::Device).await;
        Self { fixture, device, web, keys }
    }

    fn id_token(&self, change: &Value) -> String {
        self.signed("JWT", change)
    }

    /// The claims of a good ID token, with changes; null takes one out.
    fn signed(&self, typ: &str, change: &Value) -> String {
        let now = self.fixture.context.now().seconds();
        let mut claims = json!({
            "iss": ISSUER, "sub": "staff-1", "aud": APP, "iat": now, "exp": now + 600, "nonce": "n",
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.keys.sign(typ, &claims).unwrap()
    }

    async fn bring(&self, token: &str, kind: &str, more: &str) -> TestResponse {
        self.bring_as(&self.device, token, kind, more).await
    }

    async fn bring_as(
        &self,
        holder: &CertificateHolderFixture,
        token: &str,
        kind: &str,
        more: &str,
    ) -> TestResponse {
        let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange";
        let body = format!(
            "grant_type={grant}&client_id={}&subject_token={token}&subject_token_type={kind}{more}",
            holder.id
        );
        self.fixture.post("/oauth/token", Some(&holder.certificate), body).await
    }

    async fn is_let_in(&self, change: &Value) -> Value {
        let answer = self.bring(&self.id_token(change), ID_TOKEN, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{change}: {}", answer.text);
        answer.json()
    }

    async fn is_refused(&self, token: &str, kind: &str) {
        let answer = self.bring(token, kind, "").await;
        answer.is_error(400, "invalid_request", "T-02");
    }

    fn claims(&self, answer: &Value) -> Value {
        let token = answer["access_token"].as_str().unwrap();
        serde_json::from_slice(&self.fixture.published().verify(token, ACCESS_TOKEN).unwrap()).unwrap()
    }

    async fn log(&self) -> Vec<String> {
        let entries = self.fixture.context.ledger.audit_entries(0, 1000).await.unwrap();
        entries.into_iter().map(|entry| entry.entry).collect()
    }
}

#[tokio::test]
async fn one_token_names_the_person_and_the_device() {
    let store = Store::open().await;
    let answer =
        store.bring(&store.id_token(&json!({})), ID_TOKEN, &format!("&resource={OTHER_PRODUCT}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(
        (&answer["issued_token_type"], &answer["token_type"], &answer["expires_in"]),
        (&json!(ACCESS), &json!("Bearer"), &json!(300))
    );
    let (claims, device) = (store.claims(&answer), &store.device);
    assert_eq!(claims["sub"], person_subject(ISSUER, "staff-1"));
    assert_eq!(claims["act"], json!({"sub": format!("device:{}", device.id)}));
    assert_eq!((&claims["client_id"], &claims["device"]), (&json!(device.id), &json!(device.id)));
    assert_eq!((&claims["aud"], &claims["tenant"]), (&json!(OTHER_PRODUCT), &json!(store.fixture.tenant)));
    assert_eq!(claims["cnf"]["x5t#S256"], device.certificate.thumbprint.to_string());

    let gate = store.fixture.enroll(Role::Gate).await;
    let known = store.fixture.introspect(&gate, answer["access_token"].as_str().unwrap()).await;
    assert_eq!(
        (&known["active"], &known["sub"], &known["act"]),
        (&json!(true), &claims["sub"], &claims["act"])
    );

    let log = store.log().await;
    let begun: Vec<_> = log.iter().filter(|entry| entry.contains("token_family.started")).collect();
    assert_eq!(begun.len(), 1);
    assert!(begun[0].contains(claims["jti"].as_str().unwrap()) && begun[0].contains(OTHER_PRODUCT));
    assert!(
        log.iter().all(|entry| !entry.contains("staff-1") && !entry.contains("person:")),
        "not who it was"
    );

    let body = format!(
        "grant_type=refresh_token&client_id={}&refresh_token={}",
        device.id,
        answer["refresh_token"].as_str().unwrap()
    );
    let next = store.fixture.post("/oauth/token", Some(&device.certificate), body).await.json();
    assert_eq!(store.claims(&next)["sub"], claims["sub"], "and goes on to");
}

#[tokio::test]
async fn an_access_token_proves_the_person_too_and_is_no_id_token() {
    let store = Store::open().await;
    let access = store.signed("at+jwt", &json!({"aud": PRODUCT, "client_id": "other-app"}));
    let answer = store.bring(&access, ACCESS, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(store.claims(&answer.json())["sub"], person_subject(ISSUER, "staff-1"));
    store.is_refused(&access, ID_TOKEN).await;
    store.is_refused(&store.id_token(&json!({})), ACCESS).await;
    store.is_refused(&store.signed("logout+jwt", &json!({})), ID_TOKEN).await;
    store.is_refused(&store.id_token(&json!({"events": {}})), ID_TOKEN).await;
}

#[tokio::test]
async fn a_proof_must_be_for_us_and_for_now() {
    let store = Store::open().await;
    let now = START.seconds();
    for good in [
        json!({"aud": [APP]}),
        json!({"aud": ["another", APP], "azp": APP}),
        json!({"iat": now + 10, "nbf": now + 10}),
        json!({"iat": now - 86400}),
        json!({"exp": now + 1}),
        json!({"exp": 1_800_000_600.5}),
    ] {
        let _ = store.is_let_in(&good).await;
    }
    for wrong in [
        json!({"aud": "another"}),
        json!({"aud": []}),
        json!({"aud": ["another", APP]}),
        json!({"aud": APP, "azp": "another"}),
        json!({"aud": null}),
        json!({"iss": "https://login.example/other"}),
        json!({"iss": format!("{ISSUER}/")}),
        json!({"iss": null}),
        json!({"exp": now}),
        json!({"exp": null}),
        json!({"exp": "9999999999"}),
        json!({"exp": 1e300}),
        json!({"iat": now + 11}),
        json!({"iat": now - 86401}),
        json!({"iat": null}),
        json!({"nbf": now + 11}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "x".repeat(256)}),
    ] {
        store.is_refused(&store.id_token(&wrong), ID_TOKEN).await;
    }
    store.fixture.context.ledger.write_refusals(START, true).await.unwrap();
    let log = store.log().await;
    let refused: Vec<_> = log.iter().filter(|entry| entry.contains("token_exchange.refused")).collect();
    assert_eq!(refused.len(), 2, "the first is written down, and how many there were");
    assert!(refused[1].contains(r#""count":20"#), "{}", refused[1]);
}

#[tokio::test]
async fn nobody_else_s_signature_is_believed() {
    let store = Store::open().await;
    let token = store.id_token(&json!({}));
    let impostor = Store { keys: new_keys(), ..Store::open().await };
    store.is_refused(&impostor.id_token(&json!({})), ID_TOKEN).await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = store.id_token(&json!({"sub": "staff-2"}));
    let payload = other.split('.').nth(1).unwrap();
    for forged in [format!("{header}.{payload}.{signature}"), format!("{signed}."), signed.into(), "x".into()]
    {
        store.is_refused(&forged, ID_TOKEN).await;
    }
    // Nor our own: a token of this server is no proof of who sits there.
    let own = store.fixture.obtain(&store.device).await;
    store.is_refused(&own, ACCESS).await;
}

#[tokio::test]
async fn a_person_of_another_tenant_has_no_business_at_this_device() {
    let elsewhere = TenantId::random(&Seeded::new(77));
    let store = Store::open_with(|own| IdentityProvider { tenant: elsewhere, ..own }).await;
    let answer = store.bring(&store.id_token(&json!({})), ID_TOKEN, "").await;
    answer.is_error(400, "invalid_grant", "T-03");
    assert_eq!(store.web.times_asked(), 0, "nor are the keys of a stranger's provider asked for");
    let log = store.log().await.concat();
    assert!(log.contains("token_exchange.refused") && log.contains("T-03"));
}

#[tokio::test]
async fn a_shared_provider_tells_by_a_claim_whose_a_person_is() {
    let require = BTreeMap::from([("hd".to_owned(), "aoba.example".to_owned())]);
    let store = Store::open_with(|own| IdentityProvider { require, ..own }).await;
    let _ = store.is_let_in(&json!({"hd": "aoba.example"})).await;
    for hd in [json!("midori.example"), json!(null), json!(["aoba.example"])] {
        let answer = store.bring(&store.id_token(&json!({"hd": hd})), ID_TOKEN, "").await;
        answer.is_error(400, "invalid_grant", "T-03");
    }
}

#[tokio::test]
async fn where_stores_are_named_a_person_works_at_these_alone() {
    let site_claim = Some("stores".to_owned());
    let store = Store::open_with(|own| IdentityProvider { site_claim, ..own }).await;
    for stores in [json!("本店"), json!(["駅前店", "本店"]), json!([store.fixture.site])] {
        let _ = store.is_let_in(&json!({"stores": stores})).await;
    }
    for stores in [json!("駅前店"), json!([]), json!(null), json!([7]), json!({"本店": true})] {
        let answer = store.bring(&store.id_token(&json!({"stores": stores})), ID_TOKEN, "").await;
        answer.is_error(400, "invalid_grant", "T-03");
    }
}

#[tokio::test]
async fn the_provider_is_asked_once_and_again_when_it_signs_with_another_key() {
    let mut store = Store::open().await;
    for _ in 0..3 {
        let _ = store.is_let_in(&json!({})).await;
    }
    assert_eq!(store.web.times_asked(), 1);
    store.fixture.advance(Duration::from_secs(5)).await;
    store.keys = new_keys();
    store.web.publish(&store.keys);
    let _ = store.is_let_in(&json!({})).await;
    assert_eq!(store.web.times_asked(), 2);

    let stranger = Store { keys: new_keys(), ..Store::open().await };
    store.fixture.advance(Duration::from_secs(5)).await;
    for _ in 0..5 {
        store.is_refused(&stranger.id_token(&json!({})), ID_TOKEN).await;
    }
    assert_eq!(store.web.times_asked(), 3, "however many unknown keys come");
    store.fixture.advance(Duration::from_mins(10)).await;
    let _ = store.is_let_in(&json!({})).await;
    assert_eq!(store.web.times_asked(), 4, "keys that were taken back are not believed for long");
}

#[tokio::test]
async fn a_provider_that_is_away_is_remembered_for_a_day_and_no_longer() {
    let store = Store::open().await;
    let _ = store.is_let_in(&json!({})).await;
    store.web.go_away();
    store.fixture.advance(Duration::from_hours(24) - Duration::from_secs(1)).await;
    let _ = store.is_let_in(&json!({})).await;
    store.fixture.advance(Duration::from_secs(6)).await;
    let answer = store.bring(&store.id_token(&json!({})), ID_TOKEN, "").await;
    answer.is_error(503, "temporarily_unavailable", "S-01");
    store.web.publish(&store.keys);
    store.fixture.advance(Duration::from_secs(5)).await;
    let _ = store.is_let_in(&json!({})).await;
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_or_host_is_refused() {
    for (issuer, jwks_uri) in [
        ("https://evil.example", JWKS),
        ("https://login.example/aoba/", JWKS),
        (ISSUER, "http://keys.example/aoba.json"),
        (ISSUER, "file:///etc/passwd"),
        (ISSUER, "/aoba.json"),
    ] {
        let store = Store::open().await;
        store.web.put(DISCOVERY, &json!({"issuer": issuer, "jwks_uri": jwks_uri}));
        let answer = store.bring(&store.id_token(&json!({})), ID_TOKEN, "").await;
        answer.is_error(503, "temporarily_unavailable", "S-01");
        assert!(!store.web.asked.lock().unwrap().iter().any(|url| url == "file:///etc/passwd"));
    }
}

#[tokio::test]
async fn what_the_grant_needs_and_what_it_does_not_take() {
    let store = Store::open().await;
    let token = store.id_token(&json!({}));
    let post =
        async |body: String| store.fixture.post("/oauth/token", Some(&store.device.certificate), body).await;
    let grant = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange";
    let id = &store.device.id;
    for missing in [
        format!("{grant}&client_id={id}&subject_token={token}"),
        format!("{grant}&client_id={id}&subject_token_type={ID_TOKEN}"),
        format!(
            "{grant}&client_id={id}&subject_token={token}&subject_token_type=urn:ietf:params:oauth:token-type:saml2"
        ),
    ] {
        post(missing).await.is_error(400, "invalid_request", "R-01");
    }
    for more in [
        "&actor_token=x&actor_token_type=y",
        "&actor_token=x",
        "&requested_token_type=urn:ietf:params:oauth:token-type:saml2",
    ] {
        store.bring(&token, ID_TOKEN, more).await.is_error(400, "invalid_request", "R-01");
    }
    store.bring(&token, ID_TOKEN, "&scope=all").await.is_error(400, "invalid_scope", "R-01");
    store.bring(&token, ID_TOKEN, "&resource=https://unknown.example").await.is_error(
        400,
        "invalid_target",
        "T-05",
    );
    let wanted = format!("&requested_token_type={ACCESS}");
    assert_eq!(store.bring(&token, ID_TOKEN, &wanted).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_device_is_the_one_of_the_certificate_and_in_force() {
    let store = Store::open().await;
    let token = store.id_token(&json!({}));
    let other = store.fixture.enroll(Role::Device).await;
    let impostor =
        CertificateHolderFixture { id: store.device.id.clone(), certificate: other.certificate.clone() };
    store.bring_as(&impostor, &token, ID_TOKEN, "").await.is_error(401, "invalid_client", "C-12");
    let gate = store.fixture.enroll(Role::Gate).await;
    store.bring_as(&gate, &token, ID_TOKEN, "").await.is_error(400, "unauthorized_client", "C-09");
    store.fixture.act(&store.device, DeviceAction::Suspend).await;
    store.bring(&token, ID_TOKEN, "").await.is_error(401, "invalid_client", "C-07");
    store.fixture.act(&store.device, DeviceAction::Revoke(RevocationReason::KeyCompromise)).await;
    store.bring(&token, ID_TOKEN, "").await.is_error(401, "invalid_client", "C-06");
    let device = store.fixture.context.ledger.everything().device(&store.device.id).await.unwrap().unwrap();
    assert_eq!(device.state, DeviceState::Revoked);
    assert!(!store.log().await.concat().contains("token_family"));
}

#[tokio::test]
async fn a_sign_in_from_before_a_sign_out_proves_nothing_and_a_new_one_does() {
    let store = Store::open().await;
    let (before, kept) = (store.is_let_in(&json!({})).await, store.id_token(&json!({})));
    store.fixture.advance(Duration::from_secs(2)).await;
    store.fixture.sign_out(&Signed::Device(store.device.id.clone())).await;
    store.bring(&kept, ID_TOKEN, "").await.is_error(400, "invalid_grant", "T-01");
    let value = before["refresh_token"].as_str().unwrap();
    let body = format!("grant_type=refresh_token&client_id={}&refresh_token={value}", store.device.id);
    let refreshed = store.fixture.post("/oauth/token", Some(&store.device.certificate), body).await;
    refreshed.is_error(400, "invalid_grant", "T-01");
    let elsewhere = store.fixture.enroll(Role::Device).await;
    assert_eq!(store.bring_as(&elsewhere, &kept, ID_TOKEN, "").await.status, StatusCode::OK);
    store.fixture.advance(Duration::from_secs(1)).await;
    store.is_let_in(&json!({})).await;
}
