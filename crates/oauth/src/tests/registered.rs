//! Lines 4-17 of what a conformance run checks, without TLS; and what registered clients may ask for.

use crate::tests::fixture::{
    CertificateHolderFixture, LIFETIME, OTHER_PRODUCT, OauthFixture, PRODUCT, START, TestResponse,
};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, StatusCode};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::encoding::base64;
use tegata_core::subject::{DistinguishedNameValue, SubjectRule};
use tegata_core::{Role, Thumbprint, Timestamp};
use tegata_storage::DeviceAction;
use tegata_web::{
    CertificateKeys, ClientAuthentication, ClientCas, ClientIssuers, ClientRegistry, PeerCertificate,
    RegisteredClient, Registrant, RegistrationError, TrustVerdict,
};

const INTROSPECTION: &str = "/oauth/introspect";
const REVOCATION: &str = "/oauth/revoke";

/// A CA of somebody else, whom the operator trusts for clients.
struct RegisteredCa {
    params: CertificateParams,
    key: KeyPair,
    der: Vec<u8>,
}

impl RegisteredCa {
    fn new() -> Self {
        let mut params = named("Client CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der }
    }

    fn issue(&self, name: &str) -> PeerCertificate {
        let issuer = Issuer::from_params(&self.params, &self.key);
        presented(leaf(name).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der())
    }

    fn trusted(&self) -> ClientIssuers {
        ClientIssuers::Of(Arc::new(ClientCas::new(vec![self.der.clone()]).unwrap()))
    }
}

fn self_signed(name: &str) -> PeerCertificate {
    presented(leaf(name).self_signed(&KeyPair::generate().unwrap()).unwrap().der())
}

fn presented(der: &[u8]) -> PeerCertificate {
    PeerCertificate { der: der.to_vec().into(), thumbprint: Thumbprint::of(der), path: TrustVerdict::Foreign }
}

fn leaf(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// In force for a year around the beginning of the tests' time.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 9, 1);
    params.not_after = date_time_ymd(2027, 9, 1);
    params
}

fn keys(certificates: &[&PeerCertificate]) -> CertificateKeys {
    let jwk = |certificate: &&PeerCertificate| json!({"kty": "EC", "x5c": [base64(&certificate.der)]});
    let jwks = json!({"keys": certificates.iter().map(jwk).collect::<Vec<_>>()});
    CertificateKeys::from_jwks(&jwks.to_string()).unwrap()
}

fn registration(client_id: &str, method: ClientAuthentication) -> RegisteredClient {
    RegisteredClient {
        by: Registrant::Configuration,
        client_id: client_id.into(),
        method,
        client_credentials: true,
        audiences: vec![PRODUCT.into()],
        scope: "stock.read".into(),
        introspects: vec![PRODUCT.into()],
        dpop_bound_access_tokens: false,
        sign_in: tegata_core::ClientSignIn::default(),
    }
}

fn by_name(client_id: &str, ca: &RegisteredCa) -> RegisteredClient {
    let subject = SubjectRule::Dn(DistinguishedNameValue::parse(&format!("CN={client_id}")).unwrap());
    registration(client_id, ClientAuthentication::TlsClientAuth { subject, issuers: ca.trusted() })
}

/// The product `stock`, which may introspect tokens for one product and ask tokens for it; `mute`, which may neither;
/// and a batch that vouches for itself.
struct RegisteredRequest {
    fixture: OauthFixture,
    ca: RegisteredCa,
    stock: PeerCertificate,
    mute: PeerCertificate,
    batch: PeerCertificate,
    device: CertificateHolderFixture,
}

impl RegisteredRequest {
    async fn new() -> Self {
        let ca = RegisteredCa::new();
        let (stock, mute, batch) = (ca.issue("stock"), ca.issue("mute"), self_signed("batch"));
        let silent = RegisteredClient {
            client_credentials: false,
            audiences: vec![],
            introspects: vec![],
            dpop_bound_access_tokens: false,
            ..by_name("mute", &ca)
        };
        let batches = registration("batch", ClientAuthentication::self_signed(keys(&[&batch])));
        let fixture = OauthFixture::with_clients([by_name("stock", &ca), silent, batches]).await;
        let device = fixture.enroll(Role::Device).await;
        Self { fixture, ca, stock, mute, batch, device }
    }

