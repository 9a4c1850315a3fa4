//! `tegata renewals …`: what is due, what will be renewed when, and by which rules.

mod changing;
mod listing;
mod rules;

use crate::cli::installation_args::InstallationArgs;
use changing::{NowOptions, PauseOptions, ResumeOptions};
use listing::{ListOptions, PlanOptions};
use rules::{ClearRulesOptions, SetRulesOptions, ShowRulesOptions};
use tegata_installation::{Failure, SystemContext};

/// What can be done with renewals.
#[derive(clap::Subcommand)]
pub enum RenewalsCommand {
    /// Devices that should renew now, and devices that are too late and need a new invitation
    List(ListOptions),
    /// What will be renewed and when, by the rules of each place; changes nothing
    Plan(PlanOptions),
    /// The rules: those of all places that have any, or of one tenant with its sites
    Show(ShowRulesOptions),
    /// Say when a tenant or a site wants its renewals, beside what it says already. What a site says of hours, holidays, busy
    /// days and spread goes before what its tenant says; closed days are those of both
    Set(SetRulesOptions),
    /// Take rules back; without --rule all of hours and days
    Clear(ClearRulesOptions),
    /// Ask nobody to renew before a day. No certificate is left without: whoever has a week left is asked all the same
    Pause(PauseOptions),
    /// End a pause before its day
    Resume(ResumeOptions),
    /// Have every certificate of a tenant or a site renewed at once, as after an incident; said again, it shows how far it is
    Now(NowOptions),
}

pub async fn run(
    place: &InstallationArgs,
    command: &RenewalsCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let policy = place.config()?.renewal;
    let ledger = place.ledger(system).await?;
    let result = match command {
        RenewalsCommand::List(options) => listing::list(&ledger, &policy, options, system).await,
        RenewalsCommand::Plan(options) => listing::plan(&ledger, &policy, options, system).await,
        RenewalsCommand::Show(options) => rules::show(&ledger, options).await,
        RenewalsCommand::Set(options) => rules::set(&ledger, options, system).await,
        RenewalsCommand::Clear(options) => rules::clear(&ledger, options, system).await,
        RenewalsCommand::Pause(options) => changing::pause(&ledger, options, system).await,
        RenewalsCommand::Resume(options) => changing::resume(&ledger, options, system).await,
        RenewalsCommand::Now(options) => changing::now(&ledger, options, system).await,
    };
    ledger.close().await;
    result
}
