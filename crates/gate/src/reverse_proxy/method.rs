//! Methods that no product gets to see, whoever sends them.

use http::header::ALLOW;
use http::{HeaderName, HeaderValue, Method};
use tegata_core::Refusal;

/// The methods that a refused one may be replaced by.
const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// What a refusal says besides: the methods there are (RFC 9110 section 15.5.6).
pub(super) fn more_about(refusal: Refusal) -> Option<(HeaderName, HeaderValue)> {
    (refusal == Refusal::MethodNotAllowed).then_some((ALLOW, ALLOWED))
}

/// `TRACE` would send back what the gate adds for the product alone (RFC 9110 section 9.3.8).
pub(super) fn check(method: &Method) -> Result<(), Refusal> {
    if *method == Method::TRACE { Err(Refusal::MethodNotAllowed) } else { Ok(()) }
}
