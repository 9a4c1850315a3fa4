//! The dry run: everything that will change.

use super::lookup::{READ, find};
use crate::cli::output::OutputFormat;
use crate::cli::scope::rows;
use tegata_console::{describe_transfer, dry_run_text};
use tegata_core::Language;
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::Ledger;

/// The transfer that is tried.
#[derive(clap::Args)]
pub struct DryRunOptions {
    /// Identifier of the transfer, or its beginning
    transfer: String,
    /// Language of the text
    #[arg(long, value_parser = ["ja", "en"], default_value = "en")]
    language: String,
    #[command(flatten)]
    output: OutputFormat,
}

pub async fn dry_run(
    ledger: &Ledger,
    options: &DryRunOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let transfer = find(ledger, &options.transfer).await?;
    if !transfer.state.is_open() {
        return Err(Failure::wrong("it has begun or ended: tegata transfer report says what became of it"));
    }
    let seen = rows(ledger, None).transfer_forecast(&transfer.id, system.now()).await.doing(READ)?;
    let seen = seen.ok_or_else(|| Failure::wrong("there is no such transfer any more"))?;
    if options.output.json {
        let mut shown = describe_transfer(&transfer);
        shown["will"] = serde_json::to_value(&seen).unwrap_or_default();
        outln!("{shown}");
    } else {
        let language = if options.language == "ja" { Language::Ja } else { Language::En };
        outln!("{}", dry_run_text(&transfer, &seen, language));
    }
    Ok(())
}
