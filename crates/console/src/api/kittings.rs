//! Kitting codes: one for many devices of a site in a row.

use crate::acting::{Acting, ActingJson, ActingProgram};
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::kitting::{KittingStanding, WantedKitting};
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tegata_core::{DeviceId, DeviceState, KittingId, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::{Kitting, KittingPlace};
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, DeviceStateSchema, REQUEST, WRITING};
use utoipa::{IntoParams, ToSchema};

tegata_web::refusals! {
    KittingListRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

tegata_web::refusals! {
    KittingShowRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[Refusal::InvitationUnknown]
}

tegata_web::refusals! {
    AddKittingRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::LabelUnfit,
        Refusal::LineSiteUnknown,
    ]
}

tegata_web::refusals! {
    EndKittingRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::InvitationUnknown,
        Refusal::InvitationWithdrawn,
    ]
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct KittingsQuery {
    /// Whoever reaches all tenants names one; others see their own.
    tenant: Option<String>,
}

/// What a kitting code is to be for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KittingBody {
    /// What devices are called; `{n}` stands for their number, which comes last where it is not said.
    #[schema(min_length = 1, max_length = 60)]
    label: String,
    /// How many devices it admits.
    #[schema(minimum = 1, maximum = 500)]
    devices: u32,
    /// How long it works.
    #[schema(minimum = 1, maximum = 168)]
    hours: u32,
    /// How many devices it admits within a minute: 10 unless it is said.
    #[schema(minimum = 1, maximum = 100)]
    per_minute: Option<u32>,
    /// From where it works, such as 192.0.2.0/24; from everywhere where nothing is said.
    #[serde(default)]
    networks: Vec<String>,
}

/// A kitting code. Its link is a secret, and told once.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeKittingReport {
    #[schema(value_type = String)]
    kitting: KittingId,
    #[schema(value_type = String)]
    site: SiteId,
    label: String,
    devices: u32,
    url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A kitting code and how far it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct KittingReport {
    #[schema(value_type = String)]
    kitting: KittingId,
    #[schema(value_type = String)]
    tenant: TenantId,
    #[schema(value_type = String)]
    site: SiteId,
    site_name: String,
    label: String,
    /// One of open, `used_up`, ended, expired.
    state: &'static str,
    devices: u32,
    taken: u32,
    per_minute: u32,
    networks: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A kitting code with the devices that came by it.
#[derive(Serialize, ToSchema)]
pub(crate) struct KittingPlacesReport {
    #[serde(flatten)]
    kitting: KittingReport,
    places: Vec<KittingPlaceReport>,
}

/// A device that came by a kitting code.
#[derive(Serialize, ToSchema)]
struct KittingPlaceReport {
    number: u32,
    label: String,
    /// Nothing while its certificate is being made.
    #[schema(value_type = Option<String>)]
    device: Option<DeviceId>,
    #[schema(value_type = Option<DeviceStateSchema>)]
    state: Option<DeviceState>,
    /// Whether somebody has to approve of it first.
    waits: bool,
    in_use: bool,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// The newest kitting codes.
#[utoipa::path(get, path = "/api/v1/kittings", operation_id = "listKittings", params(KittingsQuery),
    responses((status = OK, description = "Those that the person may see", body = Vec<KittingReport>), KittingListRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
    Query(KittingsQuery { tenant }): Query<KittingsQuery>,
) -> WebResult<Json<Vec<KittingReport>>> {
    let tenant = match tenant {
        Some(tenant) => Some(TenantId::parse(&tenant).ok_or(Refusal::RequestMalformed)?),
        None => None,
    };
    let known = service.kittings_seen(&by, tenant.as_ref()).await?;
    Ok(Json(known.into_iter().map(|kitting| KittingReport::of(kitting, by.at)).collect()))
}

/// Makes a kitting code for a site.
#[utoipa::path(post, path = "/api/v1/sites/{site}/kittings", operation_id = "addKitting", request_body = KittingBody,
    params(("site" = String, Path, description = "Identifier of the site")),
    responses((status = CREATED, description = "The link, once", body = MadeKittingReport), AddKittingRefusals))]
pub(crate) async fn add(
    State(service): State<ConsoleService>,
    ActingJson { by, body, rest: Path(site) }: ActingJson<KittingBody, Path<SiteId>>,
) -> WebResult<(StatusCode, Json<MadeKittingReport>)> {
    let wanted = WantedKitting {
        site: &site,
        label: &body.label,
        devices: body.devices,
        hours: body.hours,
        per_minute: body.per_minute.unwrap_or(10),
        networks: &body.networks.join(" "),
    };
    let made = service.add_kitting(&by, &wanted).await?;
    let report = MadeKittingReport {
        kitting: made.id,
        site: made.site.id,
        label: made.label,
        devices: made.devices,
        url: made.link,
        expires_at: made.expires_at,
    };
    Ok((StatusCode::CREATED, Json(report)))
}

/// A kitting code and the devices that came by it.
#[utoipa::path(get, path = "/api/v1/kittings/{kitting}", operation_id = "showKitting",
    params(("kitting" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "How far it is", body = KittingPlacesReport), KittingShowRefusals))]
pub(crate) async fn show(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(kitting): Path<KittingId>,
) -> WebResult<Json<KittingPlacesReport>> {
    let (kitting, places) = service.kitting_seen(&by, &kitting).await?;
    let places = places.into_iter().map(KittingPlaceReport::of).collect();
    Ok(Json(KittingPlacesReport { kitting: KittingReport::of(kitting, by.at), places }))
}

/// Ends a kitting code at once. The devices that came by it go on.
#[utoipa::path(post, path = "/api/v1/kittings/{kitting}/end", operation_id = "endKitting",
    params(("kitting" = String, Path, description = "Its identifier")),
    responses((status = NO_CONTENT, description = "It is of no use any more"), EndKittingRefusals))]
pub(crate) async fn end(
    State(service): State<ConsoleService>,
    ActingProgram(by): ActingProgram,
    Path(kitting): Path<KittingId>,
) -> WebResult<StatusCode> {
    service.end_kitting(&by, &kitting).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl KittingReport {
    fn of(kitting: Kitting, now: Timestamp) -> Self {
        Self {
            state: KittingStanding::of(&kitting, now).as_str(),
            kitting: kitting.id,
            tenant: kitting.tenant,
            site: kitting.site,
            site_name: kitting.site_name,
            label: kitting.label,
            devices: kitting.places,
            taken: kitting.taken,
            per_minute: kitting.per_minute,
            networks: kitting.networks.iter().map(ToString::to_string).collect(),
            created_at: kitting.created_at,
            expires_at: kitting.expires_at,
        }
    }
}

impl KittingPlaceReport {
    fn of(place: KittingPlace) -> Self {
        Self {
            number: place.number,
            label: place.label,
            device: place.device,
            state: place.device_state,
            waits: place.waits,
            in_use: place.in_use,
            at: place.taken_at,
        }
    }
}
