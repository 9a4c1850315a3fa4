//! Devices that wait for an approval.

use crate::acting::{Acting, ActingJson, ActingProgram};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::deciding::Decision;
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tegata_core::policy::Platform;
use tegata_core::{ApprovalId, InvitationId, PersonId, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::Approval;
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, PlatformSchema, REQUEST, WRITING};
use utoipa::ToSchema;

tegata_web::refusals! {
    WaitingRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

tegata_web::refusals! {
    DecideRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::ApprovalUnknown,
        Refusal::ApprovalOver,
        Refusal::OwnRequest,
    ]
}

/// A device that waits for a decision.
#[derive(Serialize, ToSchema)]
pub(crate) struct WaitingReport {
    #[schema(value_type = String)]
    approval: ApprovalId,
    #[schema(value_type = String)]
    invitation: InvitationId,
    label: String,
    #[schema(value_type = String)]
    tenant: TenantId,
    #[schema(value_type = String)]
    site: SiteId,
    site_name: String,
    #[schema(value_type = PlatformSchema)]
    platform: Platform,
    /// From where it came, where that is known.
    address: Option<String>,
    /// Who invited it, and does not decide.
    #[schema(value_type = Option<String>)]
    invited_by: Option<PersonId>,
    #[schema(value_type = String, format = DateTime)]
    asked_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Why somebody is not approved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclineBody {
    /// For the audit log; no names of persons.
    #[schema(max_length = 200)]
    reason: String,
}

/// Devices that wait, the longest first.
#[utoipa::path(get, path = "/api/v1/approvals/waiting", operation_id = "listWaiting",
    responses((status = OK, description = "Those that the person may see", body = Vec<WaitingReport>), WaitingRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
) -> WebResult<Json<Vec<WaitingReport>>> {
    let (waiting, _) = service.waiting_seen(&by).await?;
    Ok(Json(waiting.into_iter().map(WaitingReport::of).collect()))
}

/// Lets a device that waits have its certificate.
#[utoipa::path(post, path = "/api/v1/approvals/{approval}/approve", operation_id = "approve",
    params(("approval" = String, Path, description = "Its identifier")),
    responses((status = NO_CONTENT, description = "It is approved, durably"), DecideRefusals))]
pub(crate) async fn approve(
    State(service): State<ConsoleService>,
    ActingProgram(by): ActingProgram,
    Path(approval): Path<ApprovalId>,
) -> WebResult<StatusCode> {
    service.decide(&by, &approval, Decision::Approve).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Decides against a device that waits.
#[utoipa::path(post, path = "/api/v1/approvals/{approval}/decline", operation_id = "decline", request_body = DeclineBody,
    params(("approval" = String, Path, description = "Its identifier")),
    responses((status = NO_CONTENT, description = "It is declined, durably"), DecideRefusals))]
pub(crate) async fn decline(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(approval) }: ActingJson<DeclineBody, Path<ApprovalId>>,
) -> WebResult<StatusCode> {
    service.decide(&by, &approval, Decision::Decline { reason: body.reason.trim() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl WaitingReport {
    fn of(one: Approval) -> Self {
        Self {
            approval: one.id,
            invitation: one.invitation,
            label: one.label,
            tenant: one.tenant,
            site: one.site,
            site_name: one.site_name,
            platform: one.platform,
            address: one.address,
            invited_by: one.invited_by,
            asked_at: one.asked_at,
            expires_at: one.expires_at,
        }
    }
}
