//! When certificates end, week by week.

use crate::acting::Acting;
use crate::api::refusals::{ACTING, SIGNED_IN};
use crate::expiries::ExpiryWeek;
use crate::pages::devices::parsed;
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use tegata_core::{Refusal, TenantId, Timestamp};
use tegata_web::WebResult;
use tegata_web::api::{CALLER, REQUEST};
use utoipa::{IntoParams, ToSchema};

tegata_web::refusals! {
    ExpiryRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

/// Of which tenant the weeks are.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExpiryQuery {
    /// Whoever reaches all tenants names one; others see their own.
    tenant: Option<String>,
}

/// A week, and how many devices in use have their last certificate end in it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExpiryWeekReport {
    /// Its Monday in Japan, as it begins.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    devices: u64,
}

/// When certificates end, for a quarter of a year from this week on.
#[utoipa::path(get, path = "/api/v1/expiries", operation_id = "listExpiries", params(ExpiryQuery),
    responses((status = OK, description = "Thirteen weeks", body = Vec<ExpiryWeekReport>), ExpiryRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
    Query(ExpiryQuery { tenant }): Query<ExpiryQuery>,
) -> WebResult<Json<Vec<ExpiryWeekReport>>> {
    let weeks = service.expiries_seen(&by, parsed(tenant.as_deref(), TenantId::parse)?).await?;
    let report = |ExpiryWeek { from, devices }| ExpiryWeekReport { from, devices };
    Ok(Json(weeks.ok_or(Refusal::RequestMalformed)?.into_iter().map(report).collect()))
}
