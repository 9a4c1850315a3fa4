//! `tegata device …`: find, show, stop, sign out, and see the proof that it is stopped.

use crate::failure::{Doing, Failure};
use crate::machine::Machine;
use crate::output::Output;
use crate::place::Place;
use crate::proof::{Proof, Stopping};
use crate::reason::Reason;
use crate::sign_out::{self, SignOut};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tegata_core::feed::Holder;
use tegata_core::{CertificateState, DeviceId, Standing, Timestamp};
use tegata_storage::{Certificate, Device, DeviceAction, Ledger, LedgerError, Tenant};

#[derive(Subcommand)]
pub enum DeviceCommand {
    /// List devices and gates
    List {
        /// Part of an identifier, label, site or tenant
        #[arg(default_value = "")]
        text: String,
        #[command(flatten)]
        output: Output,
    },
    /// Show one with its certificates and history
    Show {
        /// Its identifier, or the device number that its page shows
        device: String,
        #[command(flatten)]
        output: Output,
    },
    /// Stop it for now; `resume` lets it go on with the same certificate
    Suspend(Stop),
    /// Let a suspended one go on
    Resume(Stop),
    /// Stop it for ever: device, certificates, tokens and connections
    Revoke {
        #[command(flatten)]
        stop: Stop,
        /// Why
        #[arg(long, value_enum, default_value_t = Reason::KeyCompromise)]
        reason: Reason,
    },
    /// Sign it out: its tokens are refused, its certificate stays and may obtain others
    RevokeTokens {
        /// Its identifier, or the device number that its page shows
        device: String,
        #[command(flatten)]
        sign_out: SignOut,
    },
}

#[derive(Args)]
pub struct Stop {
    /// Its identifier, or the device number that its page shows
    pub device: String,
    #[command(flatten)]
    pub proof: Proof,
}

/// Runs the command.
pub async fn run(place: &Place, command: &DeviceCommand, machine: &Machine) -> Result<(), Failure> {
    let ledger = place.ledger(machine).await?;
    let result = match command {
        DeviceCommand::List { text, output } => list(&ledger, text, output.json).await,
        DeviceCommand::Show { device, output } => match find(&ledger, device).await {
            Ok(device) => show(&ledger, &device, output.json, machine.now()).await,
            Err(failure) => Err(failure),
        },
        DeviceCommand::Suspend(stop) => act(&ledger, stop, DeviceAction::Suspend, machine).await,
        DeviceCommand::Resume(stop) => act(&ledger, stop, DeviceAction::Resume, machine).await,
        DeviceCommand::Revoke { stop, reason } => {
            act(&ledger, stop, DeviceAction::Revoke((*reason).into()), machine).await
        }
        DeviceCommand::RevokeTokens { device, sign_out } => {
            sign_out_all(&ledger, device, sign_out, machine).await
        }
    };
    ledger.close().await;
    result
}

/// The one device that is meant: by its identifier, or by the beginning of it that people read on its page.
async fn find(ledger: &Ledger, named: &str) -> Result<DeviceId, Failure> {
    if let Ok(id) = named.parse::<DeviceId>() {
        return Ok(id);
    }
    if named.len() < LEAST_NUMBER {
        return Err(Failure::misuse(format!(
            "{named:?} is no device number: it has {LEAST_NUMBER} characters"
        )));
    }
    let number = named.to_ascii_lowercase();
    let found = ledger.devices(&number).await.doing(READ)?;
    let mut ids = found.into_iter().map(|device| device.id).filter(|id| id.as_str().starts_with(&number));
    match (ids.next(), ids.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => {
            Err(Failure::wrong(format!("{named} is the number of several devices: name one whole")))
        }
        (None, _) => Err(Failure::wrong("there is no such device")),
    }
}

/// As many characters as pages show.
const LEAST_NUMBER: usize = 8;

async fn sign_out_all(
    ledger: &Ledger,
    named: &str,
    options: &sign_out::SignOut,
    machine: &Machine,
) -> Result<(), Failure> {
    let device = find(ledger, named).await?;
    let said = (json!({"device": device}), device.as_str());
    sign_out::run(ledger, &Holder::Device(device.clone()), said, options, machine).await
}

async fn list(ledger: &Ledger, text: &str, as_json: bool) -> Result<(), Failure> {
    let mut devices = ledger.devices(text).await.doing(READ)?;
    let own = Tenant::system();
    // The system's own come and go; whoever looks for them says so.
    devices.retain(|device| device.tenant != own.id || text.contains(&own.name));
    if as_json {
        println!("{}", Value::Array(devices.iter().map(describe).collect()));
        return Ok(());
    }
    for device in &devices {
        println!(
            "{}  {:9}  {:6}  generation {}  {} {} {}",
            device.id,
            device.effective_state(),
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
    let signed_out = ledger.tokens_before(&device.tenant, id).await.doing(READ)?;
    if as_json {
        let mut shown = describe(&device);
        shown["tokens_denied_before"] = json!(signed_out);
        shown["certificates"] = certificates.iter().map(|known| certificate(&device, known, now)).collect();
        shown["history"] =
            history.iter().map(|entry| serde_json::from_str(&entry.entry).unwrap_or(Value::Null)).collect();
        println!("{shown}");
        return Ok(());
    }
    let Device { state, tenant_name, site_name, label, .. } = &device;
    println!("{id}  {state}  {tenant_name} {site_name} {label}");
    if device.effective_state() != device.state {
        println!("  its tenant is {}, and the device with it", device.tenant_state);
    }
    if let Some(moment) = signed_out {
        println!("  tokens issued before {moment} are denied");
    }
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
        "tenant_state": device.tenant_state, "role": device.role, "state": device.state, "reason": device.reason,
        "generation": device.generation,
        "created_at": device.created_at, "changed_at": device.changed_at,
    })
}

fn certificate(device: &Device, known: &Certificate, now: Timestamp) -> Value {
    let standing: Standing = tegata_core::certificate::standing(
        device.effective_state(),
        known.state,
        known.not_before,
        known.not_after,
        now,
    );
    let reserved = known.state == CertificateState::Reserved;
    json!({
        "generation": known.generation, "serial": known.serial, "thumbprint": known.thumbprint(),
        "state": known.state, "standing": if reserved { Standing::Unissued } else { standing },
        "not_before": known.not_before, "not_after": known.not_after,
    })
}

async fn act(ledger: &Ledger, stop: &Stop, action: DeviceAction, machine: &Machine) -> Result<(), Failure> {
    let device = find(ledger, &stop.device).await?;
    let stopping = Stopping::begin(ledger, &stop.proof, machine).await?;
    let event = change(ledger, &device, &stop.proof.note, action, machine).await?;
    stopping.report(&json!({"device": device}), device.as_str(), event).await
}

async fn change(
    ledger: &Ledger,
    device: &DeviceId,
    note: &str,
    action: DeviceAction,
    machine: &Machine,
) -> Result<u64, Failure> {
    let mut transaction = ledger.begin(machine.now()).await.doing(READ)?;
    let event = match transaction.act_on_device(device, action, note, &Machine::operator()).await {
        Ok(event) => event,
        Err(error @ LedgerError::Guard(_)) => {
            return Err(Failure::wrong(format!("{device}: {error}; see `tegata device show`")));
        }
        Err(error) => return Err(Failure::wrong(error)),
    };
    transaction.commit().await.doing("the change is not durable; nothing was changed")?;
    Ok(event)
}
