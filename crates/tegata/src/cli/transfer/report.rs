//! The report of the next morning.

use super::lookup::{READ, find};
use crate::cli::output::OutputFormat;
use crate::cli::scope::rows;
use tegata_console::{describe_transfer, report_text};
use tegata_core::Language;
use tegata_core::transfer::TransferState;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::Ledger;

/// The transfer that is reported, and in which language.
#[derive(clap::Args)]
pub struct ReportOptions {
    /// Identifier of the transfer, or its beginning
    transfer: String,
    /// Language of the text
    #[arg(long, value_parser = ["ja", "en"], default_value = "ja")]
    language: String,
    #[command(flatten)]
    output: OutputFormat,
}

pub async fn report(ledger: &Ledger, options: &ReportOptions) -> Result<(), Failure> {
    let transfer = find(ledger, &options.transfer).await?;
    let result = rows(ledger, None).transfer_result(&transfer.id).await.doing(READ)?;
    if options.output.json {
        let mut shown = describe_transfer(&transfer);
        shown["sites"] = serde_json::to_value(&result.sites).unwrap_or_default();
        shown["devices"] = serde_json::to_value(&result.devices).unwrap_or_default();
        shown["people"] = serde_json::to_value(&result.people).unwrap_or_default();
        outln!("{shown}");
    } else {
        let language = if options.language == "en" { Language::En } else { Language::Ja };
        outln!("{}", report_text(&transfer, &result, language));
    }
    if transfer.state == TransferState::Lapsed {
        return Err(Failure::wrong("it did not begin in time: plan it anew"));
    }
    Ok(())
}
