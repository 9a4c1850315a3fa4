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
mod assets;
mod bulk;
mod calendar;
mod device_page;
mod enrolled;
mod enrollment_service;
mod est;
mod guesses;
mod kitting;
mod openapi;
mod pages;
mod probe;
mod profiles;
mod progress;
mod refusal_explanation;
mod renewal_token;
mod requester;
mod scep;
mod sheet;
mod sighting;
mod site_devices;
mod ticket;
mod waiting;

pub use acme::{AccountBinding, AcmeServer, AttestationPolicy, acme_problem, acme_routes};
pub use bulk::{
    BulkInvitations, CodeSecret, InvitableLine, InvitationRights, InvitingClientFuture, InvitingClients,
    JudgedLine, OpenCodeSecret, ParsedTable, RefusedLine, UnreadableTable, lines_of_csv, lines_of_json,
};
pub use enrollment_service::EnrollmentService;
pub use profiles::ProfileService;
pub use renewal_token::{RenewalTokenFuture, RenewalTokenRequest, RenewalTokens};
pub use scep::{ScepServer, scep_routes};
pub use sheet::{InvitationSheet, sheets};

use axum::Router;
use axum::routing::{get, post};

/// Routes of the portal listener.
pub fn portal_routes(service: EnrollmentService) -> Router {
    let description = openapi::routes(&service);
    Router::new()
        .route("/", get(pages::home))
        .route("/enroll", get(pages::enroll))
        .route("/api/v1/invitations/open", post(api::open))
        .route("/api/v1/enrollments", post(api::enroll))
        .route("/api/v1/approvals", post(waiting::ask))
        .route("/api/v1/approvals/profile", post(waiting::ask_before))
        .route("/api/v1/deliveries", post(api::deliver_invited))
        .route("/api/v1/invitations/progress", post(progress::of_invitation))
        .with_state(service.clone())
        .merge(kitting::routes(service))
        .merge(description)
        .merge(assets::routes())
}

/// Routes of the device listener.
pub fn device_routes(service: EnrollmentService) -> Router {
    Router::new()
        .route("/", get(device_page::get))
        .route("/calendar.ics", get(calendar::get))
        .route("/shop", get(site_devices::get))
        .route("/api/v1/loss-reports", post(site_devices::report))
        .route("/probe", get(probe::get))
        .route("/api/v1/renewals", post(api::renew))
        .route("/api/v1/deliveries", post(api::deliver))
        .route("/api/v1/handovers", post(api::hand_over))
        .route("/api/v1/renewals/progress", post(progress::of_renewal))
        .with_state(service.clone())
        .merge(est::routes(service))
        .merge(assets::routes())
}
