//! Browsers at a product: sign-in, session, end.
#![allow(clippy::unwrap_used)]

mod support;

use http::Method;
use rcgen::date_time_ymd;
use serde_json::{Value, json};
use std::time::Duration;
use support::browser::{DeviceBrowser, FETCH, NAVIGATION};
use support::client::ClientAnswer;
use support::provider::{Asked, PERSON};
use support::raw::Raw;
use support::sessioned::{self, SOON, SessionedProduct};
use support::{device, within};
use tegata_core::encoding::from_base64url;
use tegata_core::feed::{Change, Denial, TokenHolder, TokensBefore};
use tegata_core::{Clock, Timestamp};
use tegata_gate::session::{RequiredSignIn, SessionConfig, SessionLimits};
use tokio::time::Instant;

/// The code of a refusal, which no product has seen.
fn code(answer: &ClientAnswer) -> (u16, &str) {
    assert!(!answer.body.contains("tegata-device"), "{}", answer.body);
    (answer.status.as_u16(), answer.header("tegata-refusal"))
}

#[tokio::test]
async fn a_browser_signs_in_and_comes_back_to_the_very_page_it_asked_for() {
    let built = SessionedProduct::build().await;
    let mut browser = built.browser(&built.device).await;
    let page = "/orders/7?page=2&q=%E8%96%AC";
    let done = built.sign_in(&mut browser, page).await;
    assert_eq!(done.status.as_u16(), 303);
    assert_eq!(done.header("location"), format!("https://localhost{page}"));
    assert_eq!(browser.cookies.len(), 1, "of the sign-in nothing is left");
    assert_eq!(done.header("referrer-policy"), "no-referrer", "the code goes nowhere else");

    browser.cookies.insert("lang".into(), "ja".into());
    let shown = browser.open(page).await;
    assert_eq!(shown.status.as_u16(), 200);
    let has = |line: &str| shown.body.lines().any(|found| found == line);
    assert!(
        has(&format!("GET {page}")) && has("cookie: lang=ja"),
        "the gate's cookie stays here: {}",
        shown.body
    );
    assert!(has(&format!("tegata-device: {}", device())) && has(&format!("tegata-subject: {PERSON}")));
    let claims = assertion_in(&shown.body);
    assert_eq!((&claims["sub"], &claims["aud"]), (&PERSON.into(), &sessioned::PRODUCT.into()));
    assert_eq!(
        (&claims["acr"], &claims["amr"]),
        (&"urn:tegata:acr:mfa".into(), &json!(["pwd", "otp", "hwk"]))
    );
    assert!(claims["auth_time"].is_number(), "{claims}");
}

