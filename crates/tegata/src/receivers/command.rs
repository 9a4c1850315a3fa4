//! `tegata receiver …`: who is sent security events, how far each has got, and a trial.

use crate::cli::Output;
use crate::failure::{Doing, Failure};
use crate::house::Place;
use crate::machine::Machine;
use serde_json::{Value, json};
use tegata_storage::{Ledger, ReceiverRow};

/// What can be done with receivers.
#[derive(clap::Subcommand)]
pub enum ReceiverCommand {
    /// How far each receiver has got in the feed, and what went wrong
    List(Output),
    /// Have the running server send a verification event
    Verify {
        /// The receiver's id
        id: String,
        /// A word that comes back in the event
        #[arg(long, default_value = "")]
        state: String,
    },
}

/// Runs the command.
pub async fn run(place: &Place, command: &ReceiverCommand, machine: &Machine) -> Result<(), Failure> {
    let ledger = place.ledger(machine).await?;
    let result = match command {
        ReceiverCommand::List(output) => list(&ledger, output.json).await,
        ReceiverCommand::Verify { id, state } => verify(&ledger, id, state, machine).await,
    };
    ledger.close().await;
    result
}

async fn list(ledger: &Ledger, as_json: bool) -> Result<(), Failure> {
    let (head, receivers) = (ledger.feed_head().await, ledger.receivers().await);
    let (head, receivers) = (head.doing(READ)?, receivers.doing(READ)?);
    if as_json {
        println!("{}", receivers.iter().map(|row| described(row, head)).collect::<Value>());
        return Ok(());
    }
    for row in &receivers {
        let state = match (row.failing_since(), &row.failure) {
            (Some(since), Some(failure)) => format!("failing since {since}: {failure}"),
            _ => "delivering".into(),
        };
        println!("{}  {} behind  {} rejected  {state}", row.id, lag(row, head), row.rejections);
        if let Some(rejection) = &row.rejection {
            println!("    last rejected: {rejection}");
        }
    }
    if receivers.is_empty() {
        println!("nobody was ever sent security events");
    }
    Ok(())
}

async fn verify(ledger: &Ledger, id: &str, state: &str, machine: &Machine) -> Result<(), Failure> {
    let asked = ledger.ask_verification(id, state, machine.now()).await.doing(READ)?;
    if !asked {
        return Err(Failure::misuse(format!("no receiver {id} was ever sent to")));
    }
    println!("asked; `tegata receiver list` shows whether it arrives");
    Ok(())
}

fn described(row: &ReceiverRow, head: u64) -> Value {
    json!({
        "id": row.id,
        "seq": row.seq(),
        "behind": lag(row, head),
        "failures": row.failures,
        "failing_since": row.failing_since(),
        "failure": row.failure,
        "rejections": row.rejections,
        "rejection": row.rejection,
        "verifying": row.verification.is_some(),
    })
}

fn lag(row: &ReceiverRow, head: u64) -> u64 {
    head.saturating_sub(row.seq())
}

const READ: &str = "cannot read the ledger";
