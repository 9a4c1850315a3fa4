//! `tegata tenant …`: who is served.

mod isolation;
mod scim_token;
mod sign_in;

pub use sign_in::sign_in_provider;

use crate::cli::guidance::{self, ContactOptions, ProductOptions};
use crate::cli::history::HistoryEvent;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::proof::{ReceiptOptions, ReceiptReport};
use crate::cli::scope::{TenantDirectory, rows};
use crate::cli::sign_out::{self, SignOut};
use serde_json::{Value, json};
use tegata_core::feed::TokenHolder;
use tegata_core::name::is_same;
use tegata_core::{Name, TenantId, TenantState};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, LedgerError, LossReports, Tenant, TenantAction, TenantIssuers, member_of};

/// What can be done with tenants.
#[derive(clap::Subcommand)]
pub enum TenantCommand {
    /// Add a tenant (法人)
    Add {
        /// Name of the new tenant
        name: String,
        /// Serve it by CAs of its own alone; until one is installed it gets no certificates
        #[arg(long)]
        silo: bool,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// List all tenants, and whether they are stopped
    List(OutputFormat),
    /// Stop all its devices for now; they get no certificates either. Its gates go on
    Suspend(StopTenant),
    /// Let its devices go on with the same certificates, but for those that were stopped for themselves
    Resume(StopTenant),
    /// Whether its devices may stop each other, by reporting one of their own site lost
    LossReports {
        /// Its name or identifier
        tenant: String,
        /// `on`, as it is at first, or `off`: support alone stops devices
        wanted: SuspensionSwitch,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// How its people sign in: with accounts here, at its own OpenID provider, or either. Without options: show it
    SignIn(sign_in::SignInOptions),
    /// Whom the staff of a tenant or a site call: shown wherever a page tells them to
    Contact(ContactOptions),
    /// Where the staff of a tenant or a site go on once their certificate works
    Product(ProductOptions),
    /// What is its own, what it shares with others, and what keeps it apart: for an auditor. Exit code 1 where that has a hole
    IsolationReport(isolation::IsolationOptions),
    /// Tokens by which the tenant's own directory says who works there (SCIM): make, list, revoke
    #[command(subcommand)]
    ScimToken(scim_token::ScimTokenCommand),
    /// Sign all its devices out: their tokens are refused, their certificates stay and may obtain others
    RevokeTokens {
        /// Its name or identifier
        tenant: String,
        #[command(flatten)]
        sign_out: SignOut,
    },
}

/// Which tenant, and how to prove that it is stopped.
#[derive(clap::Args)]
pub struct StopTenant {
    /// Its name or identifier
    tenant: String,
    #[command(flatten)]
    proof: ReceiptOptions,
}

/// Whether devices of a tenant may report each other lost.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum SuspensionSwitch {
    /// Devices may report each other lost
    On,
    /// Devices may not report each other lost
    Off,
}

impl From<SuspensionSwitch> for LossReports {
    fn from(wanted: SuspensionSwitch) -> Self {
        match wanted {
            SuspensionSwitch::On => Self::On,
            SuspensionSwitch::Off => Self::Off,
        }
    }
}

pub async fn run(
    place: &InstallationArgs,
    command: &TenantCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        TenantCommand::Add { name, silo, output } => add(&ledger, name, *silo, output.json, system).await,
        TenantCommand::List(output) => list(&ledger, output.json).await,
        TenantCommand::Suspend(stop) => act(&ledger, stop, TenantAction::Suspend, system).await,
        TenantCommand::Resume(stop) => act(&ledger, stop, TenantAction::Resume, system).await,
        TenantCommand::LossReports { tenant, wanted, output } => {
            set_loss_reports(&ledger, tenant, (*wanted).into(), output.json, system).await
        }
        TenantCommand::SignIn(options) => sign_in::run(place, &ledger, options, system).await,
        TenantCommand::Contact(options) => guidance::contact(&ledger, options, system).await,
        TenantCommand::Product(options) => guidance::product(&ledger, options, system).await,
        TenantCommand::IsolationReport(options) => isolation::report(place, &ledger, options, system).await,
        TenantCommand::ScimToken(command) => scim_token::run(place, &ledger, command, system).await,
        TenantCommand::RevokeTokens { tenant, sign_out } => {
            revoke_tokens(&ledger, tenant, sign_out, system).await
        }
    };
    ledger.close().await;
    result
}

pub const READ: &str = "cannot read the ledger";
const NOBODY: &str = "there is no tenant yet: tegata tenant add NAME";
pub const WRITE: &str = "nothing was added";

