//! `tegata device …`: find, show, stop, sign out, and see the proof that it is stopped.

mod list;
mod show;
mod stop;

use super::confirm::OperatorConsent;
use super::output::OutputFormat;
use super::proof::ReceiptOptions;
use super::reason::RevocationReasonArg;
use super::sign_out::{self, SignOut};
use crate::cli::scope::rows;
use crate::failure::{Failure, FailureContext};
use crate::installation_args::InstallationArgs;
use crate::system_context::SystemContext;
use serde_json::json;
use tegata_core::DeviceId;
use tegata_core::feed::TokenHolder;
use tegata_storage::{Device, DeviceAction, Ledger, ScopedLedger};

#[derive(clap::Subcommand)]
pub enum DeviceCommand {
    /// Find devices and gates, or list them all
    List(list::DeviceListOptions),
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
        output: OutputFormat,
    },
    /// Stop it for now; `resume` lets it go on with the same certificate
    Suspend(StopDeviceOptions),
    /// Let a suspended one go on
    Resume(StopDeviceOptions),
    /// Stop it for ever: device, certificates, tokens and connections
    Revoke(RevokeDeviceOptions),
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
    output: OutputFormat,
}

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

pub async fn run(
    place: &InstallationArgs,
    command: &DeviceCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        DeviceCommand::List(options) => list::list(place, &ledger, options, system).await,
        DeviceCommand::Show(options) => show::show(&rows(&ledger, None), options, system.now()).await,
        DeviceCommand::History { device, lines, output } => {
            show::history(&rows(&ledger, None), device, *lines, output.json).await
        }
        DeviceCommand::Suspend(stop) => stop::act(&ledger, stop, DeviceAction::Suspend, system).await,
        DeviceCommand::Resume(stop) => stop::act(&ledger, stop, DeviceAction::Resume, system).await,
        DeviceCommand::Revoke(options) => stop::revoke(&ledger, options, system).await,
        DeviceCommand::RevokeTokens { device, sign_out } => {
            sign_out_all(&ledger, device, sign_out, system).await
        }
    };
    ledger.close().await;
    result
}

/// The one device that is meant: by its identifier, or by the beginning of it that people read on its page.
pub(super) async fn find(rows: &ScopedLedger, named: &str) -> Result<Device, Failure> {
    let unknown =
        || Failure::wrong(format!("there is no device {named}: tegata device list finds it by its names"));
    if let Ok(id) = named.parse::<DeviceId>() {
        return rows.device(&id).await.doing(READ)?.ok_or_else(unknown);
    }
    let number: String =
        named.chars().filter(|letter| *letter != '-').collect::<String>().to_ascii_lowercase();
    if number.len() < LEAST_NUMBER || !number.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::misuse(format!(
            "{named:?} is no device number: it has {LEAST_NUMBER} characters. tegata device list finds a device by its names"
        )));
    }
    let mut found = rows.devices_numbered(&number).await.doing(READ)?.into_iter();
    match (found.next(), found.next()) {
        (Some(device), None) => Ok(device),
        (Some(_), Some(_)) => {
            Err(Failure::wrong(format!("{named} is the number of several devices: name one whole")))
        }
        (None, _) => Err(unknown()),
    }
}

/// The least characters by which a device can be named: as many as pages show.
const LEAST_NUMBER: usize = 8;

const READ: &str = "cannot read the ledger";

async fn sign_out_all(
    ledger: &Ledger,
    named: &str,
    options: &SignOut,
    system: &SystemContext,
) -> Result<(), Failure> {
    let device = find(&rows(ledger, None), named).await?.id;
    let said = (json!({"device": device}), device.as_str());
    sign_out::run(ledger, &TokenHolder::Device(device.clone()), said, options, system).await
}
