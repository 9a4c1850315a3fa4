//! What happened to a device or at a tenant, as the audit log has it.

use crate::acting::Acting;
use crate::api::refusals::{ACTING, SIGNED_IN};
use crate::service::{ConsoleService, refusal};
use crate::trail::TrailQuery;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tegata_core::access::Reach;
use tegata_core::{Act, DeviceId, Refusal};
use tegata_storage::AuditEntry;
use tegata_web::WebResult;
use tegata_web::api::{CALLER, REQUEST};
use utoipa::{IntoParams, ToSchema};

/// Entries on one page at most.
const PAGE: u32 = 100;

/// No entry has a greater number.
const LAST: u64 = i64::MAX.unsigned_abs();

tegata_web::refusals! {
    AuditRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[Refusal::DeviceUnknown]
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// Entries before this one: the `next` of the page before.
    before: Option<u64>,
}

/// A page of entries, the newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// Each as it was written and hashed; a company reads `operator` where an operator of the vendor acted, without the name.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Value>,
    /// The `before` of the next page; nothing where this is the last.
    next: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TrailListQuery {
    /// Whoever reaches all tenants names one; others read their own.
    tenant: Option<String>,
    /// About this device alone.
    device: Option<String>,
    /// By this person, or about them.
    person: Option<String>,
    /// From this day of Japan on, such as 2026-11-30.
    from: Option<String>,
    /// Until this day of Japan, which belongs to it.
    until: Option<String>,
    /// Entries before this one: the `next` of the page before.
    before: Option<String>,
}

/// What happened at a tenant, the newest first, without routine tokens.
///
/// A page may be empty and yet have a `next`: then nothing fits among the newest thousands.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "auditOfTenant", params(TrailListQuery),
    responses((status = OK, description = "A page of entries", body = AuditPage), AuditRefusals))]
pub(crate) async fn of_tenant(
    State(service): State<ConsoleService>,
    by: Acting,
    Query(asked): Query<TrailListQuery>,
) -> WebResult<Json<AuditPage>> {
    let TrailListQuery { tenant, device, person, from, until, before } = asked;
    let asked = TrailQuery { tenant, device, person, from, until, before };
    let sight = service.sight(&by, Act::ReadAudit)?;
    let page = asked.page(&by, &sight, PAGE)?.ok_or(Refusal::RequestMalformed)?;
    let found = sight.rows.trail(&page).await.map_err(refusal)?;
    Ok(Json(AuditPage {
        entries: found.entries.iter().map(|entry| read(&by, entry)).collect(),
        next: found.next,
    }))
}

/// People of the vendor are not a tenant's to see by name: of an operator, who has no account, it says no more than that. The vendor's
/// own people read it as it was written.
fn read(by: &Acting, entry: &AuditEntry) -> Value {
    let mut value: Value = serde_json::from_str(&entry.entry).unwrap_or(Value::Null);
    let is_hidden = by.reach(Act::ReadAudit) != Ok(Reach::Everywhere);
    if is_hidden && value["actor"].as_str().is_some_and(|actor| actor.starts_with("operator:")) {
        value["actor"] = Value::from("operator");
    }
    value
}

/// What happened to a device.
#[utoipa::path(get, path = "/api/v1/devices/{device}/audit", operation_id = "auditOfDevice",
    params(AuditQuery, ("device" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "A page of entries", body = AuditPage), AuditRefusals))]
pub(crate) async fn of_device(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(device): Path<DeviceId>,
    Query(AuditQuery { before }): Query<AuditQuery>,
) -> WebResult<Json<AuditPage>> {
    let (known, rows) = service.seen_device(&by, &device).await?;
    by.judge(Act::ReadAudit, (&known.device.tenant, &known.device.site), None)?;
    let before = before.unwrap_or(LAST);
    if before > LAST {
        return Err(Refusal::RequestMalformed.into());
    }
    let entries = rows.history_of(&device, before, PAGE).await.map_err(refusal)?;
    let is_full = entries.len() >= PAGE as usize;
    let next = entries.last().filter(|_| is_full).map(|entry| entry.seq);
    Ok(Json(AuditPage { entries: entries.iter().map(|entry| read(&by, entry)).collect(), next }))
}
