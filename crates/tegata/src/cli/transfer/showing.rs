//! Transfers as they stand.

use super::lookup::{READ, find};
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::rows;
use serde_json::Value;
use tegata_console::{describe_approval, describe_transfer};
use tegata_core::transfer::TransferChange;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::{Ledger, Transfer};

/// How the list is printed.
#[derive(clap::Args)]
pub struct TransferListOptions {
    #[command(flatten)]
    output: OutputFormat,
}

/// The transfer that is shown.
#[derive(clap::Args)]
pub struct TransferShowOptions {
    /// Identifier of the transfer, or its beginning
    transfer: String,
    #[command(flatten)]
    output: OutputFormat,
}

pub async fn list(ledger: &Ledger, options: &TransferListOptions) -> Result<(), Failure> {
    let transfers = rows(ledger, None).transfers().await.doing(READ)?;
    if options.output.json {
        outln!("{}", Value::Array(transfers.iter().map(describe_transfer).collect()));
    } else {
        for transfer in &transfers {
            outln!("{}", line(transfer));
        }
    }
    nothing_found(transfers.is_empty(), "there is no transfer")
}

pub async fn show(ledger: &Ledger, options: &TransferShowOptions) -> Result<(), Failure> {
    let transfer = find(ledger, &options.transfer).await?;
    let approvals = rows(ledger, None).transfer_approvals(&transfer.id).await.doing(READ)?;
    if options.output.json {
        let mut shown = describe_transfer(&transfer);
        shown["approvals"] = approvals.iter().map(|given| describe_approval(&transfer, given)).collect();
        shown["details"] = serde_json::to_value(&transfer.plan).unwrap_or_default();
        outln!("{shown}");
        return Ok(());
    }
    outln!("{}", line(&transfer));
    outln!("plan      {}", transfer.plan.hash());
    outln!("begins    {} to {}", transfer.plan.at.whole_second(), transfer.plan.latest.whole_second());
    match &transfer.plan.change {
        TransferChange::Business { sites, devices, people, .. } => {
            outln!(
                "sites     {}, decided of {} devices and {} people",
                sites.len(),
                devices.len(),
                people.len()
            );
            outln!("renewal   by the old certificate for {} hours", transfer.plan.renewal_hours);
        }
        TransferChange::Shares { name } => outln!("name      {name}"),
    }
    for side in transfer.plan.sides() {
        let given = approvals.iter().find(|given| given.approval.side == *side);
        match given {
            Some(given) => outln!("{side:9} {} at {}", given.approval.person, given.at.whole_second()),
            None => outln!("{side:9} has not approved"),
        }
    }
    if let Some(held) = &transfer.held {
        outln!("held      {held}");
    }
    Ok(())
}

fn line(transfer: &Transfer) -> String {
    let to = match (&transfer.plan.change, &transfer.target_name) {
        (TransferChange::Shares { name }, _) => name,
        (_, Some(target)) => target,
        (_, None) => "?",
    };
    let (id, at, state) = (&transfer.id, transfer.plan.at.whole_second(), transfer.state);
    format!("{id}  {at}  {state:8}  {} → {to}", transfer.source_name)
}
