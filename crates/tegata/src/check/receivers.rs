//! Receivers of security events: whether what was announced arrives.

use super::Look;
use super::code::Code;
use crate::failure::{Doing, Failure};
use std::time::Duration;

/// An outage of less than this is a restart.
const PATIENCE: Duration = Duration::from_mins(10);

/// Looks at those that are configured.
pub async fn look(look: &mut Look<'_>) -> Result<(), Failure> {
    let rows = look.ledger.receivers().await.doing("cannot read the receivers")?;
    let configured = |id: &str| look.config.receivers.iter().any(|receiver| receiver.id == id);
    let rows: Vec<_> = rows.into_iter().filter(|row| configured(&row.id)).collect();
    for row in &rows {
        if let Some(since) = row.failing_since().filter(|since| look.now.since(*since) >= PATIENCE) {
            let failure = row.failure.as_deref().unwrap_or_default();
            look.report.add(Code::ReceiverFailing, &row.id, format!("since {since}: {failure}"));
        }
        if let Some(rejection) = &row.rejection {
            let detail = format!("{} in all, the last: {rejection}", row.rejections);
            look.report.add(Code::ReceiverRejecting, &row.id, detail);
        }
    }
    if !rows.is_empty() {
        look.report.area("receivers", format!("{} are sent security events", rows.len()));
    }
    Ok(())
}