async fn add(
    ledger: &Ledger,
    name: &str,
    silo: bool,
    as_json: bool,
    system: &SystemContext,
) -> Result<(), Failure> {
    let name = place_name(name)?;
    let known = rows(ledger, None).tenants().await.doing(READ)?;
    if let Some(known) = known.iter().find(|known| is_same(&known.name, name.as_str())) {
        return Err(Failure::misuse(format!("there is a tenant {:?} already", known.name)));
    }
    let issuing = if silo { TenantIssuers::Silo } else { TenantIssuers::Pool };
    let tenant = Tenant { issuing, ..Tenant::new(TenantId::random(system.entropy.as_ref()), name) };
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    transaction.add_tenant(&tenant, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if as_json {
        outln!("{}", describe(&tenant));
    } else {
        outln!("{}  {}", tenant.id, tenant.name);
        if silo {
            outln!("it gets no certificates until a CA is installed for it: tegata ceremony");
        }
    }
    Ok(())
}

async fn list(ledger: &Ledger, as_json: bool) -> Result<(), Failure> {
    let tenants = TenantDirectory::read(ledger).await?.tenants;
    if as_json {
        outln!("{}", Value::Array(tenants.iter().map(describe).collect()));
        return nothing_found(tenants.is_empty(), NOBODY);
    }
    for tenant in &tenants {
        outln!("{}  {:4}  {:9}  {}", tenant.id, tenant.issuing.as_str(), tenant.state, tenant.name);
    }
    nothing_found(tenants.is_empty(), NOBODY)
}

async fn act(
    ledger: &Ledger,
    stop: &StopTenant,
    action: TenantAction,
    system: &SystemContext,
) -> Result<(), Failure> {
    let tenant = TenantDirectory::read(ledger).await?.into_tenant(&stop.tenant)?;
    let stopping = ReceiptReport::begin(ledger, &stop.proof, system).await?;
    let mut transaction = rows(ledger, Some(&tenant.id)).begin(system.now()).await.doing(READ)?;
    let note = &stop.proof.note;
    let event = match transaction.act_on_tenant(&tenant.id, action, note, &SystemContext::operator()).await {
        Ok(event) => event,
        Err(LedgerError::Guard(_)) => {
            drop(transaction);
            return Err(not_possible(ledger, &tenant, stop.proof.output.json).await?);
        }
        Err(error) => return Err(Failure::wrong(error)),
    };
    transaction.commit().await.committed("the change is not durable; nothing was changed")?;
    stopping.report(&json!({"tenant": tenant.id, "name": tenant.name}), &tenant.name, event).await
}

/// Says of a tenant that is in the wanted state already who brought it there, and when.
async fn not_possible(ledger: &Ledger, tenant: &Tenant, as_json: bool) -> Result<Failure, Failure> {
    let now = TenantDirectory::read(ledger).await?.into_tenant(tenant.id.as_str())?;
    let action = match now.state {
        TenantState::Active => "tenant.resumed",
        TenantState::Suspended => "tenant.suspended",
    };
    let last = ledger.last_entry(action, &member_of("tenant", now.id.as_str())).await.doing(READ)?;
    let event = last.as_ref().and_then(HistoryEvent::parse);
    if as_json {
        let mut state = json!({"tenant": now.id, "name": now.name, "state": now.state, "changed": false});
        state["by"] = json!(event.as_ref().map(HistoryEvent::actor));
        state["at"] = json!(event.as_ref().map(HistoryEvent::at));
        state["note"] = json!(event.as_ref().and_then(HistoryEvent::note));
        outln!("{state}");
    }
    let by = event.map_or_else(String::new, |event| format!(", {}", event.by_whom_and_when()));
    Ok(Failure::wrong(format!("{} is {} already{by}; nothing was changed", now.name, now.state)))
}

async fn set_loss_reports(
    ledger: &Ledger,
    wanted: &str,
    reports: LossReports,
    as_json: bool,
    system: &SystemContext,
) -> Result<(), Failure> {
    let tenant = TenantDirectory::read(ledger).await?.into_tenant(wanted)?;
    let rows = rows(ledger, Some(&tenant.id));
    if rows.loss_reports(&tenant.id).await.doing(READ)? != reports {
        let mut transaction = rows.begin(system.now()).await.doing(READ)?;
        let changed = transaction.set_loss_reports(&tenant.id, reports, &SystemContext::operator()).await;
        changed.doing("nothing was changed")?;
        transaction.commit().await.committed("the change is not durable; nothing was changed")?;
    }
    if as_json {
        let word = reports.as_str();
        outln!("{}", json!({"tenant": tenant.id, "name": tenant.name, "loss_reports": word}));
    } else {
        outln!("{}: devices report each other lost: {}", tenant.name, reports.as_str());
    }
    Ok(())
}

async fn revoke_tokens(
    ledger: &Ledger,
    wanted: &str,
    options: &SignOut,
    system: &SystemContext,
) -> Result<(), Failure> {
    let tenant = TenantDirectory::read(ledger).await?.into_tenant(wanted)?;
    let named = (json!({"tenant": tenant.id, "name": tenant.name}), tenant.name.as_str());
    sign_out::run(ledger, &TokenHolder::Tenant(tenant.id), named, options, system).await
}

fn describe(tenant: &Tenant) -> Value {
    json!({
        "tenant": tenant.id, "name": tenant.name, "issuing": tenant.issuing.as_str(), "state": tenant.state,
    })
}

/// The name of a tenant or a site, as it is kept.
pub fn place_name(text: &str) -> Result<Name, Failure> {
    Name::of_place(text).map_err(Failure::misuse)
}
