//! What keeps a person out, or lets them go on.

use super::lookup::{NamedPerson, WRITE, find};
use crate::cli::device;
use crate::cli::output::OutputFormat;
use crate::cli::scope::rows;
use clap::Args;
use serde_json::json;
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, Person, PersonState};

#[derive(Args)]
pub struct StopPersonOptions {
    #[command(flatten)]
    named: NamedPerson,
    /// What to write into the audit log beside it
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Args)]
pub struct DisablePersonOptions {
    #[command(flatten)]
    stop: StopPersonOptions,
    /// Also when nobody is left who could administrate the tenant, or run the installation: for an account in wrong hands
    #[arg(long)]
    even_last: bool,
}

#[derive(Args)]
pub struct AssignOptions {
    /// Identifier or number of the device
    device: String,
    /// Login ID or identifier of a person of its tenant; once or several times
    #[arg(long = "person", value_name = "PERSON")]
    people: Vec<String>,
    #[command(flatten)]
    output: OutputFormat,
}

/// What becomes of a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PersonChange {
    /// The person is stopped for now.
    Disable,
    /// So is the last who can administrate.
    DisableEvenLast,
    /// The person may go on.
    Enable,
    /// All sessions of the person end.
    SignOut,
}

/// Stops a person, and the last who can administrate only where that is meant.
pub async fn disable(
    ledger: &Ledger,
    options: &DisablePersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let how = if options.even_last { PersonChange::DisableEvenLast } else { PersonChange::Disable };
    change(how, ledger, &options.stop, system).await
}

/// Stops a person, lets one go on, or ends all sessions of one.
pub async fn change(
    change: PersonChange,
    ledger: &Ledger,
    options: &StopPersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let person = options.named.find(ledger).await?;
    let (id, note) = (&person.id, options.note.as_str());
    let actor = SystemContext::operator();
    let mut transaction = rows(ledger, Some(&person.tenant)).begin(system.now()).await.doing(WRITE)?;
    let ended = match change {
        PersonChange::Disable => transaction.disable_person(id, note, &actor).await,
        PersonChange::DisableEvenLast => transaction.disable_even_last(id, note, &actor).await,
        PersonChange::Enable => transaction.enable_person(id, note, &actor).await.map(|()| 0),
        PersonChange::SignOut => transaction.sign_out_person(id, note, &actor).await,
    };
    let ended = ended.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    let state = match change {
        PersonChange::Disable | PersonChange::DisableEvenLast => PersonState::Disabled,
        PersonChange::Enable => PersonState::Active,
        PersonChange::SignOut => person.state,
    };
    options.print(&person, state, ended);
    Ok(())
}

/// Says for whom a device is.
pub async fn assign(ledger: &Ledger, options: &AssignOptions, system: &SystemContext) -> Result<(), Failure> {
    let device = device::find(&rows(ledger, None), &options.device).await?;
    let mut people = Vec::new();
    for named in &options.people {
        let person = find(ledger, &device.tenant, named).await?;
        if !people.contains(&person.id) {
            people.push(person.id);
        }
    }
    let mut transaction = rows(ledger, Some(&device.tenant)).begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    transaction.assign_device(&device.id, &people, &actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        outln!("{}", json!({"device": device.id, "people": people}));
    } else if people.is_empty() {
        outln!("{} is for everybody at {}", device.label, device.site_name);
    } else {
        outln!("{} is for {}", device.label, options.people.join(", "));
    }
    Ok(())
}

impl StopPersonOptions {
    fn print(&self, person: &Person, state: PersonState, ended: u64) {
        let state = state.as_str();
        if self.named.output.json {
            outln!("{}", json!({"person": person.id, "state": state, "sessions_ended": ended}));
        } else {
            outln!("{} is {state}; sessions ended: {ended}", person.login);
        }
    }
}
