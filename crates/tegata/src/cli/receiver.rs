//! `tegata receiver …`: the receivers of security events, how far each has got, a trial, and whether its stream flows.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::security_event::{StreamStatus, quotable};
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{ChangeStream, Ledger, ReceiverRow, StreamChange, VerificationAsked};

/// What can be done with receivers.
#[derive(clap::Subcommand)]
pub enum ReceiverCommand {
    /// How far each receiver has got in the feed, whether its stream flows, and what went wrong
    List(OutputFormat),
    /// Have the running server send a verification event
    Verify {
        /// Name of the receiver in tegata.toml
        id: String,
        /// A word that comes back in the event
        #[arg(long, default_value = "")]
        state: String,
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Stop telling it events; they are held until the stream goes on. Only `tegata receiver resume` undoes it
    Pause(StopStreamOptions),
    /// Stop telling it events; what happens meanwhile it never hears of. Only `tegata receiver resume` undoes it
    Disable(StopStreamOptions),
    /// Let its stream go on
    Resume(StopStreamOptions),
}

/// Whose stream, and why.
#[derive(clap::Args)]
pub struct StopStreamOptions {
    /// Name of the receiver in tegata.toml
    id: String,
    /// Why; the receiver is told
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    output: OutputFormat,
}

pub async fn run(
    place: &InstallationArgs,
    command: &ReceiverCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        ReceiverCommand::List(output) => list(&ledger, output.json).await,
        ReceiverCommand::Verify { id, state, output } => {
            verify(&ledger, id, state, output.json, system).await
        }
        ReceiverCommand::Pause(stop) => set(&ledger, stop, StreamStatus::Paused, system).await,
        ReceiverCommand::Disable(stop) => set(&ledger, stop, StreamStatus::Disabled, system).await,
        ReceiverCommand::Resume(stop) => set(&ledger, stop, StreamStatus::Enabled, system).await,
    };
    ledger.close().await;
    result
}

async fn list(ledger: &Ledger, as_json: bool) -> Result<(), Failure> {
    let (head, receivers) = (ledger.feed_head().await, ledger.receivers().await);
    let (head, receivers) = (head.doing(READ)?, receivers.doing(READ)?);
    if as_json {
        outln!("{}", receivers.iter().map(|row| described(row, head)).collect::<Value>());
        return nothing_found(receivers.is_empty(), NOBODY);
    }
    for row in &receivers {
        outln!("{}  {} behind  {} rejected  {}", row.id, row.behind(head), row.rejections, state(row));
        if let Some(rejection) = &row.rejection {
            outln!("    last rejected: {rejection}");
        }
        if row.dropped > 0 {
            outln!("    {} events were dropped, as it was paused for too many", row.dropped);
        }
    }
    nothing_found(receivers.is_empty(), NOBODY)
}

fn state(row: &ReceiverRow) -> String {
    if let (Some(since), Some(failure)) = (row.failing_since(), &row.failure) {
        return format!("failing since {since}: {failure}");
    }
    let by = if row.is_held() { " by the operator" } else { "" };
    let reason = row.status_reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    match row.status() {
        StreamStatus::Enabled => "delivering".into(),
        stopped => format!("{}{by}{reason}", stopped.word()),
    }
}

async fn verify(
    ledger: &Ledger,
    id: &str,
    state: &str,
    as_json: bool,
    system: &SystemContext,
) -> Result<(), Failure> {
    match ledger.ask_verification(id, state, Duration::ZERO, system.now()).await.doing(READ)? {
        VerificationAsked::Noted if as_json => outln!("{}", json!({"id": id, "state": state, "asked": true})),
        VerificationAsked::Noted => outln!("asked; `tegata receiver list` shows whether it arrives"),
        VerificationAsked::TooOften => {
            return Err(Failure::misuse(format!("{id} has not taken those that were asked for before")));
        }
        VerificationAsked::Unknown => return Err(unknown(id)),
    }
    Ok(())
}

async fn set(
    ledger: &Ledger,
    stop: &StopStreamOptions,
    status: StreamStatus,
    system: &SystemContext,
) -> Result<(), Failure> {
    let change = ChangeStream {
        id: stop.id.clone(),
        status,
        reason: Some(quotable(&stop.reason)).filter(|reason| !reason.is_empty()),
        by: SystemContext::operator(),
        as_operator: true,
        at: system.now(),
    };
    let head = ledger.feed_head().await.doing(READ)?;
    match ledger.group(change).await.doing("the stream was not changed")? {
        StreamChange::Done(row) if stop.output.json => {
            outln!("{}", described(&row, head));
            Ok(())
        }
        StreamChange::Done(row) => {
            outln!("{}", row.status().word());
            Ok(())
        }
        StreamChange::Held | StreamChange::Unknown => Err(unknown(&stop.id)),
    }
}

fn unknown(id: &str) -> Failure {
    Failure::misuse(format!("no receiver {id} was ever told anything"))
}

fn described(row: &ReceiverRow, head: u64) -> Value {
    json!({
        "id": row.id,
        "seq": row.seq(),
        "behind": row.behind(head),
        "status": row.status(),
        "reason": row.status_reason,
        "held_by_operator": row.is_held(),
        "failures": row.failures,
        "failing_since": row.failing_since(),
        "failure": row.failure,
        "rejections": row.rejections,
        "rejection": row.rejection,
        "dropped": row.dropped,
        "asked_at": row.heard_at(),
        "notices": row.waiting,
    })
}

const NOBODY: &str = "nobody was ever told security events";
const READ: &str = "cannot read the ledger";
