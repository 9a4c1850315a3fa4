//! What happens to clients is in the audit log before it counts.

use serde_json::Value;
use std::time::Duration;
use tegata_storage::{Actor, AuditNote};
use tegata_web::ServerContext;
use tokio::time::sleep;

/// From one attempt to the next.
const RETRY: Duration = Duration::from_millis(500);

/// Until the ledger has it.
pub async fn record(context: &ServerContext, action: &'static str, detail: Value) {
    loop {
        let actor = Actor::System("clients");
        let note = AuditNote { actor, action, device: None, detail: detail.clone(), at: context.now() };
        match context.ledger.group(note).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(%error, action, "the audit log does not take what happened to clients");
            }
        }
        sleep(RETRY).await;
    }
}