/// What the gate has told the product, which shows it.
fn assertion_in(page: &str) -> Value {
    let assertion = page.lines().find_map(|line| line.strip_prefix("tegata-assertion: ")).unwrap();
    let payload = from_base64url(assertion.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test]
async fn a_product_that_asks_for_the_device_alone_gets_the_device() {
    let built = SessionedProduct::asking_for(RequiredSignIn::Device).await;
    let mut browser = built.browser(&built.device).await;
    let asked = browser.open("/").await;
    let asked = Asked::of(asked.header("location"));
    assert_eq!(asked.get("acr_values"), "urn:tegata:acr:device");
    let back = built.platform.grant(&asked, &device(), built.device.thumbprint());
    assert_eq!(browser.open(&back).await.status.as_u16(), 303);
    let shown = browser.fetch("/api").await;
    assert!(shown.body.contains(&format!("tegata-subject: device:{}", device())), "{}", shown.body);
}

#[tokio::test]
async fn a_person_is_not_taken_for_a_device_nor_a_device_for_a_person() {
    let person = SessionedProduct::build().await;
    let mut browser = person.browser(&person.device).await;
    let back = person.way_back(&mut browser, "/").await;
    person.platform.facts().provider.lies = json!({"sub": format!("device:{}", device())});
    assert_eq!(code(&browser.open(&back).await), (503, "G-26"));

    let alone = SessionedProduct::asking_for(RequiredSignIn::Device).await;
    let mut browser = alone.browser(&alone.device).await;
    let back = alone.way_back(&mut browser, "/").await;
    alone.platform.facts().provider.lies = json!({"sub": PERSON});
    assert_eq!(code(&browser.open(&back).await), (503, "G-26"));
}

#[tokio::test]
async fn a_program_without_a_session_reads_a_code_and_is_led_nowhere() {
    let built = SessionedProduct::build().await;
    let mut browser = built.browser(&built.device).await;
    let fetched = browser.fetch("/api/orders").await;
    assert_eq!(code(&fetched), (401, "G-20"));
    assert_eq!(fetched.header("content-type"), "application/problem+json");
    assert_eq!((fetched.header("www-authenticate"), fetched.header("location")), ("Bearer", ""));
    let posted = browser.send(Method::POST, "/orders", &NAVIGATION).await;
    assert_eq!(code(&posted), (401, "G-20"), "a form that was filled in is not lost in a redirect");
    let mut framed = NAVIGATION.to_vec();
    framed[2] = ("sec-fetch-dest", "iframe");
    assert_eq!(code(&browser.send(Method::GET, "/", &framed).await), (401, "G-20"));
    assert!(browser.cookies.is_empty());
    assert_eq!(built.product.asked(), 0);
}

#[tokio::test]
async fn whoever_has_no_certificate_or_a_strange_one_is_not_sent_to_the_sign_in() {
    let built = SessionedProduct::build().await;
    let mut nobody = DeviceBrowser::new(built.client(None).await);
    assert_eq!(code(&nobody.open("/").await), (401, "C-01"));
    let stranger = support::Authority::new().device(&device());
    assert_eq!(code(&built.browser(&stranger).await.open("/").await), (401, "C-02"));
    let gate = built.platform.authority.client();
    assert_eq!(code(&built.browser(&gate).await.open("/").await), (403, "C-09"));
    let old = built.platform.authority.device_with(&device(), |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    assert_eq!(code(&built.browser(&old).await.open("/").await), (401, "C-04"));
    built.platform.happen(Change::DeviceDenied { device: device(), reason: Denial::Revoked });
    within(SOON, built.gate.changes().wait_for(|seq| *seq == Some(1))).await.unwrap();
    assert_eq!(code(&built.browser(&built.device).await.open("/").await), (401, "C-06"));
}

#[tokio::test]
async fn session_fixation_a_planted_session_is_of_no_use() {
    let built = SessionedProduct::build().await;
    let (other, party) = built.another_device();
    // The attacker's own session, of the attacker's device.
    let mut attacker = built.browser(&party).await;
    let asked = Asked::of(attacker.open("/").await.header("location"));
    let back = built.platform.grant(&asked, &other, party.thumbprint());
    attacker.open(&back).await;
    assert_eq!(attacker.fetch("/").await.status.as_u16(), 200);

    let mut victim = built.browser(&built.device).await;
    victim.cookies.clone_from(&attacker.cookies);
    assert_eq!(code(&victim.fetch("/").await), (401, "G-23"));
    let planted = victim.session().to_owned();
    built.sign_in(&mut victim, "/").await;
    assert_ne!(victim.session(), planted, "a sign-in makes a session of its own");
    assert_eq!(victim.fetch("/").await.status.as_u16(), 200);
}

#[tokio::test]
async fn login_csrf_a_foreign_callback_in_the_victims_browser_is_refused() {
    let built = SessionedProduct::build().await;
    let mut attacker = built.browser(&built.device).await;
    let back = built.way_back(&mut attacker, "/").await;
    let mut victim = built.browser(&built.device).await;
    assert_eq!(code(&victim.open(&back).await), (400, "G-24"), "the victim has begun nothing");
    victim.open("/").await;
    assert_eq!(code(&victim.open(&back).await), (400, "G-24"), "nor this");
    assert!(!victim.has_session());
    assert_eq!(built.platform.facts().provider.exchanges, 0, "the platform is not even asked");
}

#[tokio::test]
async fn a_sign_in_carried_to_another_device_is_refused() {
    let built = SessionedProduct::build().await;
    let (_, party) = built.another_device();
    let mut here = built.browser(&built.device).await;
    let back = built.way_back(&mut here, "/").await;
    let mut there = built.browser(&party).await;
    there.cookies.clone_from(&here.cookies);
    assert_eq!(code(&there.open(&back).await), (401, "G-23"));
    // Whoever has both, cookies and answer, on a device that began the sign-in with the answer of another device.
    let mut there = built.browser(&party).await;
    let back = built.way_back(&mut there, "/").await;
    assert_eq!(code(&there.open(&back).await), (401, "G-23"));
    assert!(!there.has_session());
}

#[tokio::test]
async fn a_replayed_callback_is_refused() {
    let built = SessionedProduct::build().await;
    let mut browser = built.browser(&built.device).await;
    let back = built.way_back(&mut browser, "/").await;
    let before = browser.cookies.clone();
    browser.open(&back).await;
    assert_eq!(code(&browser.open(&back).await), (400, "G-24"), "the browser has forgotten the sign-in");
    browser.cookies = before;
    assert_eq!(code(&browser.open(&back).await), (400, "G-24"), "and the platform the code");
    assert!(!browser.has_session());
}

#[tokio::test]
async fn a_cookie_moved_to_another_device_is_refused() {
    let built = SessionedProduct::build().await;
    let signed_in = built.signed_in().await;
    let mut thief = built.browser(&built.another_device().1).await;
    thief.cookies.clone_from(&signed_in.cookies);
    assert_eq!(code(&thief.fetch("/").await), (401, "G-23"));
    assert_eq!(thief.open("/").await.status.as_u16(), 303, "a person signs in there");
    let mut nobody = DeviceBrowser::new(built.client(None).await);
    nobody.cookies.clone_from(&signed_in.cookies);
    assert_eq!(code(&nobody.open("/").await), (401, "C-01"));
}

#[tokio::test]
async fn a_tampered_cookie_is_refused() {
    let built = SessionedProduct::build().await;
    let mut browser = built.signed_in().await;
    let whole = browser.session().to_owned();
    let mut wrong: Vec<String> = (0..whole.len()).step_by(7).map(|place| flipped(&whole, place)).collect();
    wrong.extend([String::new(), whole[..whole.len() - 2].into(), format!("{whole}AA"), "x".repeat(5000)]);
    for tampered in wrong {
        browser.cookies.insert("__Host-tegata-session".into(), tampered.clone());
        assert_eq!(code(&browser.fetch("/").await), (401, "G-21"), "{tampered}");
    }
    let twice = format!("__Host-tegata-session={whole}; __Host-tegata-session={whole}");
    let mut headers = FETCH.to_vec();
    headers.push(("cookie", &twice));
    browser.cookies.clear();
    assert_eq!(code(&browser.send(Method::GET, "/", &headers).await), (401, "G-20"), "no browser has two");
}

fn flipped(text: &str, place: usize) -> String {
    let other = if &text[place..=place] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..place], &text[place + 1..])
}

