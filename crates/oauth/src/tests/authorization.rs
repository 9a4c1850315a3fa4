//! A browser comes with a client's request, and the client gets a code or hears why not; attacks by their names.

use crate::tests::fixture::{OTHER_PRODUCT, PORTAL, PRODUCT};
use crate::tests::signing_in::{
    BACKEND, BACKEND_CALLBACK, GATE_CALLBACK, SPA, SPA_CALLBACK, SignInFixture, at_hash, claims, code_of,
    error_of, parameter, returned, spa, spa_form,
};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::claims::{ACCESS_TOKEN, person_subject};
use tegata_core::{DeviceState, Role};
use tegata_storage::DeviceAction;
use tegata_testkit::Everything;
use tegata_web::RegisteredClient;

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_page_learns_who_signed_in_and_its_tokens_fit_the_device() {
    let asked = SignInFixture::new().await;
    let session = asked.sign_in().await;
    let told =
        returned(&asked.authorize(&[("scope", "openid profile stock.read email")]).await, SPA_CALLBACK);
    assert_eq!(parameter(&told, "state").as_deref(), Some("af0ifj&sldkj ü"), "as it was sent");
    assert_eq!(parameter(&told, "iss").as_deref(), Some(PORTAL), "RFC 9207");
    let answer = asked.redeem(&asked.device, &parameter(&told, "code").unwrap(), &[]).await.json();
    assert_eq!(answer["scope"], "openid profile stock.read");
    let (access, id) = (
        claims(&asked.fixture, ACCESS_TOKEN, &answer["access_token"]),
        claims(&asked.fixture, "JWT", &answer["id_token"]),
    );
    let person = person_subject(PORTAL, asked.person.as_str());
    for token in [&access, &id] {
        assert_eq!((&token["iss"], &token["sub"]), (&json!(PORTAL), &json!(person)));
        assert_eq!((&token["sid"], &token["device"]), (&json!(session), &json!(asked.device.id)));
        assert_eq!(
            (&token["acr"], &token["amr"]),
            (&json!("urn:tegata:acr:mfa"), &json!(["pwd", "otp", "mfa"]))
        );
        assert_eq!(token["auth_time"], asked.fixture.context.now().seconds());
        assert_eq!(token["cnf"], json!({"x5t#S256": asked.device.certificate.thumbprint}));
        assert_eq!(
            (&token["tenant"], &token["site"]),
            (&json!(asked.fixture.tenant), &json!(asked.fixture.site))
        );
    }
    assert_eq!((&access["aud"], &access["client_id"]), (&json!(PRODUCT), &json!(SPA)));
    assert_eq!(access["act"]["sub"], format!("device:{}", asked.device.id));
    assert_eq!((&id["aud"], &id["nonce"]), (&json!(SPA), &json!("n-0S6_WzA2Mj")));
    assert_eq!(id["at_hash"], at_hash(&answer["access_token"]));
    let text = answer.to_string();
    assert!(!text.contains("佐藤") && !text.contains("sato"), "{text}");
    let read = asked.fixture.published();
    assert!(
        read.verify(answer["id_token"].as_str().unwrap(), ACCESS_TOKEN).is_err(),
        "none passes for the other"
    );
}

#[tokio::test]
async fn of_a_client_s_scope_there_is_left_what_its_registration_has_now() {
    let asked = SignInFixture::new().await;
    let clients = asked.fixture.tokens.clients();
    let registered = |scope: &str| {
        let client_id = "other-spa".to_owned();
        clients.replace_stored([Arc::new(RegisteredClient { client_id, scope: scope.into(), ..spa() })]);
    };
    asked.sign_in().await;
    let wanted = [("client_id", "other-spa"), ("scope", "openid profile stock.read")];
    let granted = async || {
        let code = code_of(&asked.authorize(&wanted).await);
        asked.redeem(&asked.device, &code, &wanted[..1]).await.json()
    };
    registered("stock.read");
    assert_eq!(granted().await["scope"], "openid stock.read", "nobody gave it the names of people");
    registered("profile stock.read stock.write");
    let mut answer = granted().await;
    assert_eq!(answer["scope"], "openid profile stock.read");
    for (scope, left) in [("profile stock.write", "openid profile"), ("stock.read", "openid stock.read")] {
        registered(scope);
        let value = answer["refresh_token"].as_str().unwrap();
        let body = format!("grant_type=refresh_token&client_id=other-spa&refresh_token={value}");
        answer = asked.fixture.post("/oauth/token", Some(&asked.device.certificate), body).await.json();
        assert_eq!(answer["scope"], left, "at the next refresh");
    }
}

