//! The dry run: everything that will change.

use super::lookup::{READ, find};
use crate::cli::output::OutputFormat;
use tegata_core::transfer::TransferChange;
use tegata_installation::{Failure, FailureContext, SystemContext};
use tegata_storage::{
    DeviceForecast, Ledger, PersonForecast, SiteForecast, TransferForecast, TransferProblem,
};

/// The transfer that is tried.
#[derive(clap::Args)]
pub struct DryRunOptions {
    /// Identifier of the transfer, or its beginning
    transfer: String,
    #[command(flatten)]
    output: OutputFormat,
}

pub async fn dry_run(
    ledger: &Ledger,
    options: &DryRunOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let transfer = find(ledger, &options.transfer).await?;
    if !transfer.state.is_open() {
        return Err(Failure::wrong("it has begun or ended: tegata transfer report says what became of it"));
    }
    // Read with the right to write, as the transfer itself reads it; nothing is written.
    let mut transaction = ledger.begin(system.now()).await.doing(READ)?;
    let forecast = transaction.forecast_transfer(&transfer.id).await.doing(READ)?;
    drop(transaction);
    if options.output.json {
        let mut shown = super::showing::describe(&transfer);
        shown["will"] = serde_json::to_value(&forecast).unwrap_or_default();
        outln!("{shown}");
        return Ok(());
    }
    outln!("plan      {}", transfer.plan.hash());
    outln!("begins    {}", transfer.plan.at.whole_second());
    if let TransferChange::Shares { name } = &transfer.plan.change {
        outln!("{} is called {name}; nothing else changes", transfer.source_name);
    }
    print(&forecast);
    Ok(())
}

fn print(forecast: &TransferForecast) {
    for site in &forecast.sites {
        print_site(site);
    }
    for person in &forecast.people {
        print_person(person);
    }
    for client in &forecast.clients {
        outln!("client    {} hears of the end of {} sessions", client.client, client.sessions);
    }
    for problem in &forecast.problems {
        outln!("look at   {}", told(problem));
    }
}

fn print_site(site: &SiteForecast) {
    outln!("site      {} ({}) becomes {} ({})", site.name, site.site, site.new_name, site.becomes);
    for device in &site.devices {
        print_device(device);
    }
    for invitation in &site.invitations {
        outln!("  invitation {invitation} is withdrawn");
    }
    for kitting in &site.kittings {
        outln!("  kitting code {kitting} ends");
    }
    for product in &site.licenses {
        outln!("  license for {product} goes along");
    }
}

fn print_device(device: &DeviceForecast) {
    let DeviceForecast { device: id, label, outcome, sessions, refresh_tokens, .. } = device;
    outln!(
        "  device  {label} ({id}): {outcome}; {sessions} sessions and {refresh_tokens} refresh tokens end"
    );
    for serial in &device.certificates {
        outln!("    certificate {serial} is revoked: affiliationChanged");
    }
    for person in &device.people {
        outln!("    is for {person}");
    }
}

fn print_person(person: &PersonForecast) {
    let PersonForecast { person: id, login, outcome, roles, sessions, loses, gets } = person;
    outln!(
        "person    {login} ({id}): {outcome}; {roles} at {} sites, loses {}, {sessions} sessions end",
        gets.len(),
        loses.len()
    );
}

fn told(problem: &TransferProblem) -> String {
    match problem {
        TransferProblem::NotApproved => "approvals are missing: it will not begin".into(),
        TransferProblem::TenantSuspended { tenant } => {
            format!("tenant {tenant} is suspended: it will not begin")
        }
        TransferProblem::SiteGone { site } => format!("site {site} is not there any more: it stays out"),
        TransferProblem::SiteNameTaken { site, name } => {
            format!(
                "the new tenant has a site {name:?}: {site} will be called otherwise; --call gives it a name"
            )
        }
        TransferProblem::DeviceUndecided { device } => {
            format!("device {device} is undecided: it ends, and needs a new invitation")
        }
        TransferProblem::DeviceSuspended { device } => {
            format!("device {device} is suspended: it does not move, and ends")
        }
        TransferProblem::GateStays { device } => {
            format!("gate {device} stays where it is: enroll it anew if it goes along")
        }
        TransferProblem::PersonUndecided { person } => {
            format!("person {person} is undecided, and stays without the sites that move")
        }
        TransferProblem::LoginTaken { person } => {
            format!("person {person} cannot move: somebody of the new tenant signs in by this name")
        }
        TransferProblem::PersonChanged { person } => {
            format!(
                "person {person} was changed since the last approval, and does not move: have the plan approved again"
            )
        }
        TransferProblem::NoAdministratorLeft => {
            "the tenant that gives is left without an administrator".into()
        }
        TransferProblem::NoRoom { places, needed } => {
            format!("the new tenant's policy admits {places} devices, and there would be {needed}")
        }
        TransferProblem::ProductNotLicensed { product } => {
            format!("the new tenant has no license for {product}: tegata license grant")
        }
    }
}
