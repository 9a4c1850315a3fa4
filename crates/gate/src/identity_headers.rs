//! The headers that tell a product who sends the request.

use crate::verified_request::VerifiedRequest;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Writes `Tegata-Device`, `Tegata-Tenant`, `Tegata-Site`, `Tegata-Generation`, `Tegata-Subject` and, where the gate
/// signs one, `Tegata-Assertion`, in place of whatever stood there. All of them every time: some proxies leave a client's
/// own header where the gate's answer has none.
pub(crate) fn introduce(verified: &VerifiedRequest, assertion: Option<HeaderValue>, headers: &mut HeaderMap) {
    let generation = verified.generation().to_string();
    let text = |text: &str| HeaderValue::from_str(text).ok();
    for (name, value) in [
        ("tegata-device", text(verified.device().as_str())),
        ("tegata-tenant", text(verified.tenant().as_str())),
        ("tegata-site", text(verified.site().as_str())),
        ("tegata-generation", text(&generation)),
        ("tegata-subject", text(verified.subject())),
        ("tegata-assertion", assertion),
    ] {
        let name = HeaderName::from_static(name);
        headers.remove(&name);
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
}