#[tokio::test]
async fn a_form_of_any_page_leads_to_the_request_that_it_makes() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    let address = asked.send_form("/authorize", &spa_form()).await;
    assert!(address.starts_with("/authorize?"), "{address}");
    let told = returned(&asked.browse(&asked.device, &address).await, SPA_CALLBACK);
    assert_eq!(parameter(&told, "state").as_deref(), Some("af0ifj&sldkj ü"), "as it was sent");
    assert!(parameter(&told, "code").is_some());
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (path, body, headers, code) in [
        ("/authorize", spa_form(), vec![form, ("sec-fetch-dest", "iframe")], "R-06"),
        ("/authorize?client_id=x", spa_form(), vec![form], "R-01"),
        ("/authorize", "client_id=a&client_id=b".into(), vec![form], "R-01"),
        ("/authorize", spa_form(), vec![("content-type", "application/json")], "R-07"),
        ("/authorize", format!("state={}", "x".repeat(9000)), vec![form], "R-02"),
    ] {
        let answer = asked.post_form(path, &body, &headers).await;
        assert!(
            answer.text.contains(code) && !answer.headers.contains_key("refresh"),
            "{path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_gate_redeems_its_own_code_and_refreshes_for_the_certificate_it_sees() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    let told = returned(&asked.authorize_for_gate(&[]).await, GATE_CALLBACK);
    let code = parameter(&told, "code").unwrap();
    let gate = asked.gate.id.to_string();
    let own = [("client_id", gate.as_str()), ("redirect_uri", GATE_CALLBACK)];
    let answer = asked.redeem_as(&asked.gate.certificate, &code, &own).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let answer = answer.json();
    let access = claims(&asked.fixture, ACCESS_TOKEN, &answer["access_token"]);
    assert_eq!(
        access["cnf"]["x5t#S256"],
        json!(asked.device.certificate.thumbprint),
        "the device's, not the gate's"
    );
    assert_eq!(claims(&asked.fixture, "JWT", &answer["id_token"])["aud"], json!(gate));

    let renewed = asked.fixture.renew(&asked.device).await;
    let refresh = async |value: &Value, certificate: &str| {
        let value = value.as_str().unwrap();
        let body = format!(
            "grant_type=refresh_token&client_id={gate}&refresh_token={value}&device_certificate={certificate}"
        );
        asked.fixture.post("/oauth/token", Some(&asked.gate.certificate), body).await
    };
    let stranger = asked.fixture.enroll(Role::Device).await;
    let foreign = refresh(&answer["refresh_token"], &stranger.certificate.thumbprint.to_string()).await;
    foreign.is_error(400, "invalid_grant", "T-01");
    refresh(&answer["refresh_token"], "").await.is_error(400, "invalid_request", "R-01");
    let next = refresh(&answer["refresh_token"], &renewed.certificate.thumbprint.to_string()).await.json();
    let access = claims(&asked.fixture, ACCESS_TOKEN, &next["access_token"]);
    assert_eq!((&access["generation"], &access["sub"].as_str().unwrap()[..7]), (&json!(2), "person:"));
    let value = next["refresh_token"].as_str().unwrap();
    let by_device = format!("grant_type=refresh_token&client_id={}&refresh_token={value}", asked.device.id);
    let by_device = asked.fixture.post("/oauth/token", Some(&asked.device.certificate), by_device).await;
    by_device.is_error(400, "invalid_grant", "T-01");
}

#[tokio::test]
async fn a_backend_s_token_fits_its_own_certificate_and_is_no_device_s() {
    let asked = SignInFixture::new().await;
    let session = asked.sign_in().await;
    let told = returned(&asked.authorize_for_backend(&[]).await, BACKEND_CALLBACK);
    let own = [("client_id", BACKEND), ("redirect_uri", BACKEND_CALLBACK)];
    let answer = asked.redeem_as(&asked.backend, &parameter(&told, "code").unwrap(), &own).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let answer = answer.json();
    let access = claims(&asked.fixture, ACCESS_TOKEN, &answer["access_token"]);
    assert_eq!(access["cnf"]["x5t#S256"], json!(asked.backend.thumbprint));
    assert_eq!(access["act"]["sub"], format!("device:{}", asked.device.id));
    assert!(serde_json::from_value::<tegata_core::claims::AccessClaims>(access).is_err());
    let id = claims(&asked.fixture, "JWT", &answer["id_token"]);
    assert_eq!(id["cnf"]["x5t#S256"], json!(asked.device.certificate.thumbprint), "who asked for the code");
    let introspect = async || {
        let token = answer["access_token"].as_str().unwrap();
        let body = format!("client_id={BACKEND}&token={token}");
        asked.fixture.post("/oauth/introspect", Some(&asked.backend), body).await.json()
    };
    assert_eq!(introspect().await["sid"], json!(session));
    let value = answer["refresh_token"].as_str().unwrap();
    let body = format!("grant_type=refresh_token&client_id={BACKEND}&refresh_token={value}");
    let next = asked.fixture.post("/oauth/token", Some(&asked.backend), body).await;
    assert_eq!(next.status.as_u16(), 200, "{}", next.text);
    asked.sign_out(&session).await;
    assert_eq!(introspect().await, json!({"active": false}));
}

#[tokio::test]
async fn a_device_enters_for_itself_where_a_product_asks_for_no_more() {
    let asked = SignInFixture::new().await;
    for wish in ["urn:tegata:acr:device", "urn:x urn:tegata:acr:device urn:tegata:acr:mfa"] {
        let code = code_of(&asked.authorize(&[("acr_values", wish), ("prompt", "none")]).await);
        let answer = asked.redeem(&asked.device, &code, &[]).await.json();
        let id = claims(&asked.fixture, "JWT", &answer["id_token"]);
        assert_eq!(id["sub"], format!("device:{}", asked.device.id));
        assert_eq!((&id["acr"], &id["amr"]), (&json!("urn:tegata:acr:device"), &json!(["swk"])));
        assert!(id.get("sid").is_none() && id.get("auth_time").is_none(), "{id}");
        let access = claims(&asked.fixture, ACCESS_TOKEN, &answer["access_token"]);
        assert_eq!((&access["sub"], access.get("act")), (&id["sub"], None));
        assert_eq!(asked.refresh(&asked.device, &answer["refresh_token"]).await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_and_comes_back_once() {
    let asked = SignInFixture::new().await;
    assert_eq!(
        error_of(&asked.authorize(&[("prompt", "none")]).await, SPA_CALLBACK),
        ("login_required".into(), "U-03".into())
    );
    let to = asked.authorize(&[("login_hint", "sato"), ("ui_locales", "fr en ja")]).await;
    let location = to.headers["location"].to_str().unwrap();
    let (next, rest) = location.strip_prefix("/sign-in?next=").unwrap().split_once('&').unwrap();
    assert_eq!(rest, "lang=en&login_hint=sato");
    let next = next.replace("%2F", "/").replace("%3F", "?").replace("%3D", "=");
    assert!(next.starts_with("/authorize?continue="), "{next}");

    let other = asked.fixture.enroll(Role::Device).await;
    let elsewhere = asked.browse(&other, &next).await;
    assert!(elsewhere.text.contains("T-12"), "a request of another device: {}", elsewhere.text);
    asked.sign_in().await;
    let page = asked.browse(&asked.device, &format!("{next}&lang=en")).await;
    assert_eq!(page.status.as_u16(), 200, "{}", page.text);
    let refresh = page.headers["refresh"].to_str().unwrap();
    assert!(refresh.starts_with(&format!("0; url={SPA_CALLBACK}?code=")), "{refresh}");
    let again = asked.browse(&asked.device, &next).await;
    assert!(again.text.contains("T-12"), "{}", again.text);
}

#[tokio::test]
async fn no_picture_script_or_frame_of_any_page_begins_anything() {
    let asked = SignInFixture::new().await;
    let session = asked.sign_in().await;
    for destination in ["image", "iframe", "script", "empty"] {
        for acr in ["urn:tegata:acr:device", "urn:tegata:acr:mfa"] {
            let answer = asked.authorize_within_a_page(destination, &[("acr_values", acr)]).await;
            assert_eq!(answer.status.as_u16(), 403, "{destination}");
            assert!(answer.text.contains("R-06"), "{}", answer.text);
        }
        let out = format!("/end-session?logout_hint={session}");
        assert_eq!(asked.ask_within_a_page(&out, destination).await.status.as_u16(), 403);
    }
    assert!(!asked.session_is_over(&session).await);
    let page = asked.authorize_within_a_page("document", &[]).await;
    code_of(&page);
}

#[tokio::test]
async fn a_request_is_kept_for_half_an_hour_however_often_somebody_comes_back() {
    let asked = SignInFixture::new().await;
    let mut answer = asked.authorize(&[]).await;
    for minute in [0, 14, 28, 31] {
        let location = answer.headers["location"].to_str().unwrap();
        let next = location.strip_prefix("/sign-in?next=").unwrap().split('&').next().unwrap();
        let next = next.replace("%2F", "/").replace("%3F", "?").replace("%3D", "=");
        let passed = if minute == 31 { 3 } else { minute.min(14) };
        asked.fixture.advance(passed * MINUTE).await;
        answer = asked.browse(&asked.device, &next).await;
        assert_eq!(answer.text.contains("T-12"), minute == 31, "minute {minute}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_product_that_wants_a_fresh_sign_in_gets_one() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    asked.fixture.advance(10 * MINUTE).await;
    let to_sign_in = |answer: &tegata_testkit::TestResponse| {
        let location = answer.headers["location"].to_str().unwrap();
        location.strip_prefix("/sign-in?next=").map(|rest| {
            let next = rest.split('&').next().unwrap();
            next.replace("%2F", "/").replace("%3F", "?").replace("%3D", "=")
        })
    };
    for wish in [("prompt", "login"), ("prompt", "select_account"), ("max_age", "0"), ("max_age", "300")] {
        let next = to_sign_in(&asked.authorize(&[wish]).await).unwrap_or_else(|| panic!("{wish:?}"));
        let again = to_sign_in(&asked.browse(&asked.device, &next).await);
        let next = again.unwrap_or_else(|| panic!("{wish:?}: back without having signed in"));
        asked.fixture.advance(Duration::from_secs(30)).await;
        asked.sign_in().await;
        let page = asked.browse(&asked.device, &next).await;
        assert!(page.headers.contains_key("refresh"), "{wish:?}: {}", page.text);
        asked.fixture.advance(10 * MINUTE).await;
    }
    code_of(&asked.authorize(&[("max_age", "3600")]).await);
    for (silent, error) in [(("max_age", "60"), "login_required"), (("max_age", "x"), "invalid_request")] {
        let answer = asked.authorize(&[silent, ("prompt", "none")]).await;
        assert_eq!(error_of(&answer, SPA_CALLBACK).0, error);
    }
}

#[tokio::test]
async fn a_provider_that_says_no_time_proves_nothing_that_is_recent() {
    let asked = SignInFixture::new().await;
    asked.sign_in_undated().await;
    let code = code_of(&asked.authorize(&[]).await);
    let first = asked.redeem(&asked.device, &code, &[]).await.json();
    let next = asked.refresh(&asked.device, &first["refresh_token"]).await.json();
    let id = claims(&asked.fixture, "JWT", &first["id_token"]);
    let mut told = vec![id];
    for answer in [&first, &next] {
        told.push(claims(&asked.fixture, ACCESS_TOKEN, &answer["access_token"]));
        told.push(asked.fixture.introspect(&asked.gate, answer["access_token"].as_str().unwrap()).await);
    }
    for claims in told {
        assert!(claims["sid"].is_string() && claims.get("auth_time").is_none(), "{claims}");
    }
    for wish in [("prompt", "login"), ("max_age", "0"), ("max_age", "3600")] {
        let sent = asked.authorize(&[wish]).await;
        let location = sent.headers["location"].to_str().unwrap();
        let next = location.strip_prefix("/sign-in?next=").and_then(|rest| rest.split('&').next());
        let next = tegata_core::encoding::percent_decoded(next.expect("a way to sign in")).unwrap();
        let next = String::from_utf8(next).unwrap();
        // As if the wish had been cut from the way to the provider, which then let the person in unasked.
        let again = asked.browse(&asked.device, &next).await;
        assert!(again.headers["location"].to_str().unwrap().starts_with("/sign-in?next="), "{wish:?}");
    }
    let silent = asked.authorize(&[("max_age", "3600"), ("prompt", "none")]).await;
    assert_eq!(error_of(&silent, SPA_CALLBACK).0, "login_required");
}

#[tokio::test]
async fn open_redirect_an_address_that_was_not_registered_gets_nothing() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    for address in [
        "",
        "https://evil.example/",
        "https://stock.example/app/callback/",
        "https://stock.example/app/callback?x=1",
        "https://stock.example/app/callback#x",
        "https://stock.example/app/../app/callback",
        "https://stock.example/app/%63allback",
        "https://STOCK.example/app/callback",
        "https://stock.example:443/app/callback",
        "https://stock.example@evil.example/app/callback",
        "https://user@stock.example/app/callback",
        "https://stock.example.evil.example/app/callback",
        "http://stock.example/app/callback",
        "https://stock.example/app/call",
        "javascript:alert(1)",
        "//stock.example/app/callback",
        GATE_CALLBACK,
        BACKEND_CALLBACK,
    ] {
        let answer = asked.authorize(&[("redirect_uri", address)]).await;
        assert!(!answer.headers.contains_key("location"), "{address}");
        assert!(answer.text.contains("T-11"), "{address}: {}", answer.text);
    }
    for name in ["", "nobody", "stock-SPA", asked.device.id.as_str(), &"x".repeat(300)] {
        let answer = asked.authorize(&[("client_id", name)]).await;
        assert!(!answer.headers.contains_key("location") && answer.text.contains("T-10"), "{name}");
    }
    for address in [
        "https://rezept.example/.tegata/callback/",
        "https://rezept.example/x/.tegata/callback",
        "https://rezept.example//.tegata/callback",
        "https://rezept.example@evil.example/.tegata/callback",
        "https://evil.example/.tegata/callback",
        "https://rezept.example:8443/.tegata/callback",
    ] {
        let answer = asked.authorize_for_gate(&[("redirect_uri", address)]).await;
        assert!(answer.text.contains("T-11"), "{address}: {}", answer.text);
    }
    let twice = asked.browse(&asked.device, "/authorize?client_id=a&client_id=b").await;
    assert!(twice.text.contains("R-01") && !twice.headers.contains_key("location"));
}

#[tokio::test]
async fn a_request_that_is_not_understood_is_told_to_its_client() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    for (name, value, error) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "openid stock.write", "invalid_scope"),
        ("scope", "roles", "invalid_scope"),
        ("resource", OTHER_PRODUCT, "invalid_target"),
        ("resource", "https://nowhere.example", "invalid_target"),
        ("prompt", "none login", "invalid_request"),
        ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
        ("claims", "[]", "invalid_request"),
    ] {
        let answer = asked.authorize(&[(name, value)]).await;
        let told = returned(&answer, SPA_CALLBACK);
        assert_eq!(parameter(&told, "error").as_deref(), Some(error), "{name}={value}: {told:?}");
        assert_eq!(parameter(&told, "state").as_deref(), Some("af0ifj&sldkj ü"));
        assert_eq!(parameter(&told, "iss").as_deref(), Some(PORTAL), "mix-up: whoever answers says so");
    }
}

#[tokio::test]
async fn a_code_works_once_and_whoever_replays_it_ends_what_came_of_it() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    let code = code_of(&asked.authorize(&[]).await);
    let first = asked.redeem(&asked.device, &code, &[]).await.json();
    let token = first["access_token"].as_str().unwrap();
    assert_eq!(asked.fixture.introspect(&asked.gate, token).await["active"], true);
    asked.redeem(&asked.device, &code, &[]).await.is_error(400, "invalid_grant", "T-06");
    assert_eq!(asked.fixture.introspect(&asked.gate, token).await, json!({"active": false}));
    asked.refresh(&asked.device, &first["refresh_token"]).await.is_error(400, "invalid_grant", "T-01");

    let code = code_of(&asked.authorize(&[]).await);
    let all = (0..6).map(|_| asked.redeem(&asked.device, &code, &[]));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|answer| answer.status.as_u16() == 200).count(), 1, "at the same time");
}

