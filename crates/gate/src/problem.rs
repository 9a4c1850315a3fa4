//! A refusal as a response: a problem for programs, a short page for people, and a link to where the device itself says
//! more.

pub(crate) mod page;

use crate::bearer::{is_by_key, www_authenticate};
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;
use tegata_core::{Language, Refusal};
use tegata_net::RequestId;

/// The code of a refusal, for proxies that pass on headers but no body.
pub(crate) const REFUSAL: HeaderName = HeaderName::from_static("tegata-refusal");

/// The address of the help for it, likewise.
pub(crate) const HELP: HeaderName = HeaderName::from_static("tegata-help");

/// Who is refused, as far as the answer depends on it.
#[derive(Clone, Copy, Debug)]
pub struct RefusedReader {
    language: Language,
    /// A person's browser that navigates; a script that merely does not mind HTML gets JSON.
    navigates: bool,
    /// Whether it came with a token that is bound to a key.
    by_key: bool,
}

/// `application/problem+json` (RFC 9457) in the reader's language, or a page where a browser navigates, with the
/// challenge where one helps. [`crate::Gate::refuse`] also says where help is.
pub fn response(refusal: Refusal, request: &HeaderMap) -> Response<Full<Bytes>> {
    RefusedReader::of(request).answer(refusal, None)
}

impl RefusedReader {
    pub(crate) fn of(request: &HeaderMap) -> Self {
        Self { language: language_of(request), navigates: takes_a_page(request), by_key: is_by_key(request) }
    }

    pub(crate) const fn is_by_key(self) -> bool {
        self.by_key
    }

    /// `help` is the platform's page for people who are refused.
    pub(crate) fn answer(self, refusal: Refusal, help: Option<&str>) -> Response<Full<Bytes>> {
        let language = self.language;
        let help = help.map(|page| format!("{page}?code={}&lang={}", refusal.code(), language.tag()));
        let body = if self.navigates {
            page::of(refusal, language, help.as_deref())
        } else {
            problem(refusal, language, help.as_deref())
        };
        let mut response = Response::new(Full::from(body));
        // For whoever logs refusals.
        response.extensions_mut().insert(refusal);
        *response.status_mut() =
            StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let headers = response.headers_mut();
        if self.navigates {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            if let Ok(policy) = HeaderValue::try_from(page::policy("'none'")) {
                headers.insert(CONTENT_SECURITY_POLICY, policy);
            }
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        }
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-language, sec-fetch-mode"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFUSAL, HeaderValue::from_static(refusal.code()));
        if let Some(help) = help.and_then(|help| HeaderValue::from_str(&help).ok()) {
            headers.insert(HELP, help);
        }
        if let Some(challenge) = www_authenticate(refusal) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn problem(refusal: Refusal, language: Language, help: Option<&str>) -> String {
    let mut problem = json!({
        "type": "about:blank",
        "title": refusal.title(language),
        "status": refusal.status(),
        "code": refusal.code(),
        "detail": refusal.advice(language),
        "lang": language.tag(),
    });
    if let Some(id) = RequestId::current() {
        problem["request_id"] = id.as_str().into();
    }
    if let Some(help) = help {
        problem["help"] = help.into();
    }
    problem.to_string()
}

/// Whether a browser shows the answer as a page. A script that merely does not mind HTML does not.
pub(crate) fn takes_a_page(request: &HeaderMap) -> bool {
    let text = |name: &str| request.get(name).and_then(|value| value.to_str().ok());
    let media = text(ACCEPT.as_str()).into_iter().flat_map(|accept| accept.split(','));
    let mut media = media.map(|item| item.split_once(';').unwrap_or((item, "")));
    let takes_pages = media.any(|(media, weight)| media.trim() == "text/html" && weight.trim() != "q=0");
    takes_pages && text("sec-fetch-mode").is_none_or(|mode| mode == "navigate")
}

/// The language the reader likes best of those there are (RFC 9110 section 12.5.4).
pub(crate) fn language_of(request: &HeaderMap) -> Language {
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
mod tests;