#[tokio::test]
async fn a_cookie_of_a_sign_in_is_no_session() {
    let built = SessionedProduct::build().await;
    let mut browser = built.browser(&built.device).await;
    browser.open("/").await;
    let (_, under_way) = browser.cookies.pop_first().unwrap();
    browser.cookies.insert("__Host-tegata-session".into(), under_way);
    assert_eq!(code(&browser.fetch("/").await), (401, "G-21"));
}

#[tokio::test]
async fn an_oversized_or_malformed_callback_is_refused() {
    let built = SessionedProduct::build().await;
    let mut browser = built.browser(&built.device).await;
    let back = built.way_back(&mut browser, "/").await;
    let (path, query) = back.split_once('?').unwrap();
    let without = |name: &str| {
        let left: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(name)).collect();
        left.join("&")
    };
    let state = Asked::of(&back).get("state").to_owned();
    for wrong in [
        String::new(),
        "=&=".into(),
        without("state="),
        without("iss="),
        without("code="),
        format!("{query}&code=2"),
        format!("{query}&state={state}"),
        format!("{query}&error=access_denied"),
        format!("{}&state={}", without("state="), "A".repeat(22)),
        format!("{}&state={}", without("state="), "A".repeat(3000)),
        format!("{}&state={state}{state}", without("state=")),
        format!("{}&state={}", without("state="), &state[..8]),
        format!("{}&code={}", without("code="), "c".repeat(2049)),
        format!("{}&iss=https%3A%2F%2Fevil.example", without("iss=")),
        format!("{query}&x={}", "x".repeat(5000)),
    ] {
        let mut browser = built.browser(&built.device).await;
        let back = built.way_back(&mut browser, "/").await;
        let wrong = wrong.replace(&state, Asked::of(&back).get("state"));
        assert_eq!(code(&browser.open(&format!("{path}?{wrong}")).await), (400, "G-24"), "{wrong:.60}");
        assert!(!browser.has_session());
    }
    assert_eq!(built.platform.facts().provider.exchanges, 0);
}

