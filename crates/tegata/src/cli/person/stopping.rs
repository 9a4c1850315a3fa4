//! What keeps a person out, or lets them go on.

use super::lookup::{NamedPerson, READ, WRITE, find};
use crate::cli::device;
use crate::cli::output::OutputFormat;
use crate::cli::scope::rows;
use crate::failure::{CommittedExt, Failure, FailureContext};
use crate::system_context::SystemContext;
use clap::Args;
use serde_json::json;
use tegata_storage::{Ledger, Person};

#[derive(Args)]
pub struct StopPersonOptions {
    #[command(flatten)]
    named: NamedPerson,
    /// What to write into the audit log beside it
    #[arg(long, default_value = "")]
    note: String,
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

/// Stops a person for now.
pub async fn disable(
    ledger: &Ledger,
    options: &StopPersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let person = options.named.find(ledger).await?;
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    let ended = transaction.disable_person(&person.tenant, &person.id, &options.note, &actor).await;
    let ended = ended.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    options.say(&person, "disabled", ended);
    Ok(())
}

/// Lets a person go on.
pub async fn enable(
    ledger: &Ledger,
    options: &StopPersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let person = options.named.find(ledger).await?;
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    transaction.enable_person(&person.tenant, &person.id, &options.note, &actor).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    options.say(&person, "active", 0);
    Ok(())
}

/// Ends all sessions of a person.
pub async fn sign_out(
    ledger: &Ledger,
    options: &StopPersonOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let person = options.named.find(ledger).await?;
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let actor = SystemContext::operator();
    let ended = transaction.sign_out_person(&person.tenant, &person.id, &options.note, &actor).await;
    let ended = ended.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    options.say(&person, person.state.as_str(), ended);
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
    let mut transaction = ledger.begin(system.now()).await.doing(READ)?;
    let actor = SystemContext::operator();
    transaction.assign_device(&device.tenant, &device.id, &people, &actor).await.doing(WRITE)?;
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
    fn say(&self, person: &Person, state: &str, ended: u64) {
        if self.named.output.json {
            outln!("{}", json!({"person": person.id, "state": state, "sessions_ended": ended}));
        } else {
            outln!("{} is {state}; sessions ended: {ended}", person.login);
        }
    }
}
