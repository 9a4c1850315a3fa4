//! `tegata transfer …`: transfers of business (事業譲渡), from the plan to the report of the next morning.

mod approving;
mod deciding;
mod forecast;
mod lookup;
mod planning;
mod report;
mod showing;

use crate::cli::installation_args::InstallationArgs;
use approving::{AbortOptions, TransferApprovalOptions};
use deciding::DecideOptions;
use forecast::DryRunOptions;
use planning::{RenameOptions, ReverseOptions, TransferPlanOptions};
use report::ReportOptions;
use showing::{TransferListOptions, TransferShowOptions};
use tegata_installation::{Failure, SystemContext};

/// What can be done with transfers.
#[derive(clap::Subcommand)]
pub enum TransferCommand {
    /// Plan that sites go to another tenant at a set minute (事業譲渡). Nobody has approved of it yet
    Plan(TransferPlanOptions),
    /// Plan that a tenant whose shares were sold is called otherwise from a set minute on (株式譲渡): nothing else changes
    Rename(RenameOptions),
    /// Decide what becomes of devices and people: they move, stay, or are undecided. Voids the approvals
    Decide(DecideOptions),
    /// The transfers there are
    List(TransferListOptions),
    /// One transfer: its plan, who approved, how far it is
    Show(TransferShowOptions),
    /// Everything that will change as things stand, and what should be seen to before; changes nothing
    DryRun(DryRunOptions),
    /// Note that an administrator of a tenant, or a lead of the vendor's support, approves of the plan as it is
    Approve(TransferApprovalOptions),
    /// Take a transfer back before it begins
    Abort(AbortOptions),
    /// Plan the way back of a transfer that is done
    Reverse(ReverseOptions),
    /// What became of everything: for the next morning
    Report(ReportOptions),
}

pub async fn run(
    place: &InstallationArgs,
    command: &TransferCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        TransferCommand::Plan(options) => planning::plan(&ledger, options, system).await,
        TransferCommand::Rename(options) => planning::rename(&ledger, options, system).await,
        TransferCommand::Decide(options) => deciding::decide(&ledger, options, system).await,
        TransferCommand::List(options) => showing::list(&ledger, options).await,
        TransferCommand::Show(options) => showing::show(&ledger, options).await,
        TransferCommand::DryRun(options) => forecast::dry_run(&ledger, options, system).await,
        TransferCommand::Approve(options) => approving::approve(&ledger, options, system).await,
        TransferCommand::Abort(options) => approving::abort(&ledger, options, system).await,
        TransferCommand::Reverse(options) => planning::reverse(&ledger, options, system).await,
        TransferCommand::Report(options) => report::report(&ledger, options).await,
    };
    ledger.close().await;
    result
}
