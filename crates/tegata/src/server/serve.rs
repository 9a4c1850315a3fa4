//! `tegata serve` and `tegata dev`: from an installation to a running server, and to its end.

use crate::server::Server;
use crate::server::listeners::Listeners;
use crate::server::running::{RunningServer, WhyEnded};
use crate::system;
use std::time::Duration;
use tegata_installation::{Config, Failure, SystemContext};
use tegata_storage::Outdated;
use tokio::time::sleep;

/// From a failure to the next attempt.
const RECOVERY: Duration = Duration::from_secs(1);

/// Serves until it is stopped. Where what was remembered of the installation is not to be gone on with, because its
/// ledger went back or the clock was ahead, the installation is opened again on the same ports. `ready` is called once, when
/// everything has started.
pub async fn keep_serving(
    mut server: Server,
    mut bound: Listeners,
    canary_minutes: u32,
    system: &SystemContext,
    ready: impl FnOnce(&Server, &Listeners),
) -> Result<(), Failure> {
    system::raise_file_limit();
    let mut ready = Some(ready);
    loop {
        let ended = run(&server, bound, canary_minutes, |server, bound| {
            if let Some(ready) = ready.take() {
                ready(server, bound);
            }
        });
        let ServingEnd::Outdated(why, same_listeners) = Box::pin(ended).await? else { return Ok(()) };
        tracing::error!(%why, "nobody is let in by what this process remembers: the installation is opened again");
        let config = server.config.clone();
        server = tokio::select! {
            () = told_to_stop() => return Ok(()),
            server = open_again(config, system) => server,
        };
        tracing::info!("the installation is open again");
        bound = *same_listeners;
    }
}

/// The ledger may be on its way back at this moment.
async fn open_again(config: Config, system: &SystemContext) -> Server {
    loop {
        match Server::open(config.clone(), system).await {
            Ok(server) => return server,
            Err(error) => tracing::error!(%error, "the installation cannot be opened: tried again"),
        }
        sleep(RECOVERY).await;
    }
}

/// Why serving ended well.
enum ServingEnd {
    /// It was told to stop.
    Told,
    /// The process has to begin anew, at these ports.
    Outdated(Outdated, Box<Listeners>),
}

async fn run(
    server: &Server,
    bound: Listeners,
    canary_minutes: u32,
    ready: impl FnOnce(&Server, &Listeners),
) -> Result<ServingEnd, Failure> {
    let kept_listeners = bound.again()?;
    let mut running = Box::pin(RunningServer::start(server, bound, canary_minutes)).await?;
    let ended = tokio::select! {
        () = told_to_stop() => Ok(WhyEnded::Told),
        ended = running.until_it_ends(|| ready(server, &kept_listeners)) => ended,
    };
    if let Ok(WhyEnded::Outdated(why)) = ended {
        running.abandon(server).await;
        return Ok(ServingEnd::Outdated(why, Box::new(kept_listeners)));
    }
    // Whoever connects from now on is not kept waiting.
    drop(kept_listeners);
    running.shut_down(server).await;
    ended.map(|_| ServingEnd::Told)
}

/// Until SIGTERM or SIGINT.
pub async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
