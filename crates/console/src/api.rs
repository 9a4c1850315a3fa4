//! The JSON API of the console, for programs with a person's session: the same acts as on the pages.
//!
//! Whatever changes something needs the session's token in `X-CSRF-Token`, which `GET /api/v1/session` tells: a page of another site
//! cannot read it. Lists are continued by `cursor`. A device has a validator (`ETag`); whoever sends it back in `If-Match` changes
//! nothing that somebody else has changed meanwhile.

mod approvals;
mod audit;
mod changes;
mod checking;
mod devices;
mod entrances;
mod expiries;
mod health;
mod if_match;
mod invitations;
mod listing;
mod managing;
mod page_length;
mod refusals;
mod session;
mod views;

use crate::service::ConsoleService;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) fn routes() -> OpenApiRouter<ConsoleService> {
    OpenApiRouter::new()
        .routes(routes!(session::show))
        .routes(routes!(session::justify))
        .routes(routes!(devices::list))
        .routes(routes!(devices::show))
        .routes(routes!(devices::suspend))
        .routes(routes!(devices::resume))
        .routes(routes!(devices::revoke))
        .routes(routes!(audit::of_device))
        .routes(routes!(audit::of_tenant))
        .routes(routes!(expiries::list))
        .routes(routes!(views::list))
        .routes(routes!(views::save, views::forget))
        .routes(routes!(entrances::list))
        .routes(routes!(changes::show))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::decline))
        .routes(routes!(invitations::list))
        .routes(routes!(invitations::invite))
        .routes(routes!(invitations::withdraw))
        .routes(routes!(listing::people, managing::add))
        .routes(routes!(managing::show))
        .routes(routes!(managing::change))
        .routes(routes!(managing::disable))
        .routes(routes!(managing::enable))
        .routes(routes!(managing::sign_out))
        .routes(routes!(managing::end_session))
        .routes(routes!(managing::setup_link))
        .routes(routes!(managing::reset))
        .routes(routes!(managing::emergency_code))
        .routes(routes!(checking::check))
        .routes(routes!(listing::sites))
        .routes(routes!(health::show))
        .routes(routes!(health::figures))
}
