//! `tegata health`: how the installation does, as the console shows it to operators and auditors.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::server::health::LedgerFacts;
use serde_json::json;
use tegata_console::{HealthReport, Trouble};
use tegata_core::Timestamp;
use tegata_installation::{Failure, FailureContext, SystemContext};

/// Prints the report; something to look at ends the command with exit code 1.
pub async fn run(
    place: &InstallationArgs,
    output: &OutputFormat,
    system: &SystemContext,
) -> Result<(), Failure> {
    let config = place.config()?;
    let ledger = place.ledger(system).await?;
    let report = LedgerFacts::of(&config, &ledger).read(system.now()).await;
    ledger.close().await;
    let report = report.doing("cannot read the ledger")?;
    if output.json {
        outln!("{}", json!(report));
    } else {
        print(&report);
    }
    match report.troubles.len() {
        0 => Ok(()),
        count => Err(Failure::wrong(format!("{count} to look at"))),
    }
}

fn print(report: &HealthReport) {
    for Trouble { kind, subject, detail } in &report.troubles {
        let kind = json!(kind);
        outln!("LOOK     {:16}  {subject}  {detail}", kind.as_str().unwrap_or_default());
    }
    match &report.check {
        Some(check) => {
            outln!("check    {} wrong, {} warnings, at {}", check.wrong, check.warnings, check.at);
        }
        None => outln!("check    not done by the clock yet"),
    }
    for server in &report.servers {
        outln!("server   {}  since {}", server.name, server.started_at);
    }
    for pass in &report.passes {
        let by = if pass.exclusive { " alone" } else { "" };
        outln!(
            "pass     {:7}  {}  last {}  {}{by}",
            pass.condition,
            pass.name,
            time(pass.ended_at),
            pass.server
        );
    }
    for ca in &report.cas {
        outln!("ca       {:7}  {}  until {}", ca.kind, ca.ca, ca.ends_at);
        for list in &ca.lists {
            let behind = if list.is_behind { "  behind" } else { "" };
            outln!("list     {} number {}  until {}{behind}", list.shard, list.number, list.ends_at);
        }
    }
    outln!("gates    {} of {} there", report.gates_there, report.gates_known);
    for gate in &report.gates {
        let name = gate.label.as_deref().unwrap_or(&gate.gate);
        outln!("gate     {name}  {} behind, last receipt {}", gate.behind, gate.applied_at);
    }
    for receiver in &report.receivers {
        let (name, status, told) = (&receiver.receiver, receiver.status, receiver.told);
        outln!("receiver {name}  {told}  {status}, {} waiting", receiver.waiting);
    }
    let counts = &report.counts;
    outln!(
        "counts   {} tenants, {} suspended, {} sites, {} people, {} gates",
        counts.tenants,
        counts.suspended_tenants,
        counts.sites,
        counts.people,
        counts.gates
    );
    outln!("ledger   {}, event {}", report.ledger.engine, report.ledger.feed);
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}
