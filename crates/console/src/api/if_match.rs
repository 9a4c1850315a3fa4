//! What whoever asks has seen of a thing before they change it.

use http::HeaderMap;
use http::header::IF_MATCH;
use tegata_core::Refusal;

/// What something looked like to whoever asks (RFC 9110 section 13.1.1); anything will do for `*`.
pub(crate) fn seen(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Refusal::RequestMalformed)?.trim();
    Ok((text != "*").then(|| text.trim_matches('"').to_owned()))
}
