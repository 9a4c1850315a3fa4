//! Transfers of business: plans, what they will change, approvals, and what became of them.

use crate::acting::{Acting, ActingJson};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::service::{ConsoleService, refusal};
use crate::transfer_planning::{RENEWAL_HOURS, TransferDecisions, TransferWish};
use crate::transfer_text::{describe_approval, describe_transfer};
use crate::transfers::TransferEnding;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tegata_core::transfer::{DeviceDecision, PersonDecision, TransferState};
use tegata_core::{
    Act, DeviceId, PersonId, PersonRole, Refusal, Roles, SiteId, TenantId, Thumbprint, Timestamp, TransferId,
};
use tegata_storage::{GivenApproval, Transfer};
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use utoipa::ToSchema;

tegata_web::refusals! {
    TransferListRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

tegata_web::refusals! {
    TransferReadRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[Refusal::TransferUnknown]
}

tegata_web::refusals! {
    DryRunRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[
        Refusal::TransferUnknown,
        Refusal::TransferStateOtherwise,
    ]
}

tegata_web::refusals! {
    PlanRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[Refusal::TransferPlanUnfit]
}

tegata_web::refusals! {
    ReverseRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::TransferUnknown,
        Refusal::TransferPlanUnfit,
        Refusal::TransferStateOtherwise,
    ]
}

tegata_web::refusals! {
    DecisionsRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::TransferUnknown,
        Refusal::TransferPlanUnfit,
        Refusal::TransferChangedMeanwhile,
        Refusal::TransferStateOtherwise,
        Refusal::DeviceUnknown,
        Refusal::PersonUnknown,
        Refusal::LineSiteUnknown,
    ]
}

tegata_web::refusals! {
    ApproveTransferRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::TransferUnknown,
        Refusal::TransferChangedMeanwhile,
        Refusal::TransferStateOtherwise,
        Refusal::OwnRequest,
    ]
}

tegata_web::refusals! {
    EndTransferRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::TransferUnknown,
        Refusal::TransferChangedMeanwhile,
        Refusal::TransferStateOtherwise,
    ]
}

/// Sites of one plan.
const MOST_SITES: usize = 1000;

/// A transfer that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferPlanBody {
    /// The tenant that gives: one's own unless another is named.
    #[schema(value_type = Option<String>)]
    source: Option<TenantId>,
    /// The tenant that receives, by its identifier.
    #[schema(value_type = String)]
    target: TenantId,
    /// The sites that move.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 1000)]
    sites: Vec<SiteId>,
    /// The minute at which it happens.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Hours for devices to get their new certificate by the old one: 72 unless it is said.
    #[schema(minimum = 1, maximum = 744)]
    renewal_hours: Option<u32>,
    /// Whether all devices at these sites move.
    #[serde(default)]
    move_devices: bool,
    /// Whether all people at these sites move.
    #[serde(default)]
    move_people: bool,
    /// Why, for the audit log; no names of persons.
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
}

/// Who moves, and when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionsBody {
    /// The hash of the plan that was read.
    #[schema(value_type = String)]
    plan: Thumbprint,
    /// By the identifiers of devices: `move`, `undecided`, or the identifier of the site where one stays.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, String>)]
    devices: BTreeMap<DeviceId, String>,
    /// By the identifiers of people: `move`, `stay` or `undecided`.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, String>)]
    people: BTreeMap<PersonId, String>,
    /// Another minute at which it happens.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// What somebody approves of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferApprovalBody {
    /// The hash of the plan that was looked at.
    #[schema(value_type = String)]
    plan: Thumbprint,
}

/// Why a transfer ends before it begins.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndTransferBody {
    /// The hash of the plan that was looked at.
    #[schema(value_type = String)]
    plan: Thumbprint,
    /// For the audit log; no names of persons.
    #[schema(max_length = 200)]
    reason: String,
}

/// When a transfer is taken back that is done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReverseBody {
    /// The minute at which it happens.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// A transfer that was planned.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlannedTransfer {
    #[schema(value_type = String)]
    transfer: TransferId,
}

/// How a transfer stands after an approval.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApprovedTransfer {
    /// `approved` once nobody is missing, `draft` before.
    #[schema(value_type = String)]
    state: TransferState,
}

/// Whether somebody looks after both companies.
fn sees_both(by: &Acting, transfer: &Transfer) -> bool {
    let plans = |tenant: &TenantId| by.judge_tenant(Act::PlanTransfer, tenant).is_ok();
    plans(&transfer.plan.source) && transfer.plan.target().is_none_or(plans)
}

