//! From the wish to revoke to the refusal of the last gate, while tokens are asked for.
//!
//! The revocation is the transaction that `tegata device revoke` makes, in another process than the server. The gates
//! are this process's, each with a connection of its own; whatever they and the load take of its time counts as delay.

use crate::BenchOutcome;
use crate::client::BenchTrust;
use crate::devices::{self, BenchDevice};
use crate::gates::{self, Arriving, OwnGate};
use crate::load::{self, Bounds};
use crate::report::Delay;
use crate::servers::Tegata;
use crate::tokens::{clients, request};
use std::time::Duration;
use tegata_core::{DeviceId, RevocationReason, Role};
use tegata_gate::VerifiedRequest;
use tegata_storage::{Actor, DeviceAction, Ledger};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Revocations for each number of gates.
const REVOCATIONS: usize = 100;

/// Clients that ask for tokens all the while, each when it has the last one.
const LOAD: usize = 8;

/// Nobody waits for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// One row for each number of gates.
pub async fn rows(tegata: &Tegata, trust: &BenchTrust, busy: &[BenchDevice]) -> BenchOutcome<Vec<Delay>> {
    let ledger = tegata.ledger().await?;
    let mut rows = Vec::new();
    for (path, count) in
        [("revoke, last of 1 gate", 1), ("revoke, last of 10 gates", 10), ("revoke, last of 100 gates", 100)]
    {
        let devices = devices::enroll_as(tegata, trust, Role::Device, REVOCATIONS).await?;
        let audience = gates::audience_of(&gates::arriving(tegata, trust, &busy[0], 1).await?[0])?;
        let gates = gates::connect(tegata, trust, &audience, 10_000, count).await?;
        let mut loads = JoinSet::new();
        let asking = clients(&tegata.device, trust, busy, LOAD, |_, device| request(device))?;
        loads.spawn(load::kept_alive(
            load::connect(&asking).await?,
            Bounds { requests: u32::MAX, time: Duration::from_mins(10) },
        ));
        let mut delays = Vec::with_capacity(REVOCATIONS);
        for device in &devices {
            let request = gates::arriving(tegata, trust, device, 1).await?.remove(0);
            delays.push(revoke(&ledger, device, &request, &gates).await?);
            sleep(Duration::from_millis(20)).await;
        }
        if let Some(ended) = loads.try_join_next() {
            return Err(format!(
                "the load ended: {:?}",
                ended.map(|outcome| outcome.map_err(|error| error.to_string()))
            )
            .into());
        }
        loads.shutdown().await;
        rows.push(Delay::new(path, delays));
    }
    ledger.close().await;
    Ok(rows)
}

/// The time until the last of the gates has refused the device it had admitted before.
pub async fn revoke(
    ledger: &Ledger,
    device: &BenchDevice,
    request: &Arriving,
    gates: &[OwnGate],
) -> BenchOutcome<Duration> {
    let mut waiting = JoinSet::new();
    for own in gates {
        let verified = own.gate.check(&request.headers, None, Some(request.presented));
        let verified = verified.map_err(|refusal| format!("refused too early: {}", refusal.code()))?;
        waiting.spawn(refused(own.gate.clone(), verified));
    }
    let id = DeviceId::parse(&device.id).ok_or("no device")?;
    let begun = Instant::now();
    let mut transaction = ledger.begin(devices::now()?).await?;
    let action = DeviceAction::Revoke(RevocationReason::KeyCompromise);
    transaction.act_on_device(&id, action, "", &Actor::Operator("bench".to_owned())).await?;
    transaction.commit().await?;
    let mut last = begun;
    while let Some(at) = waiting.join_next().await {
        last = last.max(at??);
    }
    Ok(last.duration_since(begun))
}

async fn refused(
    gate: tegata_gate::Gate,
    verified: std::sync::Arc<VerifiedRequest>,
) -> BenchOutcome<Instant> {
    timeout(PATIENCE, gate.until_denied(&verified)).await.map_err(|_| "a gate never refuses")?;
    match gate.recheck(&verified) {
        Ok(()) => Err("a gate lets in whom it denies".into()),
        Err(_) => Ok(Instant::now()),
    }
}