    async fn ask(&self, client_id: &str, certificate: &PeerCertificate, more: &str) -> TestResponse {
        let body = format!("grant_type=client_credentials&client_id={client_id}{more}");
        self.fixture.post("/oauth/token", Some(certificate), body).await
    }

    async fn obtain(&self, client_id: &str, certificate: &PeerCertificate) -> String {
        let answer = self.ask(client_id, certificate, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn about(
        &self,
        path: &str,
        client_id: &str,
        holder: &PeerCertificate,
        token: &str,
    ) -> TestResponse {
        self.fixture.post(path, Some(holder), format!("client_id={client_id}&token={token}")).await
    }

    async fn is_active(&self, client_id: &str, certificate: &PeerCertificate, token: &str) -> bool {
        let answer = self.about(INTROSPECTION, client_id, certificate, token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let active = answer.json()["active"].as_bool().unwrap();
        assert!(active || answer.text == r#"{"active":false}"#, "{}", answer.text);
        active
    }

    /// What the audit log says of `action`, oldest first.
    async fn logged(&self, action: &str) -> Vec<Value> {
        let entries = self.fixture.context.ledger.audit_entries(0, 1000).await.unwrap();
        let entries = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.entry).unwrap());
        entries.filter(|entry| entry["action"] == action).collect()
    }
}

#[tokio::test]
async fn a_product_introspects_tokens_for_itself_and_learns_nothing_of_others() {
    let asked = RegisteredRequest::new().await;
    let own = asked.fixture.obtain(&asked.device).await;
    let elsewhere =
        asked.fixture.ask_token(&asked.device, &format!("&resource={OTHER_PRODUCT}")).await.json();
    let elsewhere = elsewhere["access_token"].as_str().unwrap();
    assert!(asked.is_active("stock", &asked.stock, &own).await);
    assert!(!asked.is_active("stock", &asked.stock, elsewhere).await, "another product's token");
    assert!(!asked.is_active("mute", &asked.mute, &own).await, "not registered to introspect anything");
    let body = asked.about(INTROSPECTION, "stock", &asked.stock, &own).await.json();
    assert_eq!((&body["device"], &body["aud"]), (&json!(asked.device.id), &json!(PRODUCT)));
    asked.fixture.act(&asked.device, DeviceAction::Suspend).await;
    assert!(!asked.is_active("stock", &asked.stock, &own).await);
}

#[tokio::test]
async fn whoever_is_not_the_registered_client_is_refused_at_every_endpoint() {
    let asked = RegisteredRequest::new().await;
    let stranger = RegisteredCa::new();
    let server = {
        let mut params = named("stock");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let issuer = Issuer::from_params(&asked.ca.params, &asked.ca.key);
        presented(params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der())
    };
    let impostors = [
        ("stock", Some(asked.mute.clone())),
        ("stock", Some(asked.batch.clone())),
        ("stock", Some(self_signed("stock"))),
        ("stock", Some(stranger.issue("stock"))),
        ("stock", Some(server)),
        ("stock", Some(asked.device.certificate.clone())),
        ("stock", None),
        ("batch", Some(self_signed("batch"))),
        ("batch", Some(asked.ca.issue("batch"))),
        ("nobody", Some(asked.stock.clone())),
    ];
    for path in ["/oauth/token", INTROSPECTION, REVOCATION] {
        for (client_id, certificate) in &impostors {
            let body = format!("grant_type=client_credentials&client_id={client_id}&token=x");
            let answer = asked.fixture.post(path, certificate.as_ref(), body).await;
            let error = answer.json()["error"].clone();
            assert_eq!(
                (answer.status.as_u16(), &error),
                (401, &json!("invalid_client")),
                "{client_id} at {path}"
            );
        }
    }
    let secret = asked.ask("stock", &asked.stock, "&client_secret=s").await;
    secret.is_error(400, "invalid_request", "R-01");
}

#[tokio::test]
async fn a_certificate_opens_nothing_before_or_after_its_life() {
    let asked = RegisteredRequest::new().await;
    for (at, code) in [(date_time_ymd(2026, 8, 31), "C-05"), (date_time_ymd(2027, 9, 2), "C-04")] {
        asked.fixture.clock.set(Timestamp::from_seconds(at.unix_timestamp()));
        for (client_id, certificate) in [("stock", &asked.stock), ("batch", &asked.batch)] {
            asked.ask(client_id, certificate, "").await.is_error(401, "invalid_client", code);
        }
    }
}

#[tokio::test]
async fn a_registered_client_s_token_is_bound_and_nobody_s_device() {
    let asked = RegisteredRequest::new().await;
    let token = asked.obtain("stock", &asked.stock).await;
    let body = asked.about(INTROSPECTION, "stock", &asked.stock, &token).await.json();
    assert_eq!(body["cnf"], json!({"x5t#S256": asked.stock.thumbprint}));
    assert_eq!((&body["sub"], &body["client_id"]), (&json!("client:stock"), &json!("stock")));
    assert!(body.get("device").is_none() && body.get("tenant").is_none());
    let note = &asked.logged("token.issued").await[0];
    assert_eq!((&note["actor"], &note["detail"]["jti"]), (&json!("client:stock"), &body["jti"]));
    for scope in ["x", "stock.write", "stock.read+stock.write"] {
        let answer = asked.ask("stock", &asked.stock, &format!("&scope={scope}")).await;
        answer.is_error(400, "invalid_scope", "R-01");
    }
    let narrow = asked.ask("stock", &asked.stock, "&scope=stock.read").await.json();
    assert_eq!(narrow["scope"], "stock.read");
    let narrow = narrow["access_token"].as_str().unwrap();
    let found = asked.about(INTROSPECTION, "stock", &asked.stock, narrow).await.json();
    assert_eq!(found["scope"], "stock.read");
    let other = asked.ask("stock", &asked.stock, &format!("&resource={OTHER_PRODUCT}")).await;
    other.is_error(400, "invalid_target", "R-01");
    asked.ask("mute", &asked.mute, "").await.is_error(400, "unauthorized_client", "C-09");
    let password = format!("grant_type=password&client_id={}", "stock");
    let answer = asked.fixture.post("/oauth/token", Some(&asked.stock), password).await;
    answer.is_error(400, "unsupported_grant_type", "R-01");
}

#[tokio::test]
async fn a_client_takes_back_its_own_tokens_and_nobody_else_s() {
    let asked = RegisteredRequest::new().await;
    let (own, device) =
        (asked.obtain("stock", &asked.stock).await, asked.fixture.obtain(&asked.device).await);
    for (client_id, certificate, token) in
        [("stock", &asked.stock, &device), ("mute", &asked.mute, &own), ("batch", &asked.batch, &own)]
    {
        let answer = asked.about(REVOCATION, client_id, certificate, token).await;
        answer.is_error(400, "unauthorized_client", "G-04");
    }
    asked.fixture.about(REVOCATION, &asked.device, &own).await.is_error(400, "unauthorized_client", "G-04");
    assert_eq!(asked.about(REVOCATION, "stock", &asked.stock, "x").await.status, StatusCode::OK);
    assert!(asked.is_active("stock", &asked.stock, &own).await);
    assert_eq!(asked.about(REVOCATION, "stock", &asked.stock, &own).await.status, StatusCode::OK);
    assert!(!asked.is_active("stock", &asked.stock, &own).await);
    let notes = asked.logged("token.revoked").await;
    assert_eq!((notes.len(), &notes[0]["actor"]), (1, &json!("client:stock")));
}

#[tokio::test]
async fn a_new_certificate_needs_no_registration_and_ends_the_old_ones_tokens() {
    let asked = RegisteredRequest::new().await;
    let next = self_signed("batch");
    let token = asked.obtain("batch", &asked.batch).await;
    asked.ask("batch", &next, "").await.is_error(401, "invalid_client", "C-12");
    asked.fixture.tokens.clients().replace_keys("batch", keys(&[&asked.batch, &next]));
    asked.obtain("batch", &next).await;
    assert!(asked.is_active("batch", &next, &token).await, "both are registered");
    asked.fixture.tokens.clients().replace_keys("batch", keys(&[&next]));
    asked.ask("batch", &asked.batch, "").await.is_error(401, "invalid_client", "C-12");
    assert!(!asked.is_active("batch", &next, &token).await);
}

#[tokio::test]
async fn a_token_ends_with_a_foreign_certificate_that_ends_sooner() {
    let asked = RegisteredRequest::new().await;
    let end = Timestamp::from_seconds(date_time_ymd(2027, 9, 1).unix_timestamp());
    asked.fixture.advance(end.minus(Duration::from_mins(1)).since(START)).await;
    let answer = asked.ask("stock", &asked.stock, "").await;
    assert_eq!(answer.json()["expires_in"], 60, "not {LIFETIME:?}");
}

#[tokio::test]
async fn a_client_that_asks_for_it_gets_its_answer_signed() {
    let asked = RegisteredRequest::new().await;
    let token = asked.fixture.obtain(&asked.device).await;
    let ask = async |accept: &str, token: &str| {
        let body = format!("client_id=stock&token={token}");
        let request = Request::post(INTROSPECTION).header(ACCEPT, accept);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        asked.fixture.send(Some(&asked.stock), request.body(body.into()).unwrap()).await
    };
    let media_type = "application/token-introspection+jwt";
    for (text, active) in [(token.as_str(), true), ("x", false)] {
        let answer = ask(&format!("application/json;q=0.5, {media_type}"), text).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers[CONTENT_TYPE]),
            (200, &media_type.parse().unwrap())
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
        let signed = asked.fixture.published().verify(&answer.text, "token-introspection+jwt").unwrap();
        let statement: Value = serde_json::from_slice(&signed).unwrap();
        assert_eq!((&statement["aud"], &statement["iat"]), (&json!("stock"), &json!(START.seconds())));
        assert_eq!(statement["iss"], crate::tests::fixture::PORTAL);
        assert_eq!(
            statement.as_object().unwrap().len(),
            4,
            "no sub, no exp: it is nobody's token (section 5)"
        );
        assert_eq!(statement["token_introspection"]["active"], active);
        assert!(active || statement["token_introspection"] == json!({"active": false}));
        assert!(asked.fixture.tokens.own(&answer.text, START).is_none(), "nor does it pass for one");
    }
    for accept in ["application/json", "*/*", "application/token-introspection+jwt;q=0"] {
        assert_eq!(ask(accept, &token).await.json()["active"], true, "{accept}");
    }
}

#[test]
fn a_registration_that_cannot_be_served_is_refused() {
    let ca = RegisteredCa::new();
    let is_product = |name: &str| name == PRODUCT;
    let twice = ClientRegistry::new([by_name("a", &ca), by_name("a", &ca)], is_product);
    assert_eq!(twice.unwrap_err(), RegistrationError::Twice("a".into()));
    for name in ["", "a b", "薬局", "0123456789abcdefghjkmnpqrs"] {
        let odd = RegisteredClient { client_id: name.into(), ..by_name("a", &ca) };
        assert_eq!(ClientRegistry::new([odd], is_product).unwrap_err(), RegistrationError::Name(name.into()));
    }
    for wrong in [
        RegisteredClient { audiences: vec![OTHER_PRODUCT.into()], ..by_name("a", &ca) },
        RegisteredClient { introspects: vec![OTHER_PRODUCT.into()], ..by_name("a", &ca) },
    ] {
        let refused = ClientRegistry::new([wrong], is_product).unwrap_err();
        assert_eq!(refused, RegistrationError::Product("a".into(), OTHER_PRODUCT.into()));
    }
}