#[tokio::test]
async fn open_redirect_nobody_is_sent_to_a_foreign_host() {
    let built = SessionedProduct::build().await;
    let mut browser = built.browser(&built.device).await;
    for page in [
        "//evil.example/",
        "/\\evil.example",
        "/%2f%2fevil.example",
        "/.tegata/callback?x=1",
        "/@evil.example",
    ] {
        let asked = browser.open(page).await;
        if asked.status.as_u16() != 303 {
            // One of the gate's own.
            continue;
        }
        assert!(asked.header("location").starts_with(&built.platform.issuer), "{page}");
        let back =
            built.platform.grant(&Asked::of(asked.header("location")), &device(), built.device.thumbprint());
        let done = browser.open(&back).await;
        let location: http::Uri = done.header("location").parse().unwrap();
        assert_eq!(location.scheme_str(), Some("https"), "{page}");
        assert_eq!(location.authority().map(http::uri::Authority::as_str), Some("localhost"), "{page}");
        browser.cookies.clear();
    }
    let long = format!("/?q={}", "x".repeat(4000));
    let done = built.sign_in(&mut browser, &long).await;
    assert_eq!(done.header("location"), "https://localhost/", "too long to be kept: the front page");
}

#[tokio::test]
async fn csrf_a_page_of_a_sibling_host_changes_nothing_by_the_session() {
    let built = SessionedProduct::build().await;
    let mut browser = built.signed_in().await;
    let send = async |browser: &mut DeviceBrowser, headers: &[(&str, &str)]| {
        let answer = browser.send(Method::POST, "/orders", headers).await;
        (answer.status.as_u16(), answer.header("tegata-refusal").to_owned())
    };
    let refused = (403, "R-06".to_owned());
    let evil = ("origin", "https://evil.localhost");
    assert_eq!(send(&mut browser, &[("sec-fetch-site", "same-site"), evil]).await, refused);
    assert_eq!(send(&mut browser, &[("sec-fetch-site", "cross-site")]).await, refused);
    assert_eq!(send(&mut browser, &[evil]).await, refused);
    assert_eq!(send(&mut browser, &[("origin", "null")]).await, refused);
    assert_eq!(send(&mut browser, &[("origin", "https://localhost")]).await.0, 200);
    assert_eq!(send(&mut browser, &[("sec-fetch-site", "same-origin"), ("origin", "null")]).await.0, 200);

    let cookies = browser.cookie_header();
    let mut raw = built.raw().await;
    raw.say(&format!(
        "GET /socket HTTP/1.1\r\nhost: localhost\r\ncookie: {cookies}\r\norigin: https://evil.localhost\r\nconnection: \
         Upgrade\r\nupgrade: websocket\r\n\r\n"
    ))
    .await;
    assert!(raw.until("\r\n\r\n").await.starts_with("HTTP/1.1 403"), "a WebSocket is not hijacked");
}

