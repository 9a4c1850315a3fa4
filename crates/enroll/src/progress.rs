//! Tells a waiting page how far a device is that makes its key by itself.

use crate::api_refusals::INVITATION;
use crate::enrolled::NO_STORE;
use crate::enrollment_service::EnrollmentService;
use crate::serving::Serving;
use crate::shown_code::ShownCode;
use crate::ticket::{TicketPurpose, TicketRight};
use axum::Json;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tegata_core::{CertificateState, DeviceId, Refusal, Thumbprint, Timestamp};
use tegata_storage::{Certificate, ScopedLedger};
use tegata_web::api::{BODY, CALLER, REQUEST, ThumbprintSchema};
use tegata_web::{Presented, StrictJson, WebResult};
use utoipa::ToSchema;

tegata_web::refusals! {
    InvitationProgressRefusals = REQUEST, BODY, INVITATION
}

tegata_web::refusals! {
    RenewalProgressRefusals = REQUEST, BODY, CALLER
}

/// `POST {portal}/api/v1/invitations/progress`, with the ticket that came when the invitation was opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationProgressRequest {
    /// `progress` of the opened invitation.
    #[schema(value_type = String)]
    ticket: ShownCode,
}

/// The body of `POST {device}/api/v1/renewals/progress`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewalProgressRequest {
    /// The generation that the page was opened with.
    #[schema(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    after: u32,
}

#[derive(Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
enum EnrollmentProgress {
    Waiting,
    Issued {
        #[schema(value_type = ThumbprintSchema)]
        thumbprint: Thumbprint,
        #[schema(value_type = String, format = DateTime)]
        not_after: Timestamp,
        /// What a browser's list of certificates shows.
        name: String,
    },
}
/// Whether the certificate of an invitation was issued.
///
/// For a page that waits while the device makes its key by itself.
#[utoipa::path(post, path = "/api/v1/invitations/progress", operation_id = "progressOfInvitation", request_body = InvitationProgressRequest,
    responses((status = OK, description = "How far the device is", body = EnrollmentProgress), InvitationProgressRefusals))]
pub(crate) async fn of_invitation(
    Serving(service): Serving,
    StrictJson(body): StrictJson<InvitationProgressRequest>,
) -> WebResult<impl IntoResponse> {
    let ticket = body.ticket.ticket().ok_or(Refusal::InvitationUnknown)?;
    let ticket = service.read_ticket(TicketPurpose::Progress, ticket).await?;
    let TicketRight::Invitation(id) = &ticket.right else {
        return Err(Refusal::InvitationUnknown.into());
    };
    let found = service.context.ledger.invitation(id).await?;
    let invitation = found.ok_or(Refusal::InvitationUnknown)?;
    let progress = match &invitation.device {
        Some(device) => service.progress(&service.rows_of(&invitation), device, 0).await?,
        None => invitation.admits(None, service.now()).map(|()| EnrollmentProgress::Waiting)?,
    };
    Ok((NO_STORE, Json(progress)))
}

/// Whether the next certificate was issued.
///
/// For a page that waits while the device makes its key by itself, with whichever certificate of the device the browser
/// presents by now.
#[utoipa::path(post, path = "/api/v1/renewals/progress", operation_id = "progressOfRenewal", request_body = RenewalProgressRequest,
    responses((status = OK, description = "How far the device is", body = EnrollmentProgress), RenewalProgressRefusals))]
pub(crate) async fn of_renewal(
    Serving(service): Serving,
    Presented(certificate): Presented,
    StrictJson(body): StrictJson<RenewalProgressRequest>,
) -> WebResult<impl IntoResponse> {
    let caller = service.caller(certificate.as_ref()).await?;
    Ok((
        NO_STORE,
        Json(service.progress(&service.own_rows(&caller), &caller.device, i64::from(body.after)).await?),
    ))
}

impl EnrollmentService {
    async fn progress(
        &self,
        rows: &ScopedLedger,
        device: &DeviceId,
        after: i64,
    ) -> Result<EnrollmentProgress, Refusal> {
        let certificates = rows.certificates_of(device).await;
        let certificates = certificates?;
        let is_new = |known: &&Certificate| {
            use CertificateState::{Delivered, InUse, Issued};
            known.generation > after && matches!(known.state, Issued | Delivered | InUse)
        };
        let newest = certificates.iter().rev().find(is_new);
        let Some((newest, thumbprint)) = newest.and_then(|known| Some((known, known.thumbprint()?))) else {
            return Ok(EnrollmentProgress::Waiting);
        };
        let device = rows.device(device).await?.ok_or(Refusal::Internal)?;
        let name =
            self.common_name(&device.tenant, device.role, &device.id, &device.site_name, &device.label)?;
        Ok(EnrollmentProgress::Issued { thumbprint, not_after: newest.not_after, name })
    }
}
