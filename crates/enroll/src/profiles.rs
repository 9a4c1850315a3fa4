//! Configuration profiles for iPhone, iPad and Mac: the device makes its key by itself and comes to the ACME server with a
//! ticket.
//!
//! Safari takes a profile only from a page it goes to, so the wish comes as a form: a code is in no URL. What the profile
//! holds is a ticket, good for half an hour and worth nothing once the device has used it.

mod payload;
mod plist;

use crate::api_refusals::{INVITATION, POLICY};
use crate::enrollment_service::EnrollmentService;
use crate::serving::Serving;
use crate::shown_code::ShownCode;
use crate::ticket::{Ticket, TicketPurpose, TicketRight};
use arc_swap::ArcSwapOption;
use axum::Router;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use payload::{ConfigurationProfile, PayloadKey};
use serde::Deserialize;
use std::sync::Arc;
use tegata_ca::pkcs7::ContentSigner;
use tegata_core::{Platform, Refusal, Timestamp};
use tegata_web::api::{BODY, CALLER, PlatformSchema, REQUEST};
use tegata_web::{Presented, StrictForm, WebResult};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const MEDIA_TYPE: &str = "application/x-apple-aspen-config";

/// Who writes profiles. Cloning shares it.
#[derive(Clone)]
pub struct ProfileService {
    /// Where the rights are looked at.
    pub service: EnrollmentService,
    /// Without one profiles are handed out unsigned, which devices say to their users.
    pub signer: Arc<ArcSwapOption<ContentSigner>>,
    /// Whether keys must be attested by the device's maker, which only keys of its hardware can be.
    pub attest: bool,
}

/// The part of the portal's API.
pub(crate) fn portal_api() -> OpenApiRouter<ProfileService> {
    OpenApiRouter::new().routes(routes!(first))
}

/// The part of the device listener's API.
pub(crate) fn device_api() -> OpenApiRouter<ProfileService> {
    OpenApiRouter::new().routes(routes!(next))
}

tegata_web::refusals! {
    FirstProfileRefusals = REQUEST, BODY, INVITATION, POLICY, &[Refusal::NotFound]
}

tegata_web::refusals! {
    NextProfileRefusals = REQUEST, BODY, CALLER, &[Refusal::RenewalNotPossible]
}

/// `POST {portal}/api/v1/profiles`, as a form.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FirstProfileRequest {
    /// Of the invitation: the one in the link, or the short one.
    #[schema(value_type = String, max_length = 128)]
    code: ShownCode,
    /// Whether the key is made in the Secure Enclave. Profiles may ask that of every iPhone and iPad, and since macOS 14 of
    /// Macs that have one.
    #[serde(default = "yes")]
    #[schema(default = true)]
    hardware_bound: bool,
    /// What the page knows of the device.
    #[schema(value_type = Option<PlatformSchema>)]
    platform: Option<Platform>,
    /// How the device comes for its certificate.
    #[serde(default)]
    by: ProfileProtocol,
}

/// `POST {device}/api/v1/profiles`, as a form, with the certificate that is to be renewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NextProfileRequest {
    #[serde(default = "yes")]
    /// Whether the key is made in the Secure Enclave.
    #[schema(default = true)]
    hardware_bound: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ProfileProtocol {
    /// For iOS 16, macOS 13.1 and later.
    #[default]
    Acme,
    /// For those before, and for whatever on a Mac does not find the other kind of key. RSA, made on the device.
    Scep,
}

const fn yes() -> bool {
    true
}

impl FromRef<ProfileService> for EnrollmentService {
    fn from_ref(profiles: &ProfileService) -> Self {
        profiles.service.clone()
    }
}

impl ProfileService {
    /// Routes of the portal listener.
    pub fn portal_routes(self) -> Router {
        portal_api().split_for_parts().0.with_state(self)
    }

    /// Routes of the device listener.
    pub fn device_routes(self) -> Router {
        device_api().split_for_parts().0.with_state(self)
    }

    fn key(&self, hardware_bound: bool) -> PayloadKey {
        PayloadKey::Acme { hardware_bound: hardware_bound || self.attest, attest: self.attest }
    }

