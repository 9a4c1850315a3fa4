//! `tegata device …`: find, show, stop, and see the proof that it is stopped.

use crate::cli::{DeviceCommand, Stop};
use crate::failure::{Doing, Failure};
use crate::house::Place;
use crate::machine::Machine;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::{CertificateState, DeviceId, Standing, Timestamp};
use tegata_storage::{Certificate, Device, DeviceAction, Ledger, LedgerError, ReceiptRow};
use tokio::time::sleep;

/// A surface that was heard of within this time is expected to give its receipt.
const ALIVE: Duration = Duration::from_secs(15);

/// How often the receipts are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Runs the command.
pub async fn run(place: &Place, command: &DeviceCommand, machine: &Machine) -> Result<(), Failure> {
    let ledger = place.ledger().await?;
    let result = match command {
        DeviceCommand::List { text, output } => list(&ledger, text, output.json).await,
        DeviceCommand::Show { device, output } => show(&ledger, device, output.json, machine.now()).await,
        DeviceCommand::Suspend(stop) => act(&ledger, stop, DeviceAction::Suspend, machine).await,
        DeviceCommand::Resume(stop) => act(&ledger, stop, DeviceAction::Resume, machine).await,
        DeviceCommand::Revoke { stop, reason } => {
            act(&ledger, stop, DeviceAction::Revoke((*reason).into()), machine).await
        }
    };
    ledger.close().await;
    result
}

async fn list(ledger: &Ledger, text: &str, as_json: bool) -> Result<(), Failure> {
    let devices = ledger.devices(text).await.doing(READ)?;
    if as_json {
        println!("{}", Value::Array(devices.iter().map(describe).collect()));
        return Ok(());
    }
    for device in &devices {
        println!(
            "{}  {:9}  {:6}  generation {}  {} {} {}",
            device.id,
            device.state,
            device.role,
            device.generation,
            device.tenant_name,
            device.site_name,
            device.label
        );
    }
    if devices.is_empty() {
        println!("no device");
    }
    Ok(())
}

const READ: &str = "cannot read the ledger";

async fn show(ledger: &Ledger, id: &DeviceId, as_json: bool, now: Timestamp) -> Result<(), Failure> {
    let device =
        ledger.device(id).await.doing(READ)?.ok_or_else(|| Failure::wrong("there is no such device"))?;
    let certificates = ledger.certificates_of(id).await.doing(READ)?;
    let history = ledger.audit_of(id, 50).await.doing(READ)?;
    if as_json {
        let mut shown = describe(&device);
        shown["certificates"] = certificates.iter().map(|known| certificate(&device, known, now)).collect();
        shown["history"] =
            history.iter().map(|entry| serde_json::from_str(&entry.entry).unwrap_or(Value::Null)).collect();
        println!("{shown}");
        return Ok(());
    }
    println!("{}  {}  {} {} {}", device.id, device.state, device.tenant_name, device.site_name, device.label);
    for known in &certificates {
        let (state, not_after) = (known.state, known.not_after);
        println!("  generation {}  {state:9}  serial {}  until {not_after}", known.generation, known.serial);
    }
    for entry in &history {
        println!("  {}", entry.entry);
    }
    Ok(())
}

fn describe(device: &Device) -> Value {
    json!({
        "device": device.id, "tenant": device.tenant_name, "site": device.site_name, "label": device.label,
        "role": device.role, "state": device.state, "reason": device.reason, "generation": device.generation,
        "created_at": device.created_at, "changed_at": device.changed_at,
    })
}

fn certificate(device: &Device, known: &Certificate, now: Timestamp) -> Value {
    let standing: Standing =
        tegata_core::certificate::standing(device.state, known.state, known.not_before, known.not_after, now);
    let reserved = known.state == CertificateState::Reserved;
    json!({
        "generation": known.generation, "serial": known.serial, "thumbprint": known.thumbprint(),
        "state": known.state, "standing": if reserved { Standing::Unissued } else { standing },
        "not_before": known.not_before, "not_after": known.not_after,
    })
}

