//! This server among those of its installation, from before it answers anybody until after it has.

use crate::server::previous_run::PreviousRun;
use crate::system;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::SIGN_OF_LIFE;
use tegata_web::ServerContext;
use tokio::time::sleep;

/// Registers this server, and then reads what is denied: whoever stops something waits for this server, or stopped it before
/// this server read. To be called before anybody is answered. A run before this one that was killed here is taken away: it
/// answers nobody, and whoever stops something need not wait for its silence.
///
/// # Errors
/// The ledger cannot be read or written.
pub async fn begin(context: &ServerContext, previous: Option<&PreviousRun>) -> Result<(), Failure> {
    let (now, host) = (context.now(), system::host());
    if let Some(previous) = previous.filter(|previous| previous.is_gone) {
        context.ledger.remove_server(&previous.id, &host, now).await.doing(REGISTER)?;
    }
    context.ledger.register_server(&context.server, &host, now).await.doing(REGISTER)?;
    context.status.catch_up(now).await.doing("cannot read what is denied")
}

/// Says every few seconds that this server is there.
pub async fn keep(context: ServerContext) {
    let host = system::host();
    loop {
        sleep(SIGN_OF_LIFE).await;
        let now = context.now();
        if let Err(error) = context.ledger.register_server(&context.server, &host, now).await {
            tracing::warn!(%error, "this server could not say that it is there");
        }
    }
}

/// Nobody is answered any more, and nobody has to wait.
pub async fn end(context: &ServerContext) {
    if let Err(error) = context.ledger.remove_server(&context.server, &system::host(), context.now()).await {
        tracing::warn!(%error, "this server could not take itself away: others wait for it for a minute");
    }
}

const REGISTER: &str = "cannot register this server in the ledger";