#[tokio::test]
async fn a_renewed_certificate_of_the_device_keeps_the_session() {
    let built = SessionedProduct::build().await;
    let mut browser = built.signed_in().await;
    let ending = built.platform.authority.device_with(&device(), |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 20), date_time_ymd(2027, 1, 20));
    });
    browser = browser.reconnected(built.client(Some(&ending)).await);
    let told = browser.fetch("/").await;
    assert!(told.body.contains("tegata-renewal-due: 2027-01-20T00:00:00Z\n"), "{}", told.body);
    let renewed = built.platform.authority.device(&device());
    assert_ne!(renewed.thumbprint(), built.device.thumbprint());
    browser = browser.reconnected(built.client(Some(&renewed)).await);
    let told = browser.fetch("/").await;
    assert_eq!((told.status.as_u16(), told.body.contains("tegata-renewal-due")), (200, false));
    let until = built.platform.clock.now().plus(Duration::from_hours(1));
    let old = built.device.thumbprint();
    let change = Change::CertificateDenied { thumbprint: old, reason: Denial::Retired, until };
    built.platform.happen(change);
    within(SOON, built.gate.changes().wait_for(|seq| *seq == Some(1))).await.unwrap();
    assert_eq!(browser.fetch("/").await.status.as_u16(), 200);
    browser = browser.reconnected(built.client(Some(&built.device)).await);
    assert_eq!(code(&browser.fetch("/").await), (401, "C-08"), "the old one is over");
}

#[tokio::test]
async fn whatever_stops_the_device_or_the_person_ends_a_session_within_a_second() {
    let later = Timestamp::from_seconds(i64::from(u32::MAX));
    let signed_out = |of| Change::TokensDenied(TokensBefore { of, issued_before: later, until: later });
    for (change, expected) in [
        (Change::DeviceDenied { device: device(), reason: Denial::Revoked }, "C-06"),
        (Change::TenantDenied { tenant: support::tenant(), reason: Denial::Suspended }, "C-07"),
        (Change::TokenDenied { jti: "session-0123456789".into(), until: later }, "G-22"),
        (signed_out(TokenHolder::Device(device())), "G-22"),
        (signed_out(TokenHolder::Tenant(support::tenant())), "G-22"),
    ] {
        let built = SessionedProduct::build().await;
        let mut browser = built.signed_in().await;
        let cookies = browser.cookie_header();
        let (mut socket, mut stream) = (built.raw().await, built.raw().await);
        let head = |line: &str| format!("{line} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookies}\r\n");
        let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\n\r\n";
        socket.say(&(head("GET /socket") + upgrade)).await;
        assert!(socket.until("\r\n\r\n").await.starts_with("HTTP/1.1 101"));
        stream.say(&(head("GET /drip") + "\r\n")).await;
        stream.until("drop").await;
        built.platform.happen(change.clone());
        within(SOON, socket.end()).await;
        within(SOON, stream.end()).await;
        browser = browser.reconnected(built.client(Some(&built.device)).await);
        assert_eq!(code(&browser.fetch("/").await), (401, expected), "{change:?}");
    }
}

#[tokio::test]
async fn a_session_ends_when_nobody_uses_it_and_after_twelve_hours() {
    let built = SessionedProduct::build().await;
    let mut browser = built.signed_in().await;
    let first = browser.session().to_owned();
    assert_eq!(browser.fetch("/").await.header("set-cookie"), "", "not with every request");
    for _ in 0..3 {
        built.later(14 * 60).await;
        assert_eq!(browser.fetch("/").await.status.as_u16(), 200);
    }
    assert_ne!(browser.session(), first, "a use was written down");
    built.later(15 * 60).await;
    assert_eq!(code(&browser.fetch("/").await), (401, "G-22"));
    assert_eq!(browser.open("/").await.status.as_u16(), 303);

    let mut browser = built.signed_in().await;
    for _ in 0..51 {
        built.later(14 * 60).await;
        assert_eq!(browser.fetch("/").await.status.as_u16(), 200);
    }
    built.later(5 * 60).await;
    assert_eq!(code(&browser.fetch("/").await), (401, "G-22"), "twelve hours after the sign-in");
}

