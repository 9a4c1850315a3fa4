//! Receipts: the proof that what was stopped is stopped, surface by surface.

use crate::cli::output::OutputFormat;
use crate::failure::{Failure, FailureContext};
use crate::system_context::SystemContext;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_storage::{Ledger, ReceiptRow};
use tokio::time::sleep;

/// How often the receipts are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What every command that stops something asks for.
#[derive(clap::Args)]
pub struct ReceiptOptions {
    /// Why, or a ticket number; kept in the audit log. No names of persons
    #[arg(long, default_value = "")]
    pub note: String,
    /// How long to wait for the receipts of all surfaces, in milliseconds
    #[arg(long, default_value_t = 5000)]
    pub wait_ms: u64,
    #[command(flatten)]
    pub output: OutputFormat,
}

/// A command that is about to stop something, and knows who has to say that it did.
pub struct ReceiptWait<'a> {
    ledger: &'a Ledger,
    proof: &'a ReceiptOptions,
    system: &'a SystemContext,
    /// The surfaces that a running server and its gates have shown lately.
    expected: Vec<String>,
}

/// The receipt of one surface.
#[derive(Serialize)]
struct SurfaceReceipt {
    surface: String,
    /// From the moment the change was durable; nothing when no receipt came.
    milliseconds: Option<i64>,
}

impl<'a> ReceiptWait<'a> {
    /// To be called before the change.
    pub async fn begin(
        ledger: &'a Ledger,
        proof: &'a ReceiptOptions,
        system: &'a SystemContext,
    ) -> Result<Self, Failure> {
        let expected = ledger.surfaces_alive(system.now()).await.doing(READ)?;
        Ok(Self { ledger, proof, system, expected })
    }

    /// To be called when the change is durable: waits for the receipts of `event` and prints them. `what` is the
    /// beginning of the JSON answer, `name` of the readable one.
    ///
    /// # Errors
    /// A surface that gave no receipt: the change holds all the same.
    pub async fn report(self, what: &Value, name: &str, event: u64) -> Result<(), Failure> {
        let durable = self.system.now();
        let receipts = self.receipts(event, durable).await?;
        if self.proof.output.json {
            let slowest = receipts.iter().filter_map(|receipt| receipt.milliseconds).max();
            let mut answer = what.clone();
            answer["event"] = event.into();
            answer["at"] = json!(self.system.now());
            answer["receipts"] = json!(receipts);
            answer["slowest_ms"] = slowest.into();
            outln!("{answer}");
        } else {
            print(name, event, &receipts);
        }
        complete(&receipts)
    }

    async fn receipts(&self, event: u64, durable: Timestamp) -> Result<Vec<SurfaceReceipt>, Failure> {
        let deadline = durable.plus(Duration::from_millis(self.proof.wait_ms));
        loop {
            let known = self.ledger.receipts().await.doing(READ)?;
            let receipts: Vec<_> =
                self.expected.iter().map(|surface| receipt(surface, &known, event, durable)).collect();
            let all = receipts.iter().all(|receipt| receipt.milliseconds.is_some());
            if all || self.system.now() >= deadline {
                return Ok(receipts);
            }
            sleep(LOOK).await;
        }
    }
}

const READ: &str = "cannot read the ledger";

fn receipt(surface: &str, known: &[ReceiptRow], event: u64, durable: Timestamp) -> SurfaceReceipt {
    let found = known.iter().find(|receipt| receipt.surface == surface);
    let applied = found.and_then(|receipt| receipt.applied(event));
    SurfaceReceipt {
        surface: surface.to_owned(),
        milliseconds: applied.map(|at| (at.millis() - durable.millis()).max(0)),
    }
}

fn print(name: &str, event: u64, receipts: &[SurfaceReceipt]) {
    outln!("{name}: recorded as event {event}, durable");
    for receipt in receipts {
        match receipt.milliseconds {
            Some(milliseconds) => outln!("  {:40} {milliseconds:5} ms", receipt.surface),
            None => outln!("  {:40} no receipt", receipt.surface),
        }
    }
    if receipts.is_empty() {
        outln!("  no server is running: it takes effect when one starts, before it answers anybody");
    }
}

fn complete(receipts: &[SurfaceReceipt]) -> Result<(), Failure> {
    let without = receipts.iter().filter(|receipt| receipt.milliseconds.is_none());
    let missing: Vec<_> = without.map(|receipt| receipt.surface.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::wrong(format!(
        "no receipt yet from {}: the change holds, but these may still let the device in until their staleness ends",
        missing.join(", ")
    )))
}
