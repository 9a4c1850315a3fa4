//! Lists of invitations: looked through, sent, and how far each of them is.

use crate::acting::{Acting, ActingJson, ActingProgram};
use crate::api::invitations::{MadeInvitationReport, SendAgainBody};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::invitation_lists::{CheckedLine, CheckedList, InvitationList, ListLines};
use crate::inviting::{DAYS, InvitationTerms};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use tegata_core::{DeviceId, InvitationBatchId, InvitationId, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::{InvitationBatch, InvitationProgress, SentInvitation};
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use utoipa::{IntoParams, ToSchema};

tegata_web::refusals! {
    BatchListRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

tegata_web::refusals! {
    BatchRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[Refusal::ListUnknown]
}

tegata_web::refusals! {
    SendRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::LabelUnfit,
        Refusal::LineSiteUnknown,
        Refusal::ListSize,
        Refusal::IdempotencyKeyReused,
    ]
}

tegata_web::refusals! {
    RenewBatchRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::ListUnknown,
        Refusal::InvitationUsed,
        Refusal::LineSiteUnknown,
    ]
}

tegata_web::refusals! {
    WithdrawBatchRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[Refusal::ListUnknown]
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BatchesQuery {
    /// Whoever reaches all tenants names one; others see their own.
    tenant: Option<String>,
}

/// A list to send. Every line is invited by, or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendListBody {
    /// Whoever reaches all tenants names one.
    #[schema(value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// An identifier of the sender's choice, 26 characters of base 32: the same one makes no second list.
    #[schema(value_type = Option<String>)]
    batch: Option<InvitationBatchId>,
    /// What it is called.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// How many days each waits: 7 unless it is said.
    #[schema(minimum = 1, maximum = 90)]
    days: Option<u32>,
    /// Says true to have it looked through, and nobody invited.
    #[serde(default)]
    dry_run: bool,
    #[schema(min_items = 1, max_items = 1000)]
    lines: Vec<SentLine>,
}

/// A line of a list.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SentLine {
    /// The site, by name or identifier.
    site: String,
    /// What the device will be called; no names of persons.
    label: String,
}

/// What was found of a list, and what was made of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SentListReport {
    /// Nothing where nobody was invited.
    #[schema(value_type = Option<String>)]
    batch: Option<InvitationBatchId>,
    lines: Vec<SentLineReport>,
    /// The links, which are secrets, and told once.
    invitations: Vec<MadeInvitationReport>,
}

/// A line, and whether somebody can be invited by it.
#[derive(Serialize, ToSchema)]
struct SentLineReport {
    line: u32,
    #[schema(value_type = Option<String>)]
    site: Option<SiteId>,
    label: Option<String>,
    /// The code of what is wrong with it.
    refused: Option<&'static str>,
    detail: Option<String>,
}

/// A list that was sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchReport {
    #[schema(value_type = String)]
    batch: InvitationBatchId,
    #[schema(value_type = String)]
    tenant: TenantId,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    invited: usize,
    /// How many are how far: waiting, `awaits_approval`, fetched, enrolled, expired, withdrawn.
    progress: BTreeMap<&'static str, usize>,
}

/// A list with its invitations.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchProgressReport {
    #[serde(flatten)]
    batch: BatchReport,
    invitations: Vec<SentInvitationReport>,
}

/// An invitation of a list.
#[derive(Serialize, ToSchema)]
struct SentInvitationReport {
    #[schema(value_type = String)]
    invitation: InvitationId,
    #[schema(value_type = String)]
    site: SiteId,
    site_name: String,
    label: String,
    /// One of waiting, `awaits_approval`, fetched, enrolled, expired, withdrawn.
    progress: &'static str,
    #[schema(value_type = Option<String>)]
    device: Option<DeviceId>,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// How many were taken back.
#[derive(Serialize, ToSchema)]
pub(crate) struct WithdrawnReport {
    withdrawn: u32,
}

/// The newest lists that were sent.
#[utoipa::path(get, path = "/api/v1/invitation-batches", operation_id = "listInvitationBatches", params(BatchesQuery),
    responses((status = OK, description = "Those of which the person may see something", body = Vec<BatchReport>), BatchListRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
    Query(BatchesQuery { tenant }): Query<BatchesQuery>,
) -> WebResult<Json<Vec<BatchReport>>> {
    let tenant = match tenant {
        Some(tenant) => Some(TenantId::parse(&tenant).ok_or(Refusal::RequestMalformed)?),
        None => None,
    };
    let batches = service.batches_seen(&by, tenant.as_ref()).await?;
    Ok(Json(batches.into_iter().map(|(batch, sent)| BatchReport::of(batch, &sent)).collect()))
}

/// Looks a list through, or invites by every line of it.
///
/// A line with a mistake keeps all others from being invited by: `lines` says which, and why.
#[utoipa::path(post, path = "/api/v1/invitation-batches", operation_id = "sendInvitationBatch", request_body = SendListBody,
    responses((status = CREATED, description = "The links, once", body = SentListReport),
        (status = OK, description = "What was found; nobody was invited", body = SentListReport), SendRefusals))]
