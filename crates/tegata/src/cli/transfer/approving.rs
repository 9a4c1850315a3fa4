//! Approvals, and taking a transfer back.

use super::lookup::{WRITE, failure, find};
use crate::cli::output::OutputFormat;
use crate::cli::scope::TenantDirectory;
use serde_json::json;
use tegata_core::transfer::{TransferApproval, TransferSide, TransferState};
use tegata_core::{Justification, Language, Refusal, RoleHolder, Thumbprint};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, NewTransferApproval, Transfer};

/// Who approves, and of what.
#[derive(clap::Args)]
pub struct TransferApprovalOptions {
    /// Identifier of the transfer, or its beginning
    transfer: String,
    /// Login ID or identifier of the person whose word this is
    #[arg(long)]
    person: String,
    /// Name or identifier of the person's tenant
    #[arg(long)]
    tenant: String,
    /// The plan that was looked at: `plan` in the output of `dry-run` or `show`
    #[arg(long, value_name = "HASH", value_parser = thumbprint)]
    plan: Thumbprint,
    /// Why a lead of the vendor's support approves. No names of persons
    #[arg(long, requires = "ticket")]
    reason: Option<String>,
    /// The number under which somebody asked the vendor's support
    #[arg(long, requires = "reason")]
    ticket: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

/// Which transfer is taken back, and why.
#[derive(clap::Args)]
pub struct AbortOptions {
    /// Identifier of the transfer, or its beginning
    transfer: String,
    /// Why, for the audit log. No names of persons
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    output: OutputFormat,
}

fn thumbprint(text: &str) -> Result<Thumbprint, String> {
    Thumbprint::parse(text).ok_or_else(|| "not the hash of a plan: tegata transfer show prints it".to_owned())
}

pub async fn approve(
    ledger: &Ledger,
    options: &TransferApprovalOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let transfer = find(ledger, &options.transfer).await?;
    let directory = TenantDirectory::read(ledger).await?;
    let tenant = directory.tenant(Some(&options.tenant))?;
    let person = crate::cli::person::find(ledger, &tenant.id, &options.person).await?;
    let holder = RoleHolder {
        person: person.id.clone(),
        tenant: tenant.id.clone(),
        sites: person.sites.iter().map(|site| site.id.clone()).collect(),
        roles: person.roles.clone(),
    };
    let because = match (&options.reason, &options.ticket) {
        (Some(reason), Some(ticket)) => Some(
            Justification::new(reason, ticket)
                .ok_or_else(|| Failure::misuse("reason and ticket have 1 to 200 characters each"))?,
        ),
        _ => None,
    };
    let side = side_of(&transfer, &holder, because.as_ref())?;
    let approval = TransferApproval { side, person: person.id, plan: options.plan };
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let new = NewTransferApproval { approval, because };
    let state = transaction
        .approve_transfer(&transfer.id, &new, &SystemContext::operator())
        .await
        .map_err(failure)?;
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        outln!("{}", json!({"transfer": transfer.id, "side": side, "state": state}));
    } else if state == TransferState::Approved {
        outln!("approved by everybody: it begins at {}", transfer.plan.at.whole_second());
    } else {
        outln!("approved for the {side}; others are missing: tegata transfer show {}", transfer.id);
    }
    Ok(())
}

/// For whom a person approves, where the table of roles lets them.
fn side_of(
    transfer: &Transfer,
    holder: &RoleHolder,
    because: Option<&Justification>,
) -> Result<TransferSide, Failure> {
    let is_planner = transfer.is_planned_by(&holder.person);
    transfer.plan.side_for(holder, is_planner, because).map_err(|refusal| match refusal {
        Refusal::RoleMayNot => Failure::wrong(
            "for a tenant one of its administrators approves, and for the vendor a lead of its support",
        ),
        refusal => Failure::wrong(format!("{}: {}", refusal.code(), refusal.advice(Language::En))),
    })
}

pub async fn abort(ledger: &Ledger, options: &AbortOptions, system: &SystemContext) -> Result<(), Failure> {
    let transfer = find(ledger, &options.transfer).await?;
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    transaction.abort_transfer(&transfer.id, &options.reason, &actor).await.map_err(failure)?;
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        outln!("{}", json!({"transfer": transfer.id, "state": TransferState::Aborted}));
    } else {
        outln!("aborted: nothing was changed by it");
    }
    Ok(())
}
