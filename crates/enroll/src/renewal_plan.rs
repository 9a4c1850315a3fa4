//! When to renew, for programs of a device: the moment that the page, the calendar and ACME clients go by.

use crate::serving::Serving;
use axum::Json;
use axum::response::IntoResponse;
use serde::Serialize;
use tegata_core::Timestamp;
use tegata_core::renewal::PlanBasis;
use tegata_web::api::{CALLER, REQUEST};
use tegata_web::{Presented, WebResult};
use utoipa::ToSchema;

tegata_web::refusals! {
    PlanRefusals = REQUEST, CALLER
}

/// When the certificate that was presented is to be renewed.
#[derive(Serialize, ToSchema)]
pub(crate) struct RenewalPlanResponse {
    /// Whether it is time to.
    due: bool,
    /// From when on it is.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When it should be done.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Why it is this moment: `due`, `open`, `busy`, `no-open-time`, `urgent`.
    #[schema(value_type = String)]
    basis: PlanBasis,
    /// Which certificate of the device it is about.
    generation: u32,
    /// The last second of its validity.
    #[schema(value_type = String, format = DateTime)]
    not_after: Timestamp,
}

/// Says when to renew.
///
/// Asked a few times a day, it also tells that everybody is to renew at once.
#[utoipa::path(get, path = "/api/v1/renewals", operation_id = "planOfRenewal",
    responses((status = OK, description = "When it is to be renewed", body = RenewalPlanResponse), PlanRefusals))]
pub(crate) async fn get(
    Serving(service): Serving,
    Presented(certificate): Presented,
) -> WebResult<impl IntoResponse> {
    let caller = service.caller(certificate.as_ref()).await?;
    let plan = service.planned_for(&caller).await?;
    let response = RenewalPlanResponse {
        due: plan.from <= service.now(),
        from: plan.from.whole_second(),
        to: plan.to.whole_second(),
        basis: plan.basis,
        generation: caller.generation,
        not_after: caller.not_after,
    };
    Ok((crate::enrolled::NO_STORE, Json(response)))
}