    fn answer(&self, text: String, now: Timestamp) -> WebResult<Response> {
        let bytes = match &*self.signer.load() {
            Some(signer) => signer.sign(text.as_bytes(), now).ok_or(Refusal::Internal)?,
            None => text.into_bytes(),
        };
        let headers = [
            (CONTENT_TYPE, MEDIA_TYPE),
            (CONTENT_DISPOSITION, "attachment; filename=\"tegata.mobileconfig\""),
            (CACHE_CONTROL, "no-store"),
        ];
        Ok((headers, bytes).into_response())
    }
}

/// A signed configuration profile for iPhone, iPad and Mac.
///
/// A form, because Safari takes profiles from pages it goes to: at the portal with an invitation's code. The invitation is looked
/// at, not used up: the device makes its key and comes to the ACME server by itself, within half an hour.
#[utoipa::path(post, path = "/api/v1/profiles", operation_id = "makeProfile",
    request_body(content = FirstProfileRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = OK, description = "A profile", body = Vec<u8>, content_type = "application/x-apple-aspen-config"),
        FirstProfileRefusals))]
async fn first(
    State(profiles): State<ProfileService>,
    Serving(service): Serving,
    StrictForm(form): StrictForm<FirstProfileRequest>,
) -> WebResult<Response> {
    if form.by == ProfileProtocol::Scep && !service.scep {
        return Err(Refusal::NotFound.into());
    }
    // An iPad says that it is a Mac, unless its page knows better.
    let is_mac = service.requester().platform == Platform::Macos;
    let service = service.calling_itself(form.platform.or(is_mac.then_some(Platform::Apple)));
    let invitation = service.open(&form.code).await?;
    let ticket = match form.code.ticket() {
        Some(ticket) => Some(service.read_ticket(TicketPurpose::Certificate, ticket).await?),
        None => None,
    };
    let right = if let Some(Ticket { right: TicketRight::Approved(id), .. }) = ticket {
        // Judged when somebody was asked; what was approved stays so on its way through the profile.
        TicketRight::Approved(id.clone())
    } else {
        // The device that follows the profile does not say which it is: here it can still be told apart.
        service.would_permit(&invitation)?;
        TicketRight::Invitation(invitation.id.clone())
    };
    let ticket = service.give_ticket(TicketPurpose::Certificate, right).await?;
    let profile = ConfigurationProfile {
        tenant: &invitation.tenant,
        tenant_name: &invitation.tenant_name,
        name: &format!("{} {}", invitation.site_name, invitation.label),
        ticket: &ticket,
        key: match form.by {
            ProfileProtocol::Acme => profiles.key(form.hardware_bound),
            ProfileProtocol::Scep => PayloadKey::Scep,
        },
    };
    let text = profile.text(&service)?;
    profiles.answer(text, service.now())
}

/// A signed configuration profile for iPhone, iPad and Mac.
///
/// At the device listener with the certificate that is to be renewed.
#[utoipa::path(post, path = "/api/v1/profiles", operation_id = "makeProfile",
    request_body(content = NextProfileRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = OK, description = "A profile", body = Vec<u8>, content_type = "application/x-apple-aspen-config"),
        NextProfileRefusals))]
async fn next(
    State(profiles): State<ProfileService>,
    Serving(service): Serving,
    Presented(certificate): Presented,
    StrictForm(form): StrictForm<NextProfileRequest>,
) -> WebResult<Response> {
    let old = service.renewing(certificate.as_ref()).await?;
    // The ACME server writes down by which invitation it knows a device.
    service.invitation_of(&old).await?.ok_or(Refusal::RenewalNotPossible)?;
    let device = service.device(&old).await?;
    let ticket =
        service.give_ticket(TicketPurpose::Certificate, TicketRight::Renewal(old.thumbprint)).await?;
    let profile = ConfigurationProfile {
        tenant: &device.tenant,
        tenant_name: &device.tenant_name,
        name: &format!("{} {}", device.site_name, device.label),
        ticket: &ticket,
        key: profiles.key(form.hardware_bound),
    };
    let text = profile.text(&service)?;
    profiles.answer(text, service.now())
}
