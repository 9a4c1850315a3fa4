//! What a client may know of whoever is signed in, requests that were pushed, and the end of a sign-in.

use crate::tests::fixture::PRODUCT;
use crate::tests::signing_in::{
    BACKEND, BACKEND_CALLBACK, CHALLENGE, GATE_CALLBACK, SPA, SPA_CALLBACK, SPA_SIGNED_OUT, SignInFixture,
    code_of, parameter, returned,
};
use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::Role;
use tegata_core::encoding::percent_encoded;
use tegata_testkit::TestResponse;
use tegata_web::PeerCertificate;

async fn userinfo(asked: &SignInFixture, certificate: &PeerCertificate, authorization: &str) -> TestResponse {
    let request = Request::get("/oauth/userinfo").header("authorization", authorization);
    asked.fixture.send(Some(certificate), request.body(Body::empty()).unwrap()).await
}

fn bearer(answer: &Value) -> String {
    format!("Bearer {}", answer["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn a_client_learns_the_name_of_whoever_is_signed_in_where_it_asked_for_it() {
    let asked = SignInFixture::new().await;
    let session = asked.sign_in().await;
    let tokens = async |scope: &str| {
        let code = code_of(&asked.authorize(&[("scope", scope)]).await);
        asked.redeem(&asked.device, &code, &[]).await.json()
    };
    let (with_name, without, plain) =
        (tokens("openid profile").await, tokens("openid").await, tokens("stock.read").await);
    assert!(plain.get("id_token").is_none(), "who does not ask for openid gets OAuth alone");
    let told = userinfo(&asked, &asked.device.certificate, &bearer(&with_name)).await.json();
    assert_eq!((&told["name"], &told["preferred_username"]), (&json!("佐藤 花子"), &json!("sato")));
    assert_eq!((&told["device"], &told["tenant"]), (&json!(asked.device.id), &json!(asked.fixture.tenant)));
    assert!(told["sub"].as_str().unwrap().starts_with("person:"));
    let told = userinfo(&asked, &asked.device.certificate, &bearer(&without)).await.json();
    assert!(told.get("name").is_none() && told.get("sub").is_some(), "{told}");

    let other = asked.fixture.enroll(Role::Device).await;
    for (certificate, authorization, status, challenge, code) in [
        (&asked.device.certificate, String::new(), 401, "Bearer", "G-02"),
        (&asked.device.certificate, "Bearer x".into(), 401, "Bearer error=\"invalid_token\"", "G-03"),
        (&other.certificate, bearer(&without), 401, "Bearer error=\"invalid_token\"", "G-04"),
        (
            &asked.device.certificate,
            bearer(&plain),
            403,
            "Bearer error=\"insufficient_scope\", scope=\"openid\"",
            "G-08",
        ),
    ] {
        let answer = userinfo(&asked, certificate, &authorization).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)));
        assert_eq!(answer.headers["www-authenticate"], challenge);
    }
    let id_token = format!("Bearer {}", without["id_token"].as_str().unwrap());
    assert_eq!(userinfo(&asked, &asked.device.certificate, &id_token).await.status.as_u16(), 401);
    asked.sign_out(&session).await;
    assert_eq!(userinfo(&asked, &asked.device.certificate, &bearer(&with_name)).await.status.as_u16(), 401);
}

async fn push(asked: &SignInFixture, certificate: &PeerCertificate, body: &str) -> TestResponse {
    asked.fixture.post("/oauth/par", Some(certificate), body.to_owned()).await
}

fn pushed(client: &str, redirect_uri: &str, more: &str) -> String {
    let redirect_uri = percent_encoded(redirect_uri);
    format!(
        "response_type=code&client_id={client}&redirect_uri={redirect_uri}&scope=openid&state=s\
         &code_challenge={CHALLENGE}&code_challenge_method=S256{more}"
    )
}

