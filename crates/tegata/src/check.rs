//! `tegata check`: looks for anything wrong, changes nothing, and says so in one line each.
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
//! | what a server would not start with | [`startup`] |
//! | whether security events arrive | [`receivers`] |

mod authorities;
mod certificates;
mod claims;
mod clocks;
mod code;
mod files;
mod history;
mod keys;
mod listeners;
mod lists;
mod passes;
mod profiles;
mod receivers;
mod report;
mod revocation_log;
mod rows;
mod startup;

use crate::config::Config;
use crate::failure::{Failure, FailureContext};
use crate::installation_args::InstallationArgs;
use crate::progress::Progress;
use crate::system_context::SystemContext;
use code::FindingCode;
use report::CheckReport;
use std::collections::HashSet;
use std::path::Path;
use tegata_core::{Entropy, HttpOrigin, Timestamp};
use tegata_installation::running_addresses;
use tegata_storage::{Inspection, IssuerKind, Ledger, LogPlace, StoredIssuer};

/// Rows read at a time.
const PAGE: u32 = 500;

/// What is being looked at, and what was found so far.
struct CheckContext<'a> {
    config: &'a Config,
    ledger: &'a Ledger,
    /// The ledger at one moment.
    inspection: Inspection,
    issuers: Vec<StoredIssuer>,
    profiles: profiles::LoadedProfiles,
    system: &'a SystemContext,
    entropy: &'a dyn Entropy,
    now: Timestamp,
    progress: Progress,
    report: CheckReport,
    /// How the audit log's dates run.
    dates: clocks::SignedDates,
}

impl CheckContext<'_> {
    /// CAs of other authorities.
    fn foreign_issuers(&self) -> HashSet<String> {
        let foreign = self.issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Foreign);
        foreign.map(|issuer| issuer.id.to_string()).collect()
    }

    /// What certificates name: where a development server listens, or the configured address.
    fn public_address(&self) -> HttpOrigin {
        running_addresses::public(self.config).unwrap_or_else(|| self.config.public.url.clone())
    }
}

/// Runs all checks and prints the report; findings end the command with exit code 1.
pub async fn run(place: &InstallationArgs, as_json: bool, system: &SystemContext) -> Result<(), Failure> {
    let config = place.config()?;
    let mut report = CheckReport::default();
    files::look(&mut report, &config, &place.file());
    let (report, ended) = match open(&config).await {
        Ok(ledger) => {
            let looked = whole(&config, &ledger, report, system).await;
            ledger.close().await;
            looked
        }
        Err(error) => (report, Err(error)),
    };
    finished(report, ended).tell(as_json)
}

/// Opening a SQLite ledger would make one where none is, and joining it to its log would change it.
pub async fn open(config: &Config) -> Result<Ledger, Failure> {
    let (url, file) = (config.ledger_url(), config.revocation_log());
    let path = url.strip_prefix("sqlite:").map(|path| path.split('?').next().unwrap_or(path));
    if let Some(path) = path.filter(|path| !Path::new(path).exists()) {
        return Err(Failure::wrong(format!("{path} is not there")));
    }
    let log = LogPlace { file: &file, installation: &config.installation.name };
    Ledger::open_beside(&url, &log).await.doing("cannot open the ledger")
}

/// What was found up to a failure is found all the same.
async fn whole(
    config: &Config,
    ledger: &Ledger,
    report: CheckReport,
    system: &SystemContext,
) -> (CheckReport, Result<(), Failure>) {
    let opened =
        async { Ok::<_, tegata_storage::LedgerError>((ledger.inspect().await?, ledger.issuers().await?)) };
    let (inspection, issuers) = match opened.await.doing("cannot read the ledger") {
        Ok(opened) => opened,
        Err(error) => return (report, Err(error)),
    };
    let mut look = CheckContext {
        config,
        ledger,
        inspection,
        issuers,
        profiles: profiles::LoadedProfiles::default(),
        system,
        entropy: system.entropy.as_ref(),
        // Later than whatever the view contains.
        now: system.now(),
        progress: Progress::new(),
        report,
        dates: clocks::SignedDates::default(),
    };
    let ended = Box::pin(everything(&mut look)).await;
    (look.report, ended)
}

async fn everything(look: &mut CheckContext<'_>) -> Result<(), Failure> {
    profiles::look(look);
    keys::look(look).await?;
    listeners::look(look);
    authorities::look(look).await?;
    lists::look(look).await?;
    rows::look(look).await?;
    certificates::look(look).await?;
    history::look(look).await?;
    clocks::look(look).await?;
    revocation_log::look(look).await;
    receivers::look(look).await?;
    passes::look(look).await?;
    Box::pin(startup::look(look)).await;
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
