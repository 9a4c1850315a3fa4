//! The platform's own receipts: its token endpoint and introspection refuse what the status cache refuses.

use std::sync::Arc;
use std::time::Duration;
use tegata_core::feed::Event;
use tegata_storage::{Result, SIGN_OF_LIFE, ServerSurface};
use tegata_web::ServerContext;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{sleep, timeout};

/// What answers from the status cache.
const SURFACES: [ServerSurface; 2] = [ServerSurface::Token, ServerSurface::Introspection];

/// From a failure to the next attempt.
const RETRY: Duration = Duration::from_millis(500);

/// Writes receipts for the surfaces of this process: at the start, after every change, and every five seconds. Runs
/// until the status cache is gone or the task is dropped.
pub async fn acknowledge_loop(context: ServerContext) {
    let (_, mut events) = context.status.subscribe();
    loop {
        if let Err(error) = acknowledge(&context).await {
            tracing::warn!(%error, "the platform's own receipts cannot be kept");
            sleep(RETRY).await;
            continue;
        }
        match timeout(SIGN_OF_LIFE, events.recv()).await {
            Ok(Err(RecvError::Closed)) => return,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => pass_over(&mut events),
            Err(_) => {}
        }
    }
}

/// The cache has applied an event before anybody hears of it, so what it has reached by now is what is acknowledged.
async fn acknowledge(context: &ServerContext) -> Result<()> {
    let seq = context.status.freshness().seq;
    for surface in SURFACES {
        context.acknowledge(surface, seq).await?;
    }
    Ok(())
}

/// One receipt stands for all events that came together.
fn pass_over(events: &mut Receiver<Arc<Event>>) {
    while matches!(events.try_recv(), Ok(_) | Err(TryRecvError::Lagged(_))) {}
}
