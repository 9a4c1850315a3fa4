//! Looks for anything wrong, changes nothing, and says so in one line each.
//!
//! The ledger is read as it stands at one moment, page by page: what it costs in memory does not grow with it, save
//! for the published lists, which are compared one at a time.
//!
//! | looked at | in |
//! |---|---|
//! | what can be found, how bad it is, what to do | [`code`] |
//! | audit log and feed against the rows | [`history`], [`claims`] |
//! | every certificate | [`certificates`], [`profiles`] |
//! | between rows | [`rows`] |
//! | published lists | [`lists`] |
//! | CAs and OCSP signers | [`authorities`] |
//! | keys, listeners, files | [`keys`], [`listeners`], [`files`] |
//! | time | [`clocks`] |
//! | what a restore needs | [`revocation_log`] |
//! | the second wall between tenants | [`row_security`] |
//! | what a server would not start with | [`startup`], asked through [`ServerChecks`] |
//! | whether security events arrive | [`receivers`] |
//! | whether servers do what the clock asks of them | [`passes`] |

mod authorities;
mod certificates;
mod claims;
mod clocks;
mod code;
mod context;
mod dates;
mod files;
mod history;
mod keys;
mod listeners;
mod lists;
mod loaded_profiles;
mod passes;
mod profiles;
mod receivers;
mod replication;
mod report;
mod revocation_log;
mod row_security;
mod rows;
mod server_checks;
mod startup;

pub use report::{CheckArea, CheckFacts, CheckFinding};
pub use server_checks::ServerChecks;

use crate::Progress;
use code::FindingCode;
use context::CheckContext;
use dates::SignedDates;
use loaded_profiles::LoadedProfiles;
use report::CheckReport;
use std::path::Path;
use tegata_installation::{Config, Failure, FailureContext, SystemContext, open_beside};
use tegata_storage::{Ledger, LedgerError};

/// Looks at the installation of this configuration, which was read from `file`. Changes nothing.
pub async fn check(
    config: &Config,
    file: &Path,
    server: &impl ServerChecks,
    progress: &mut dyn Progress,
    system: &SystemContext,
) -> CheckFacts {
    let mut report = CheckReport::default();
    files::look(&mut report, config, file);
    let (report, ended) = match open_beside(config).await {
        Ok(ledger) => {
            let looked = whole(server, progress, config, &ledger, report, system).await;
            ledger.close().await;
            looked
        }
        Err(error) => (report, Err(error)),
    };
    finished(report, ended).finish()
}

/// What was found up to a failure is found all the same.
async fn whole(
    server: &impl ServerChecks,
    progress: &mut dyn Progress,
    config: &Config,
    ledger: &Ledger,
    report: CheckReport,
    system: &SystemContext,
) -> (CheckReport, Result<(), Failure>) {
    let opened = async { Ok::<_, LedgerError>((ledger.inspect().await?, ledger.issuers().await?)) };
    let (inspection, issuers) = match opened.await.doing("cannot read the ledger") {
        Ok(opened) => opened,
        Err(error) => return (report, Err(error)),
    };
    let mut look = CheckContext {
        config,
        ledger,
        inspection,
        issuers,
        profiles: LoadedProfiles::default(),
        system,
        entropy: system.entropy.as_ref(),
        // Later than whatever the view contains.
        now: system.now(),
        progress,
        report,
        dates: SignedDates::default(),
    };
    let ended = Box::pin(everything(&mut look, server)).await;
    (look.report, ended)
}

async fn everything(look: &mut CheckContext<'_>, server: &impl ServerChecks) -> Result<(), Failure> {
    profiles::look(look);
    keys::look(look, server).await?;
    listeners::look(look);
    authorities::look(look).await?;
    lists::look(look).await?;
    rows::look(look).await?;
    certificates::look(look).await?;
    history::look(look).await?;
    clocks::look(look).await?;
    revocation_log::look(look).await;
    replication::look(look).await?;
    row_security::look(look).await?;
    receivers::look(look).await?;
    passes::look(look).await?;
    Box::pin(startup::look(look, server)).await;
    renewal(look).await
}

async fn renewal(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    let due = tegata_scheduler::due(look.ledger, &look.config.renewal, look.now);
    let (due, overdue) = due.await.doing("cannot read what is due")?;
    look.report.area("renewal", format!("{} due, {} ended without a successor", due.len(), overdue.len()));
    Ok(())
}

/// A ledger that cannot be read is a finding too, so that monitoring reads the same form whatever is wrong.
fn finished(mut report: CheckReport, ended: Result<(), Failure>) -> CheckReport {
    if let Err(error) = ended {
        report.add(FindingCode::LedgerUnreadable, "ledger", error);
        report.area("ledger", "what comes after this was not looked at");
    }
    report
}
