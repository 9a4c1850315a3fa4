//! The console: what people who are signed in see of devices and do to them, on pages and in a JSON API.
//!
//! | to learn about | read |
//! |---|---|
//! | who is acting, and how far they reach | [`acting`], over the one table of [`tegata_core::access`] |
//! | what they do to people | [`managing`] |
//! | what they do | [`acts`]: one function for pages and API, in one transaction with its audit entry |
//! | where support says why it acts | [`asking`] |
//! | how names of people are shown | [`personal`] |
//! | who has confirmed it, and when | [`confirmations`] |
//! | how the installation does, and its pictures | [`health`], [`figures`], [`drawing`] |
//! | what they see | [`pages`] in their [`frame`], and [`api`] for programs |
//! | how this crate learns who is signed in | [`people`]: it keeps no sessions itself |
//!
//! Everything is served on the device listener: people sign in on a device of their company, whose certificate that listener
//! asks for. Whoever has no device has no console.

mod acting;
mod acts;
mod api;
mod asking;
mod assets;
mod checking;
mod confirmations;
mod csv;
mod deciding;
mod drawing;
mod entrances;
mod expiries;
mod figures;
mod finding;
mod fleet;
mod frame;
mod health;
mod history;
mod managing;
mod pages;
mod people;
mod personal;
mod reviewing;
mod sentences;
mod service;
#[cfg(test)]
mod tests;
mod trail;
mod views;
mod words;

pub use health::{
    CaHealth, CheckSummary, GateHealth, HealthLookup, HealthReport, InstallationCounts, InstallationHealth,
    LedgerHealth, ListHealth, PassHealth, ReceiverHealth, ServerHealth, Trouble,
};
pub use people::{FormSeal, PersonLookup, ScopedProgram, SignedInPeople, SignedInPerson};
pub use service::ConsoleService;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use tegata_web::api::ApiDescription;

/// Routes of the device listener.
pub fn device_routes(service: ConsoleService) -> Router {
    api::routes()
        .split_for_parts()
        .0
        .route("/console", get(pages::home::show))
        .route("/console/find", get(pages::home::find))
        .route("/console/why", get(pages::why::show))
        .route("/console/call", post(pages::call::begin))
        .route("/console/call/end", post(pages::call::end))
        .route("/console/devices", get(pages::devices::show))
        .route("/console/devices.csv", get(pages::devices_csv::show))
        .route("/console/calendar", get(pages::calendar::show))
        .route("/console/trail", get(pages::trail::show))
        .route("/console/trail.csv", get(pages::trail_csv::show))
        .route("/console/views", post(pages::views::save))
        .route("/console/views/forget", post(pages::views::forget))
        .route("/console/entrances", get(pages::entrances::show))
        .route("/console/entrances.csv", get(pages::entrances_csv::show))
        .route("/console/devices/{device}", get(pages::device::show))
        .route("/console/devices/{device}/suspend", post(pages::device::suspend))
        .route("/console/devices/{device}/resume", post(pages::device::resume))
        .route("/console/devices/{device}/revoke", post(pages::device::revoke))
        .route("/console/devices/{device}/rename", post(pages::device::rename))
        .route("/console/changes/{event}", get(pages::change::show))
        .route("/console/changes/{event}/stream", get(pages::change::stream))
        .route("/console/changes/{event}/sheet", get(pages::change::sheet))
        .route("/console/approvals", get(pages::approvals::show))
        .route("/console/approvals/{approval}/approve", post(pages::approvals::approve))
        .route("/console/approvals/{approval}/decline", post(pages::approvals::decline))
        .route("/console/invitations", get(pages::invitations::show).post(pages::invitations::invite))
        .route("/console/invitations/{invitation}/withdraw", post(pages::invitations::withdraw))
        .route("/console/health", get(pages::health::show))
        .route("/console/figures", get(pages::figures::show))
        .route("/console/people", get(pages::people::show).post(pages::person_new::add))
        .route("/console/people/new", get(pages::person_new::show))
        .route("/console/people/{person}", get(pages::person::show))
        .route("/console/people/{person}/change", post(pages::person::change))
        .route("/console/people/{person}/disable", post(pages::person::disable))
        .route("/console/people/{person}/enable", post(pages::person::enable))
        .route("/console/people/{person}/sign-out", post(pages::person::sign_out))
        .route("/console/people/{person}/sessions/{session}/end", post(pages::person::end_session))
        .route("/console/people/{person}/setup-link", post(pages::person::setup_link))
        .route("/console/people/{person}/reset", post(pages::person::reset))
        .route("/console/people/{person}/emergency-code", post(pages::person::emergency_code))
        .route("/console/people/{person}/check", get(pages::checking::show).post(pages::checking::check))
        .route("/console/reviews", get(pages::reviews::show))
        .route("/console/reviews/{review}", post(pages::reviews::answer))
        .route("/console/sites", get(pages::sites::show))
        .with_state(service)
        .merge(assets::routes())
}

/// Routes of the portal, which asks for no certificate: where the console is.
pub fn portal_routes(device: &str) -> Router {
    let there = format!("{device}/console");
    Router::new().route("/console", get(async move || Redirect::to(&there)))
}

/// Adds the operations of this crate to the description of the API.
#[must_use]
pub fn describe(description: ApiDescription) -> ApiDescription {
    description.device(api::routes().into_openapi())
}