#[tokio::test]
async fn downloads_and_sockets_end_with_the_session_that_opened_them() {
    let built = SessionedProduct::build().await;
    let browser = built.signed_in().await;
    let long = sessioned::config(RequiredSignIn::Person, built.platform.authority.roots(), sessioned::KEYS);
    let limits = SessionLimits { idle: Duration::from_secs(3), ..SessionLimits::default() };
    let port = built.front(sessioned::sessions_with(&built.gate, SessionConfig { limits, ..long })).await;
    let tls = || support::client::tls(built.platform.authority.roots(), Some(&built.device));
    let (mut socket, mut stream) = (Raw::secure(port, tls()).await, Raw::secure(port, tls()).await);
    let cookies = browser.cookie_header();
    let head = |line: &str| format!("{line} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookies}\r\n");
    let begun = Instant::now();
    socket.say(&(head("GET /socket") + "connection: Upgrade\r\nupgrade: websocket\r\n\r\n")).await;
    assert!(socket.until("\r\n\r\n").await.starts_with("HTTP/1.1 101"));
    stream.say(&(head("GET /drip") + "\r\n")).await;
    stream.until("drop").await;
    let end = Duration::from_secs(6);
    let ended = within(end, async { tokio::join!(socket.end(), stream.end()) });
    ended.await;
    assert!(begun.elapsed() > SOON, "and not before");
    let mut browser = browser.reconnected(support::client::TestClient::secure(port, tls()).await.0);
    assert_eq!(code(&browser.fetch("/").await), (401, "G-22"));
}

