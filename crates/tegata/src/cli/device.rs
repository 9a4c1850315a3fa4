//! `tegata device …`: find, show, stop, move, sign out, and see the proof that it is stopped.

mod entrances;
mod list;
mod lookup;
mod relocate;
mod show;
mod stop;

use super::output::OutputFormat;
use super::sign_out::{self, SignOut};
use crate::cli::installation_args::InstallationArgs;
use crate::cli::scope::rows;
pub(super) use list::describe;
pub(super) use lookup::find;
use serde_json::json;
use tegata_core::feed::TokenHolder;
use tegata_installation::{Failure, SystemContext};
use tegata_storage::{DeviceAction, Ledger};

#[derive(clap::Subcommand)]
pub enum DeviceCommand {
    /// Find devices and gates, or list them all
    List(list::DeviceListOptions),
    /// Show one with its certificates and what happened last
    Show(show::ShowOptions),
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
    /// Which could enter on a day, and when: by their certificates and every stop of them and their tenant
    Entrances(entrances::EntrancesOptions),
    /// Stop it for now; `resume` lets it go on with the same certificate
    Suspend(stop::StopDeviceOptions),
    /// Let a suspended one go on
    Resume(stop::StopDeviceOptions),
    /// Stop it for ever: device, certificates, tokens and connections
    Revoke(stop::RevokeDeviceOptions),
    /// Move it to another site of its tenant: its certificate stays, its tokens and the sessions on it end
    Move(relocate::MoveDeviceOptions),
    /// Sign it out: its tokens are refused, its certificate stays and may obtain others
    RevokeTokens {
        /// Its identifier, or the device number that its page shows
        device: String,
        #[command(flatten)]
        sign_out: SignOut,
    },
}

/// Runs the chosen command against the installation.
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
        DeviceCommand::Entrances(options) => entrances::entrances(&ledger, options, system).await,
        DeviceCommand::Suspend(stop) => stop::act(&ledger, stop, DeviceAction::Suspend, system).await,
        DeviceCommand::Resume(stop) => stop::act(&ledger, stop, DeviceAction::Resume, system).await,
        DeviceCommand::Revoke(options) => stop::revoke(&ledger, options, system).await,
        DeviceCommand::Move(options) => relocate::run(&ledger, options, system).await,
        DeviceCommand::RevokeTokens { device, sign_out } => {
            sign_out_all(&ledger, device, sign_out, system).await
        }
    };
    ledger.close().await;
    result
}

async fn sign_out_all(
    ledger: &Ledger,
    named: &str,
    options: &SignOut,
    system: &SystemContext,
) -> Result<(), Failure> {
    let device = find(&rows(ledger, None), named).await?.id;
    let named = (json!({"device": device}), device.as_str());
    sign_out::run(ledger, &TokenHolder::Device(device.clone()), named, options, system).await
}
