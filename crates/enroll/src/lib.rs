//! Enrollment and renewal: pages, JSON API, ACME, EST and SCEP over one service that issues.
//!
//! - [`EnrollmentService`] turns rights into certificates; it knows no HTTP.
//! - [`portal_routes`] is what a person without a certificate sees: home, the invitation page and its API.
//! - [`scep_routes`] are for clients of SCEP (RFC 8894), without TLS.
//! - [`device_routes`] is what a device sees: its page, the others of its shop, renewal, the probe, and EST (RFC 7030).
//!
//! The key is made where it stays: the page in `assets/`, or `tegata enroll`, sends a PKCS#10 request and nothing else.

mod acme;
mod api;
mod api_refusals;
mod assets;
mod bulk;
mod calendar;
mod device_page;
mod enrolled;
mod enrollment_service;
mod est;
mod guesses;
mod kitting;
mod pages;
mod planned_renewal;
mod probe;
mod profiles;
mod progress;
mod refusal_explanation;
mod renewal_plan;
mod renewal_token;
mod requester;
mod scep;
mod serving;
mod shown_code;
mod sighting;
mod site_devices;
mod submitted_csr;
mod ticket;
mod waiting;

pub use acme::{AccountBinding, AcmeServer, AttestationPolicy, acme_problem, acme_routes};
pub use bulk::{
    BulkInvitations, CodeSecret, InvitationRights, InvitingClientFuture, InvitingClients, OpenCodeSecret,
};
pub use enrollment_service::EnrollmentService;
pub use profiles::ProfileService;
pub use renewal_token::{RenewalTokenFuture, RenewalTokenRequest, RenewalTokens};
pub use scep::{ScepServer, scep_routes};

use axum::Router;
use axum::routing::get;
use tegata_web::api::ApiDescription;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Adds the operations of this crate to the description of the API.
#[must_use]
pub fn describe(description: ApiDescription) -> ApiDescription {
    description
        .portal(portal_api().into_openapi())
        .portal(kitting::api().into_openapi())
        .portal(profiles::portal_api().into_openapi())
        .portal(acme::api().into_openapi())
        .device(device_api().into_openapi())
        .device(profiles::device_api().into_openapi())
        .device(bulk::api::api().into_openapi())
}

fn portal_api() -> OpenApiRouter<EnrollmentService> {
    OpenApiRouter::new()
        .routes(routes!(api::open))
        .routes(routes!(api::enroll))
        .routes(routes!(waiting::ask))
        .routes(routes!(waiting::ask_before))
        .routes(routes!(api::deliver_invited))
        .routes(routes!(progress::of_invitation))
}

fn device_api() -> OpenApiRouter<EnrollmentService> {
    OpenApiRouter::new()
        .routes(routes!(site_devices::report))
        .routes(routes!(api::renew, renewal_plan::get))
        .routes(routes!(api::deliver))
        .routes(routes!(api::hand_over))
        .routes(routes!(progress::of_renewal))
}

/// Routes of the portal listener.
pub fn portal_routes(service: EnrollmentService) -> Router {
    portal_api()
        .split_for_parts()
        .0
        .route("/", get(pages::home))
        .route("/enroll", get(pages::enroll))
        .with_state(service.clone())
        .merge(kitting::routes(service))
        .merge(assets::routes())
}

/// Routes of the device listener.
pub fn device_routes(service: EnrollmentService) -> Router {
    device_api()
        .split_for_parts()
        .0
        .route("/", get(device_page::get))
        .route("/calendar.ics", get(calendar::get))
        .route("/shop", get(site_devices::get))
        .route("/probe", get(probe::get))
        .with_state(service.clone())
        .merge(est::routes(service))
        .merge(assets::routes())
}

#[cfg(test)]
mod tests;
