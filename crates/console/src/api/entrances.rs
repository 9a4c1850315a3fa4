//! Which devices of a site could enter on a day.

use crate::acting::Acting;
use crate::api::page_length::length;
use crate::api::refusals::{ACTING, SIGNED_IN};
use crate::entrances::AskedDay;
use crate::pages::devices::parsed;
use crate::pages::entrances::{cursor, written};
use crate::service::{ConsoleService, refusal};
use crate::words;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use tegata_core::policy::Platform;
use tegata_core::{DeviceId, Refusal, SiteId, Timestamp};
use tegata_storage::{DeviceEntrance, EntrancePage, EntranceSpell};
use tegata_web::WebResult;
use tegata_web::api::{CALLER, PlatformSchema, REQUEST};
use utoipa::{IntoParams, ToSchema};

tegata_web::refusals! {
    EntranceRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[Refusal::LineSiteUnknown]
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntranceListQuery {
    /// A day of Japan, such as 2026-11-30, and none that is to come: today unless it is said.
    date: Option<String>,
    /// Where the page before ended: its `next`, asked for with its `date`.
    cursor: Option<String>,
    /// How many devices are looked at: 100 unless it is said, 500 at most. Those that could not enter are left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A page of devices that could enter, by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntranceListPage {
    /// The day that it is about.
    date: String,
    entrances: Vec<EntranceReport>,
    /// The `cursor` of the next page; nothing where this is the last.
    next: Option<String>,
}

/// A device that could enter.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntranceReport {
    #[schema(value_type = String)]
    device: DeviceId,
    /// What people read out to name it.
    number: String,
    /// What it is called now.
    label: String,
    #[schema(value_type = Option<PlatformSchema>)]
    platform: Option<Platform>,
    /// When it could, in order.
    spells: Vec<SpellReport>,
}

/// A stretch of the day.
#[derive(Serialize, ToSchema)]
pub(crate) struct SpellReport {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// That moment does not belong to it.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

/// Devices of a site that could enter on a day.
///
/// By their certificates, and by every stop of themselves and of their company.
#[utoipa::path(get, path = "/api/v1/sites/{site}/entrances", operation_id = "listEntrances",
    params(EntranceListQuery, ("site" = String, Path, description = "Identifier of the site")),
    responses((status = OK, description = "A page of them", body = EntranceListPage), EntranceRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(site): Path<SiteId>,
    Query(asked): Query<EntranceListQuery>,
) -> WebResult<Json<EntranceListPage>> {
    let day = AskedDay::parse(asked.date.as_deref(), by.at)?;
    let (sight, _) = service.sites_of_entrances(&by, None, Some(&site)).await?;
    let page = EntrancePage {
        site,
        within: day.within,
        after: parsed(asked.cursor.as_deref(), cursor)?,
        limit: length(asked.limit)?,
    };
    let (entrances, end) = sight.rows.entrances(&page).await.map_err(refusal)?;
    let entrances = entrances.into_iter().map(EntranceReport::of).collect();
    Ok(Json(EntranceListPage { date: day.text, entrances, next: end.as_ref().map(written) }))
}

impl EntranceReport {
    fn of(entrance: DeviceEntrance) -> Self {
        let spell = |EntranceSpell { from, until }| SpellReport { from, until };
        Self {
            number: words::number(&entrance.device.id),
            device: entrance.device.id,
            label: entrance.device.label,
            platform: entrance.platform,
            spells: entrance.spells.into_iter().map(spell).collect(),
        }
    }
}