#[tokio::test]
async fn a_pushed_request_is_come_with_once_by_its_client_and_soon() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    let body = pushed(BACKEND, BACKEND_CALLBACK, "");
    let come = async |name: &str, client: &str| {
        let name = percent_encoded(name);
        asked.browse(&asked.device, &format!("/authorize?client_id={client}&request_uri={name}")).await
    };
    let name = async || {
        let answer = push(&asked, &asked.backend, &body).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
        assert_eq!(answer.json()["expires_in"], 60);
        answer.json()["request_uri"].as_str().unwrap().to_owned()
    };
    let own = name().await;
    let told = returned(&come(&own, BACKEND).await, BACKEND_CALLBACK);
    assert_eq!(parameter(&told, "state").as_deref(), Some("s"));
    assert!(parameter(&told, "code").is_some());
    assert!(come(&own, BACKEND).await.text.contains("T-12"), "request_uri replay");
    let own = name().await;
    assert!(come(&own, SPA).await.text.contains("T-12"), "another client's");
    let told = returned(&come(&own, BACKEND).await, BACKEND_CALLBACK);
    assert!(parameter(&told, "code").is_some(), "whoever came with it first used nothing up");
    let late = name().await;
    asked.fixture.advance(Duration::from_mins(1)).await;
    assert!(come(&late, BACKEND).await.text.contains("T-12"));
    for nothing in ["urn:ietf:params:oauth:request_uri:x", "https://backend.example/request.jwt", "x"] {
        assert!(come(nothing, BACKEND).await.text.contains("T-12"), "{nothing}");
    }
    let gate = asked.gate.id.to_string();
    let of_gate = pushed(&gate, GATE_CALLBACK, &format!("&resource={}", percent_encoded(PRODUCT)));
    assert_eq!(push(&asked, &asked.gate.certificate, &of_gate).await.status.as_u16(), 201);
}

#[tokio::test]
async fn a_request_is_pushed_by_whoever_authenticates_and_read_at_once() {
    let asked = SignInFixture::new().await;
    let device = asked.device.id.to_string();
    for (certificate, client) in [(&asked.device.certificate, SPA), (&asked.device.certificate, &device)] {
        let answer = push(&asked, certificate, &pushed(client, SPA_CALLBACK, "")).await;
        answer.is_error(400, "unauthorized_client", "C-10");
    }
    let impostor = push(&asked, &asked.device.certificate, &pushed(BACKEND, BACKEND_CALLBACK, "")).await;
    assert_eq!((impostor.status.as_u16(), &impostor.json()["error"]), (401, &json!("invalid_client")));
    let wrong = push(&asked, &asked.backend, &pushed(BACKEND, "https://evil.example/", "")).await;
    wrong.is_error(400, "invalid_request", "T-11");
    let plain = pushed(BACKEND, BACKEND_CALLBACK, "").replace("S256", "plain");
    push(&asked, &asked.backend, &plain).await.is_error(400, "invalid_request", "R-01");
    let nested = pushed(BACKEND, BACKEND_CALLBACK, "&request_uri=urn:ietf:params:oauth:request_uri:x");
    push(&asked, &asked.backend, &nested).await.is_error(400, "invalid_request", "R-01");
}

