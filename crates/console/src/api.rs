//! The JSON API of the console, for programs with a person's session: the same acts as on the pages.
//!
//! Whatever changes something needs the session's token in `X-CSRF-Token`, which `GET /api/v1/session` tells: a page of another site
//! cannot read it. Lists are continued by `cursor`. A device has a validator (`ETag`); whoever sends it back in `If-Match` changes
//! nothing that somebody else has changed meanwhile.

mod approvals;
mod audit;
mod changes;
mod checking;
mod contracts;
mod copies;
mod devices;
mod entrances;
mod expiries;
mod health;
mod if_match;
mod invitation_batches;
mod invitations;
mod kittings;
mod listing;
mod managing;
mod page_length;
mod refusals;
mod session;
mod today;
mod transfers;
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
        .routes(routes!(devices::relocate))
        .routes(routes!(copies::list))
        .routes(routes!(copies::dismiss))
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
        .routes(routes!(invitations::renew))
        .routes(routes!(invitation_batches::list, invitation_batches::send))
        .routes(routes!(invitation_batches::show))
        .routes(routes!(invitation_batches::renew))
        .routes(routes!(invitation_batches::withdraw))
        .routes(routes!(kittings::list))
        .routes(routes!(kittings::add))
        .routes(routes!(kittings::show))
        .routes(routes!(kittings::end))
        .routes(routes!(checking::check))
        .routes(routes!(listing::sites))
        .routes(routes!(contracts::keep))
        .routes(routes!(today::show))
        .routes(routes!(health::show))
        .routes(routes!(health::figures))
        .routes(routes!(transfers::list, transfers::plan))
        .routes(routes!(transfers::show))
        .routes(routes!(transfers::decide))
        .routes(routes!(transfers::dry_run))
        .routes(routes!(transfers::approve))
        .routes(routes!(transfers::decline))
        .routes(routes!(transfers::abort))
        .routes(routes!(transfers::reverse))
        .routes(routes!(transfers::report))
}
