use super::*;
use http_body_util::BodyExt;

const HELP_PAGE: &str = "https://device.example/";

#[test]
fn whoever_is_refused_reads_why_in_their_language() {
    let read = |accept: &'static str| language_of(&headers(&[("accept-language", accept)]));
    assert_eq!(read("en-GB,en;q=0.9,ja;q=0.8"), Language::En);
    assert_eq!(read("fr, en;q=0.3, ja;q=0.5"), Language::Ja);
    assert_eq!(read("fr"), Language::Ja);
    assert_eq!(language_of(&HeaderMap::new()), Language::Ja);
}

#[test]
fn a_refusal_carries_its_code_and_its_challenge() {
    let response = response(Refusal::TokenNotBound, &HeaderMap::new());
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()[REFUSAL], "G-04");
    assert!(!response.headers().contains_key(HELP));
    assert!(response.headers()[WWW_AUTHENTICATE].to_str().unwrap().contains("invalid_token"));
    let stale = super::response(Refusal::GateStale, &HeaderMap::new());
    assert_eq!((stale.status().as_u16(), stale.headers().contains_key(WWW_AUTHENTICATE)), (503, false));
}

#[tokio::test]
async fn a_navigating_browser_gets_a_page_with_a_link_others_a_problem_with_one() {
    let people: [&[(&'static str, &'static str)]; 2] = [
        &[("accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("sec-fetch-mode", "navigate")],
        &[("accept", "application/xhtml+xml, text/html;q=0.9")],
    ];
    for request in people {
        let (media, body) = answer_to(request, Refusal::DeviceSuspended).await;
        assert_eq!(media, "text/html; charset=utf-8");
        assert!(body.contains("href=\"https://device.example/?code=C-07&amp;lang=ja\""), "{body}");
        assert!(body.contains(Refusal::DeviceSuspended.title(Language::Ja)));
        assert!(!body.contains("<script") && !body.contains("src="), "{body}");
    }
    let programs: [&[(&'static str, &'static str)]; 5] = [
        &[],
        &[("accept", "*/*")],
        &[("accept", "application/json")],
        &[("accept", "text/html;q=0, application/json")],
        &[("accept", "text/html"), ("sec-fetch-mode", "cors")],
    ];
    for request in programs {
        let (media, body) = answer_to(request, Refusal::TokenMissing).await;
        assert_eq!(media, "application/problem+json", "{request:?}");
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["help"], "https://device.example/?code=G-02&lang=ja");
    }
}

#[tokio::test]
async fn an_address_cannot_break_out_of_the_page() {
    let reader = RefusedReader::of(&headers(&[("accept", "text/html")]));
    let evil = "https://x/\"><script>alert(1)</script>";
    let body = reader.answer(Refusal::NoCertificate, Some(evil)).into_body().collect().await.unwrap();
    let body = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    assert!(!body.contains("<script"), "{body}");
}

async fn answer_to(request: &[(&'static str, &'static str)], refusal: Refusal) -> (String, String) {
    let response = RefusedReader::of(&headers(request)).answer(refusal, Some(HELP_PAGE));
    assert!(response.headers()[HELP].to_str().unwrap().starts_with(HELP_PAGE));
    let media = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (media, String::from_utf8(body.to_vec()).unwrap())
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    fields.iter().map(field).collect()
}
