//! How the installation does, and the numbers of its pictures.

use crate::acting::Acting;
use crate::api::refusals::{ACTING, SIGNED_IN};
use crate::figures::Figures;
use crate::fleet::{CountedFleet, WEEKS};
use crate::health::HealthReport;
use crate::service::ConsoleService;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tegata_core::policy::Platform;
use tegata_core::{DeviceState, Timestamp};
use tegata_storage::RenewalWeek;
use tegata_web::WebResult;
use tegata_web::api::{CALLER, DeviceStateSchema, PlatformSchema, REQUEST};
use utoipa::ToSchema;

tegata_web::refusals! {
    HealthRefusals = REQUEST, CALLER, SIGNED_IN, ACTING
}

/// The numbers of the pictures.
#[derive(Serialize, ToSchema)]
pub(crate) struct FiguresReport {
    /// When devices were counted; of a large installation a while ago.
    #[schema(value_type = String, format = DateTime)]
    counted_at: Timestamp,
    /// Devices that the person may see, by state and platform.
    devices: Vec<DeviceFigure>,
    renewals: RenewalFigures,
    /// How soon the last 100 changes that people made were confirmed.
    receipts: Vec<ReceiptFigure>,
    /// What servers refused in the last 7 days; nothing for those who may not see it.
    refusals: Option<Vec<RefusalFigure>>,
}

/// How many devices are in one state and of one platform.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceFigure {
    #[schema(value_type = DeviceStateSchema)]
    state: DeviceState,
    #[schema(value_type = Option<PlatformSchema>)]
    platform: Option<Platform>,
    devices: u64,
}

/// When renewals are due, without the rules of tenants and sites.
#[derive(Serialize, ToSchema)]
pub(crate) struct RenewalFigures {
    /// Devices whose last certificate has ended.
    ended: u64,
    /// Devices that are due now.
    due: u64,
    /// Devices that come due in each of the 13 weeks after `counted_at`.
    weeks: Vec<u64>,
}

/// How soon one kind of surface confirmed changes.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceiptFigure {
    /// The kind: `token`, `introspection`, `ocsp`, `status-list`, `crl` or `gate`.
    surface: String,
    /// How many changes all of its kind confirmed.
    changes: usize,
    /// How many changes not all of its kind confirmed while they were waited for.
    unconfirmed: usize,
    /// Of the changes that were confirmed; 0 where none was.
    median_milliseconds: u64,
    slowest_milliseconds: u64,
}

/// How often one code was answered within one hour.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusalFigure {
    /// When the hour began.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    code: String,
    refused: u64,
}

/// How the installation does: what `tegata health --json` prints.
#[utoipa::path(get, path = "/api/v1/health", operation_id = "showHealth",
    responses((status = OK, description = "The facts, and what somebody has to look at", body = HealthReport), HealthRefusals))]
pub(crate) async fn show(State(service): State<ConsoleService>, by: Acting) -> WebResult<Json<HealthReport>> {
    Ok(Json(service.health_report(&by).await?.as_ref().clone()))
}

/// The numbers of the pictures.
#[utoipa::path(get, path = "/api/v1/figures", operation_id = "showFigures",
    responses((status = OK, description = "As far as the person may see", body = FiguresReport), HealthRefusals))]
pub(crate) async fn figures(
    State(service): State<ConsoleService>,
    by: Acting,
) -> WebResult<Json<FiguresReport>> {
    Ok(Json(FiguresReport::of(service.figures(&by).await?)))
}

impl FiguresReport {
    fn of(figures: Figures) -> Self {
        let Figures { fleet, receipts, refusals } = figures;
        let refusal = |hour: tegata_storage::RefusalHour| RefusalFigure {
            from: hour.from,
            code: hour.code,
            refused: hour.refused,
        };
        Self {
            counted_at: fleet.at,
            devices: fleet.devices.iter().map(DeviceFigure::of).collect(),
            renewals: RenewalFigures::of(&fleet),
            receipts: receipts.into_iter().map(ReceiptFigure::of).collect(),
            refusals: refusals.map(|hours| hours.into_iter().map(refusal).collect()),
        }
    }
}

impl DeviceFigure {
    fn of(count: &tegata_storage::FleetCount) -> Self {
        Self { state: count.state, platform: count.platform, devices: count.devices }
    }
}

impl RenewalFigures {
    fn of(fleet: &CountedFleet) -> Self {
        Self {
            ended: fleet.renewals_in(RenewalWeek::Ended),
            due: fleet.renewals_in(RenewalWeek::Now),
            weeks: (0..WEEKS).map(|week| fleet.renewals_in(RenewalWeek::Week(week))).collect(),
        }
    }
}

impl ReceiptFigure {
    fn of(figure: crate::figures::SurfaceFigure) -> Self {
        Self {
            surface: figure.kind,
            changes: figure.changes,
            unconfirmed: figure.unconfirmed,
            median_milliseconds: figure.median,
            slowest_milliseconds: figure.slowest,
        }
    }
}
