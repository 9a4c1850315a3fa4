//! Devices: a list in pages, one of them, and what is done to it.

use crate::acting::{Acting, ActingJson};
use crate::acts::{DeviceChanged, DeviceCommand, DeviceOutcome, DeviceRequest, RepeatableRequest, tag_of};
use crate::api::if_match::seen;
use crate::api::page_length::length;
use crate::api::refusals::{ACTING, CHANGING, SIGNED_IN};
use crate::moving::DeviceMove;
use crate::pages::devices::{ListQuery, written};
use crate::service::{ConsoleService, refusal};
use crate::words;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, ETAG};
use serde::{Deserialize, Serialize};
use tegata_core::policy::Platform;
use tegata_core::{Act, DeviceId, DeviceState, Refusal, Role, SiteId, StopCause, TenantId, Timestamp};
use tegata_storage::LedgerDevice;
use tegata_web::WebResult;
use tegata_web::api::{BODY, CALLER, DeviceStateSchema, PlatformSchema, REQUEST, RoleSchema, WRITING};
use utoipa::{IntoParams, ToSchema};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 64;

tegata_web::refusals! {
    ListRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

tegata_web::refusals! {
    ShowRefusals = REQUEST, CALLER, SIGNED_IN, ACTING, &[Refusal::DeviceUnknown]
}

tegata_web::refusals! {
    ActRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::DeviceUnknown,
        Refusal::DeviceStateOtherwise,
        Refusal::DeviceChangedMeanwhile,
        Refusal::OwnDevice,
        Refusal::IdempotencyKeyMissing,
        Refusal::IdempotencyKeyReused,
    ]
}

tegata_web::refusals! {
    MoveRefusals = REQUEST, BODY, CALLER, SIGNED_IN, ACTING, CHANGING, WRITING, &[
        Refusal::DeviceUnknown,
        Refusal::DeviceStateOtherwise,
        Refusal::DeviceChangedMeanwhile,
        Refusal::OwnDevice,
        Refusal::LineSiteUnknown,
        Refusal::SiteFull,
        Refusal::SiteChangesHands,
    ]
}

/// How the list is narrowed and sorted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeviceListQuery {
    /// Of this tenant alone.
    tenant: Option<String>,
    /// Of this site alone.
    site: Option<String>,
    /// In this state alone: active, suspended, revoked or retired.
    state: Option<String>,
    /// Of this platform alone.
    platform: Option<String>,
    /// That did not come for so many days.
    stale_days: Option<String>,
    /// In use, and whose last certificate ends within so many days.
    due_days: Option<String>,
    /// In use, and with a certificate that lasts so many days at least.
    lasts_days: Option<String>,
    /// Says true for those alone that share their name with another one of their site, both in use or suspended.
    namesakes: Option<String>,
    /// Says true for those alone whose certificate two machines seem to use, and of which nobody has said that it is well.
    copied: Option<String>,
    /// number, place, unseen or changed.
    sort: Option<String>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// How many at most: 100 unless it is said, 500 at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A page of the list.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceListPage {
    devices: Vec<DeviceReport>,
    /// The `cursor` of the next page; nothing where this is the last.
    next: Option<String>,
}

/// A device as programs read it.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceReport {
    #[schema(value_type = String)]
    device: DeviceId,
    /// What people read out to name it.
    number: String,
    label: String,
    #[schema(value_type = String)]
    tenant: TenantId,
    tenant_name: String,
    #[schema(value_type = String)]
    site: SiteId,
    site_name: String,
    #[schema(value_type = RoleSchema)]
    role: Role,
    /// What it counts as, its tenant's state included.
    #[schema(value_type = DeviceStateSchema)]
    state: DeviceState,
    #[schema(value_type = Option<PlatformSchema>)]
    platform: Option<Platform>,
    #[schema(value_type = Option<String>, format = DateTime)]
    seen_at: Option<Timestamp>,
    /// When the last certificate that it can use ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
}

