//! `tegata import …`: taking over the devices of another authority's CA, with their revocations.
//!
//! The CA is trusted for the certificates that were taken over and no other: the ledger refuses what it does not know,
//! whoever signed it. Renewal then moves each device to a CA of this installation, in its own time.

use crate::cli::confirm::OperatorConsent;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::cli::progress::TerminalProgress;
use crate::cli::proof::{ReceiptOptions, ReceiptReport};
use crate::server::checks::DeviceListenerTrust;
use serde_json::json;
use std::path::{Path, PathBuf};
use tegata_admin::import::{
    AppliedList, COLUMNS, DeviceImport, DeviceImportFacts, DeviceLine, ForeignList, import_devices,
};
use tegata_installation::{Failure, SystemContext};
use tegata_storage::Ledger;
use tegata_web::ParsedTable;

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

/// Runs one of the imports.
pub async fn run(
    place: &InstallationArgs,
    command: &ImportCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        ImportCommand::Devices(options) => devices(&ledger, options, system).await,
        ImportCommand::Crl(options) => crl(&ledger, options, system).await,
    };
    ledger.close().await;
    result
}

async fn devices(ledger: &Ledger, options: &DevicesOptions, system: &SystemContext) -> Result<(), Failure> {
    let lines = read_list(&options.devices)?;
    let import = DeviceImport {
        ca: options.ca.clone(),
        folder: options.devices.parent().unwrap_or(Path::new(".")).to_owned(),
        tenant: options.tenant.clone(),
        crl: options.crl.clone(),
        stale_crl: options.stale_crl,
        perform: options.perform,
    };
    let mut progress = TerminalProgress::new();
    let facts = import_devices(ledger, lines, &import, &DeviceListenerTrust, &mut progress, system).await?;
    drop(progress);
    if options.output.json {
        outln!("{}", json!(facts));
    } else {
        print(&facts);
    }
    match facts.refused {
        0 => Ok(()),
        refused => Err(Failure::wrong(format!("{refused} lines were refused"))),
    }
}

fn read_list(file: &Path) -> Result<Vec<(u32, DeviceLine)>, Failure> {
    let name = file.display();
    let bytes =
        std::fs::read(file).map_err(|error| Failure::misuse(format!("cannot read {name}: {error}")))?;
    let records = ParsedTable::read(&bytes, None).and_then(|table| table.records(COLUMNS, COLUMNS.len()));
    let records = records.map_err(|why| Failure::misuse(format!("{name}: {why}")))?;
    let line = |(number, line): (u32, Result<DeviceLine, String>)| {
        Ok((number, line.map_err(|error| Failure::misuse(format!("{name}:{number}: {error}")))?))
    };
    records.into_iter().map(line).collect()
}

fn print(facts: &DeviceImportFacts) {
    for report in facts.lines.iter().filter(|report| report.is_refused()) {
        outln!("line {}  {}  refused: {}", report.line, report.certificate, report.detail);
    }
    let DeviceImportFacts { taken_over, known, refused, revoked, .. } = facts;
    let done = if facts.performed { "taken over" } else { "would be taken over (add --perform)" };
    outln!("{taken_over} {done}, {known} known already, {refused} refused, {revoked} revoked by the CRL");
}

async fn crl(ledger: &Ledger, options: &CrlOptions, system: &SystemContext) -> Result<(), Failure> {
    let list = ForeignList::read(ledger, &options.file, options.stale_crl, system).await?;
    let count = list.len();
    options
        .consent
        .obtain(format!("whatever this list of {count} entries names as revoked ends here for ever"))?;
    let stopping = ReceiptReport::begin(ledger, &options.proof, system).await?;
    let mut progress = TerminalProgress::new();
    let AppliedList { entries, event } =
        list.apply(ledger, &options.proof.note, &mut progress, system).await?;
    drop(progress);
    if !options.proof.output.json {
        for one in &entries {
            outln!("{}  serial {}  {}", one.device, one.serial, one.action);
        }
    }
    let what = json!({"issuer": list.issuer(), "entries": count, "applied": entries});
    let name = format!("{count} entries, {} of them news for devices here", entries.len());
    stopping.report(&what, &name, event).await
}
