//! Cookies that came in several fields.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Joins the fields into one. HTTP/2 lets a client send each pair in a field of its own, and whoever passes the
/// request on to anything else must put them together (RFC 9113 section 8.2.3).
pub(crate) fn join(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let (Some(first), Some(second)) = (fields.next(), fields.next()) else { return };
    let joined = [first, second].into_iter().chain(fields).collect::<Vec<_>>().join(&b"; "[..]);
    // Values of fields, and what joins them, make a value of a field.
    if let Ok(mut joined) = HeaderValue::from_bytes(&joined) {
        joined.set_sensitive(true);
        headers.insert(COOKIE, joined);
    } else {
        headers.remove(COOKIE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(values: &[&'static str]) -> Vec<String> {
        let mut headers: HeaderMap =
            values.iter().map(|value| (COOKIE, HeaderValue::from_static(value))).collect();
        join(&mut headers);
        headers.get_all(COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_product_reads_all_cookies_in_one_line_in_their_order() {
        assert_eq!(joined(&["session=abc", "lang=ja"]), ["session=abc; lang=ja"]);
        assert_eq!(joined(&["a=1; b=2", "c=3", "d=4"]), ["a=1; b=2; c=3; d=4"]);
        assert_eq!(joined(&["a=1"]), ["a=1"]);
        assert!(joined(&[]).is_empty());
    }
}
