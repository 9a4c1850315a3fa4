//! `tegata device …`: find, show, stop, sign out, and see the proof that it is stopped.

mod list;
mod show;
mod stop;

use super::confirm::Consent;
use super::output::Output;
use super::proof::Proof;
use super::reason::Reason;
use super::sign_out::{self, SignOut};
use crate::failure::{Doing, Failure};
use crate::machine::Machine;
use crate::place::Place;
use serde_json::json;
use tegata_core::DeviceId;
use tegata_core::feed::Holder;
use tegata_storage::{Device, DeviceAction, Ledger};

#[derive(clap::Subcommand)]
pub enum DeviceCommand {
    /// Find devices and gates, or list them all
    List(list::ListOptions),
    /// Show one with its certificates and what happened last
    Show(ShowOptions),
    /// What happened to one, newest first; routine such as tokens is folded
    History {
        /// Its identifier, or the device number that its page shows
        device: String,
        /// The most lines to show; with --json, the most entries
        #[arg(long, value_name = "N", default_value_t = 50)]
        lines: usize,
        #[command(flatten)]
        output: Output,
    },
    /// Stop it for now; `resume` lets it go on with the same certificate
    Suspend(Stop),
    /// Let a suspended one go on
    Resume(Stop),
    /// Stop it for ever: device, certificates, tokens and connections
    Revoke(RevokeOptions),
    /// Sign it out: its tokens are refused, its certificate stays and may obtain others
    RevokeTokens {
        /// Its identifier, or the device number that its page shows
        device: String,
        #[command(flatten)]
        sign_out: SignOut,
    },
}

#[derive(clap::Args)]
pub struct ShowOptions {
    /// Its identifier, or the device number that its page shows
    device: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
pub struct Stop {
    /// Its identifier, or the device number that its page shows
    device: String,
    #[command(flatten)]
    proof: Proof,
}

#[derive(clap::Args)]
pub struct RevokeOptions {
    #[command(flatten)]
    stop: Stop,
    /// Why: its page says so. Not said, lists call it a compromised key, and the page an act of the administrator
    #[arg(long, value_enum)]
    reason: Option<Reason>,
    #[command(flatten)]
    consent: Consent,
}

/// Runs the command.
pub async fn run(place: &Place, command: &DeviceCommand, machine: &Machine) -> Result<(), Failure> {
    let ledger = place.ledger(machine).await?;
    let result = match command {
        DeviceCommand::List(options) => list::list(place, &ledger, options, machine).await,
        DeviceCommand::Show(options) => show::show(&ledger, options, machine.now()).await,
        DeviceCommand::History { device, lines, output } => {
            show::history(&ledger, device, *lines, output.json).await
        }
        DeviceCommand::Suspend(stop) => stop::act(&ledger, stop, DeviceAction::Suspend, machine).await,
        DeviceCommand::Resume(stop) => stop::act(&ledger, stop, DeviceAction::Resume, machine).await,
        DeviceCommand::Revoke(options) => stop::revoke(&ledger, options, machine).await,
        DeviceCommand::RevokeTokens { device, sign_out } => {
            sign_out_all(&ledger, device, sign_out, machine).await
        }
    };
    ledger.close().await;
    result
}

/// The one device that is meant: by its identifier, or by the beginning of it that people read on its page.
async fn find(ledger: &Ledger, named: &str) -> Result<Device, Failure> {
    let unknown =
        || Failure::wrong(format!("there is no device {named}: tegata device list finds it by its names"));
    if let Ok(id) = named.parse::<DeviceId>() {
        return ledger.device(&id).await.doing(READ)?.ok_or_else(unknown);
    }
    let number: String =
        named.chars().filter(|letter| *letter != '-').collect::<String>().to_ascii_lowercase();
    if number.len() < LEAST_NUMBER || !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::misuse(format!(
            "{named:?} is no device number: it has {LEAST_NUMBER} characters. tegata device list finds a device by its names"
        )));
    }
    let mut found = ledger.devices_numbered(&number).await.doing(READ)?.into_iter();
    match (found.next(), found.next()) {
        (Some(device), None) => Ok(device),
        (Some(_), Some(_)) => {
            Err(Failure::wrong(format!("{named} is the number of several devices: name one whole")))
        }
        (None, _) => Err(unknown()),
    }
}

/// As many characters as pages show.
const LEAST_NUMBER: usize = 8;

const READ: &str = "cannot read the ledger";

async fn sign_out_all(
    ledger: &Ledger,
    named: &str,
    options: &SignOut,
    machine: &Machine,
) -> Result<(), Failure> {
    let device = find(ledger, named).await?.id;
    let said = (json!({"device": device}), device.as_str());
    sign_out::run(ledger, &Holder::Device(device.clone()), said, options, machine).await
}
