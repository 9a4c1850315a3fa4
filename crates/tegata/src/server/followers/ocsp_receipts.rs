//! The receipt of OCSP: its answers are never older than the memory of the ledger.

use std::future::pending;
use std::time::Duration;
use tegata_storage::{SIGN_OF_LIFE, ServerSurface};
use tegata_web::ServerContext;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{sleep, timeout};

/// From a failure to the next attempt.
const RETRY: Duration = Duration::from_millis(500);

/// At the start, after every change, and every five seconds.
pub async fn give(context: ServerContext) {
    let mut events = context.status.listen();
    loop {
        let seq = context.status.freshness().seq;
        if let Err(error) = context.acknowledge(ServerSurface::Ocsp, seq).await {
            tracing::warn!(%error, "the receipt of OCSP could not be written");
            sleep(RETRY).await;
            continue;
        }
        // Events that came together have one receipt.
        while context.status.freshness().seq <= seq {
            match timeout(SIGN_OF_LIFE, events.recv()).await {
                Ok(Err(RecvError::Closed)) => return pending().await,
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
}
