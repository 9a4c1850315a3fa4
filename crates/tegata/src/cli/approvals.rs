//! `tegata approvals`: devices that wait where the policy asks for an approval.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::scope::{ScopeArgs, TenantDirectory, rows};
use serde_json::{Value, json};
use tegata_core::Timestamp;
use tegata_core::encoding::hex;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Approval, LedgerError, ScopedLedger};

/// Without a subcommand it lists.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ApprovalsOptions {
    #[command(subcommand)]
    act: Option<ApprovalsCommand>,
    #[command(flatten)]
    list: ApprovalListOptions,
}

/// What can be done with them.
#[derive(clap::Subcommand)]
pub enum ApprovalsCommand {
    /// Who waits, the longest first
    List(ApprovalListOptions),
    /// Let a device that waits have its certificate
    Approve(ApproveOptions),
    /// Decide against a device that waits
    Decline(DeclineOptions),
}

/// Whose waiting devices to list.
#[derive(clap::Args)]
pub struct ApprovalListOptions {
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    output: OutputFormat,
}

/// Which one is approved.
#[derive(clap::Args)]
pub struct ApproveOptions {
    /// Its identifier, or the number that its page shows
    approval: String,
    #[command(flatten)]
    output: OutputFormat,
}

/// Which one is declined, and why.
#[derive(clap::Args)]
pub struct DeclineOptions {
    /// Its identifier, or the number that its page shows
    approval: String,
    /// Why, for the audit log. No names of persons
    #[arg(long)]
    reason: String,
    /// Take the invitation back as well: whoever has the link may ask again otherwise
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    output: OutputFormat,
}

/// Characters of an identifier that are enough to name one.
const ENOUGH: usize = 8;

const READ: &str = "cannot read the ledger";
const NOBODY: &str = "nobody waits";
const WRITE: &str = "nothing was decided";

pub async fn run(
    place: &InstallationArgs,
    options: &ApprovalsOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    match &options.act {
        None => list(place, &options.list, system).await,
        Some(ApprovalsCommand::List(options)) => list(place, options, system).await,
        Some(ApprovalsCommand::Approve(options)) => approve(place, options, system).await,
        Some(ApprovalsCommand::Decline(options)) => decline(place, options, system).await,
    }
}

async fn list(
    place: &InstallationArgs,
    options: &ApprovalListOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let directory = TenantDirectory::read(&ledger).await?;
    let rows = options.scope.rows(&directory, &ledger)?;
    let mut waiting = rows.waiting(system.now()).await.doing(READ)?;
    if let Some(scope) = options.scope.find_in(&directory)? {
        waiting.retain(|approval| scope.holds(&approval.tenant, &approval.site));
    }
    ledger.close().await;
    if options.output.json {
        outln!("{}", Value::Array(waiting.iter().map(describe).collect()));
        return nothing_found(waiting.is_empty(), NOBODY);
    }
    for approval in &waiting {
        let Approval { id, tenant_name, site_name, label, platform, address, asked_at, .. } = approval;
        let address = address.as_deref().unwrap_or("(address not known)");
        outln!("{id}  {}  {tenant_name} {site_name} {label}  {platform}  {address}", asked_at.whole_second());
    }
    nothing_found(waiting.is_empty(), NOBODY)
}

pub async fn approve(
    place: &InstallationArgs,
    options: &ApproveOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let rows = rows(&ledger, None);
    let approval = find(&rows, &options.approval, system.now()).await?;
    let mut transaction = rows.begin(system.now()).await.doing(WRITE)?;
    transaction.approve(&approval.id, &SystemContext::operator()).await.map_err(failure)?;
    transaction.commit().await.committed(WRITE)?;
    ledger.close().await;
    say("approved", &approval, options.output.json);
    Ok(())
}

pub async fn decline(
    place: &InstallationArgs,
    options: &DeclineOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let rows = rows(&ledger, None);
    let approval = find(&rows, &options.approval, system.now()).await?;
    let mut transaction = rows.begin(system.now()).await.doing(WRITE)?;
    transaction.decline(&approval.id, &options.reason, &SystemContext::operator()).await.map_err(failure)?;
    if options.withdraw {
        transaction
            .withdraw_invitation(&approval.invitation, &SystemContext::operator())
            .await
            .map_err(failure)?;
    }
    transaction.commit().await.committed(WRITE)?;
    ledger.close().await;
    say("declined", &approval, options.output.json);
    Ok(())
}

/// Identifiers are random: a few characters name one of those that wait.
async fn find(rows: &ScopedLedger, wanted: &str, now: Timestamp) -> Result<Approval, Failure> {
    let wanted: String = wanted.to_lowercase().chars().filter(|letter| *letter != '-').collect();
    if wanted.len() < ENOUGH {
        return Err(Failure::misuse(
            "name it by its identifier or the number that its page shows: tegata approvals",
        ));
    }
    let waiting = rows.waiting(now).await.doing(READ)?;
    let mut found = waiting.into_iter().filter(|approval| approval.id.as_str().starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(approval), None) => Ok(approval),
        (Some(_), Some(_)) => Err(Failure::misuse("that names more than one: tegata approvals")),
        (None, _) => Err(Failure::misuse("nobody waits under that number: tegata approvals")),
    }
}

fn failure(error: LedgerError) -> Failure {
    match error {
        LedgerError::Guard(why) => Failure::wrong(why),
        error => Failure::wrong(format!("{WRITE}: {error}")),
    }
}

fn say(done: &str, approval: &Approval, as_json: bool) {
    if as_json {
        let mut line = describe(approval);
        line["decision"] = done.into();
        outln!("{line}");
    } else {
        outln!("{done}: {} {} {}", approval.tenant_name, approval.site_name, approval.label);
    }
}

fn describe(approval: &Approval) -> Value {
    json!({
        "approval": approval.id, "invitation": approval.invitation, "tenant": approval.tenant,
        "tenant_name": approval.tenant_name, "site": approval.site, "site_name": approval.site_name,
        "label": approval.label, "key_hash": hex(&approval.key_hash), "platform": approval.platform,
        "address": approval.address, "asked_at": approval.asked_at, "expires_at": approval.expires_at,
    })
}
