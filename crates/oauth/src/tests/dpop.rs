//! Clients whose tokens are bound to a key, and attacks on that by their names.

use crate::tests::fixture::{OauthFixture, PORTAL, PRODUCT, TestResponse};
use crate::tests::signing_in::{
    BACKEND, BACKEND_CALLBACK, PAGE_BY_KEY, SPA, SPA_CALLBACK, SignInFixture, VERIFIER, backend_request,
    claims, code_of, error_of, parameter, returned,
};
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use std::cell::Cell;
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, AccessClaims, Confirmation};
use tegata_core::dpop::{DpopProof, hash_of, proof_by};
use tegata_core::encoding::percent_encoded;
use tegata_core::jws::SigningKey;
use tegata_core::{JwkThumbprint, Role};
use tegata_storage::DeviceAction;
use tegata_web::PeerCertificate;

const TOKEN: &str = "https://device.example/oauth/token";
const USERINFO: &str = "https://device.example/oauth/userinfo";

/// A client's key, and what it has heard of the server.
struct ClientKey {
    key: SigningKey,
    made: Cell<u32>,
}

impl ClientKey {
    fn new() -> Self {
        let key = SigningKey::from_pkcs8(&SigningKey::generate().unwrap()).unwrap();
        Self { key, made: Cell::new(0) }
    }

    /// A proof for a request, with other claims; `null` takes one away.
    fn proof(&self, fixture: &OauthFixture, method: &str, address: &str, others: &Value) -> String {
        self.made.set(self.made.get() + 1);
        let mut claims = json!({
            "jti": format!("proof {}", self.made.get()), "htm": method, "htu": address,
            "iat": fixture.context.now().seconds(),
        });
        for (name, value) in others.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        proof_by(&self.key, claims.to_string().as_bytes()).unwrap()
    }

    fn thumbprint(&self, fixture: &OauthFixture) -> JwkThumbprint {
        *DpopProof::verify(&self.proof(fixture, "POST", TOKEN, &json!({}))).unwrap().key()
    }
}

async fn post_with(
    asked: &SignInFixture,
    path: &str,
    certificate: Option<&PeerCertificate>,
    proofs: &[&str],
    pairs: &[(&str, &str)],
) -> TestResponse {
    let body: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    asked.fixture.send(certificate, request.body(Body::from(body.join("&"))).unwrap()).await
}

/// A token request of the page, with a proof that has the server's nonce.
async fn ask(asked: &SignInFixture, key: &ClientKey, pairs: &[(&str, &str)]) -> TestResponse {
    let nonce = nonce(asked, key).await;
    let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": nonce }));
    post_with(asked, "/oauth/token", Some(&asked.device.certificate), &[&proof], pairs).await
}

/// The nonce that the server wants, which it says to whoever comes without.
async fn nonce(asked: &SignInFixture, key: &ClientKey) -> String {
    let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({}));
    let pairs = [("client_id", PAGE_BY_KEY), ("grant_type", "refresh_token"), ("refresh_token", "x")];
    let answer = post_with(asked, "/oauth/token", Some(&asked.device.certificate), &[&proof], &pairs).await;
    answer.is_error(400, "use_dpop_nonce", "T-20");
    answer.headers["dpop-nonce"].to_str().unwrap().to_owned()
}

async fn code(asked: &SignInFixture, others: &[(&str, &str)]) -> String {
    let own = [("client_id", PAGE_BY_KEY), ("scope", "openid profile stock.read")];
    code_of(&asked.authorize(&[&own, others].concat()).await)
}

fn redeeming(code: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", PAGE_BY_KEY),
        ("redirect_uri", SPA_CALLBACK),
        ("code_verifier", VERIFIER),
        ("code", code),
    ]
}

fn refreshing(value: &Value) -> [(&str, &str); 3] {
    let value = value.as_str().unwrap();
    [("grant_type", "refresh_token"), ("client_id", PAGE_BY_KEY), ("refresh_token", value)]
}

