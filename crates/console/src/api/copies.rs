//! Certificates that two machines seem to use.

use crate::acting::{Acting, ActingJson};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tegata_core::{DeviceId, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::CopyAlarm;
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, REQUEST, WRITING};
use utoipa::ToSchema;

tegata_web::refusals! {
    CopyAlarmRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

tegata_web::refusals! {
    DismissRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::DeviceUnknown,
        Refusal::CopyAlarmOver,
    ]
}

/// A certificate that two machines seem to use.
#[derive(Serialize, ToSchema)]
pub(crate) struct CopyAlarmReport {
    #[schema(value_type = String)]
    device: DeviceId,
    label: String,
    #[schema(value_type = String)]
    tenant: TenantId,
    #[schema(value_type = String)]
    site: SiteId,
    site_name: String,
    /// The two machines: address and platform.
    machines: [String; 2],
    #[schema(value_type = String, format = DateTime)]
    raised_at: Timestamp,
    /// When it was seen last.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

/// Why it is well as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DismissBody {
    /// For the audit log; no names of persons.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// Alarms that nobody has dismissed, the newest first.
#[utoipa::path(get, path = "/api/v1/copy-alarms", operation_id = "listCopyAlarms",
    responses((status = OK, description = "About devices that the person may see", body = Vec<CopyAlarmReport>), CopyAlarmRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
) -> WebResult<Json<Vec<CopyAlarmReport>>> {
    let alarms = service.copy_alarms_seen(&by).await?;
    Ok(Json(alarms.into_iter().map(CopyAlarmReport::of).collect()))
}

/// Says that a certificate is used as it should be, and why.
///
/// The same two machines raise no alarm again.
#[utoipa::path(post, path = "/api/v1/devices/{device}/copy-alarm/dismiss", operation_id = "dismissCopyAlarm", request_body = DismissBody,
    params(("device" = String, Path, description = "Its identifier")),
    responses((status = NO_CONTENT, description = "It is in the audit log"), DismissRefusals))]
pub(crate) async fn dismiss(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(device) }: ActingJson<DismissBody, Path<DeviceId>>,
) -> WebResult<StatusCode> {
    service.dismiss_copy_alarm(&by, &device, &body.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl CopyAlarmReport {
    fn of(alarm: CopyAlarm) -> Self {
        Self {
            device: alarm.device,
            label: alarm.label,
            tenant: alarm.tenant,
            site: alarm.site,
            site_name: alarm.site_name,
            machines: alarm.machines,
            raised_at: alarm.raised_at,
            last_at: alarm.last_at,
        }
    }
}
