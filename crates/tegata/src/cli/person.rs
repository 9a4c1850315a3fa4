//! `tegata person …`: people who sign in with an account of the installation's own.

mod adding;
mod showing;
mod stopping;

pub use adding::first_operator;

use super::output::OutputFormat;
use super::scope::TenantDirectory;
use crate::failure::{Failure, FailureContext};
use crate::installation_args::InstallationArgs;
use crate::system_context::SystemContext;
use clap::{Args, Subcommand};
use tegata_core::name::comparison_key;
use tegata_core::{PersonId, TenantId};
use tegata_storage::{Ledger, Person};

#[derive(Subcommand)]
pub enum PersonCommand {
    /// Add a person; prints the link by which they choose a password and a second factor
    Add(adding::AddPersonOptions),
    /// List the people of a tenant, or of all
    List(showing::ListPeopleOptions),
    /// Show one person with their sessions
    Show(NamedPerson),
    /// Stop a person for now: all sessions end, and no sign-in works until `enable`
    Disable(stopping::StopPersonOptions),
    /// Let a disabled person sign in again with the password and second factor they had
    Enable(stopping::StopPersonOptions),
    /// End all sessions of a person
    SignOut(stopping::StopPersonOptions),
    /// Take password, second factor and codes from a person; prints a new setup link
    Reset(adding::ResetPersonOptions),
    /// Give a code that stands in once for a second factor that is not at hand. Its use is an alarm in the log
    EmergencyCode(adding::EmergencyCodeOptions),
    /// Say for whom a device is: these people alone, or, without any, everybody at its site
    Assign(stopping::AssignOptions),
}

/// One person, by login or identifier.
#[derive(Args)]
pub struct NamedPerson {
    /// Login ID or identifier of the person
    person: String,
    /// Name or identifier of the tenant; not needed where there is only one
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    output: OutputFormat,
}

/// Runs a command about people.
pub async fn run(
    place: &InstallationArgs,
    command: &PersonCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        PersonCommand::Add(options) => adding::add(place, &ledger, options, system).await,
        PersonCommand::List(options) => showing::list(&ledger, options).await,
        PersonCommand::Show(named) => showing::show(&ledger, named, system).await,
        PersonCommand::Disable(options) => stopping::disable(&ledger, options, system).await,
        PersonCommand::Enable(options) => stopping::enable(&ledger, options, system).await,
        PersonCommand::SignOut(options) => stopping::sign_out(&ledger, options, system).await,
        PersonCommand::Reset(options) => adding::reset(place, &ledger, options, system).await,
        PersonCommand::EmergencyCode(options) => adding::emergency_code(&ledger, options, system).await,
        PersonCommand::Assign(options) => stopping::assign(&ledger, options, system).await,
    };
    ledger.close().await;
    result
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "nothing was changed";

impl NamedPerson {
    /// The person that is meant.
    async fn find(&self, ledger: &Ledger) -> Result<Person, Failure> {
        let directory = TenantDirectory::read(ledger).await?;
        let tenant = directory.tenant(self.tenant.as_deref())?;
        find(ledger, &tenant.id, &self.person).await
    }
}

async fn find(ledger: &Ledger, tenant: &TenantId, named: &str) -> Result<Person, Failure> {
    let people = ledger.people(tenant).await.doing(READ)?;
    let (id, key) = (PersonId::parse(named), comparison_key(named));
    let is_meant = |person: &Person| Some(&person.id) == id.as_ref() || comparison_key(&person.login) == key;
    people.into_iter().find(is_meant).ok_or_else(|| {
        Failure::wrong(format!("there is no person {named:?} in this tenant: tegata person list shows them"))
    })
}