/// What the page with this key has after a sign-in.
async fn signed_in(asked: &SignInFixture, key: &ClientKey) -> Value {
    asked.sign_in().await;
    let code = code(asked, &[]).await;
    let answer = ask(asked, key, &redeeming(&code)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer.json()
}

async fn userinfo(
    asked: &SignInFixture,
    certificate: Option<&PeerCertificate>,
    authorization: &str,
    proofs: &[&str],
) -> TestResponse {
    let mut request = Request::get("/oauth/userinfo").header("authorization", authorization);
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    asked.fixture.send(certificate, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_page_gets_tokens_for_its_own_key_and_says_who_is_signed_in() {
    let (asked, key) = (SignInFixture::new().await, ClientKey::new());
    asked.sign_in().await;
    let jkt = key.thumbprint(&asked.fixture);
    let code = code(&asked, &[("dpop_jkt", &jkt.to_string())]).await;
    let answer = ask(&asked, &key, &redeeming(&code)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    assert!(answer.headers.contains_key("dpop-nonce"), "for the next proof");
    let answer = answer.json();
    assert_eq!(answer["token_type"], "DPoP");
    let access = claims(&asked.fixture, ACCESS_TOKEN, &answer["access_token"]);
    assert_eq!(access["cnf"], json!({ "jkt": jkt }));
    assert_eq!(access["x5t#S256"], json!(asked.device.certificate.thumbprint), "whose device asked");
    let access: AccessClaims = serde_json::from_value(access).unwrap();
    assert!(access.names_its_device());
    assert_eq!(access.cnf, Confirmation::Key(jkt));

    let token = answer["access_token"].as_str().unwrap();
    let proof = key.proof(&asked.fixture, "GET", USERINFO, &json!({"ath": hash_of(token)}));
    let told = userinfo(&asked, None, &format!("DPoP {token}"), &[&proof]).await;
    assert_eq!(
        (told.status.as_u16(), told.json()["name"].as_str()),
        (200, Some("佐藤 花子")),
        "{}",
        told.text
    );
    let about = asked.fixture.introspect(&asked.gate, token).await;
    assert_eq!((&about["token_type"], &about["cnf"]), (&json!("DPoP"), &json!({ "jkt": jkt })));

    let next = ask(&asked, &key, &refreshing(&answer["refresh_token"])).await.json();
    assert_eq!(next["token_type"], "DPoP", "{next}");
    let access = claims(&asked.fixture, ACCESS_TOKEN, &next["access_token"]);
    assert_eq!(access["cnf"], json!({ "jkt": jkt }));
}

#[tokio::test]
async fn metadata_says_which_algorithms_a_proof_may_have() {
    let asked = SignInFixture::new().await;
    let request = Request::get("/.well-known/openid-configuration").body(Body::empty()).unwrap();
    let told = tegata_testkit::send(asked.fixture.portal(), None, request).await.json();
    assert_eq!(told["dpop_signing_alg_values_supported"], json!(["ES256", "EdDSA", "Ed25519"]));
    assert_eq!(told["issuer"], PORTAL);
}

/// The key never stands in for the certificate: no token names an enrolled device that did not show its certificate.
#[tokio::test]
async fn a_key_without_the_certificate_of_the_device_gets_no_token() {
    let (asked, key) = (SignInFixture::new().await, ClientKey::new());
    let answer = signed_in(&asked, &key).await;
    let (nonce, stranger) = (nonce(&asked, &key).await, asked.fixture.enroll(Role::Device).await);
    let jkt = key.thumbprint(&asked.fixture).to_string();
    let code = code(&asked, &[("dpop_jkt", &jkt)]).await;
    let backend = Some(&asked.backend);
    for pairs in [&redeeming(&code)[..], &refreshing(&answer["refresh_token"])] {
        for (certificate, status, error, refusal) in [
            (None, 401, "invalid_client", "C-01"),
            (backend, 401, "invalid_client", "C-02"),
            (Some(&asked.gate.certificate), 400, "unauthorized_client", "C-09"),
        ] {
            let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": nonce }));
            let answer = post_with(&asked, "/oauth/token", certificate, &[&proof], pairs).await;
            answer.is_error(status, error, refusal);
        }
        let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": nonce }));
        let answer = post_with(&asked, "/oauth/token", Some(&stranger.certificate), &[&proof], pairs).await;
        assert_eq!(answer.json()["error"], "invalid_grant", "of another device: {}", answer.text);
    }
}

#[tokio::test]
async fn a_proof_for_another_request_gets_no_token() {
    let (asked, key) = (SignInFixture::new().await, ClientKey::new());
    let answer = signed_in(&asked, &key).await;
    let (nonce, now) = (nonce(&asked, &key).await, asked.fixture.context.now().seconds());
    let pairs = refreshing(&answer["refresh_token"]);
    let certificate = Some(&asked.device.certificate);
    for changes in [
        json!({"htm": "GET"}),
        json!({"htu": USERINFO}),
        json!({"htu": "https://evil.example/oauth/token"}),
        json!({"iat": now - 61}),
        json!({"iat": now + 11}),
        json!({"jti": null}),
    ] {
        let mut changes = changes;
        changes["nonce"] = nonce.clone().into();
        let proof = key.proof(&asked.fixture, "POST", TOKEN, &changes);
        let refused = post_with(&asked, "/oauth/token", certificate, &[&proof], &pairs).await;
        refused.is_error(400, "invalid_dpop_proof", "T-20");
    }
    let good = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": nonce }));
    let another = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": nonce }));
    for proofs in [&[][..], &[&*good, &*another], &["eyJ"]] {
        let refused = post_with(&asked, "/oauth/token", certificate, proofs, &pairs).await;
        refused.is_error(400, "invalid_dpop_proof", "T-20");
    }
    for made_up in ["x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": made_up }));
        let refused = post_with(&asked, "/oauth/token", certificate, &[&proof], &pairs).await;
        refused.is_error(400, "use_dpop_nonce", "T-20");
    }
    let first = post_with(&asked, "/oauth/token", certificate, &[&good], &pairs).await;
    assert_eq!(first.status.as_u16(), 200, "nothing was used up by what was refused: {}", first.text);
    let value = first.json()["refresh_token"].clone();
    let again = post_with(&asked, "/oauth/token", certificate, &[&good], &refreshing(&value)).await;
    again.is_error(400, "invalid_dpop_proof", "T-20");
}

#[tokio::test]
async fn a_nonce_of_two_minutes_ago_is_replaced_before_anything_is_used_up() {
    let (asked, key) = (SignInFixture::new().await, ClientKey::new());
    let answer = signed_in(&asked, &key).await;
    let old = nonce(&asked, &key).await;
    asked.fixture.advance(Duration::from_secs(121)).await;
    let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": old }));
    let pairs = refreshing(&answer["refresh_token"]);
    let refused = post_with(&asked, "/oauth/token", Some(&asked.device.certificate), &[&proof], &pairs).await;
    refused.is_error(400, "use_dpop_nonce", "T-20");
    let fresh = refused.headers["dpop-nonce"].to_str().unwrap();
    let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": fresh }));
    let taken = post_with(&asked, "/oauth/token", Some(&asked.device.certificate), &[&proof], &pairs).await;
    assert_eq!(taken.status.as_u16(), 200, "{}", taken.text);
}

#[tokio::test]
async fn a_code_and_a_refresh_token_are_nothing_with_a_foreign_key() {
    let (asked, key, thief) = (SignInFixture::new().await, ClientKey::new(), ClientKey::new());
    let answer = signed_in(&asked, &key).await;
    ask(&asked, &thief, &refreshing(&answer["refresh_token"])).await.is_error(400, "invalid_grant", "T-01");
    let next = ask(&asked, &key, &refreshing(&answer["refresh_token"])).await;
    assert_eq!(next.status.as_u16(), 200, "a thief ends nothing: {}", next.text);

    let jkt = key.thumbprint(&asked.fixture).to_string();
    let code = code(&asked, &[("dpop_jkt", &jkt)]).await;
    ask(&asked, &thief, &redeeming(&code)).await.is_error(400, "invalid_grant", "T-06");
    ask(&asked, &key, &redeeming(&code)).await.is_error(400, "invalid_grant", "T-06");
}

#[tokio::test]
async fn a_token_that_is_stripped_to_bearer_opens_nothing() {
    let (asked, key, thief) = (SignInFixture::new().await, ClientKey::new(), ClientKey::new());
    let answer = signed_in(&asked, &key).await;
    let token = answer["access_token"].as_str().unwrap();
    let (device, ath) = (Some(&asked.device.certificate), json!({"ath": hash_of(token)}));
    let proof = |key: &ClientKey, changes: &Value| key.proof(&asked.fixture, "GET", USERINFO, changes);
    let good = proof(&key, &ath);
    let elsewhere = key.proof(&asked.fixture, "GET", TOKEN, &ath);
    let posted = key.proof(&asked.fixture, "POST", USERINFO, &ath);
    for (authorization, proofs) in [
        (format!("Bearer {token}"), vec![]),
        (format!("Bearer {token}"), vec![good.clone()]),
        (format!("DPoP {token}"), vec![]),
        (format!("DPoP {token}"), vec![proof(&thief, &ath)]),
        (format!("DPoP {token}"), vec![proof(&key, &json!({}))]),
        (format!("DPoP {token}"), vec![proof(&key, &json!({"ath": hash_of("another")}))]),
        (format!("DPoP {token}"), vec![elsewhere]),
        (format!("DPoP {token}"), vec![posted]),
        (format!("DPoP {token}"), vec![good.clone(), proof(&key, &ath)]),
    ] {
        let proofs: Vec<_> = proofs.iter().map(String::as_str).collect();
        let told = userinfo(&asked, device, &authorization, &proofs).await;
        told.is_error(401, "invalid_dpop_proof", "T-20");
        let challenge = told.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("DPoP algs=\"ES256 EdDSA Ed25519\", error="), "{challenge}");
    }
    let told = userinfo(&asked, None, &format!("DPoP {token}"), &[&good]).await;
    assert_eq!(told.status.as_u16(), 200, "nothing used it up: {}", told.text);
    let replayed = userinfo(&asked, None, &format!("DPoP {token}"), &[&good]).await;
    replayed.is_error(401, "invalid_dpop_proof", "T-20");

    // A token that is bound to the certificate is no better with a proof beside it.
    let (_, bound) = asked.signed_in().await;
    let token = bound["access_token"].as_str().unwrap();
    let proof = key.proof(&asked.fixture, "GET", USERINFO, &json!({"ath": hash_of(token)}));
    let told = userinfo(&asked, device, &format!("DPoP {token}"), &[&proof]).await;
    told.is_error(401, "invalid_dpop_proof", "T-20");
}

