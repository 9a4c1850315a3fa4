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
//! | what there is to do today | [`work`] |
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
mod contracts;
mod copies;
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
mod invitation_lists;
mod inviting;
mod keeping;
mod kept;
mod kitting;
mod managing;
mod moving;
mod pages;
mod party;
mod people;
mod personal;
mod reviewing;
mod sentences;
mod service;
#[cfg(test)]
mod tests;
mod trail;
mod transfer_planning;
mod transfer_report;
mod transfer_text;
mod transfers;
mod views;
mod words;
mod work;

pub use contracts::{
    ContractLine, ContractLineReport, ContractList, ContractRegister, ContractReport, ContractWork,
};
pub use health::{
    CaHealth, CheckSummary, GateHealth, HealthLookup, HealthReport, InstallationCounts, InstallationHealth,
    LedgerHealth, ListHealth, PassHealth, ReceiverHealth, ServerHealth, Trouble,
};
pub use people::{
    CallerRequest, ConsoleCaller, FormSeal, PersonLookup, ProgramItself, ScopedProgram, SignedInPeople,
    SignedInPerson,
};
pub use service::ConsoleService;
pub use transfer_report::report_text;
pub use transfer_text::{describe_approval, describe_transfer, dry_run_text};
pub use work::{DayWork, WorkGroup, WorkItem, WorkScope};

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
        .route("/console/devices/{device}/move", post(pages::device_site::move_to))
        .route("/console/devices/{device}/copy-alarm/dismiss", post(pages::device_site::dismiss))
        .route("/console/changes/{event}", get(pages::change::show))
        .route("/console/changes/{event}/stream", get(pages::change::stream))
        .route("/console/changes/{event}/sheet", get(pages::change::sheet))
        .route("/console/approvals", get(pages::approvals::show))
        .route("/console/approvals/{approval}/approve", post(pages::approvals::approve))
        .route("/console/approvals/{approval}/decline", post(pages::approvals::decline))
        .route("/console/invitations", get(pages::invitations::show).post(pages::invitations::invite))
        .route("/console/invitations/{invitation}/withdraw", post(pages::invitations::withdraw))
        .route("/console/invitations/{invitation}/renew", post(pages::invitations::send_again))
        .route(
            "/console/invitation-lists",
            get(pages::invitation_lists::show).post(pages::invitation_lists::send),
        )
        .route("/console/invitation-lists/{batch}", get(pages::invitation_lists::progress))
        .route("/console/invitation-lists/{batch}/renew", post(pages::invitation_lists::send_again))
        .route("/console/invitation-lists/{batch}/withdraw", post(pages::invitation_lists::withdraw))
        .route("/console/kitting", get(pages::kitting::show).post(pages::kitting::add))
        .route("/console/kitting/{kitting}", get(pages::kitting::places))
        .route("/console/kitting/{kitting}/end", post(pages::kitting::end))
        .route("/console/today", get(pages::today::show))
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
        .route("/console/transfers", get(pages::transfers::show).post(pages::transfers::plan))
        .route("/console/transfers/{transfer}", get(pages::transfer::show))
        .route(
            "/console/transfers/{transfer}/decisions",
            get(pages::transfer_decisions::show).post(pages::transfer_decisions::decide),
        )
        .route("/console/transfers/{transfer}/dry-run", get(pages::transfer::dry_run))
        .route("/console/transfers/{transfer}/approve", post(pages::transfer::approve))
        .route("/console/transfers/{transfer}/decline", post(pages::transfer::decline))
        .route("/console/transfers/{transfer}/abort", post(pages::transfer::abort))
        .route("/console/transfers/{transfer}/reverse", post(pages::transfer::reverse))
        .route("/console/transfers/{transfer}/report", get(pages::transfer::report))
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