/// Without the people of the other company, who are nobody to the reader.
fn described(by: &Acting, transfer: &Transfer) -> Value {
    let mut shown = describe_transfer(transfer);
    let is_own = |person: &PersonId| by.who.is(Some(person));
    if !sees_both(by, transfer) {
        shown["requested_by"] = json!(transfer.requested_by.as_ref().filter(|person| is_own(person)));
        let own: Vec<_> = transfer.changed_by.iter().filter(|person| is_own(person)).collect();
        shown["changed_by"] = json!(own);
    }
    shown
}

/// The transfers in which one's company takes part, the newest minute first.
#[utoipa::path(get, path = "/api/v1/transfers", operation_id = "listTransfers",
    responses((status = OK, description = "What `tegata transfer list --json` prints of them", body = Vec<Value>), TransferListRefusals))]
pub(crate) async fn list(State(service): State<ConsoleService>, by: Acting) -> WebResult<Json<Vec<Value>>> {
    let transfers = service.transfers_seen(&by).await?;
    Ok(Json(transfers.iter().map(|transfer| described(&by, transfer)).collect()))
}

/// Plans that sites go to another company.
#[utoipa::path(post, path = "/api/v1/transfers", operation_id = "planTransfer", request_body = TransferPlanBody,
    responses((status = CREATED, description = "Nobody has approved of it yet", body = PlannedTransfer), PlanRefusals))]
pub(crate) async fn plan(
    State(service): State<ConsoleService>,
    ActingJson { by, body, .. }: ActingJson<TransferPlanBody>,
) -> WebResult<(StatusCode, Json<PlannedTransfer>)> {
    if body.sites.len() > MOST_SITES {
        return Err(Refusal::RequestMalformed.into());
    }
    let wish = TransferWish {
        source: body.source.unwrap_or_else(|| by.tenant()),
        target: body.target,
        sites: body.sites,
        at: body.at,
        renewal_hours: body.renewal_hours.unwrap_or(RENEWAL_HOURS),
        moves_devices: body.move_devices,
        moves_people: body.move_people,
        note: body.note.trim().to_owned(),
    };
    let transfer = service.plan_transfer(&by, &wish).await?;
    Ok((StatusCode::CREATED, Json(PlannedTransfer { transfer })))
}

/// One transfer, and who approved of it.
#[utoipa::path(get, path = "/api/v1/transfers/{transfer}", operation_id = "showTransfer",
    params(("transfer" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "What `tegata transfer show --json` prints of it", body = Value), TransferReadRefusals))]
pub(crate) async fn show(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(transfer): Path<TransferId>,
) -> WebResult<Json<Value>> {
    let (transfer, rows) = service.transfer_seen(&by, &transfer).await?;
    let given = rows.transfer_approvals(&transfer.id).await.map_err(refusal)?;
    let mut shown = described(&by, &transfer);
    let is_own = |given: &GivenApproval| {
        let sides = transfer.plan.sides_of(&by.tenant(), &Roles::new([PersonRole::TenantAdmin]));
        sees_both(&by, &transfer) || sides.contains(&given.approval.side)
    };
    let approval = |given: &GivenApproval| {
        let mut shown = describe_approval(&transfer, given);
        if !is_own(given) {
            shown["person"] = Value::Null;
        }
        shown
    };
    shown["approvals"] = given.iter().map(approval).collect();
    Ok(Json(shown))
}

/// Says who moves, and when. Voids the approvals.
#[utoipa::path(post, path = "/api/v1/transfers/{transfer}/decisions", operation_id = "decideTransfer", request_body = DecisionsBody,
    params(("transfer" = String, Path, description = "Its identifier")),
    responses((status = NO_CONTENT, description = "The plan is another now"), DecisionsRefusals))]
