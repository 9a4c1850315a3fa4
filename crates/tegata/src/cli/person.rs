//! `tegata person …`: people who sign in with an account of the installation's own.

mod adding;
mod changing;
mod linking;
mod listing;
mod lookup;
mod reviewing;
mod showing;
mod stopping;

pub use adding::first_operator;
pub use lookup::find;

use crate::cli::installation_args::InstallationArgs;
use clap::Subcommand;
use lookup::NamedPerson;
pub use lookup::find as find_person;
use stopping::PersonChange;
use tegata_installation::{Failure, SystemContext};

#[derive(Subcommand)]
pub enum PersonCommand {
    /// Add a person; prints the link by which they choose a password and a second factor
    Add(adding::AddPersonOptions),
    /// List the people of a tenant, or of all
    List(showing::ListPeopleOptions),
    /// Show one person with their sessions
    Show(NamedPerson),
    /// Change what a person is called, what they may do, or where they work
    Change(changing::ChangePersonOptions),
    /// Stop a person for now: all sessions end, and no sign-in works until `enable`
    Disable(stopping::DisablePersonOptions),
    /// Let a disabled person sign in again with the password and second factor they had, or an account for emergencies let somebody in once more
    Enable(stopping::StopPersonOptions),
    /// End all sessions of a person
    SignOut(stopping::StopPersonOptions),
    /// Take password, second factor and codes from a person; prints a new setup link
    Reset(adding::ResetPersonOptions),
    /// Give a code that stands in once for a second factor that is not at hand. Its use is an alarm in the log
    EmergencyCode(adding::EmergencyCodeOptions),
    /// Say who a person is at the tenant's OpenID provider: they sign in there from now on
    Link(linking::LinkPersonOptions),
    /// Take that back; sessions that began there end
    Unlink(linking::UnlinkPersonOptions),
    /// Say for whom a device is: these people alone, or, without any, everybody at its site
    Assign(stopping::AssignOptions),
    /// Compare a CSV list with the people of a tenant, and add or change what differs; a second time it changes nothing
    Import(listing::ImportPeopleOptions),
    /// Write the people of a tenant as a CSV list that `import` reads
    Export(listing::ExportPeopleOptions),
    /// Periodic reviews, whether everybody still works here: list, confirm, remove
    #[command(subcommand)]
    Review(reviewing::ReviewCommand),
    /// How often a tenant reviews its people, and when accounts that nobody uses are suspended
    Policy(reviewing::PeoplePolicyOptions),
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
        PersonCommand::List(options) => showing::list(&ledger, options, system.now()).await,
        PersonCommand::Show(named) => showing::show(&ledger, named, system).await,
        PersonCommand::Change(options) => changing::change(&ledger, options, system).await,
        PersonCommand::Disable(options) => stopping::disable(&ledger, options, system).await,
        PersonCommand::Enable(options) => {
            stopping::change(PersonChange::Enable, &ledger, options, system).await
        }
        PersonCommand::SignOut(options) => {
            stopping::change(PersonChange::SignOut, &ledger, options, system).await
        }
        PersonCommand::Reset(options) => adding::reset(place, &ledger, options, system).await,
        PersonCommand::EmergencyCode(options) => adding::emergency_code(&ledger, options, system).await,
        PersonCommand::Link(options) => linking::link(place, &ledger, options, system).await,
        PersonCommand::Unlink(options) => linking::unlink(place, &ledger, options, system).await,
        PersonCommand::Assign(options) => stopping::assign(&ledger, options, system).await,
        PersonCommand::Import(options) => listing::import(place, &ledger, options, system).await,
        PersonCommand::Export(options) => listing::export(place, &ledger, options).await,
        PersonCommand::Review(command) => reviewing::review(&ledger, command, system).await,
        PersonCommand::Policy(options) => reviewing::policy(&ledger, options, system).await,
    };
    ledger.close().await;
    result
}
