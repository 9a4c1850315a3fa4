//! `tegata serve`: runs an installation.

use crate::cli::installation_args::InstallationArgs;
use crate::server::Server;
use crate::server::canary;
use crate::server::listeners::Listeners;
use crate::server::serve::keep_serving;
use tegata_installation::{Failure, SystemContext};

/// Serves an installation until it is stopped.
pub async fn run(place: &InstallationArgs, system: &SystemContext) -> Result<(), Failure> {
    let config = place.config()?;
    let bound = Listeners::bind(&config).await?;
    let server = Server::open(config, system).await?;
    let minutes = server.config.canary.every_minutes.unwrap_or(canary::EVERY_MINUTES);
    Box::pin(keep_serving(server, bound, minutes, system, |server, _| tell(server))).await
}

/// Prints where it listens.
fn tell(server: &Server) {
    for (device_tls, url) in [
        ("portal", &server.config.portal.url),
        ("device", &server.config.device.url),
        ("public", &server.config.public.url),
    ] {
        errln!("{device_tls:8}{url}");
    }
}