#[tokio::test]
async fn whoever_hangs_up_while_the_platform_is_asked_holds_up_nobody() {
    let built = SessionedProduct::build().await;
    built.platform.facts().provider.metadata_after = Duration::from_millis(600);
    let mut hasty = built.raw().await;
    hasty.say("GET / HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(hasty);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut browser = built.browser(&built.device).await;
    assert_eq!(browser.open("/").await.status.as_u16(), 303);
    assert_eq!(built.platform.facts().provider.metadata_asked, 1, "its question was answered all the same");
}

#[tokio::test]
async fn a_device_cannot_have_the_gate_ask_without_end_by_made_up_codes() {
    let built = SessionedProduct::build().await;
    let mut browser = built.browser(&built.device).await;
    let back = built.way_back(&mut browser, "/").await;
    let (begun, made_up) = (browser.cookies.clone(), back.replace("code=code-", "code=made-up-"));
    let mut answers = Vec::new();
    for _ in 0..24 {
        browser.cookies.clone_from(&begun);
        answers.push(browser.open(&made_up).await);
    }
    assert_eq!(code(&answers[0]), (400, "G-24"));
    assert_eq!(code(&answers[23]), (503, "S-01"));
    assert_eq!(built.platform.facts().provider.asked, 20);
    let (other, party) = built.another_device();
    let mut there = built.browser(&party).await;
    let asked = Asked::of(there.open("/").await.header("location"));
    let back = built.platform.grant(&asked, &other, party.thumbprint());
    assert_eq!(there.open(&back).await.status.as_u16(), 303, "others notice nothing");
}

#[tokio::test]
async fn a_bearer_token_beside_the_cookie_counts_alone() {
    let built = SessionedProduct::build().await;
    let mut browser = built.signed_in().await;
    let token = built.platform.token(&device(), built.device.thumbprint());
    let bearer = format!("Bearer {token}");
    let shown = browser.send(Method::GET, "/", &[("authorization", &bearer)]).await;
    assert!(shown.body.contains(&format!("tegata-subject: device:{}", device())), "{}", shown.body);
    assert!(!shown.body.contains("__Host-tegata"), "the cookie goes no further here either");
    let wrong = browser.send(Method::GET, "/", &[("authorization", "Bearer wrong")]).await;
    assert_eq!(code(&wrong), (401, "G-03"), "the cookie makes up for nothing");
    let other = browser.send(Method::GET, "/", &[("authorization", "Basic YTpi")]).await;
    assert_eq!(code(&other), (401, "G-02"));
    let asked = browser.send(Method::GET, "/?access_token=x", &NAVIGATION).await;
    assert_eq!(code(&asked), (401, "G-13"));
}

#[tokio::test]
async fn several_tabs_sign_in_at_once_and_cookies_do_not_pile_up() {
    let built = SessionedProduct::build().await;
    let mut browser = built.browser(&built.device).await;
    let one = built.way_back(&mut browser, "/one").await;
    let two = built.way_back(&mut browser, "/two").await;
    assert_eq!(browser.open(&two).await.header("location"), "https://localhost/two");
    assert_eq!(browser.open(&one).await.header("location"), "https://localhost/one");
    browser.cookies.clear();
    let first = built.way_back(&mut browser, "/first").await;
    for _ in 0..20 {
        built.later(1).await;
        browser.open("/").await;
        assert!(browser.cookies.len() <= 6, "{}", browser.cookies.len());
    }
    for _ in 0..5 {
        built.way_back(&mut browser, &format!("/?q={}", "x".repeat(2000))).await;
        assert!(browser.cookie_header().len() < 6 * 1024, "{}", browser.cookie_header().len());
    }
    assert_eq!(code(&browser.open(&first).await), (400, "G-24"), "the oldest gave way");
    browser.cookies.insert("__Host-tegata-sign-in-garbage1".into(), "garbage".into());
    let last = built.way_back(&mut browser, "/last").await;
    assert!(!browser.cookies.contains_key("__Host-tegata-sign-in-garbage1"));
    built.later(11 * 60).await;
    assert_eq!(code(&browser.open(&last).await), (400, "G-24"), "a sign-in does not take ten minutes");
}

#[tokio::test]
async fn gates_with_the_same_keys_share_sessions_and_keys_can_be_changed() {
    let new = "tegata-session-key-1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n";
    let built = SessionedProduct::build().await;
    let config = |keys: &str| {
        let trust = built.platform.authority.roots();
        sessioned::config(RequiredSignIn::Person, trust, keys)
    };
    let other = sessioned::sessions_with(&built.gate, config(&format!("{}{new}", sessioned::KEYS)));
    let port = built.front(std::sync::Arc::clone(&other)).await;
    let browser = built.signed_in().await;
    let tls = || support::client::tls(built.platform.authority.roots(), Some(&built.device));
    let at = async |port| support::client::TestClient::secure(port, tls()).await.0;
    let mut browser = browser.reconnected(at(port).await);
    assert_eq!(browser.fetch("/").await.status.as_u16(), 200, "the other gate knows the session");

    // Everybody knows the new key, then it comes first, then the old one goes.
    let keys = |text: &str| tegata_gate::session::SessionKeys::parse(text).unwrap();
    built.sessions.set_keys(keys(&format!("{}{new}", sessioned::KEYS)));
    other.set_keys(keys(&format!("{new}{}", sessioned::KEYS)));
    built.later(120).await;
    assert_eq!(browser.fetch("/").await.status.as_u16(), 200);
    browser = browser.reconnected(at(built.port).await);
    assert_eq!(browser.fetch("/").await.status.as_u16(), 200, "sealed anew by the other gate");
    built.sessions.set_keys(keys(new));
    assert_eq!(browser.fetch("/").await.status.as_u16(), 200);
    built.sessions.set_keys(keys(sessioned::KEYS));
    assert_eq!(code(&browser.fetch("/").await), (401, "G-21"));
}

#[tokio::test]
async fn a_sign_out_takes_the_cookie_and_ends_the_session_at_the_platform() {
    let built = SessionedProduct::build().await;
    let mut browser = built.signed_in().await;
    let page = browser.open("/.tegata/sign-out").await;
    assert!(page.body.contains("method=\"post\"") && browser.has_session(), "a link signs nobody out");
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!("form-action 'self' {}", built.platform.issuer)), "{policy}");
    let evil = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    for foreign in [&evil[..], &evil[..1], &[]] {
        let refused = browser.send(Method::POST, "/.tegata/sign-out", foreign).await;
        assert_eq!(code(&refused), (403, "R-06"), "another site signs nobody out");
    }
    let own = [("origin", "https://localhost"), ("sec-fetch-site", "same-origin")];
    let done = browser.send(Method::POST, "/.tegata/sign-out", &own).await;
    assert_eq!(done.status.as_u16(), 303);
    let asked = Asked::of(done.header("location"));
    assert!(done.header("location").starts_with(&format!("{}/end-session?", built.platform.issuer)));
    assert_eq!((asked.get("client_id"), asked.get("logout_hint")), ("client", "session-0123456789"));
    assert_eq!(asked.get("post_logout_redirect_uri"), "https://localhost/.tegata/signed-out");
    assert!(browser.cookies.is_empty());
    assert_eq!(browser.open("/.tegata/signed-out").await.status.as_u16(), 200);
    let again = browser.send(Method::POST, "/.tegata/sign-out", &own).await;
    assert_eq!(again.header("location"), "https://localhost/.tegata/signed-out");
    assert_eq!(code(&browser.send(Method::PUT, "/.tegata/sign-out", &own).await), (405, "R-04"));
    assert_eq!(code(&browser.open("/.tegata/elsewhere").await), (404, "R-03"));
    assert_eq!(built.product.asked(), 0, "none of it reaches the product");
}