/// Of one client either every token is bound to its key, or none.
#[tokio::test]
async fn nobody_mixes_the_two_ways_of_binding() {
    let (asked, key) = (SignInFixture::new().await, ClientKey::new());
    asked.sign_in().await;
    let code = code_of(&asked.authorize(&[]).await);
    let nonce = nonce(&asked, &key).await;
    let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": nonce }));
    let mut pairs = redeeming(&code);
    pairs[1].1 = SPA;
    let certificate = Some(&asked.device.certificate);
    let refused = post_with(&asked, "/oauth/token", certificate, &[&proof], &pairs).await;
    refused.is_error(400, "invalid_request", "R-01");
    let taken = post_with(&asked, "/oauth/token", certificate, &[], &pairs).await.json();
    assert_eq!(taken["token_type"], "Bearer", "{taken}");
    let jkt = key.thumbprint(&asked.fixture).to_string();
    let told = error_of(&asked.authorize(&[("dpop_jkt", &jkt)]).await, SPA_CALLBACK);
    assert_eq!(told, ("invalid_request".into(), "R-01".into()));
    let own = [("client_id", PAGE_BY_KEY), ("dpop_jkt", "short")];
    assert_eq!(
        error_of(&asked.authorize(&own).await, SPA_CALLBACK),
        ("invalid_request".into(), "R-01".into())
    );
    let body = [("client_id", PAGE_BY_KEY), ("token", "x")];
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let refused = post_with(&asked, path, certificate, &[&proof], &body).await;
        refused.is_error(400, "invalid_request", "R-01");
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_ends_with_its_device_and_certificate() {
    let (asked, key) = (SignInFixture::new().await, ClientKey::new());
    let answer = signed_in(&asked, &key).await;
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(asked.fixture.introspect(&asked.gate, token).await["active"], true);
    asked.fixture.act(&asked.device, DeviceAction::Suspend).await;
    assert_eq!(asked.fixture.introspect(&asked.gate, token).await, json!({"active": false}));
    let proof = key.proof(&asked.fixture, "GET", USERINFO, &json!({"ath": hash_of(token)}));
    assert_eq!(userinfo(&asked, None, &format!("DPoP {token}"), &[&proof]).await.status.as_u16(), 401);
}

#[tokio::test]
async fn a_backend_pushes_with_its_key_and_its_token_is_still_no_device_s() {
    let (asked, key) = (SignInFixture::with_backend_by_key().await, ClientKey::new());
    asked.sign_in().await;
    let jkt = key.thumbprint(&asked.fixture);
    let push = async |others: &[(&str, &str)], nonce: &str| {
        let par = "https://device.example/oauth/par";
        let proof = key.proof(&asked.fixture, "POST", par, &json!({ "nonce": nonce }));
        let own = backend_request();
        let own: Vec<_> = own.iter().map(|(name, value)| (&**name, &**value)).collect();
        let pairs = [&own[..], others].concat();
        post_with(&asked, "/oauth/par", Some(&asked.backend), &[&proof], &pairs).await
    };
    let refused = push(&[], "x").await;
    refused.is_error(400, "use_dpop_nonce", "T-20");
    let nonce = refused.headers["dpop-nonce"].to_str().unwrap().to_owned();
    let thief = ClientKey::new().thumbprint(&asked.fixture).to_string();
    push(&[("dpop_jkt", &thief)], &nonce).await.is_error(400, "invalid_dpop_proof", "T-20");
    let pushed = push(&[("dpop_jkt", &jkt.to_string())], &nonce).await;
    assert_eq!(pushed.status.as_u16(), 201, "{}", pushed.text);
    let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let path = format!("/authorize?client_id={BACKEND}&request_uri={}", percent_encoded(&uri));
    let told = returned(&asked.browse(&asked.device, &path).await, BACKEND_CALLBACK);
    let code = parameter(&told, "code").expect("a code");
    let proof = key.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": nonce }));
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", BACKEND),
        ("redirect_uri", BACKEND_CALLBACK),
        ("code_verifier", VERIFIER),
        ("code", &*code),
    ];
    let answer = post_with(&asked, "/oauth/token", Some(&asked.backend), &[&proof], &pairs).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let answer = answer.json();
    let access = claims(&asked.fixture, ACCESS_TOKEN, &answer["access_token"]);
    assert_eq!((&access["cnf"], &access["aud"]), (&json!({ "jkt": jkt }), &json!(PRODUCT)));
    assert!(serde_json::from_value::<AccessClaims>(access).is_err(), "a gate does not read it");
    let other = ClientKey::new();
    let proof = other.proof(&asked.fixture, "POST", TOKEN, &json!({ "nonce": nonce }));
    let value = answer["refresh_token"].as_str().unwrap();
    let pairs = [("grant_type", "refresh_token"), ("client_id", BACKEND), ("refresh_token", value)];
    let next = post_with(&asked, "/oauth/token", Some(&asked.backend), &[&proof], &pairs).await;
    assert_eq!(next.status.as_u16(), 200, "by its certificate, with a new key: {}", next.text);
    let token = next.json()["access_token"].as_str().unwrap().to_owned();
    let body = [("client_id", BACKEND), ("token", &*token)];
    let about = post_with(&asked, "/oauth/introspect", Some(&asked.backend), &[], &body).await.json();
    assert_eq!(about["cnf"], json!({ "jkt": other.thumbprint(&asked.fixture) }), "{about}");
}