#[tokio::test]
async fn a_product_ends_the_sign_in_it_knows_and_leads_on_to_its_own_address() {
    let asked = SignInFixture::new().await;
    let (session, answer) = asked.signed_in().await;
    let hint = answer["id_token"].as_str().unwrap();
    let onward = percent_encoded(SPA_SIGNED_OUT);
    let path = format!("/end-session?id_token_hint={hint}&post_logout_redirect_uri={onward}&state=a%26b");
    let left = asked.browse(&asked.device, &path).await;
    assert_eq!(left.headers["location"], format!("{SPA_SIGNED_OUT}?state=a%26b"));
    assert!(left.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert!(asked.session_is_over(&session).await);
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(asked.fixture.introspect(&asked.gate, token).await, json!({"active": false}));
    assert_eq!(
        asked.browse(&asked.device, &path).await.headers["location"],
        left.headers["location"],
        "once more"
    );

    let session = asked.sign_in().await;
    let gate = &asked.gate.id;
    let signed_out = percent_encoded("https://rezept.example/.tegata/signed-out");
    let path =
        format!("/end-session?client_id={gate}&logout_hint={session}&post_logout_redirect_uri={signed_out}");
    let left = asked.browse(&asked.device, &path).await;
    assert_eq!(left.headers["location"], "https://rezept.example/.tegata/signed-out");
    assert!(asked.session_is_over(&session).await);
}

#[tokio::test]
async fn whoever_came_by_a_provider_leaves_a_product_by_it_too() {
    let asked = SignInFixture::new().await;
    let (session, answer) = asked.signed_in().await;
    asked.signed_in_at("https://login.example/end");
    let hint = answer["id_token"].as_str().unwrap();
    let onward = percent_encoded(SPA_SIGNED_OUT);
    let path = format!("/end-session?id_token_hint={hint}&post_logout_redirect_uri={onward}&state=a");
    let left = asked.browse(&asked.device, &path).await;
    assert_eq!(left.headers["location"], format!("https://login.example/end?{SPA_SIGNED_OUT}?state=a"));
    assert!(asked.session_is_over(&session).await);
}

#[tokio::test]
async fn a_sign_out_at_a_gate_reaches_products_though_the_session_has_idled_out() {
    let asked = SignInFixture::new().await;
    let (session, _) = asked.signed_in().await;
    asked.fixture.advance(Duration::from_mins(20)).await;
    let path = format!("/end-session?logout_hint={session}");
    assert_eq!(asked.browse(&asked.device, &path).await.headers["location"], "/sign-in?lang=ja");
    let context = &asked.fixture.context;
    let denials = context.ledger.denials(context.now()).await.unwrap();
    assert!(denials.token_denied(session.as_str()));
}

#[tokio::test]
async fn a_name_to_sign_in_with_that_was_pushed_stays_out_of_addresses() {
    let asked = SignInFixture::new().await;
    let form = pushed(BACKEND, BACKEND_CALLBACK, "&login_hint=sato");
    let name = push(&asked, &asked.backend, &form).await.json()["request_uri"].as_str().unwrap().to_owned();
    let query = format!("client_id={BACKEND}&request_uri={}", percent_encoded(&name));
    let answer = asked.browse(&asked.device, &format!("/authorize?{query}")).await;
    let location = answer.headers["location"].to_str().unwrap();
    assert!(location.starts_with("/sign-in?next=") && !location.contains("sato"), "{location}");
}

#[tokio::test]
async fn a_sign_out_by_form_ends_nothing_before_the_browser_has_come_by_itself() {
    let asked = SignInFixture::new().await;
    let (session, answer) = asked.signed_in().await;
    let hint = answer["id_token"].as_str().unwrap();
    let onward = percent_encoded(SPA_SIGNED_OUT);
    let form = format!("id_token_hint={hint}&post_logout_redirect_uri={onward}");
    let address = asked.send_form("/end-session", &form).await;
    assert!(!asked.session_is_over(&session).await);
    assert_eq!(asked.browse(&asked.device, &address).await.headers["location"], SPA_SIGNED_OUT);
    assert!(asked.session_is_over(&session).await);
}

#[tokio::test]
async fn open_redirect_no_sign_out_leads_to_an_address_of_a_stranger() {
    let asked = SignInFixture::new().await;
    let (session, answer) = asked.signed_in().await;
    let (hint, access) = (answer["id_token"].as_str().unwrap(), answer["access_token"].as_str().unwrap());
    for address in [
        "https://evil.example/",
        "https://stock.example/app/signed-out/",
        "https://stock.example/app/signed-out#x",
        "https://stock.example@evil.example/app/signed-out",
        "//stock.example/app/signed-out",
        SPA_CALLBACK,
        "https://rezept.example/.tegata/signed-out",
    ] {
        let onward = percent_encoded(address);
        let path = format!("/end-session?id_token_hint={hint}&post_logout_redirect_uri={onward}");
        let answer = asked.browse(&asked.device, &path).await;
        assert!(!answer.headers.contains_key("location") && answer.text.contains("T-14"), "{address}");
    }
    for query in [
        "id_token_hint=x".to_owned(),
        format!("id_token_hint={access}"),
        format!("id_token_hint={hint}&client_id={BACKEND}"),
    ] {
        let answer = asked.browse(&asked.device, &format!("/end-session?{query}")).await;
        assert!(answer.text.contains("T-14"), "{query}: {}", answer.text);
    }
    for query in ["", "logout_hint=x", &format!("client_id={SPA}")] {
        let answer = asked.browse(&asked.device, &format!("/end-session?{query}")).await;
        assert_eq!(answer.headers["location"], "/account?lang=ja", "a stranger's page signs nobody out");
    }
    assert!(!asked.session_is_over(&session).await);
}