#[tokio::test]
async fn a_code_shown_with_another_verifier_or_address_is_used_up() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    let other = "x".repeat(43);
    for (wrong, error, code) in [
        (("code_verifier", other.as_str()), "invalid_grant", "T-06"),
        (("code_verifier", "short"), "invalid_grant", "T-06"),
        (("redirect_uri", "https://stock.example/app/other"), "invalid_grant", "T-06"),
        (("redirect_uri", ""), "invalid_grant", "T-06"),
    ] {
        let own = code_of(&asked.authorize(&[]).await);
        asked.redeem(&asked.device, &own, &[wrong]).await.is_error(400, error, code);
        asked.redeem(&asked.device, &own, &[]).await.is_error(400, "invalid_grant", "T-06");
    }
    let own = code_of(&asked.authorize(&[]).await);
    asked.redeem(&asked.device, &own, &[("code_verifier", "")]).await.is_error(
        400,
        "invalid_request",
        "R-01",
    );
    let other = asked.redeem(&asked.device, &own, &[("resource", OTHER_PRODUCT)]).await;
    other.is_error(400, "invalid_target", "R-01");
    assert_eq!(asked.redeem(&asked.device, &own, &[]).await.status.as_u16(), 200, "neither used it up");
}

#[tokio::test]
async fn a_code_of_another_device_or_client_or_time_is_worth_nothing() {
    let asked = SignInFixture::new().await;
    asked.sign_in().await;
    let other = asked.fixture.enroll(Role::Device).await;
    let code = code_of(&asked.authorize(&[]).await);
    asked.redeem(&other, &code, &[]).await.is_error(400, "invalid_grant", "T-06");
    let gate = asked.gate.id.to_string();
    let by_gate = [("client_id", gate.as_str()), ("redirect_uri", SPA_CALLBACK)];
    let by_gate = asked.redeem_as(&asked.gate.certificate, &code, &by_gate).await;
    by_gate.is_error(400, "invalid_grant", "T-06");
    let by_backend = [("client_id", BACKEND), ("redirect_uri", SPA_CALLBACK)];
    asked.redeem_as(&asked.backend, &code, &by_backend).await.is_error(400, "invalid_grant", "T-06");
    let by_device = [("client_id", asked.device.id.as_str()), ("redirect_uri", SPA_CALLBACK)];
    let by_device = asked.redeem_as(&asked.device.certificate, &code, &by_device).await;
    by_device.is_error(400, "invalid_grant", "T-06");
    assert_eq!(asked.redeem(&asked.device, &code, &[]).await.status.as_u16(), 200, "none of them used it up");

    let late = code_of(&asked.authorize(&[]).await);
    asked.fixture.advance(MINUTE).await;
    asked.redeem(&asked.device, &late, &[]).await.is_error(400, "invalid_grant", "T-06");
    for nothing in ["", "x", &"0".repeat(32)] {
        assert_eq!(asked.redeem(&asked.device, nothing, &[]).await.status.as_u16(), 400);
    }
    let session = asked.sign_in().await;
    let code = code_of(&asked.authorize(&[]).await);
    asked.sign_out(&session).await;
    asked.redeem(&asked.device, &code, &[]).await.is_error(400, "invalid_grant", "T-06");
}

