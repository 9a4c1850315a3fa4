//! What there is to do today.

use crate::acting::Acting;
use crate::api::refusals::{ACTING, SIGNED_IN};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tegata_core::Language;
use tegata_core::japan_date::iso_day;
use tegata_web::WebResult;
use tegata_web::api::{CALLER, REQUEST};
use utoipa::ToSchema;

tegata_web::refusals! {
    TodayRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

/// The work of a day.
#[derive(Serialize, ToSchema)]
pub(crate) struct DayReport {
    /// The day in Japan.
    #[schema(format = Date)]
    day: String,
    /// Whether there is anything to do.
    work: bool,
    /// What there is; of nothing else there is any.
    items: Vec<DayItem>,
}

/// One thing of the day.
#[derive(Serialize, ToSchema)]
pub(crate) struct DayItem {
    /// What it is; codes that are not known yet may come.
    code: &'static str,
    /// How many there are.
    count: u64,
}

/// What there is to do today, as far as the person may see it.
#[utoipa::path(get, path = "/api/v1/today", operation_id = "showDay",
    responses((status = OK, description = "What waits, what ends and what fails", body = DayReport), TodayRefusals))]
pub(crate) async fn show(State(service): State<ConsoleService>, by: Acting) -> WebResult<Json<DayReport>> {
    let groups = service.work_seen(&by, Language::En).await?;
    let items = groups.into_iter().flat_map(|group| group.items);
    let items: Vec<_> = items.map(|item| DayItem { code: item.code, count: item.count }).collect();
    Ok(Json(DayReport { day: iso_day(by.at), work: !items.is_empty(), items }))
}
