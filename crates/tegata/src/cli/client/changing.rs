//! `tegata client add|change|remove|rotate`.

use super::registration::{RegistrationOptions, verify};
use crate::cli::confirm::OperatorConsent;
use crate::cli::output::OutputFormat;
use clap::Args;
use serde_json::{Value, json};
use tegata_core::{ClientMetadata, RegistrationAccessToken};
use tegata_installation::{CommittedExt, Config, Failure, FailureContext, SystemContext};
use tegata_storage::{Ledger, LedgerError, NewClient, StoredClient};

const READ: &str = "cannot read the ledger";
const WRITE: &str = "no client was changed";

#[derive(Args)]
pub struct AddClientOptions {
    /// What it calls itself
    client_id: String,
    #[command(flatten)]
    registration: RegistrationOptions,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
pub struct RemoveClientOptions {
    /// What it calls itself
    client_id: String,
    #[command(flatten)]
    consent: OperatorConsent,
    #[command(flatten)]
    output: OutputFormat,
}

#[derive(Args)]
pub struct RotateClientOptions {
    /// What it calls itself
    client_id: String,
    #[command(flatten)]
    output: OutputFormat,
}

pub async fn add(
    config: &Config,
    ledger: &Ledger,
    options: &AddClientOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let id = &options.client_id;
    must_not_be_configured(config, id)?;
    let registration = verify(config, options.registration.begin(id)?)?;
    let new = NewClient {
        id: id.clone(),
        registration: registration.written.clone(),
        initial_token: None,
        access_hash: None,
    };
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let added = transaction.add_client(&new, &SystemContext::operator()).await;
    added.map_err(|error| taken(error, id))?;
    transaction.commit().await.committed(WRITE)?;
    say("registered", &registration.written, options.output.json);
    Ok(())
}

pub async fn change(
    config: &Config,
    ledger: &Ledger,
    options: &AddClientOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let id = &options.client_id;
    let stored = find(config, ledger, id).await?;
    let before: ClientMetadata =
        serde_json::from_value(stored.registration).doing("what is registered cannot be read")?;
    let registration = verify(config, options.registration.change(before)?)?;
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let changed = transaction.change_client(id, &registration.written, &SystemContext::operator()).await;
    changed.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    say("changed", &registration.written, options.output.json);
    Ok(())
}

pub async fn remove(
    config: &Config,
    ledger: &Ledger,
    options: &RemoveClientOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let id = &options.client_id;
    find_stored(ledger, id).await?.map_or_else(|| Err(unknown(config, id)), Ok)?;
    options
        .consent
        .obtain(format!("the client {id} is removed, and whoever signed in to it is signed out there"))?;
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let removed = transaction.remove_client(id, &SystemContext::operator()).await.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        let (families, event) = (removed.families, removed.event);
        outln!("{}", json!({"client_id": id, "removed": true, "sign_ins": families, "event": event}));
    } else {
        outln!("removed: {id}, with {} sign-ins", removed.families);
    }
    Ok(())
}

pub async fn rotate(
    config: &Config,
    ledger: &Ledger,
    options: &RotateClientOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let id = &options.client_id;
    let stored = find(config, ledger, id).await?;
    if stored.initial_token.is_none() {
        return Err(Failure::misuse(format!("{id} did not register itself: tegata client change {id}")));
    }
    let access = RegistrationAccessToken::random(&*system.entropy);
    let mut transaction = ledger.begin(system.now()).await.doing(WRITE)?;
    let rotated = transaction.rotate_client_access(id, &access.hash(), &SystemContext::operator()).await;
    rotated.doing(WRITE)?;
    transaction.commit().await.committed(WRITE)?;
    if options.output.json {
        outln!("{}", json!({"client_id": id, "registration_access_token": access.reveal()}));
    } else {
        outln!("{}", access.reveal());
        errln!("This is the only time it is shown.");
    }
    Ok(())
}

/// A client of the ledger.
async fn find(config: &Config, ledger: &Ledger, id: &str) -> Result<StoredClient, Failure> {
    find_stored(ledger, id).await?.ok_or_else(|| unknown(config, id))
}

async fn find_stored(ledger: &Ledger, id: &str) -> Result<Option<StoredClient>, Failure> {
    let all = ledger.stored_clients().await.doing(READ)?;
    Ok(all.into_iter().find(|client| client.id == id))
}

fn unknown(config: &Config, id: &str) -> Failure {
    match must_not_be_configured(config, id) {
        Err(failure) => failure,
        Ok(()) => Failure::misuse(format!("there is no client {id}: tegata client list")),
    }
}

fn must_not_be_configured(config: &Config, id: &str) -> Result<(), Failure> {
    if config.registered.iter().any(|client| client.client_id == id) {
        Err(Failure::misuse(format!("the client {id} is in tegata.toml: change it there")))
    } else {
        Ok(())
    }
}

fn taken(error: LedgerError, id: &str) -> Failure {
    match error {
        LedgerError::Guard(_) => {
            Failure::misuse(format!("a client is called {id}, or was: take another name"))
        }
        error => Failure::wrong(format!("{WRITE}: {error}")),
    }
}

fn say(done: &str, registration: &Value, as_json: bool) {
    if as_json {
        outln!("{registration}");
    } else {
        outln!("{done}: {}", registration["client_id"].as_str().unwrap_or_default());
    }
}
