//! What a connection becomes after a change of protocol: bytes in both directions, until one side ends,
//! the device is denied, its session is over, its token has ended, or the gate has heard nothing for too long.

use crate::gate::Gate;
use crate::verified_request::VerifiedRequest;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Refusal, Timestamp};
use tokio::io::copy_bidirectional;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

/// How often a tunnel asks whether its token has ended.
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
    // A session is over by itself. A token's client may take a moment for opening another tunnel with a new one.
    let end = verified.claims().map(|_| verified.ends().plus(grace));
    let refusal = tokio::select! {
        ended = carried => {
            if let Err(error) = ended {
                debug!(%error, "a tunnel broke off");
            }
            return;
        }
        refusal = gate.until_over(&verified) => refusal,
        refusal = until(&gate, end) => refusal,
    };
    debug!(code = refusal.code(), device = %verified.device(), "a tunnel was cut");
}

/// Waits for the end of a token.
async fn until(gate: &Gate, end: Option<Timestamp>) -> Refusal {
    let Some(end) = end else { return pending().await };
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while gate.now() < end {
        rounds.tick().await;
    }
    Refusal::TokenEnded
}
