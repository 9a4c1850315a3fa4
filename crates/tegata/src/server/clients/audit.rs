//! What happens to clients is in the audit log before it counts.

use serde_json::Value;
use tegata_scheduler::PassError;
use tegata_storage::{Actor, AuditNote};
use tegata_web::ServerContext;

/// Nothing counts that the ledger did not take: whoever asks tries again.
pub async fn record(context: &ServerContext, action: &'static str, detail: Value) -> Result<(), PassError> {
    let actor = Actor::System("clients");
    let note = AuditNote { actor, action, device: None, detail, at: context.now() };
    context.ledger.group(note).await.map_err(|error| {
        PassError::new(format!("the audit log does not take what happened to clients: {error}"))
    })
}
