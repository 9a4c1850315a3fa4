//! Who a person is: accounts of the installation's own, second factors, and sessions.
//!
//! | to learn about | read |
//! |---|---|
//! | what a password must be, and how it is hashed | [`password`], [`password_hasher`] |
//! | second factors | [`totp`], [`typed_factor`], [`passkey`] |
//! | how often somebody may be wrong | [`throttle`] |
//! | whose password another product has hashed | [`foreign_hash`], [`imported_password`] |
//! | what a directory says of people | [`people_list`], [`scim`], over [`provisioning`] |
//! | how a person comes to a password | [`setup`], on the portal |
//! | people of a tenant's own OpenID provider | [`federation`] |
//! | how a person signs in and out | [`sign_in`], [`account`], on the device listener |
//! | what a browser holds | [`cookie`] |
//! | which sign-ins ring an alarm | [`alarm`] |
//!
//! A person signs in on a device: the device listener has proved the certificate, which names the tenant, so that nobody
//! without an enrolled device can try a password at all.

mod account;
mod address;
mod admission;
mod alarm;
mod assets;
mod cookie;
mod federation;
mod foreign_hash;
mod imported_password;
mod local_path;
mod passkey;
mod password;
mod password_hasher;
mod people_list;
mod person_at_device;
mod provisioning;
mod scim;
mod service;
mod session;
mod setup;
mod sign_in;
mod sign_in_page;
mod throttle;
mod totp;
mod typed_factor;
mod typed_secret;

pub use alarm::{SignInAlarm, SignInAlarmObserver};
pub use federation::ProviderAddresses;
pub use federation::sign_out::EndingSession;
pub use people_list::{
    LIST_COLUMNS, LIST_NEEDED, LineReport, ListOutcome, ListPlace, ListTerms, ListedPerson, MissingPeople,
    PeopleListPlan,
};
pub use person_at_device::PersonAtDevice;
pub use scim::scim_problem;
pub use service::IdentityService;

use axum::Router;
use axum::routing::{get, post};

/// Routes of the portal listener: the page of a setup link, and where providers say that a session has ended.
pub fn portal_routes(service: IdentityService) -> Router {
    Router::new()
        .route("/setup", get(setup::ask).post(setup::open))
        .route("/setup/complete", get(setup::ask).post(setup::complete))
        .route("/backchannel-logout", post(federation::backchannel_logout::receive))
        .with_state(service.clone())
        .merge(assets::routes())
        .merge(scim::routes(service))
}

/// Routes of the device listener: sign-in, and a person's own sessions.
pub fn device_routes(service: IdentityService) -> Router {
    Router::new()
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/passkey", get(passkey::sign_in::options))
        .route("/sign-in/provider", get(federation::start::start))
        .route("/sign-in/provider/callback", get(federation::callback::complete))
        .route("/account", get(account::show))
        .route("/account/sign-out", post(account::sign_out))
        .route("/account/sessions/end", post(account::end_one))
        .route("/account/sessions/end-others", post(account::end_others))
        .route("/account/password", get(account::password::ask).post(account::password::change))
        .route("/account/app", get(account::authenticator_app::ask).post(account::authenticator_app::change))
        .route("/account/recovery-codes", get(account::recovery::ask).post(account::recovery::replace))
        .route("/account/passkeys/new", get(passkey::registration::ask).post(passkey::registration::begin))
        .route("/account/passkeys", post(passkey::registration::complete))
        .route("/account/passkeys/remove", post(passkey::registration::remove))
        .with_state(service)
        .merge(assets::routes())
}

#[cfg(test)]
mod tests;
