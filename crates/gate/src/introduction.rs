//! Who asks, told to the product in headers.

use crate::check::Verified;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Writes `Tegata-Device`, `Tegata-Tenant`, `Tegata-Site`, `Tegata-Generation` and `Tegata-Subject`, in place of whatever
/// stood there. All of them every time: some proxies leave a client's own header where the gate's answer has none.
pub(crate) fn introduce(verified: &Verified, headers: &mut HeaderMap) {
    let generation = verified.generation().to_string();
    for (name, value) in [
        ("tegata-device", verified.device().as_str()),
        ("tegata-tenant", verified.tenant().as_str()),
        ("tegata-site", verified.site().as_str()),
        ("tegata-generation", &generation),
        ("tegata-subject", verified.subject()),
    ] {
        let name = HeaderName::from_static(name);
        headers.remove(&name);
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}
