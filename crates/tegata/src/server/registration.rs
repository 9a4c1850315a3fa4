//! This server among those of its installation, from before it answers anybody until after it has.

use crate::failure::{Failure, FailureContext};
use crate::system;
use tegata_storage::SIGN_OF_LIFE;
use tegata_web::ServerContext;
use tokio::time::sleep;

/// Registers this server, and then reads what is denied: whoever stops something waits for this server, or stopped it before
/// this server read. To be called before anybody is answered.
///
/// # Errors
/// The ledger cannot be read or written.
pub async fn begin(context: &ServerContext) -> Result<(), Failure> {
    let now = context.now();
    context.ledger.register_server(&context.server, &system::host(), now).await.doing(REGISTER)?;
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
    if let Err(error) = context.ledger.remove_server(&context.server, context.now()).await {
        tracing::warn!(%error, "this server could not take itself away: others wait for it for a minute");
    }
}

const REGISTER: &str = "cannot register this server in the ledger";