#[tokio::test]
async fn whatever_came_from_a_session_ends_with_it() {
    let asked = SignInFixture::new().await;
    let (session, answer) = asked.signed_in().await;
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(asked.fixture.introspect(&asked.gate, token).await["active"], true);
    asked.sign_out(&session).await;
    assert_eq!(asked.fixture.introspect(&asked.gate, token).await, json!({"active": false}));
    assert!(
        asked.fixture.context.status.token_denied(session.as_str()),
        "gates hear of the session by its name"
    );
    asked.refresh(&asked.device, &answer["refresh_token"]).await.is_error(400, "invalid_grant", "T-01");

    let (_, answer) = asked.signed_in().await;
    asked.fixture.act(&asked.device, DeviceAction::Suspend).await;
    asked.fixture.act(&asked.device, DeviceAction::Resume).await;
    let state =
        asked.fixture.context.ledger.everything().device(&asked.device.id).await.unwrap().unwrap().state;
    assert_eq!(state, DeviceState::Active);
    asked.refresh(&asked.device, &answer["refresh_token"]).await.is_error(400, "invalid_grant", "T-01");
}

#[tokio::test]
async fn a_refresh_is_a_use_of_the_session_and_idleness_ends_both() {
    let asked = SignInFixture::new().await;
    let (_, mut answer) = asked.signed_in().await;
    for _ in 0..3 {
        asked.fixture.advance(14 * MINUTE).await;
        let next = asked.refresh(&asked.device, &answer["refresh_token"]).await;
        assert_eq!(next.status.as_u16(), 200, "{}", next.text);
        answer = next.json();
    }
    code_of(&asked.authorize(&[("prompt", "none")]).await);
    asked.fixture.advance(15 * MINUTE).await;
    asked.refresh(&asked.device, &answer["refresh_token"]).await.is_error(400, "invalid_grant", "T-01");
    assert_eq!(error_of(&asked.authorize(&[("prompt", "none")]).await, SPA_CALLBACK).0, "login_required");
}

#[tokio::test]
async fn a_page_on_another_device_neither_sees_nor_ends_what_is_somebody_else_s() {
    let asked = SignInFixture::new().await;
    let (_, answer) = asked.signed_in().await;
    let other = asked.fixture.enroll(Role::Device).await;
    let token = answer["access_token"].as_str().unwrap();
    let about = async |path: &str, token: &str| {
        let body = format!("client_id={SPA}&token={token}");
        asked.fixture.post(path, Some(&other.certificate), body).await
    };
    assert_eq!(about("/oauth/introspect", token).await.json(), json!({"active": false}));
    about("/oauth/revoke", token).await.is_error(400, "unauthorized_client", "G-04");
    let value = answer["refresh_token"].as_str().unwrap();
    about("/oauth/revoke", value).await.is_error(400, "unauthorized_client", "G-04");
    asked.refresh(&other, &answer["refresh_token"]).await.is_error(400, "invalid_grant", "T-01");
    let next = asked.refresh(&asked.device, &answer["refresh_token"]).await;
    assert_eq!(next.status.as_u16(), 200, "{}", next.text);
}
