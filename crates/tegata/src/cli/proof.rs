//! Receipts: the proof that what was stopped is stopped, surface by surface and server by server.

use crate::cli::output::OutputFormat;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{AnsweringServer, Ledger, ReceiptWait, SurfaceConfirmation, SurfaceReceipt};

/// Whoever has not confirmed by then is named while the command goes on waiting.
const NAMED_AFTER: Duration = Duration::from_millis(300);

/// What every command that stops something asks for.
#[derive(clap::Args)]
pub struct ReceiptOptions {
    /// Why, or a ticket number; kept in the audit log. No names of persons
    #[arg(long, default_value = "")]
    pub note: String,
    /// How long to wait for the receipts of all surfaces, in milliseconds
    #[arg(long, default_value_t = 10_000)]
    pub wait_ms: u64,
    #[command(flatten)]
    pub output: OutputFormat,
}

/// A command that is about to stop something, and shows who has confirmed it.
pub struct ReceiptReport<'a> {
    wait: ReceiptWait,
    options: &'a ReceiptOptions,
    system: &'a SystemContext,
}

/// A surface's receipt, for programs.
#[derive(Serialize)]
struct ReceiptView {
    surface: String,
    /// Nothing for gates and for what belongs to the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ServerView>,
    /// From the moment the change was durable; nothing while it is not confirmed.
    milliseconds: Option<i64>,
    /// `receipt`; `silence`, where the server refuses because it has not heard the ledger for too long; or nothing.
    confirmed_by: Option<&'static str>,
}

#[derive(Serialize)]
struct ServerView {
    /// Nothing for servers of the version that did not name themselves.
    id: Option<String>,
    name: String,
    seen_at: Timestamp,
}

impl<'a> ReceiptReport<'a> {
    /// To be called before the change.
    pub async fn begin(
        ledger: &Ledger,
        options: &'a ReceiptOptions,
        system: &'a SystemContext,
    ) -> Result<Self, Failure> {
        let wait = ReceiptWait::begin(ledger, system.now()).await.doing(READ)?;
        Ok(Self { wait, options, system })
    }

    /// To be called when the change is durable: waits for the receipts of `event` and prints them. `what` is the
    /// beginning of the JSON answer, `name` of the readable one.
    ///
    /// # Errors
    /// Somebody has not confirmed: the change holds all the same.
    pub async fn report(self, what: &Value, name: &str, event: u64) -> Result<(), Failure> {
        let durable = self.system.now();
        let pending = self.wait.committed(event, durable).await.doing(UNREAD)?;
        let limit = Duration::from_millis(self.options.wait_ms);
        let mut named = false;
        let receipts = pending.wait(limit, |elapsed, seen| {
            if elapsed >= NAMED_AFTER && !std::mem::replace(&mut named, true) {
                errln!("waiting for {}", missing(seen).join(", "));
            }
        });
        let receipts = receipts.await.doing(UNREAD)?;
        if self.options.output.json {
            let views: Vec<_> = receipts.iter().map(|receipt| view(receipt, durable)).collect();
            let slowest = views.iter().filter_map(|receipt| receipt.milliseconds).max();
            let mut answer = what.clone();
            answer["event"] = event.into();
            answer["at"] = json!(self.system.now());
            answer["receipts"] = json!(views);
            answer["slowest_ms"] = slowest.into();
            outln!("{answer}");
        } else {
            print(name, event, &receipts, durable);
        }
        complete(&receipts)
    }
}

const READ: &str = "cannot read the ledger";
const UNREAD: &str = "the change holds, but who has confirmed it is not known: cannot read the ledger";

fn milliseconds(receipt: &SurfaceReceipt, durable: Timestamp) -> Option<i64> {
    receipt.confirmed_at(durable).map(|at| at.millis() - durable.millis())
}

fn view(receipt: &SurfaceReceipt, durable: Timestamp) -> ReceiptView {
    ReceiptView {
        surface: receipt.of.surface.clone(),
        server: receipt.of.server.as_ref().map(|server| ServerView {
            id: server.id.as_ref().map(ToString::to_string),
            name: server.name.clone(),
            seen_at: server.seen_at,
        }),
        milliseconds: milliseconds(receipt, durable),
        confirmed_by: match receipt.confirmation {
            SurfaceConfirmation::Receipt(_) => Some("receipt"),
            SurfaceConfirmation::Silence => Some("silence"),
            SurfaceConfirmation::Missing => None,
        },
    }
}

fn print(name: &str, event: u64, receipts: &[SurfaceReceipt], durable: Timestamp) {
    outln!("{name}: recorded as event {event}, durable");
    let names = ServerNames::of(receipts);
    for receipt in receipts {
        let surface = names.surface(receipt);
        match (milliseconds(receipt, durable), receipt.confirmation) {
            (Some(after), SurfaceConfirmation::Silence) => {
                outln!("  {surface:40} {after:5} ms  silent: refuses, having heard nothing of the ledger");
            }
            (Some(after), _) => outln!("  {surface:40} {after:5} ms"),
            (None, _) => outln!("  {surface:40} no receipt"),
        }
    }
    if receipts.is_empty() {
        outln!("  no server is running: it takes effect when one starts, before it answers anybody");
    }
}

/// What a reader calls each server: its host, with the beginning of its identifier where hosts are not enough.
struct ServerNames(HashMap<String, usize>);

impl ServerNames {
    fn of(receipts: &[SurfaceReceipt]) -> Self {
        let servers = receipts.iter().filter_map(|receipt| receipt.of.server.as_ref());
        let distinct: BTreeSet<_> = servers.map(|server| (&*server.name, server.id.as_ref())).collect();
        let mut counts = HashMap::new();
        for (name, _) in distinct {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
        Self(counts)
    }

    fn surface(&self, receipt: &SurfaceReceipt) -> String {
        let surface = &receipt.of.surface;
        receipt
            .of
            .server
            .as_ref()
            .map_or_else(|| surface.clone(), |server| format!("{surface} at {}", self.server(server)))
    }

    fn server(&self, server: &AnsweringServer) -> String {
        let Some(id) = &server.id else { return "servers of the previous version".into() };
        let beginning: String = id.as_str().chars().take(6).collect();
        match (&*server.name, self.0.get(&server.name)) {
            ("", _) => beginning,
            (name, Some(1)) => name.to_owned(),
            (name, _) => format!("{name} ({beginning})"),
        }
    }
}

/// Everybody who has not confirmed, each server once with what of it is missing.
fn missing(receipts: &[SurfaceReceipt]) -> Vec<String> {
    let names = ServerNames::of(receipts);
    receipts.iter().filter(|receipt| !receipt.is_confirmed()).map(|receipt| names.surface(receipt)).collect()
}

fn complete(receipts: &[SurfaceReceipt]) -> Result<(), Failure> {
    let missing = missing(receipts);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::wrong(format!(
        "no receipt yet from {}: the change holds, but these may still let the device in until their staleness ends",
        missing.join(", ")
    )))
}
