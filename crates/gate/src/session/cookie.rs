//! The gate's own cookies: found, written, and kept from the product.
//!
//! Their names begin with `__Host-` (RFC 6265bis section 4.1.3), so that no other host and no plain HTTP can plant them.
//! `SameSite=Lax` keeps them out of what other sites send, and lets them come along when the platform sends a browser back.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// What the names of all of them begin with.
const OWN: &str = "__Host-tegata-";

pub(super) const SESSION: &str = "__Host-tegata-session";

/// Followed by the beginning of the sign-in's state, so that several tabs can sign in at once.
pub(super) const SIGN_IN: &str = "__Host-tegata-sign-in-";

const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// The gate's own cookies of a request: names and values.
pub fn own_cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    pairs(headers).filter_map(|pair| pair.split_once('=')).filter(|(name, _)| name.starts_with(OWN))
}

/// The value of one of them. Two of one name are none: a browser has one at most.
pub(super) fn value<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let mut values = own_cookies(headers).filter(|(name, _)| *name == wanted).map(|(_, value)| value);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

/// What is left of the `Cookie` header for the product; `None` when nothing is. Names are compared without regard to
/// case, as some browsers and frameworks do.
pub fn without_own_cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_own = |pair: &str| {
        let name = pair.split('=').next().unwrap_or_default().trim();
        name.get(..OWN.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN))
    };
    let left: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty() && !is_own(&String::from_utf8_lossy(pair)))
        .collect();
    let mut left = HeaderValue::from_bytes(&left.join(&b"; "[..])).ok().filter(|left| !left.is_empty())?;
    left.set_sensitive(true);
    Some(left)
}

/// Takes them out of the headers that go on to the product.
pub(crate) fn strip_own(headers: &mut HeaderMap) {
    if !headers.contains_key(COOKIE) {
        return;
    }
    match without_own_cookies(headers) {
        Some(left) => drop(headers.insert(COOKIE, left)),
        None => drop(headers.remove(COOKIE)),
    }
}

/// `Set-Cookie` for as long as the browser runs, or for so many seconds.
pub(super) fn set(name: &str, value: &str, seconds: Option<u64>) -> Option<HeaderValue> {
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let mut field = HeaderValue::try_from(format!("{name}={value}; {ATTRIBUTES}{age}")).ok()?;
    field.set_sensitive(true);
    Some(field)
}

/// `Set-Cookie` that takes a cookie away.
pub(super) fn remove(name: &str) -> Option<HeaderValue> {
    set(name, "", Some(0))
}

/// Those of others may be of any octets, and hide none beside them.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let fields =
        headers.get_all(COOKIE).iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    fields.filter_map(|pair| str::from_utf8(pair).ok()).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_somebody_else_hides_no_session() {
        for other in ["店舗=本店".as_bytes(), b"a=\xff\xfe", b"a", b"="] {
            let field = [other, b"; __Host-tegata-session=sealed"].concat();
            let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_bytes(&field).unwrap())]);
            assert_eq!(value(&headers, SESSION), Some("sealed"), "{other:?}");
            assert_eq!(without_own_cookies(&headers).unwrap().as_bytes(), other);
        }
    }
}