/// One surface's proof.
#[derive(Serialize)]
struct Proof {
    surface: String,
    /// From the moment the change was durable; nothing when no receipt came.
    milliseconds: Option<i64>,
}

async fn act(ledger: &Ledger, stop: &Stop, action: DeviceAction, machine: &Machine) -> Result<(), Failure> {
    let expected = alive(ledger, machine.now()).await?;
    let event = change(ledger, stop, action, machine).await?;
    let durable = machine.now();
    let proofs = receipts(ledger, &expected, event, durable, stop.wait_ms, machine).await?;
    report(stop, event, &proofs, machine.now())
}

async fn change(
    ledger: &Ledger,
    stop: &Stop,
    action: DeviceAction,
    machine: &Machine,
) -> Result<u64, Failure> {
    let mut transaction = ledger.begin(machine.now()).await.doing(READ)?;
    let event = match transaction.act_on_device(&stop.device, action, &stop.note, &Machine::operator()).await
    {
        Ok(event) => event,
        Err(error @ LedgerError::Guard(_)) => {
            return Err(Failure::wrong(format!("{}: {error}; see `tegata device show`", stop.device)));
        }
        Err(error) => return Err(Failure::wrong(error)),
    };
    transaction.commit().await.doing("the change is not durable; nothing was changed")?;
    Ok(event)
}

/// The surfaces that a running server and its gates have shown lately.
async fn alive(ledger: &Ledger, now: Timestamp) -> Result<Vec<String>, Failure> {
    let receipts = ledger.receipts().await.doing(READ)?;
    let lately = receipts.into_iter().filter(|receipt| now.since(receipt.seen_at) < ALIVE);
    Ok(lately.map(|receipt| receipt.surface).collect())
}

async fn receipts(
    ledger: &Ledger,
    expected: &[String],
    event: u64,
    durable: Timestamp,
    wait_ms: u64,
    machine: &Machine,
) -> Result<Vec<Proof>, Failure> {
    let deadline = durable.plus(Duration::from_millis(wait_ms));
    loop {
        let known = ledger.receipts().await.doing(READ)?;
        let proofs: Vec<_> = expected.iter().map(|surface| proof(surface, &known, event, durable)).collect();
        if proofs.iter().all(|proof| proof.milliseconds.is_some()) || machine.now() >= deadline {
            return Ok(proofs);
        }
        sleep(LOOK).await;
    }
}

fn proof(surface: &str, known: &[ReceiptRow], event: u64, durable: Timestamp) -> Proof {
    let receipt = known.iter().find(|receipt| receipt.surface == surface && receipt.seq.0 >= event);
    Proof {
        surface: surface.to_owned(),
        milliseconds: receipt.map(|receipt| (receipt.applied_at.millis() - durable.millis()).max(0)),
    }
}

fn report(stop: &Stop, event: u64, proofs: &[Proof], now: Timestamp) -> Result<(), Failure> {
    let missing: Vec<_> = proofs
        .iter()
        .filter(|proof| proof.milliseconds.is_none())
        .map(|proof| proof.surface.as_str())
        .collect();
    if stop.output.json {
        let slowest = proofs.iter().filter_map(|proof| proof.milliseconds).max();
        println!(
            "{}",
            json!({"device": stop.device, "event": event, "at": now, "receipts": proofs, "slowest_ms": slowest})
        );
    } else {
        println!("{}: recorded as event {event}, durable", stop.device);
        for proof in proofs {
            match proof.milliseconds {
                Some(milliseconds) => println!("  {:40} {milliseconds:5} ms", proof.surface),
                None => println!("  {:40} no receipt", proof.surface),
            }
        }
        if proofs.is_empty() {
            println!("  no server is running: it takes effect when one starts, before it answers anybody");
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::wrong(format!(
            "no receipt yet from {}: the change holds, but these may still let the device in until their staleness ends",
            missing.join(", ")
        )))
    }
}
