//! Attacks on browsers, each by its name.

use super::fixture::{PASSWORD, TestCompany, form, form_token, goes_to, shows};
use crate::cookie::{BrowserSecret, CookieName};
use crate::{device_routes, portal_routes};
use axum::body::Body;
use http::header::{ORIGIN, SET_COOKIE};
use http::{Method, Request, StatusCode};
use std::time::Duration;
use tegata_testkit::{DEVICE, send};
use tegata_web::ListenerRules;

#[tokio::test]
async fn csrf_by_token_a_form_of_another_browser_changes_nothing() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let (browser, attacker) = (company.browser().await, company.browser().await);
    let digits = company.digits(&person.code, 1).await;
    let foreign = form_token(&attacker.go("/sign-in").await);
    browser.go("/sign-in").await;
    for token in ["", "x", &foreign] {
        let fields =
            [("form_token", token), ("login", "tanaka"), ("password", PASSWORD), ("code", &digits[..])];
        assert!(shows(&browser.post("/sign-in", &fields).await, "U-05"));
    }
    browser.sign_in("tanaka", PASSWORD, &digits).await;
    let session = browser.session().unwrap();
    for path in [
        "/account/sign-out",
        "/account/sessions/end-others",
        "/account/password",
        "/account/app",
        "/account/recovery-codes",
        "/account/passkeys/new",
        "/account/passkeys",
    ] {
        for token in ["", &foreign] {
            assert_eq!(browser.post(path, &[("form_token", token)]).await.json()["code"], "U-05", "{path}");
        }
    }
    assert!(browser.go("/account").await.status == StatusCode::OK && browser.session() == Some(session));
}

#[tokio::test]
async fn csrf_by_origin_a_page_of_another_site_is_refused() {
    let company = TestCompany::new().await;
    let router = || {
        let rules = ListenerRules { origins: vec![DEVICE.into()], ..ListenerRules::default() };
        rules.around(device_routes(company.service.clone()))
    };
    for path in [
        "/sign-in",
        "/account/sign-out",
        "/account/sessions/end",
        "/account/sessions/end-others",
        "/account/password",
        "/account/app",
        "/account/recovery-codes",
        "/account/passkeys/new",
        "/account/passkeys",
        "/account/passkeys/remove",
    ] {
        for (origin, site) in
            [("https://evil.example", "cross-site"), ("null", "cross-site"), (DEVICE, "cross-site")]
        {
            let mut request = form(path, &[("form_token", "x")]);
            request.headers_mut().insert(ORIGIN, origin.parse().unwrap());
            request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
            assert_eq!(router().answer(request).await.status(), StatusCode::FORBIDDEN, "{path} {origin}");
        }
        let changed = Request::builder().method(Method::GET).uri(path).body(Body::empty()).unwrap();
        let looked = router().answer(changed).await.status();
        let is_page = ["/sign-in", "/account/password", "/account/app", "/account/recovery-codes"]
            .contains(&path)
            || path == "/account/passkeys/new";
        assert!(is_page || looked == StatusCode::METHOD_NOT_ALLOWED, "nothing is changed by GET {path}");
    }
}

#[tokio::test]
async fn fixation_a_session_that_was_planted_is_never_signed_in_to() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let planted = BrowserSecret::random(company.installation.context.entropy.as_ref());
    let value =
        planted.given(CookieName::Session).to_str().unwrap().split([';', '=']).nth(1).unwrap().to_owned();
    browser.cookies.borrow_mut().insert("__Host-tegata-session".into(), value.clone());
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    let first = browser.session().unwrap();
    assert_ne!(first, value);
    company.installation.advance(Duration::from_mins(1)).await;
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 0).await).await;
    assert_ne!(browser.session().unwrap(), first, "each sign-in has a token of its own");
    let old = company.browser_on(browser.device.clone());
    for cookie in [value, first] {
        old.cookies.borrow_mut().insert("__Host-tegata-session".into(), cookie);
        assert_eq!(goes_to(&old.go("/account").await), "/sign-in?lang=ja");
    }
}

#[tokio::test]
async fn clickjacking_no_page_can_be_framed_or_kept() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let sign_in = browser.go("/sign-in").await;
    browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    let (_, code) = company.add("sato").await;
    let portal = || portal_routes(company.service.clone());
    let setup = send(portal(), None, form("/setup", &[("code", code.reveal())])).await;
    let asked = send(portal(), None, Request::get("/setup").body(Body::empty()).unwrap()).await;
    let mut pages = vec![sign_in, setup, asked];
    for path in
        ["/account", "/account/password", "/account/app", "/account/recovery-codes", "/account/passkeys/new"]
    {
        pages.push(browser.go(path).await);
    }
    for page in pages {
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"),
            "{policy}"
        );
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert_eq!(page.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn open_redirect_a_sign_in_goes_on_within_this_host_alone() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let mut steps = 0;
    for (next, leads_to) in [
        ("/authorize?a=b", "/authorize?a=b&lang=ja"),
        ("https://evil.example/", "/account?lang=ja"),
        ("//evil.example", "/account?lang=ja"),
        ("/\\evil.example", "/account?lang=ja"),
    ] {
        company.installation.advance(Duration::from_mins(1)).await;
        steps += 1;
        let digits = company.digits(&person.code, 0).await;
        let token = form_token(&browser.go("/sign-in").await);
        let fields = [
            ("form_token", &token[..]),
            ("login", "tanaka"),
            ("password", PASSWORD),
            ("code", &digits),
            ("next", next),
        ];
        assert_eq!(goes_to(&browser.post("/sign-in", &fields).await), leads_to, "{steps}");
    }
    let page = browser.go("/sign-in?next=https%3A%2F%2Fevil.example").await;
    assert!(!page.text.contains("evil"));
}

#[tokio::test]
async fn host_cookies_no_other_host_and_no_script_has_them() {
    let company = TestCompany::new().await;
    let person = company.set_up("tanaka").await;
    let browser = company.browser().await;
    let page = browser.go("/sign-in").await;
    let entered = browser.sign_in("tanaka", PASSWORD, &company.digits(&person.code, 1).await).await;
    for cookie in page.headers.get_all(SET_COOKIE).iter().chain(entered.headers.get_all(SET_COOKIE)) {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-tegata-") && !cookie.contains("Domain"), "{cookie}");
        for attribute in ["; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
    }
}