pub(crate) async fn decide(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(transfer) }: ActingJson<DecisionsBody, Path<TransferId>>,
) -> WebResult<StatusCode> {
    let mut decisions = TransferDecisions { at: body.at, ..TransferDecisions::default() };
    for (device, word) in body.devices {
        let decided = match word.as_str() {
            "move" => Some(DeviceDecision::Move),
            "undecided" => None,
            site => {
                let at = SiteId::parse(site).ok_or(Refusal::RequestMalformed)?;
                Some(DeviceDecision::Stay { at })
            }
        };
        decisions.devices.push((device, decided));
    }
    for (person, word) in body.people {
        let decided = match word.as_str() {
            "move" => Some(PersonDecision::Move),
            "stay" => Some(PersonDecision::Stay),
            "undecided" => None,
            _ => return Err(Refusal::RequestMalformed.into()),
        };
        decisions.people.push((person, decided));
    }
    service.decide_transfer(&by, (&transfer, &body.plan), decisions).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Everything that will change as things stand; changes nothing.
#[utoipa::path(get, path = "/api/v1/transfers/{transfer}/dry-run", operation_id = "dryRunTransfer",
    params(("transfer" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "What `tegata transfer dry-run --json` prints, as far as the person may see it", body = Value), DryRunRefusals))]
pub(crate) async fn dry_run(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(transfer): Path<TransferId>,
) -> WebResult<Json<Value>> {
    let (transfer, seen) = service.transfer_forecast(&by, &transfer).await?;
    let mut shown = described(&by, &transfer);
    shown["will"] = serde_json::to_value(&seen).map_err(|_| Refusal::Internal)?;
    Ok(Json(shown))
}

/// Approves of the plan for one's company, or for the vendor's support.
#[utoipa::path(post, path = "/api/v1/transfers/{transfer}/approve", operation_id = "approveTransfer", request_body = TransferApprovalBody,
    params(("transfer" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "It is noted, durably", body = ApprovedTransfer), ApproveTransferRefusals))]
pub(crate) async fn approve(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(transfer) }: ActingJson<TransferApprovalBody, Path<TransferId>>,
) -> WebResult<Json<ApprovedTransfer>> {
    let state = service.approve_transfer(&by, (&transfer, &body.plan)).await?;
    Ok(Json(ApprovedTransfer { state }))
}

/// Declines a transfer for one's company, or for the vendor's support, which ends it.
#[utoipa::path(post, path = "/api/v1/transfers/{transfer}/decline", operation_id = "declineTransfer", request_body = EndTransferBody,
    params(("transfer" = String, Path, description = "Its identifier")),
    responses((status = NO_CONTENT, description = "Nothing comes of it"), EndTransferRefusals))]
pub(crate) async fn decline(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(transfer) }: ActingJson<EndTransferBody, Path<TransferId>>,
) -> WebResult<StatusCode> {
    service.end_transfer(&by, (&transfer, &body.plan), (TransferEnding::Decline, body.reason.trim())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a transfer back before it begins.
#[utoipa::path(post, path = "/api/v1/transfers/{transfer}/abort", operation_id = "abortTransfer", request_body = EndTransferBody,
    params(("transfer" = String, Path, description = "Its identifier")),
    responses((status = NO_CONTENT, description = "Nothing comes of it"), EndTransferRefusals))]
pub(crate) async fn abort(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(transfer) }: ActingJson<EndTransferBody, Path<TransferId>>,
) -> WebResult<StatusCode> {
    service.end_transfer(&by, (&transfer, &body.plan), (TransferEnding::Abort, body.reason.trim())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Plans the way back of a transfer that is done.
#[utoipa::path(post, path = "/api/v1/transfers/{transfer}/reverse", operation_id = "reverseTransfer", request_body = ReverseBody,
    params(("transfer" = String, Path, description = "Its identifier")),
    responses((status = CREATED, description = "A plan of its own, to be approved like any other", body = PlannedTransfer), ReverseRefusals))]
pub(crate) async fn reverse(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(transfer) }: ActingJson<ReverseBody, Path<TransferId>>,
) -> WebResult<(StatusCode, Json<PlannedTransfer>)> {
    let transfer = service.reverse_transfer(&by, &transfer, body.at).await?;
    Ok((StatusCode::CREATED, Json(PlannedTransfer { transfer })))
}

/// What became of everything so far.
#[utoipa::path(get, path = "/api/v1/transfers/{transfer}/report", operation_id = "reportTransfer",
    params(("transfer" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "What `tegata transfer report --json` prints, as far as the person may see it", body = Value), TransferReadRefusals))]
pub(crate) async fn report(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(transfer): Path<TransferId>,
) -> WebResult<Json<Value>> {
    let (transfer, result) = service.transfer_result(&by, &transfer).await?;
    let mut shown = described(&by, &transfer);
    for (name, part) in
        [("sites", json!(result.sites)), ("devices", json!(result.devices)), ("people", json!(result.people))]
    {
        shown[name] = part;
    }
    Ok(Json(shown))
}
