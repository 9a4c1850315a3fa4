//! What happened to a device, as the audit log has it.

use crate::acting::Acting;
use crate::api::refusals::{ACTING, SIGNED_IN};
use crate::service::{ConsoleService, refusal};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tegata_core::{Act, DeviceId, Refusal};
use tegata_web::WebResult;
use tegata_web::api::{CALLER, REQUEST};
use utoipa::{IntoParams, ToSchema};

/// Entries on one page at most.
const PAGE: u32 = 100;

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
    /// Each as it was written and hashed.
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Value>,
    /// The `before` of the next page; nothing where this is the last.
    next: Option<u64>,
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
    let entries = rows.history_of(&device, before.unwrap_or(u64::MAX), PAGE).await.map_err(refusal)?;
    let is_full = entries.len() >= PAGE as usize;
    let next = entries.last().filter(|_| is_full).map(|entry| entry.seq);
    let read = |entry: &tegata_storage::AuditEntry| serde_json::from_str(&entry.entry).unwrap_or(Value::Null);
    Ok(Json(AuditPage { entries: entries.iter().map(read).collect(), next }))
}
