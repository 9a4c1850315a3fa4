//! A refusal as a response.

use crate::bearer::www_authenticate;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;
use tegata_core::{Language, Refusal};

/// The code of a refusal, for proxies that pass on headers but no body.
pub(crate) const REFUSAL: HeaderName = HeaderName::from_static("tegata-refusal");

/// `application/problem+json` (RFC 9457) in the reader's language, with the challenge where one helps.
pub fn response(refusal: Refusal, request: &HeaderMap) -> Response<Full<Bytes>> {
    response_in(language(request), refusal)
}

/// As [`response`], for a reader whose language is known.
pub(crate) fn response_in(language: Language, refusal: Refusal) -> Response<Full<Bytes>> {
    let body = json!({
        "type": "about:blank",
        "title": refusal.title(language),
        "status": refusal.status(),
        "code": refusal.code(),
        "detail": refusal.advice(language),
        "lang": language.tag(),
    });
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("accept-language"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFUSAL, HeaderValue::from_static(refusal.code()));
    if let Some(challenge) = www_authenticate(refusal) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The language the reader likes best of those there are (RFC 9110 section 12.5.4).
pub(crate) fn language(request: &HeaderMap) -> Language {
    let accepted = request.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let mut best = (0.0, Language::default());
    for item in accepted.flat_map(|value| value.split(',')) {
        let (tag, quality) = item.split_once(";q=").unwrap_or((item, "1"));
        let quality: f32 = quality.trim().parse().unwrap_or(0.0);
        if let Some(language) = Language::parse(tag.trim()).filter(|_| quality > best.0) {
            best = (quality, language);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(accept: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(accept).unwrap());
        language(&headers)
    }

    #[test]
    fn whoever_is_refused_reads_why_in_their_language() {
        assert_eq!(read("en-GB,en;q=0.9,ja;q=0.8"), Language::En);
        assert_eq!(read("fr, en;q=0.3, ja;q=0.5"), Language::Ja);
        assert_eq!(read("fr"), Language::Ja);
        assert_eq!(language(&HeaderMap::new()), Language::Ja);
    }

    #[test]
    fn a_refusal_carries_its_code_and_its_challenge() {
        let response = response(Refusal::TokenNotBound, &HeaderMap::new());
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[REFUSAL], "G-04");
        assert!(response.headers()[WWW_AUTHENTICATE].to_str().unwrap().contains("invalid_token"));
        let stale = super::response(Refusal::GateStale, &HeaderMap::new());
        assert_eq!((stale.status().as_u16(), stale.headers().contains_key(WWW_AUTHENTICATE)), (503, false));
    }
}
