//! The headers that tell a product who sends the request.

use crate::renewal_due::RENEWAL_DUE;
use crate::verified_request::VerifiedRequest;
use http::{HeaderMap, HeaderName, HeaderValue};

/// What stands in headers besides who asks.
#[derive(Default)]
pub(crate) struct RequestNotes {
    /// The gate's signature under all of it, where it signs.
    pub(crate) assertion: Option<HeaderValue>,
    /// When the certificate ends, where it should be renewed.
    pub(crate) renewal_due: Option<HeaderValue>,
}

/// Writes `Tegata-Device`, `Tegata-Tenant`, `Tegata-Site`, `Tegata-Generation`, `Tegata-Subject` and, where there is
/// something to say, `Tegata-Assertion` and `Tegata-Renewal-Due`, in place of whatever stood there. All of them every time: some proxies leave a client's
/// own header where the gate's answer has none.
pub(crate) fn introduce(verified: &VerifiedRequest, notes: RequestNotes, headers: &mut HeaderMap) {
    let generation = verified.generation().to_string();
    let text = |text: &str| HeaderValue::from_str(text).ok();
    for (name, value) in [
        (HeaderName::from_static("tegata-device"), text(verified.device().as_str())),
        (HeaderName::from_static("tegata-tenant"), text(verified.tenant().as_str())),
        (HeaderName::from_static("tegata-site"), text(verified.site().as_str())),
        (HeaderName::from_static("tegata-generation"), text(&generation)),
        (HeaderName::from_static("tegata-subject"), text(verified.subject())),
        (HeaderName::from_static("tegata-assertion"), notes.assertion),
        (RENEWAL_DUE, notes.renewal_due),
    ] {
        headers.remove(&name);
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
}
