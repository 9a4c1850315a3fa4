//! A page of another site must not act in the name of the person whose browser shows it (CSRF).

use axum::extract::Request;
use http::header::ORIGIN;
use http::{HeaderMap, Method};
use tegata_core::Refusal;

/// Whether a page of one of `ours`, such as `https://portal.example`, or no page at all sent the request: those of
/// programs carry neither header and pass.
pub(crate) fn check(request: &Request, ours: &[String]) -> Result<(), Refusal> {
    if is_safe(request.method()) || is_ours(request.headers(), ours) {
        Ok(())
    } else {
        Err(Refusal::ForeignOrigin)
    }
}

/// Methods that change nothing (RFC 9110 section 9.2.1). TRACE is not among ours.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Browsers send `Origin` with everything that changes something. `Sec-Fetch-Site: same-site` without
/// it could come from any neighbor below the same registered domain.
fn is_ours(headers: &HeaderMap, ours: &[String]) -> bool {
    let site = headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    let mut origins = headers.get_all(ORIGIN).iter().peekable();
    let named = origins.peek().is_some();
    let known = origins.all(|origin| ours.iter().any(|our| origin.as_bytes() == our.as_bytes()));
    match site {
        Some(b"cross-site") => false,
        Some(b"same-origin" | b"none") | None => known,
        Some(_) => named && known,
    }
}
