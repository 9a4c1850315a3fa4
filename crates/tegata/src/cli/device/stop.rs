//! Stopping a device, letting it go on, and the proof of either.

use super::lookup::{READ, find};
use crate::cli::confirm::OperatorConsent;
use crate::cli::history::HistoryEvent;
use crate::cli::proof::{ReceiptOptions, ReceiptReport};
use crate::cli::reason;
use crate::cli::reason::RevocationReasonArg;
use crate::cli::scope::rows;
use serde_json::{Value, json};
use tegata_core::{DeviceState, StopCause};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Device, DeviceAction, Ledger, LedgerError};

#[derive(clap::Args)]
pub struct StopDeviceOptions {
    /// Its identifier, or the device number that its page shows
    device: String,
    #[command(flatten)]
    proof: ReceiptOptions,
}

#[derive(clap::Args)]
pub struct RevokeDeviceOptions {
    #[command(flatten)]
    stop: StopDeviceOptions,
    /// Why: its page says so. Not said, lists call it a compromised key, and the page an act of the administrator
    #[arg(long, value_enum)]
    reason: Option<RevocationReasonArg>,
    #[command(flatten)]
    consent: OperatorConsent,
}

/// Stops for now, or lets go on.
pub async fn act(
    ledger: &Ledger,
    stop: &StopDeviceOptions,
    action: DeviceAction,
    system: &SystemContext,
) -> Result<(), Failure> {
    let device = find(&rows(ledger, None), &stop.device).await?;
    perform(ledger, &device, stop, (action, None), system).await
}

/// Revokes devices for ever, each with all its certificates and tokens.
pub async fn revoke(
    ledger: &Ledger,
    options: &RevokeDeviceOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let device = find(&rows(ledger, None), &options.stop.device).await?;
    if device.state.may_become(DeviceState::Revoked) {
        options.consent.obtain(format!(
            "{} ends for ever: the device, its {} certificates, its tokens and connections",
            described(&device),
            device.generation
        ))?;
    }
    let (reason, cause) = reason::of(options.reason);
    perform(ledger, &device, &options.stop, (DeviceAction::Revoke(reason), cause), system).await
}

async fn perform(
    ledger: &Ledger,
    device: &Device,
    stop: &StopDeviceOptions,
    (action, cause): (DeviceAction, Option<StopCause>),
    system: &SystemContext,
) -> Result<(), Failure> {
    let stopping = ReceiptReport::begin(ledger, &stop.proof, system).await?;
    let mut transaction = rows(ledger, None).begin(system.now()).await.doing(READ)?;
    let (note, actor) = (&stop.proof.note, SystemContext::operator());
    let acted = transaction.act_on_device_because(&device.id, action, cause, note, &actor).await;
    let event = match acted {
        Ok(event) => event,
        Err(LedgerError::Guard(_)) => {
            drop(transaction);
            return Err(not_possible(ledger, device, stop).await?);
        }
        Err(error) => return Err(Failure::wrong(error)),
    };
    transaction.commit().await.committed("the change is not durable; nothing was changed")?;
    stopping.report(&json!({"device": device.id}), device.id.as_str(), event).await
}

/// Says of a device that is in the wanted state already who brought it there, and when.
async fn not_possible(
    ledger: &Ledger,
    device: &Device,
    stop: &StopDeviceOptions,
) -> Result<Failure, Failure> {
    let rows = rows(ledger, None);
    let now = rows.device(&device.id).await.doing(READ)?;
    let device = now.as_ref().unwrap_or(device);
    let last = rows.last_entry_of(&device.id, last_action(device.state), "").await.doing(READ)?;
    let event = last.as_ref().and_then(HistoryEvent::parse);
    if stop.proof.output.json {
        let by = event.as_ref().map(HistoryEvent::actor);
        let at = event.as_ref().map_or(device.changed_at, HistoryEvent::at);
        let note = event.as_ref().and_then(HistoryEvent::note);
        let state = json!({
            "device": device.id, "state": device.state, "reason": device.reason, "by": by, "at": at, "note": note,
        });
        outln!("{}", with_changed(state));
    }
    let by = event.map_or_else(
        || format!("since {}", device.changed_at.whole_second()),
        |event| event.by_whom_and_when(),
    );
    let reason = device.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    Ok(Failure::wrong(format!(
        "{} is {}{reason} already, {by}; nothing was changed. See: tegata device history {}",
        described(device),
        device.state,
        device.id
    )))
}

fn with_changed(mut state: Value) -> Value {
    state["changed"] = false.into();
    state
}

/// The action of the audit log that brought a device into this state. One that was never stopped was made active by its
/// first certificate, or has been resumed.
const fn last_action(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Active => "device.resumed",
        DeviceState::Suspended => "device.suspended",
        DeviceState::Revoked => "device.revoked",
        DeviceState::Retired => "device.retired",
    }
}

fn described(device: &Device) -> String {
    let Device { id, tenant_name, site_name, label, .. } = device;
    format!("{label} of {tenant_name} {site_name} ({id})")
}
