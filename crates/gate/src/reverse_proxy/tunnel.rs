//! What a connection becomes after a change of protocol: bytes in both directions, until one side ends,
//! the device is denied, its token has ended, or the gate has heard nothing for too long.

use crate::gate::Gate;
use crate::verified_request::VerifiedRequest;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Refusal, Timestamp};
use tokio::io::copy_bidirectional;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

/// How often a tunnel asks whether the gate still decides, and whether its token has ended.
const ROUND: Duration = Duration::from_secs(1);

/// Carries bytes. Returns when the tunnel has ended or been cut, at the latest `grace` after the token's end.
pub(super) async fn run(
    client: OnUpgrade,
    product: OnUpgrade,
    gate: Gate,
    verified: Arc<VerifiedRequest>,
    grace: Duration,
) {
    let carried = async {
        let (client, product) = tokio::try_join!(client, product)?;
        copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(product)).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    let end = verified.ends().plus(grace);
    let refusal = tokio::select! {
        ended = carried => {
            if let Err(error) = ended {
                debug!(%error, "a tunnel broke off");
            }
            return;
        }
        refusal = gate.until_denied(&verified) => refusal,
        refusal = over(&gate, &verified, end) => refusal,
    };
    debug!(code = refusal.code(), device = %verified.device(), "a tunnel was cut");
}

/// Waits for the end of the token, or of what the gate may know.
async fn over(gate: &Gate, verified: &VerifiedRequest, end: Timestamp) -> Refusal {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        if let Err(refusal) = gate.recheck(verified) {
            return refusal;
        }
        if gate.now() >= end {
            return if verified.claims().is_some() { Refusal::TokenEnded } else { Refusal::SessionOver };
        }
    }
}
