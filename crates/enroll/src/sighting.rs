//! Notes which platform a device claims to be when it is seen.

use crate::enrollment_service::EnrollmentService;
use http::HeaderMap;
use http::header::USER_AGENT;
use tegata_core::Platform;
use tegata_storage::CertificateHolder;

/// The platform that a device claims to be, for the list.
pub(crate) fn note_platform(
    service: &EnrollmentService,
    facts: &CertificateHolder,
    headers: &HeaderMap,
) -> Platform {
    let user_agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let platform = Platform::of_user_agent(user_agent);
    service.context.status.note_platform(facts, platform, service.now());
    platform
}
