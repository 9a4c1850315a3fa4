//! Responses with signed documents: conditional requests (RFC 9110 section 13) and the headers that caches go by (RFC
//! 9111).

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use tegata_core::Timestamp;

/// Signed bytes as they are now.
pub struct SignedRepresentation<'a> {
    pub media_type: &'static str,
    pub bytes: Bytes,
    /// A strong entity tag, in quotes.
    pub tag: &'a str,
    pub modified: Timestamp,
    pub expires: Option<Timestamp>,
    pub cache_control: &'static str,
}

/// The bytes, or 304 when the client has them.
pub fn respond(representation: SignedRepresentation<'_>, asked: &HeaderMap, now: Timestamp) -> Response {
    // As long as its second lasts there may be a second version of the same date, so the date does not tell them apart.
    let modified = representation.modified.whole_second();
    let modified = (now.whole_second() > modified).then_some(modified);
    let unchanged = is_known(asked, representation.tag, modified);
    let body = if unchanged { Body::empty() } else { Body::from(representation.bytes) };
    let mut response = Response::new(body);
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(ETAG, representation.tag);
    if let Some(modified) = modified {
        put(LAST_MODIFIED, &modified.http_date());
    }
    if let Some(expires) = representation.expires {
        put(EXPIRES, &expires.http_date());
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(representation.cache_control));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(representation.media_type));
    response
}

/// RFC 9110 section 13.2.2: the tag is asked first, and the date only where there is no tag. A date counts when it is
/// exactly the one that was given: any other comes from a clock that is not ours.
fn is_known(asked: &HeaderMap, tag: &str, modified: Option<Timestamp>) -> bool {
    let mut tags = asked.get_all(IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        return tags.filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).any(|one| {
            let one = one.trim();
            one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
        });
    }
    let since = asked.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let since = since.and_then(Timestamp::parse_http_date);
    since.is_some() && since == modified
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(784_111_777);

    fn ask(headers: &[(HeaderName, &str)], now: Timestamp) -> Response {
        let asked = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let representation = SignedRepresentation {
            media_type: "application/pkix-crl",
            bytes: Bytes::from_static(b"list"),
            tag: "\"7\"",
            modified: AT,
            expires: None,
            cache_control: "public",
        };
        respond(representation, &asked, now)
    }

    #[test]
    fn a_client_that_has_it_is_told_so_and_no_other() {
        let later = Timestamp::from_seconds(784_111_900);
        let status = |name: &HeaderName, value: &str| ask(&[(name.clone(), value)], later).status();
        for known in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert_eq!(status(&IF_NONE_MATCH, known), StatusCode::NOT_MODIFIED, "{known}");
        }
        assert_eq!(status(&IF_NONE_MATCH, "\"77\""), StatusCode::OK);
        for form in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(status(&IF_MODIFIED_SINCE, form), StatusCode::NOT_MODIFIED, "{form}");
        }
        assert_eq!(status(&IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT"), StatusCode::OK);
        let both = [(IF_NONE_MATCH, "\"6\""), (IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT")];
        assert_eq!(ask(&both, later).status(), StatusCode::OK, "the tag says another list");
    }

    #[test]
    fn within_the_second_it_was_made_in_a_date_says_nothing() {
        let fresh = ask(&[(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT")], AT);
        assert_eq!((fresh.status(), fresh.headers().get(LAST_MODIFIED)), (StatusCode::OK, None));
    }
}
