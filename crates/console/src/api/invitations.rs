//! Invitations for one device each. Lists of them are a registered client's.

use crate::acting::{Acting, ActingJson, ActingProgram};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::inviting::{DAYS, InvitationTerms, MadeInvitation};
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
    RenewOneRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::InvitationUnknown,
        Refusal::InvitationUsed,
        Refusal::InvitationWithdrawn,
        Refusal::InvitationAwaitsApproval,
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
    /// Whether a short code is made too, to type where nobody can open the link: good for 24 hours.
    #[serde(default)]
    short_code: bool,
}

/// How an invitation is sent again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendAgainBody {
    /// How many days the new ones wait: 7 unless it is said.
    #[schema(minimum = 1, maximum = 90)]
    days: Option<u32>,
    /// Whether a short code is made too. Not for lists.
    #[serde(default)]
    short_code: bool,
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
    /// To type on the portal's first page, where it was asked for.
    short_code: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    short_code_until: Option<Timestamp>,
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
    let terms = InvitationTerms { days: body.days.unwrap_or(DAYS), has_code: body.short_code };
    let made = service.invite(&by, (&site, &body.label), terms).await?;
    Ok((StatusCode::CREATED, Json(MadeInvitationReport::of(made))))
}

/// Makes another invitation in the place of one that nobody has used.
///
/// The former link is of no use from then on. It stands in the same list as the former one.
#[utoipa::path(post, path = "/api/v1/invitations/open/{invitation}/renew", operation_id = "renewInvitation", request_body = SendAgainBody,
    params(("invitation" = String, Path, description = "Identifier of the former one")),
    responses((status = CREATED, description = "The new link, once", body = MadeInvitationReport), RenewOneRefusals))]
pub(crate) async fn renew(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(invitation) }: ActingJson<SendAgainBody, Path<InvitationId>>,
) -> WebResult<(StatusCode, Json<MadeInvitationReport>)> {
    let made = service.send_again(&by, &invitation, body.terms()).await?;
    Ok((StatusCode::CREATED, Json(MadeInvitationReport::of(made))))
}

impl SendAgainBody {
    pub(crate) fn terms(&self) -> InvitationTerms {
        InvitationTerms { days: self.days.unwrap_or(DAYS), has_code: self.short_code }
    }
}

impl MadeInvitationReport {
    pub(crate) fn of(made: MadeInvitation) -> Self {
        let (short_code, short_code_until) = made.code.unzip();
        Self {
            invitation: made.id,
            site: made.site.id,
            label: made.label,
            url: made.link,
            expires_at: made.expires_at,
            short_code,
            short_code_until,
        }
    }
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
