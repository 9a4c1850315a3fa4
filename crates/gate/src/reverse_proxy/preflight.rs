//! What a browser asks before a request to another origin (Fetch standard, "CORS-preflight request").
//!
//! A browser sends it without a certificate's token, and without the certificate where it likes. So a product that
//! answers other origins never hears of it unless the operator lets it pass.

use http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_LENGTH, ORIGIN, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, Request};
use hyper::body::Body;

/// Whether this is such a question and nothing else: no body, no token, no change of protocol.
pub(super) fn is_preflight<B: Body>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let one = |name| headers.get_all(name).iter().count() == 1;
    let has = |name| headers.contains_key(name);
    *request.method() == Method::OPTIONS
        && one(ORIGIN)
        && one(ACCESS_CONTROL_REQUEST_METHOD)
        && ![AUTHORIZATION, TRANSFER_ENCODING, UPGRADE].into_iter().any(has)
        && request.body().is_end_stream()
}

/// Removes headers that were not checked.
pub(super) fn clean(headers: &mut HeaderMap) {
    for name in [http::header::COOKIE, CONTENT_LENGTH] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use hyper::body::Bytes;

    fn asked(method: &str, headers: &[(&str, &str)], body: &'static str) -> bool {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_preflight(&request.body(Full::<Bytes>::from(body)).unwrap())
    }

    #[test]
    fn only_what_a_browser_asks_beforehand_counts_as_such() {
        let both = [("origin", "https://a.example"), ("access-control-request-method", "PUT")];
        assert!(asked("OPTIONS", &both, ""));
        assert!(!asked("GET", &both, "") && !asked("OPTIONS", &both, "body"));
        assert!(!asked("OPTIONS", &both[..1], "") && !asked("OPTIONS", &both[1..], ""));
        for more in [("authorization", "Bearer a"), ("upgrade", "h2c"), ("origin", "https://b.example")] {
            assert!(!asked("OPTIONS", &[both[0], both[1], more], ""), "{more:?}");
        }
    }
}
