//! Clients that register themselves (RFC 7591) and manage that (RFC 7592): with the token they were given, for what it is for.

use crate::tests::fixture::{LIFETIME, OTHER_PRODUCT, OauthFixture, PRODUCT, START, TestResponse, products};
use crate::{RegistrationRules, TokenRules};
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::InitialAccessToken;
use tegata_storage::{Actor, NewInitialToken};

const OPERATOR: Actor = Actor::System("test");
const DAY: Duration = Duration::from_hours(24);

async fn open() -> OauthFixture {
    let mut fixture = OauthFixture::new().await;
    fixture.serve(
        products(),
        TokenRules { registration: Some(RegistrationRules::default()), ..LIFETIME.into() },
    );
    fixture
}

impl OauthFixture {
    async fn initial_token(&self, uses: u32) -> InitialAccessToken {
        let token = InitialAccessToken::random(&*self.context.entropy);
        let new = NewInitialToken {
            id: format!("token-{uses}"),
            token_hash: token.hash(),
            audiences: vec![PRODUCT.into()],
            scope: "profile stock.read".into(),
            uses,
            expires_at: START.plus(DAY),
        };
        let mut transaction = self.context.ledger.begin(self.context.now()).await.unwrap();
        transaction.add_initial_token(&new, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        token
    }

    async fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> TestResponse {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {token}"));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(None, request.body(body).unwrap()).await
    }

    async fn register(&self, token: &InitialAccessToken, body: &Value) -> TestResponse {
        self.ask("POST", "/oauth/register", token.reveal(), body).await
    }
}

fn page() -> Value {
    json!({
        "client_name": "在庫", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "redirect_uris": ["https://stock.example/app/callback"],
        "backchannel_logout_uri": "https://stock.example/logout",
    })
}

#[tokio::test]
async fn a_product_registers_reads_changes_and_removes_its_client() {
    let fixture = open().await;
    let token = fixture.initial_token(2).await;
    let answer = fixture.register(&token, &page()).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let told = answer.json();
    assert_eq!(
        (&told["audiences"], &told["scope"], &told["grant_types"], &told["backchannel_logout_uri"]),
        (
            &json!([PRODUCT]),
            &json!("profile stock.read"),
            &json!(["authorization_code", "refresh_token"]),
            &json!("https://stock.example/logout")
        )
    );
    assert!(told.get("client_secret").is_none() && told["client_id_issued_at"].is_i64());
    let id = told["client_id"].as_str().unwrap();
    let stored = fixture.context.ledger.stored_clients().await.unwrap().remove(0);
    assert_eq!(stored.registration["origins"], json!(["https://stock.example"]), "where its pages are");
    let uri = told["registration_client_uri"].as_str().unwrap();
    let path = &uri[uri.find("/oauth/").unwrap()..];
    let access = told["registration_access_token"].as_str().unwrap();
    let read = fixture.ask("GET", path, access, &Value::Null).await.json();
    assert_eq!((&read["client_id"], &read["registration_access_token"]), (&json!(id), &json!(access)));

    let mut change = page();
    change["client_id"] = json!(id);
    change["scope"] = json!("stock.read");
    let changed = fixture.ask("PUT", path, access, &change).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["scope"]), (200, &json!("stock.read")));
    change["scope"] = json!("profile stock.read");
    let more = fixture.ask("PUT", path, access, &change).await;
    more.is_error(400, "invalid_client_metadata", "T-17");
    change["client_id"] = json!("another");
    fixture.ask("PUT", path, access, &change).await.is_error(400, "invalid_client_metadata", "T-17");

    for (path, token) in
        [(path, token.reveal()), ("/oauth/register/another", access), (path, "x"), (path, "")]
    {
        let refused = fixture.ask("GET", path, token, &Value::Null).await;
        refused.is_error(401, "invalid_token", "T-15");
        assert_eq!(refused.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
    }
    assert_eq!(fixture.ask("DELETE", path, access, &Value::Null).await.status.as_u16(), 204);
    fixture.ask("GET", path, access, &Value::Null).await.is_error(401, "invalid_token", "T-15");
}