/// Where a device goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveBody {
    /// Identifier of another site of the same company.
    #[schema(value_type = String)]
    site: SiteId,
    /// For the audit log; no names of persons.
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
    /// Whoever moves the device in hand is signed out by it, and has to say so.
    #[serde(default)]
    own: bool,
}

/// Why something is done to a device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActBody {
    /// For the audit log; no names of persons. Support's own justification stands where nothing is said.
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
    /// Whoever stops the device in hand has to say so.
    #[serde(default)]
    own: bool,
}

/// Why a device is stopped for ever.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeBody {
    /// For the audit log; no names of persons.
    #[serde(default)]
    #[schema(max_length = 200)]
    note: String,
    /// Whoever stops the device in hand has to say so.
    #[serde(default)]
    own: bool,
    /// What the page of the device says: lost, `key_compromise`, superseded, `affiliation_changed` or `cessation_of_operation`.
    cause: Option<String>,
}

/// The devices that the person may see.
#[utoipa::path(get, path = "/api/v1/devices", operation_id = "listDevices", params(DeviceListQuery),
    responses((status = OK, description = "A page of them", body = DeviceListPage), ListRefusals))]
pub(crate) async fn list(
    State(service): State<ConsoleService>,
    by: Acting,
    Query(asked): Query<DeviceListQuery>,
) -> WebResult<Json<DeviceListPage>> {
    let sight = service.sight(&by, Act::SeeDevices)?;
    let limit = length(asked.limit)?;
    let page = asked.as_of_pages().page(&sight, by.at, limit)?;
    let (devices, end) = sight.rows.device_page(&page).await.map_err(refusal)?;
    let devices = devices.into_iter().map(DeviceReport::of).collect();
    Ok(Json(DeviceListPage { devices, next: end.as_ref().map(written) }))
}

/// A device and its validator.
#[utoipa::path(get, path = "/api/v1/devices/{device}", operation_id = "showDevice",
    params(("device" = String, Path, description = "Its identifier")),
    responses((status = OK, description = "With its validator in ETag", body = DeviceReport), ShowRefusals))]
pub(crate) async fn show(
    State(service): State<ConsoleService>,
    by: Acting,
    Path(device): Path<DeviceId>,
) -> WebResult<Response> {
    let (known, _) = service.seen_device(&by, &device).await?;
    let tag = format!("\"{}\"", tag_of(&known.device));
    Ok(([(ETAG, tag)], Json(DeviceReport::of(known))).into_response())
}

/// Stops a device for now.
///
/// Durable when it is answered; `GET /api/v1/changes/{event}` tells who has confirmed it.
#[utoipa::path(post, path = "/api/v1/devices/{device}/suspend", operation_id = "suspendDevice", request_body = ActBody,
    params(("device" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was seen: nothing is done where the device was changed since"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 visible characters: the same request with the same key is done once", pattern = "^[!-~]{1,64}$")),
    responses((status = OK, description = "It is suspended, durably", body = DeviceChanged), ActRefusals))]
pub(crate) async fn suspend(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingJson { by, body, rest: Path(device) }: ActingJson<ActBody, Path<DeviceId>>,
) -> WebResult<Response> {
    service.act_by_program(&by, &device, (DeviceCommand::Suspend, &body.note, body.own), &headers).await
}

/// Lets a suspended device go on.
#[utoipa::path(post, path = "/api/v1/devices/{device}/resume", operation_id = "resumeDevice", request_body = ActBody,
    params(("device" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was seen: nothing is done where the device was changed since"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 visible characters: the same request with the same key is done once", pattern = "^[!-~]{1,64}$")),
    responses((status = OK, description = "It goes on", body = DeviceChanged), ActRefusals))]
pub(crate) async fn resume(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingJson { by, body, rest: Path(device) }: ActingJson<ActBody, Path<DeviceId>>,
) -> WebResult<Response> {
    service.act_by_program(&by, &device, (DeviceCommand::Resume, &body.note, body.own), &headers).await
}

