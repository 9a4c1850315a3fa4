//! `tegata revocations …`: the revocation log of an installation, when it is lost or the ledger went back.

use super::confirm::OperatorConsent;
use super::output::OutputFormat;
use crate::cli::installation_args::InstallationArgs;
use serde_json::json;
use std::cmp::Reverse;
use std::path::PathBuf;
use tegata_installation::{CommittedExt, Config, Failure, FailureContext, SystemContext, open_ledger};
use tegata_storage::{Ledger, LogPlace};

/// What can be done with the revocation log.
#[derive(clap::Subcommand)]
pub enum RevocationsCommand {
    /// Begin another log because the former is lost for ever, from what the ledger knows. Never after restoring a
    /// backup: what was revoked since would be forgotten
    NewLog {
        #[command(flatten)]
        consent: OperatorConsent,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Begin the log of a further server that shares no disk with the others, with all that the ledger knows. Once, before it
    /// starts for the first time
    AddLog(OutputFormat),
    /// Say that the ledger was restored from a backup, before a server is started. What the log says is done again; CRLs,
    /// refresh tokens and status lists of before are not gone on with
    Restored {
        /// The revocation log of another server, or a copy of it: what it says is done again too. May be given several times
        #[arg(long = "from-log", value_name = "FILE")]
        logs: Vec<PathBuf>,
        #[command(flatten)]
        output: OutputFormat,
    },
}

pub async fn run(
    place: &InstallationArgs,
    command: &RevocationsCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let config = place.config()?;
    match command {
        RevocationsCommand::NewLog { consent, output } => new_log(&config, *consent, output, system).await,
        RevocationsCommand::AddLog(output) => add_log(&config, output, system).await,
        RevocationsCommand::Restored { logs, output } => restored(&config, logs, output, system).await,
    }
}

async fn new_log(
    config: &Config,
    consent: OperatorConsent,
    output: &OutputFormat,
    system: &SystemContext,
) -> Result<(), Failure> {
    let (url, file) = (config.ledger_url(), config.revocation_log());
    consent.obtain(format!(
        "a new log begins at {} with what this ledger knows, and what the former log knew besides is forgotten",
        file.display()
    ))?;
    let log = LogPlace { file: &file, installation: &config.installation.name };
    let opened =
        Ledger::open_with_new_log(config.ledger_place(&url), &log, system.now(), system.entropy.as_ref())
            .await;
    let ledger = opened.doing("no other log was begun")?;
    let events = ledger.feed_head().await;
    ledger.close().await;
    let events = events.doing("the log was begun, but the ledger cannot be read")?;
    if output.json {
        outln!("{}", json!({"log": file.display().to_string(), "events": events}));
    } else {
        outln!("{} begins with all that the ledger knows to be revoked", file.display());
    }
    Ok(())
}

async fn add_log(config: &Config, output: &OutputFormat, system: &SystemContext) -> Result<(), Failure> {
    let (url, file) = (config.ledger_url(), config.revocation_log());
    let log = LogPlace { file: &file, installation: &config.installation.name };
    let begun = Ledger::add_log(config.ledger_place(&url), &log, system.now(), system.entropy.as_ref()).await;
    begun.doing("no log was begun")?;
    if output.json {
        outln!("{}", json!({"log": file.display().to_string()}));
    } else {
        outln!("{} begins with all that the ledger knows to be revoked", file.display());
    }
    Ok(())
}

/// The longest log first: it tells most in the order in which it happened.
async fn replay(
    ledger: &Ledger,
    config: &Config,
    logs: &[PathBuf],
    system: &SystemContext,
) -> Result<(), Failure> {
    let mut known = Vec::new();
    for file in logs {
        let log = LogPlace { file, installation: &config.installation.name };
        let last = Ledger::last_event_of(&log).doing("nothing was noted")?;
        known.push((Reverse(last), log));
    }
    known.sort_by_key(|(last, _)| *last);
    for (_, log) in &known {
        let what = format!("what {} says was not done again", log.file.display());
        ledger.replay_log(log, system.now()).await.committed(&what)?;
    }
    ledger.complete_log(system.now()).await.doing("this server's own log does not have it yet")
}

async fn restored(
    config: &Config,
    logs: &[PathBuf],
    output: &OutputFormat,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = open_ledger(config, system).await?;
    if let Err(failure) = replay(&ledger, config, logs, system).await {
        ledger.close().await;
        return Err(failure);
    }
    let noted = ledger.note_restored(&SystemContext::operator(), system.now()).await;
    let events = ledger.feed_head().await;
    ledger.close().await;
    noted.committed("nothing was noted")?;
    let events = events.doing("it was noted, but the ledger cannot be read")?;
    if output.json {
        outln!("{}", json!({"restored": true, "events": events}));
    } else {
        outln!(
            "what was stopped since the backup is stopped; CRLs and status lists begin anew with the next server"
        );
    }
    Ok(())
}
