//! Receipts of gates: what each of them refuses by now.

use crate::signals::Signals;
use axum::extract::State;
use http::StatusCode;
use std::sync::Arc;
use tegata_core::Refusal;
use tegata_core::feed::Receipt;
use tegata_storage::Result;
use tegata_web::problem::WebResult;
use tegata_web::{Presented, Problem, StrictJson};

/// For gates only. 204 once it is durable.
pub(crate) async fn receive(
    State(signals): State<Arc<Signals>>,
    presented: Presented,
    StrictJson(receipt): StrictJson<Receipt>,
) -> WebResult<StatusCode> {
    let context = &signals.issuer().context;
    let now = context.now();
    let gate = context.gate(presented.0.as_ref(), now).await?;
    if !signals.has_happened(receipt.seq).await? {
        let detail = "seq is beyond the last event of the feed";
        return Err(Problem::with_detail(Refusal::RequestMalformed, detail));
    }
    let surface = format!("gate:{}", gate.device);
    context.ledger.acknowledge(surface, receipt.seq, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Signals {
    /// The cache knows of nearly all; another process of the installation may have told the gate of a newer one.
    async fn has_happened(&self, seq: u64) -> Result<bool> {
        Ok(seq <= self.issuer().context.status.freshness().seq
            || seq <= self.issuer().context.ledger.feed_head().await?)
    }
}
