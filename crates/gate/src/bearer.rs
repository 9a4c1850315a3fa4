//! Reads the token of a request and writes `WWW-Authenticate` (RFC 6750, and the scheme of RFC 9449 section 7.1).

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use tegata_core::dpop::DPOP;
use tegata_core::encoding::{one_of, percent_decoded};
use tegata_core::{Language, Refusal};

/// An access token, by the scheme that it came with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PresentedToken<'a> {
    /// `Bearer`: the certificate of the connection says whose it is.
    Bearer(&'a str),
    /// `DPoP`: a proof in a header of its own does.
    Dpop(&'a str),
}

/// The access token of a request that a certificate has to prove.
///
/// # Errors
/// [`Refusal::TokenMissing`] without a Bearer header; otherwise those of [`presented_token`].
pub fn token<'a>(headers: &'a HeaderMap, query: Option<&str>) -> Result<&'a str, Refusal> {
    match presented_token(headers, query)? {
        PresentedToken::Bearer(token) => Ok(token),
        PresentedToken::Dpop(_) => Err(Refusal::TokenMissing),
    }
}

/// The access token of a request.
///
/// # Errors
/// [`Refusal::TokenMissing`] without a header of either scheme; [`Refusal::TokenInvalid`] for two of them and for one
/// that is not a `b64token`; [`Refusal::TokenInAddress`] for any request with a token in its query (RFC 6750
/// section 2.3): such a token is in logs and histories already, so it is refused even beside a good header.
pub fn presented_token<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
) -> Result<PresentedToken<'a>, Refusal> {
    if query.is_some_and(names_a_token) {
        return Err(Refusal::TokenInAddress);
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::TokenMissing)?;
    if values.next().is_some() {
        return Err(Refusal::TokenInvalid);
    }
    let value = value.to_str().map_err(|_| Refusal::TokenInvalid)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim_matches(' ');
    let presented = if scheme.eq_ignore_ascii_case("bearer") {
        PresentedToken::Bearer(token)
    } else if scheme.eq_ignore_ascii_case(DPOP) {
        PresentedToken::Dpop(token)
    } else {
        return Err(Refusal::TokenMissing);
    };
    if is_b64token(token) { Ok(presented) } else { Err(Refusal::TokenInvalid) }
}

/// Whether a request comes with a token that needs a proof, however good it is.
pub(crate) fn is_by_key(headers: &HeaderMap) -> bool {
    let value = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let scheme = value.and_then(|value| value.split(|byte| *byte == b' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(DPOP.as_bytes()))
}

/// The `WWW-Authenticate` of a refusal; `None` when another token or certificate would not help
/// (503, 403 for whom no token is to blame). A request without a token gets the bare challenge (RFC 6750 section 3.1).
pub fn www_authenticate(refusal: Refusal) -> Option<HeaderValue> {
    let error = match refusal {
        Refusal::TokenMissing | Refusal::SessionMissing => return Some(HeaderValue::from_static("Bearer")),
        Refusal::ScopeInsufficient => "insufficient_scope",
        other if other.status() == StatusCode::UNAUTHORIZED.as_u16() => "invalid_token",
        _ => return None,
    };
    let (code, title) = (refusal.code(), refusal.title(Language::En));
    HeaderValue::try_from(format!(r#"Bearer error="{error}", error_description="{code} {title}""#)).ok()
}

/// Whether a query has a token in it, or what may be one.
pub(crate) fn names_a_token(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_decoded(name).is_none_or(|name| name == b"access_token")
    })
}

fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|byte| B64TOKEN[usize::from(byte)])
}

/// The characters of a `b64token` before its padding (RFC 6750 section 2.1).
const B64TOKEN: [bool; 256] = one_of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/");

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_product_finds_the_token_only_in_one_bearer_header() {
        assert_eq!(token(&headers(&["Bearer a.b.c"]), None), Ok("a.b.c"));
        assert_eq!(token(&headers(&["bEARER   a.b.c"]), Some("page=2")), Ok("a.b.c"));
        for missing in [&[][..], &["Basic YTpi"], &["DPoP a.b.c"], &[""]] {
            assert_eq!(token(&headers(missing), None), Err(Refusal::TokenMissing), "{missing:?}");
        }
        assert_eq!(presented_token(&headers(&["dpop a.b.c"]), None), Ok(PresentedToken::Dpop("a.b.c")));
        assert_eq!(presented_token(&headers(&["DPoP a.b.c", "Bearer a"]), None), Err(Refusal::TokenInvalid));
        for invalid in
            [&["Bearer"][..], &["Bearer "], &["Bearer a b"], &["Bearer ="], &["Bearer a", "Bearer a"]]
        {
            assert_eq!(token(&headers(invalid), None), Err(Refusal::TokenInvalid), "{invalid:?}");
        }
    }

    #[test]
    fn a_token_in_the_address_is_refused_even_beside_a_good_header() {
        for query in ["access_token=a", "x=1&access_token=a", "access%5Ftoken=a", "x;access_token", "%zz=1"] {
            assert_eq!(
                token(&headers(&["Bearer a.b.c"]), Some(query)),
                Err(Refusal::TokenInAddress),
                "{query}"
            );
            assert_eq!(token(&headers(&[]), Some(query)), Err(Refusal::TokenInAddress), "{query}");
        }
        assert_eq!(token(&headers(&["Bearer a.b.c"]), Some("q=access_token")), Ok("a.b.c"));
    }

    #[test]
    fn whoever_sent_no_token_gets_a_bare_challenge_and_everybody_else_a_code() {
        assert_eq!(www_authenticate(Refusal::TokenMissing).unwrap(), "Bearer");
        assert_eq!(www_authenticate(Refusal::GateStale), None);
        let insufficient = www_authenticate(Refusal::ScopeInsufficient).unwrap();
        assert!(insufficient.to_str().unwrap().starts_with(r#"Bearer error="insufficient_scope", "#));
        for &refusal in Refusal::ALL.iter().filter(|refusal| refusal.status() == 401) {
            let value = www_authenticate(refusal).unwrap();
            let description = value.to_str().unwrap().split_once("error_description=\"");
            if let Some((_, description)) = description {
                let text = description.strip_suffix('"').unwrap();
                assert!(text.starts_with(refusal.code()) && !text.contains(['"', '\\']), "{text}");
            } else {
                assert!([Refusal::TokenMissing, Refusal::SessionMissing].contains(&refusal));
            }
        }
    }
}
