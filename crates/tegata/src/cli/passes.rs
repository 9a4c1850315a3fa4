//! `tegata passes list`: what servers do by the clock, read from the ledger beside them.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_scheduler::{PassCondition, PassOverview, overview};
use tegata_storage::{Ledger, PassOutcome};

/// What can be done with passes.
#[derive(clap::Subcommand)]
pub enum PassesCommand {
    /// What each pass did last and when it is due, on every server that runs. Exit code 1 when one fails or is overdue, or
    /// when no server runs
    List(OutputFormat),
}

/// Opens the ledger beside running servers, and lists what they say.
pub async fn run(
    place: &InstallationArgs,
    command: &PassesCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        PassesCommand::List(output) => list(&ledger, output.json, system.now()).await,
    };
    ledger.close().await;
    result
}

async fn list(ledger: &Ledger, as_json: bool, now: Timestamp) -> Result<(), Failure> {
    let passes = overview(ledger, now).await.doing("cannot read the ledger")?;
    if as_json {
        outln!("{}", passes.iter().map(described).collect::<Value>());
    } else {
        print(&passes);
    }
    nothing_found(passes.is_empty(), "no server runs")?;
    let bad = passes.iter().filter(|pass| pass.condition != PassCondition::Good).count();
    if bad == 0 {
        Ok(())
    } else {
        Err(Failure::wrong(format!("{bad} of {} passes are not well", passes.len())))
    }
}

fn print(passes: &[PassOverview]) {
    let widest = passes.iter().map(|pass| pass.state.name.chars().count()).max().unwrap_or_default();
    for pass in passes {
        let state = &pass.state;
        outln!(
            "{:7}  {:widest$}  every {:>6}  server {}{}  last {}  {}  next {}",
            pass.condition.as_str(),
            state.name,
            short(state.period),
            state.server.get(..8).unwrap_or(&state.server),
            if state.exclusive { " alone" } else { "" },
            time(state.ended_at),
            state.outcome.map_or("-", PassOutcome::as_str),
            time(state.due_at),
        );
        if let Some(error) = &state.error {
            outln!("         {error}");
        }
    }
}

fn described(pass: &PassOverview) -> Value {
    let state = &pass.state;
    json!({
        "name": state.name,
        "condition": pass.condition.as_str(),
        "period_ms": millis(state.period),
        "exclusive": state.exclusive,
        "server": state.server,
        "lease": pass.lease.as_ref().map(|lease| json!({
            "holder": lease.holder,
            "token": lease.token,
            "until": lease.until,
        })),
        "started_at": state.started_at,
        "ended_at": state.ended_at,
        "succeeded_at": state.succeeded_at,
        "outcome": state.outcome.map(PassOutcome::as_str),
        "error": state.error,
        "duration_ms": state.duration.map(millis),
        "counts": state.counts,
        "due_at": state.due_at,
    })
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A period in the largest unit that fits.
fn short(period: Duration) -> String {
    match millis(period) {
        hours if hours % 3_600_000 == 0 => format!("{} h", hours / 3_600_000),
        minutes if minutes % 60_000 == 0 => format!("{} min", minutes / 60_000),
        seconds if seconds % 1000 == 0 => format!("{} s", seconds / 1000),
        millis => format!("{millis} ms"),
    }
}
