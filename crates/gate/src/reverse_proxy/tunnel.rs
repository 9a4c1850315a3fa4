//! What a connection becomes after a change of protocol: bytes in both directions, until one side ends,
//! the device is denied, or the gate has heard nothing for too long.

use crate::check::Verified;
use crate::gate::Gate;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

/// How often a tunnel asks whether the gate still decides.
const ROUND: Duration = Duration::from_secs(1);

/// Carries bytes. Returns when the tunnel has ended or been cut.
pub(super) async fn run(client: OnUpgrade, product: OnUpgrade, gate: Gate, verified: Arc<Verified>) {
    let carried = async {
        let (client, product) = tokio::try_join!(client, product)?;
        copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(product)).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    tokio::select! {
        ended = carried => {
            if let Err(error) = ended {
                debug!(%error, "a tunnel broke off");
            }
        }
        refusal = gate.until_denied(&verified) => {
            debug!(code = refusal.code(), device = %verified.device(), "a tunnel was cut");
        }
        () = stale(&gate, &verified) => debug!(device = %verified.device(), "a tunnel was cut: the gate is stale"),
    }
}

async fn stale(gate: &Gate, verified: &Verified) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while gate.recheck(verified).is_ok() {
        rounds.tick().await;
    }
}
