//! Replication: whether losing the primary would lose what was acknowledged.

use super::code::FindingCode;
use super::context::CheckContext;
use tegata_installation::{Failure, FailureContext};

/// Compares what is demanded with what PostgreSQL does. SQLite has no stand-bys.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let read = look.ledger.replication().await.doing("cannot read how the ledger is replicated")?;
    let Some(replication) = read else { return Ok(()) };
    if let Some(fault) = replication.fault() {
        let code = if replication.refuses_writes() {
            FindingCode::ReplicationMissing
        } else {
            FindingCode::ReplicationUndemanded
        };
        look.report.add(code, "PostgreSQL", fault);
    }
    let streaming =
        replication.streaming.map_or_else(|| "unknown to this role".to_owned(), |n| n.to_string());
    look.report.area(
        "replication",
        format!("commits wait for {} stand-bys, connected: {streaming}", replication.waits_for),
    );
    Ok(())
}