#[tokio::test]
async fn a_token_for_registering_is_counted_ends_and_is_for_its_products_alone() {
    let fixture = open().await;
    let once = fixture.initial_token(1).await;
    let mut wanted = page();
    wanted["audiences"] = json!([OTHER_PRODUCT]);
    let other = fixture.register(&once, &wanted).await;
    other.is_error(400, "invalid_client_metadata", "T-17");
    assert!(other.json()["error_description"].as_str().unwrap().contains(OTHER_PRODUCT));
    assert_eq!(fixture.register(&once, &page()).await.status.as_u16(), 201, "what is refused costs nothing");
    fixture.register(&once, &page()).await.is_error(401, "invalid_token", "T-15");
    let stranger = InitialAccessToken::random(&*fixture.context.entropy);
    fixture.register(&stranger, &page()).await.is_error(401, "invalid_token", "T-15");
    let late = fixture.initial_token(5).await;
    fixture.advance(DAY).await;
    fixture.register(&late, &page()).await.is_error(401, "invalid_token", "T-15");
    assert_eq!(fixture.context.ledger.stored_clients().await.unwrap().len(), 1, "refusals leave no row");
}

#[tokio::test]
async fn a_registration_is_held_to_the_rules_of_the_configuration() {
    let fixture = open().await;
    let token = fixture.initial_token(1).await;
    let with = |name: &str, value: Value| {
        let mut wanted = page();
        wanted[name] = value;
        wanted
    };
    for redirect in [
        "http://stock.example/callback",
        "https://STOCK.example/callback",
        "https://stock.example/a/../callback",
        "https://stock.example/callback#x",
        "javascript:alert(1)",
        "https://*.example/",
    ] {
        let answer = fixture.register(&token, &with("redirect_uris", json!([redirect]))).await;
        answer.is_error(400, "invalid_redirect_uri", "T-16");
    }
    for (name, value) in [
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("token_endpoint_auth_method", json!("self_signed_tls_client_auth")),
        ("token_endpoint_auth_method", Value::Null),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["client_credentials"])),
        ("grant_types", json!(["refresh_token"])),
        ("response_types", json!(["token"])),
        ("redirect_uris", json!([])),
        ("post_logout_redirect_uris", json!(["http://stock.example/"])),
        ("backchannel_logout_uri", json!("http://localhost/logout")),
        ("scope", json!("stock.write")),
        ("jwks", json!({"keys": []})),
        ("jwks", json!("file.json")),
        ("software_statement", json!("x")),
    ] {
        let answer = fixture.register(&token, &with(name, value.clone())).await;
        let error = answer.json()["error"].clone();
        assert_eq!(
            (answer.status.as_u16(), &error),
            (400, &json!("invalid_client_metadata")),
            "{name} {value}"
        );
    }
    for text in ["", "[]", "{", "{\"redirect_uris\": 1}"] {
        let request = Request::post("/oauth/register").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", token.reveal()));
        let answer = fixture.send(None, request.body(Body::from(text)).unwrap()).await;
        answer.is_error(400, "invalid_client_metadata", "T-17");
    }
    let long = fixture.register(&token, &with("client_name", json!("x".repeat(20_000)))).await;
    assert_eq!(long.status.as_u16(), 413);
    assert_eq!(
        fixture.register(&token, &page()).await.status.as_u16(),
        201,
        "none of them used the token up"
    );
}

#[tokio::test]
async fn nobody_registers_where_the_operator_does_not_say_so() {
    let fixture = OauthFixture::new().await;
    let token = fixture.initial_token(1).await;
    assert_eq!(fixture.register(&token, &page()).await.status.as_u16(), 404);
    let metadata = async |fixture: &OauthFixture| {
        let request = Request::get("/.well-known/openid-configuration").body(Body::empty()).unwrap();
        fixture.send(None, request).await.json()
    };
    assert!(metadata(&fixture).await.get("registration_endpoint").is_none());
    assert!(metadata(&open().await).await["registration_endpoint"].is_string());
}