#[tokio::test]
async fn a_platform_that_lies_or_fails_makes_no_session() {
    let built = SessionedProduct::build().await;
    let now = built.platform.clock.now().seconds();
    for lie in [
        json!({"iss": "https://evil.example"}),
        json!({"aud": "another"}),
        json!({"aud": ["client", "another"]}),
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"exp": now - 1}),
        json!({"iat": now + 3600}),
        json!({"sid": null}),
        json!({"sid": "short"}),
        json!({"sid": "x".repeat(200)}),
        json!({"acr": "a\r\nset-cookie: x=y"}),
        json!({"tenant": "../.."}),
        json!({"cnf": {"jkt": "x"}}),
    ] {
        built.platform.facts().provider.lies = lie.clone();
        let mut browser = built.browser(&built.device).await;
        let answer = built.sign_in(&mut browser, "/").await;
        assert_eq!(code(&answer), (503, "G-26"), "{lie}");
        assert!(browser.cookies.is_empty(), "{lie}");
    }
    // Nobody has said when: the session holds, and the product does not hear of a time.
    built.platform.facts().provider.lies = json!({"auth_time": null});
    let mut browser = built.browser(&built.device).await;
    built.sign_in(&mut browser, "/").await;
    let claims = assertion_in(&browser.open("/").await.body);
    assert!(claims["sub"].is_string() && claims.get("auth_time").is_none(), "{claims}");
    built.platform.facts().provider.lies = json!({"auth_time": now - 13 * 3600});
    let mut browser = built.browser(&built.device).await;
    assert_eq!(code(&built.sign_in(&mut browser, "/").await), (401, "G-22"), "a sign-in of yesterday");
    built.platform.facts().provider.lies = Value::Null;
    built.platform.facts().provider.typ = Some("at+jwt");
    assert_eq!(code(&built.sign_in(&mut browser, "/").await), (503, "G-26"), "an access token is none");
    built.platform.facts().provider.typ = None;
    for broken in [(500, String::new()), (200, "{}".into()), (401, r#"{"error":"invalid_client"}"#.into())] {
        built.platform.facts().provider.broken = Some(broken);
        assert_eq!(code(&built.sign_in(&mut browser, "/").await), (503, "G-26"));
    }
}

#[tokio::test]
async fn the_platforms_own_refusal_is_what_the_person_reads() {
    let built = SessionedProduct::build().await;
    for (error, expected) in [
        ("error=access_denied&error_description=T-04%3A+no+license", (403, "T-04")),
        ("error=access_denied", (403, "G-25")),
        ("error=login_required&error_description=%3Cscript%3E", (403, "G-25")),
        ("error=temporarily_unavailable", (503, "G-26")),
    ] {
        let mut browser = built.browser(&built.device).await;
        let asked = Asked::of(browser.open("/").await.header("location"));
        let issuer = &built.platform.issuer;
        let rest = serde_urlencoded::to_string([("state", asked.get("state")), ("iss", issuer)]).unwrap();
        let answer = browser.open(&format!("/.tegata/callback?{error}&{rest}")).await;
        assert_eq!(code(&answer), expected, "{error}");
        assert!(browser.cookies.is_empty() && !answer.body.contains("script"));
    }
}

#[tokio::test]
async fn a_gate_that_is_stale_lets_no_session_in_and_nobody_sign_in() {
    let built = SessionedProduct::build().await;
    let mut browser = built.signed_in().await;
    let mut other = built.browser(&built.device).await;
    built.platform.go_away().await;
    support::eventually("it goes stale", || !built.gate.status().deciding).await;
    assert_eq!(code(&browser.fetch("/").await), (503, "G-01"));
    assert_eq!(code(&other.open("/").await), (503, "G-01"));
}