pub(crate) async fn send(
    State(service): State<ConsoleService>,
    ActingJson { by, body, .. }: ActingJson<SendListBody>,
) -> WebResult<Response> {
    if body.lines.is_empty() {
        return Err(Refusal::RequestMalformed.into());
    }
    let batch = body.batch.unwrap_or_else(|| service.new_batch());
    let list = InvitationList {
        tenant: body.tenant,
        batch,
        name: &body.name,
        lines: ListLines::Array(body.lines.iter().map(|line| json!(line)).collect()),
        terms: InvitationTerms { days: body.days.unwrap_or(DAYS), has_code: false },
    };
    let (checked, made) = if body.dry_run {
        (service.check_list(&by, &list).await?, Vec::new())
    } else {
        service.invite_list(&by, &list).await?
    };
    let status = if made.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    let report = SentListReport {
        batch: (!made.is_empty()).then_some(list.batch),
        lines: checked_lines(&checked),
        invitations: made.into_iter().map(MadeInvitationReport::of).collect(),
    };
    Ok((status, Json(report)).into_response())
}

/// A list that was sent, and how far each of its invitations is.
#[utoipa::path(get, path = "/api/v1/invitation-batches/{batch}", operation_id = "showInvitationBatch",
    params(("batch" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "Those that the person may see", body = BatchProgressReport), BatchRefusals))]
pub(crate) async fn show(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(batch): Path<InvitationBatchId>,
) -> WebResult<Json<BatchProgressReport>> {
    let (batch, sent) = service.batch_seen(&by, &batch).await?;
    let batch = BatchReport::of(batch, &sent);
    Ok(Json(BatchProgressReport {
        batch,
        invitations: sent.into_iter().map(SentInvitationReport::of).collect(),
    }))
}

/// New links for whatever of a list nobody has used.
///
/// The former links are of no use from then on. What waits for approval is left as it is.
#[utoipa::path(post, path = "/api/v1/invitation-batches/{batch}/renew", operation_id = "renewInvitationBatch", request_body = SendAgainBody,
    params(("batch" = String, Path, description = "Its identifier")),
    responses((status = CREATED, description = "The new links, once", body = Vec<MadeInvitationReport>), RenewBatchRefusals))]
pub(crate) async fn renew(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(batch) }: ActingJson<SendAgainBody, Path<InvitationBatchId>>,
) -> WebResult<(StatusCode, Json<Vec<MadeInvitationReport>>)> {
    let terms = InvitationTerms { has_code: false, ..body.terms() };
    let made = service.send_batch_again(&by, &batch, terms).await?;
    Ok((StatusCode::CREATED, Json(made.into_iter().map(MadeInvitationReport::of).collect())))
}

/// Takes back whatever of a list nobody has used.
#[utoipa::path(post, path = "/api/v1/invitation-batches/{batch}/withdraw", operation_id = "withdrawInvitationBatch",
    params(("batch" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "How many", body = WithdrawnReport), WithdrawBatchRefusals))]
pub(crate) async fn withdraw(
    State(service): State<ConsoleService>,
    ActingProgram(by): ActingProgram,
    Path(batch): Path<InvitationBatchId>,
) -> WebResult<Json<WithdrawnReport>> {
    Ok(Json(WithdrawnReport { withdrawn: service.withdraw_batch(&by, &batch).await? }))
}

fn checked_lines(checked: &CheckedList) -> Vec<SentLineReport> {
    let report = |line: &CheckedLine| match &line.outcome {
        Ok((site, label)) => SentLineReport {
            line: line.number,
            site: Some(site.id.clone()),
            label: Some(label.clone()),
            refused: None,
            detail: None,
        },
        Err(wrong) => SentLineReport {
            line: line.number,
            site: None,
            label: None,
            refused: Some(wrong.refusal.code()),
            detail: Some(wrong.detail.clone()),
        },
    };
    checked.lines.iter().map(report).collect()
}

impl BatchReport {
    fn of(batch: InvitationBatch, sent: &[SentInvitation]) -> Self {
        let count = |progress: &InvitationProgress| {
            (progress.as_str(), sent.iter().filter(|one| one.progress == *progress).count())
        };
        Self {
            batch: batch.id,
            tenant: batch.tenant,
            name: batch.name,
            created_at: batch.created_at,
            invited: sent.len(),
            progress: InvitationProgress::ALL.iter().map(count).collect(),
        }
    }
}

impl SentInvitationReport {
    fn of(one: SentInvitation) -> Self {
        Self {
            invitation: one.id,
            site: one.site,
            site_name: one.site_name,
            label: one.label,
            progress: one.progress.as_str(),
            device: one.device,
            expires_at: one.expires_at,
        }
    }
}
