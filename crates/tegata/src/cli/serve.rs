//! `tegata serve`: runs an installation.

use crate::cli::installation_args::InstallationArgs;
use crate::server::Server;
use crate::server::canary;
use crate::server::listeners::Listeners;
use crate::server::serve::keep_serving;
use clap::Args;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use tegata_installation::{Failure, SystemContext};

/// How an installation is served.
#[derive(Args)]
pub struct ServeOptions {
    /// Threads that run connections and sign; half of the processors unless it is given. Passwords, lists and the ledger have
    /// threads of their own
    #[arg(long, value_name = "N", env = "TEGATA_THREADS")]
    threads: Option<NonZeroUsize>,
}

impl ServeOptions {
    /// With a thread for each processor, they and the ledger's thread wake one another up for every token: that costs more
    /// than it brings (docs/performance.md).
    pub fn threads(&self) -> usize {
        self.threads
            .map_or_else(|| available_parallelism().map_or(1, |all| all.get().div_ceil(2)), NonZeroUsize::get)
    }
}

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
