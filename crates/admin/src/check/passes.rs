//! Passes: whether running servers do what the clock asks of them.

use super::code::FindingCode;
use super::context::CheckContext;
use tegata_installation::{Failure, FailureContext};
use tegata_scheduler::{PassCondition, overview};

/// Looks at those of servers that run. Where none runs, others say what is missing.
pub async fn look(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let passes = overview(look.ledger, look.now).await.doing("cannot read the passes")?;
    for pass in passes.iter().filter(|pass| pass.condition != PassCondition::Good) {
        let state = &pass.state;
        let why = state.error.as_deref().unwrap_or("it should have run by now");
        let since = state.succeeded_at.map_or_else(|| "ever".to_owned(), |at| format!("since {at}"));
        let detail = format!("nothing was done {since} on server {}: {why}", state.server);
        look.report.add(FindingCode::PassFailing, &state.name, detail);
    }
    if !passes.is_empty() {
        look.report.area("passes", format!("{} at work", passes.len()));
    }
    Ok(())
}
