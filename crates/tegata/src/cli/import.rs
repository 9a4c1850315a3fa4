//! `tegata import …`: taking over the devices of another authority's CA, with their revocations.
//!
//! The CA is trusted for the certificates that were taken over and no other: the ledger refuses what it does not know,
//! whoever signed it. Renewal then moves each device to a CA of this installation, in its own time.

mod crl;
mod devices;
mod foreign;

use crate::cli::confirm::OperatorConsent;
use crate::cli::output::OutputFormat;
use crate::cli::proof::ReceiptOptions;
use crate::failure::Failure;
use crate::installation_args::InstallationArgs;
use crate::system_context::SystemContext;
use std::path::PathBuf;

/// What can be taken over.
#[derive(clap::Subcommand)]
pub enum ImportCommand {
    /// Devices with still-valid certificates of another CA, from a CSV file. Shows what it would do unless --perform
    Devices(DevicesOptions),
    /// The newest CRL of a CA that was taken over: what it revoked is refused here too
    Crl(CrlOptions),
}

#[derive(clap::Args)]
pub struct DevicesOptions {
    /// The CA that signed the certificates itself, PEM or DER (not the root above it)
    #[arg(long, value_name = "FILE")]
    pub ca: PathBuf,
    /// UTF-8 with the columns certificate (a PEM or DER file, beside this one), site, label
    #[arg(long, value_name = "CSV")]
    pub devices: PathBuf,
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    pub tenant: Option<String>,
    /// The CA's newest CRL, PEM or DER: what it names is taken over as revoked
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
    /// Accept a CRL past its nextUpdate: the CA has published its last
    #[arg(long, requires = "crl")]
    pub stale_crl: bool,
    /// Do it. Lines that were taken over before are left alone, so that it can be done again
    #[arg(long)]
    pub perform: bool,
    #[command(flatten)]
    pub output: OutputFormat,
}

#[derive(clap::Args)]
pub struct CrlOptions {
    /// The CRL, PEM or DER
    pub file: PathBuf,
    /// Accept a CRL past its nextUpdate: the CA has published its last
    #[arg(long)]
    pub stale_crl: bool,
    #[command(flatten)]
    pub consent: OperatorConsent,
    #[command(flatten)]
    pub proof: ReceiptOptions,
}

pub async fn run(
    place: &InstallationArgs,
    command: &ImportCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        ImportCommand::Devices(options) => devices::run(&ledger, options, system).await,
        ImportCommand::Crl(options) => crl::run(&ledger, options, system).await,
    };
    ledger.close().await;
    result
}