/// Stops a device for ever, with all its certificates.
#[utoipa::path(post, path = "/api/v1/devices/{device}/revoke", operation_id = "revokeDevice", request_body = RevokeBody,
    params(("device" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was seen: nothing is done where the device was changed since"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 64 visible characters: the same request with the same key is done once", pattern = "^[!-~]{1,64}$")),
    responses((status = OK, description = "It is revoked, durably", body = DeviceChanged), ActRefusals))]
pub(crate) async fn revoke(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingJson { by, body, rest: Path(device) }: ActingJson<RevokeBody, Path<DeviceId>>,
) -> WebResult<Response> {
    let cause = match body.cause.as_deref() {
        Some(word) => Some(StopCause::parse(word).ok_or(Refusal::RequestMalformed)?),
        None => None,
    };
    service.act_by_program(&by, &device, (DeviceCommand::Revoke(cause), &body.note, body.own), &headers).await
}

/// Moves a device to another site of its company.
///
/// Its certificate stays; its tokens and the sessions on it end. Durable when it is answered; `GET /api/v1/changes/{event}` tells who
/// has confirmed it.
#[utoipa::path(post, path = "/api/v1/devices/{device}/move", operation_id = "moveDevice", request_body = MoveBody,
    params(("device" = String, Path, description = "Its identifier"),
        ("If-Match" = Option<String>, Header, description = "The ETag of what was seen: nothing is done where the device was changed since")),
    responses((status = OK, description = "It is there, durably", body = DeviceChanged), MoveRefusals))]
pub(crate) async fn relocate(
    State(service): State<ConsoleService>,
    headers: HeaderMap,
    ActingJson { by, body, rest: Path(device) }: ActingJson<MoveBody, Path<DeviceId>>,
) -> WebResult<Json<DeviceChanged>> {
    let (note, seen) = (body.note.trim(), seen(&headers)?);
    let asked = DeviceMove { device: &device, site: &body.site, note, own: body.own, seen: seen.as_deref() };
    Ok(Json(service.move_device(&by, &asked).await?))
}

impl ConsoleService {
    async fn act_by_program(
        &self,
        by: &Acting,
        device: &DeviceId,
        (command, note, own): (DeviceCommand, &str, bool),
        headers: &HeaderMap,
    ) -> WebResult<Response> {
        let seen = seen(headers)?;
        let text = format!("{command:?} {device} {own} {seen:?} {note}");
        let key = key(headers)?;
        let repeat = key.map(|key| RepeatableRequest { key, text: &text });
        let asked = DeviceRequest { device, command, note: note.trim(), own, seen: seen.as_deref(), repeat };
        Ok(match self.act_on_device(by, &asked).await? {
            DeviceOutcome::Changed(changed) => Json(changed).into_response(),
            DeviceOutcome::Before(answer) => ([(CONTENT_TYPE, "application/json")], answer).into_response(),
        })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Refusal::IdempotencyKeyMissing)?;
    let is_key = (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key { Ok(Some(text)) } else { Err(Refusal::IdempotencyKeyMissing) }
}

impl DeviceListQuery {
    /// In the words that addresses of pages have.
    fn as_of_pages(&self) -> ListQuery {
        ListQuery {
            tenant: self.tenant.clone(),
            site: self.site.clone(),
            state: self.state.clone(),
            platform: self.platform.clone(),
            stale_days: self.stale_days.clone(),
            due_days: self.due_days.clone(),
            lasts_days: self.lasts_days.clone(),
            namesakes: self.namesakes.clone(),
            copied: self.copied.clone(),
            sort: self.sort.clone(),
            after: self.cursor.clone(),
        }
    }
}

impl DeviceReport {
    fn of(known: LedgerDevice) -> Self {
        let state = known.device.effective_state();
        let device = known.device;
        Self {
            number: words::number(&device.id),
            device: device.id,
            label: device.label,
            tenant: device.tenant,
            tenant_name: device.tenant_name,
            site: device.site,
            site_name: device.site_name,
            role: device.role,
            state,
            platform: known.platform,
            seen_at: known.seen_at,
            ends_at: known.ends_at,
            changed_at: device.changed_at,
        }
    }
}
