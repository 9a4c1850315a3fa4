//! Receivers of security events and of the end of sessions: whether what was announced arrives.

use super::code::FindingCode;
use super::context::CheckContext;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::security_event::StreamStatus;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::ReceiverRow;

/// An outage of less than this is a restart.
const PATIENCE: Duration = Duration::from_mins(10);

/// Looks at those that are configured.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let rows = look.ledger.receivers().await.doing(READ)?;
    let head = look.ledger.feed_head().await.doing(READ)?;
    let configured = |id: &str| look.config.receivers.iter().any(|receiver| receiver.id == id);
    let rows: Vec<_> = rows.into_iter().filter(|row| configured(&row.id)).collect();
    for row in &rows {
        if let Some(since) = row.failing_since().filter(|since| look.now.since(*since) >= PATIENCE) {
            let failure = row.failure.as_deref().unwrap_or_default();
            look.report.add(FindingCode::ReceiverFailing, &row.id, format!("since {since}: {failure}"));
        }
        if let Some(since) = silent_since(look, row, head) {
            look.report.add(
                FindingCode::ReceiverFailing,
                &row.id,
                format!("it has asked for nothing since {since}"),
            );
        }
        if let Some(rejection) = &row.rejection {
            let detail = format!("{} in all, the last: {rejection}", row.rejections);
            look.report.add(FindingCode::ReceiverRejecting, &row.id, detail);
        }
    }
    for client in look.ledger.logout_receivers().await.doing(READ)? {
        if let Some(since) = client.failing_since().filter(|since| look.now.since(*since) >= PATIENCE) {
            let failure = client.failure.as_deref().unwrap_or_default();
            let detail = format!("{} wait since {since}: {failure}", client.waiting);
            look.report.add(FindingCode::LogoutFailing, &client.client, detail);
        }
    }
    if !rows.is_empty() {
        look.report.area("receivers", format!("{} are told security events", rows.len()));
    }
    Ok(())
}

/// For a receiver that asks, while something waits for it.
fn silent_since(look: &CheckContext<'_>, row: &ReceiverRow, head: u64) -> Option<Timestamp> {
    let asks = look.config.receivers.iter().any(|receiver| receiver.id == row.id && receiver.poll);
    let waits = row.status() == StreamStatus::Enabled && row.behind(head) > 0;
    row.heard_at().filter(|heard| asks && waits && look.now.since(*heard) >= PATIENCE)
}

const READ: &str = "cannot read the receivers";
