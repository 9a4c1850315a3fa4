//! Invitations for one device each. Lists of them are a registered client's.

use crate::acting::{Acting, ActingJson, ActingProgram};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::deciding::DAYS;
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tegata_core::{InvitationId, Refusal, Role, SiteId, TenantId, Timestamp};
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, RoleSchema, WRITING};
use utoipa::{IntoParams, ToSchema};

tegata_web::refusals! {
    OpenRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

tegata_web::refusals! {
    InviteRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::LabelUnfit,
        Refusal::LineSiteUnknown,
    ]
}

tegata_web::refusals! {
    WithdrawOneRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::InvitationUnknown,
        Refusal::InvitationUsed,
    ]
}

/// An invitation that waits.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenInvitationReport {
    #[schema(value_type = String)]
    invitation: InvitationId,
    label: String,
    #[schema(value_type = RoleSchema)]
    role: Role,
    #[schema(value_type = String)]
    tenant: TenantId,
    #[schema(value_type = String)]
    site: SiteId,
    site_name: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// For which device an invitation is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteBody {
    /// What the device will be called; no names of persons.
    #[schema(min_length = 1, max_length = 64)]
    label: String,
    /// How many days it waits: 7 unless it is said.
    #[schema(minimum = 1, maximum = 90)]
    days: Option<u32>,
}

/// An invitation. Its link is a secret, and told once.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeInvitationReport {
    #[schema(value_type = String)]
    invitation: InvitationId,
    #[schema(value_type = String)]
    site: SiteId,
    label: String,
    url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Of which tenant invitations are listed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OpenInvitationsQuery {
    /// Whoever reaches all tenants names one; others see their own.
    tenant: Option<String>,
}

/// Invitations that wait, by the time they end.
#[utoipa::path(get, path = "/api/v1/invitations/open", operation_id = "listOpenInvitations", params(OpenInvitationsQuery),
    responses((status = OK, description = "Those that the person may see", body = Vec<OpenInvitationReport>), OpenRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
    Query(OpenInvitationsQuery { tenant }): Query<OpenInvitationsQuery>,
) -> WebResult<Json<Vec<OpenInvitationReport>>> {
    let tenant = match tenant {
        Some(tenant) => Some(TenantId::parse(&tenant).ok_or(Refusal::RequestMalformed)?),
        None => None,
    };
    let open = service.open_invitations_seen(&by, tenant.as_ref()).await?;
    let report = |one: tegata_storage::Invitation| OpenInvitationReport {
        invitation: one.id,
        label: one.label,
        role: one.role,
        tenant: one.tenant,
        site: one.site,
        site_name: one.site_name,
        expires_at: one.expires_at,
    };
    Ok(Json(open.into_iter().map(report).collect()))
}

/// Invites one device of a site.
#[utoipa::path(post, path = "/api/v1/sites/{site}/invitations", operation_id = "inviteDevice", request_body = InviteBody,
    params(("site" = String, Path, description = "Identifier of the site")),
    responses((status = CREATED, description = "The link, once", body = MadeInvitationReport), InviteRefusals))]
pub(crate) async fn invite(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(site) }: ActingJson<InviteBody, Path<SiteId>>,
) -> WebResult<(StatusCode, Json<MadeInvitationReport>)> {
    let made = service.invite(&by, (&site, &body.label, body.days.unwrap_or(DAYS))).await?;
    let report = MadeInvitationReport {
        invitation: made.id,
        site: made.site.id,
        label: made.label,
        url: made.link,
        expires_at: made.expires_at,
    };
    Ok((StatusCode::CREATED, Json(report)))
}

/// Takes an invitation back that nobody has used.
#[utoipa::path(post, path = "/api/v1/invitations/open/{invitation}/withdraw", operation_id = "withdrawInvitation",
    params(("invitation" = String, Path, description = "Its identifier")),
    responses((status = NO_CONTENT, description = "It is of no use any more"), WithdrawOneRefusals))]
pub(crate) async fn withdraw(
    State(service): State<ConsoleService>,
    ActingProgram(by): ActingProgram,
    Path(invitation): Path<InvitationId>,
) -> WebResult<StatusCode> {
    service.withdraw(&by, &invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}
