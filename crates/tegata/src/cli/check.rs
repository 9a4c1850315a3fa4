//! `tegata check`: looks for anything wrong, and says so in one line each.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::cli::progress::TerminalProgress;
use crate::server::checks::StartupChecks;
use serde_json::json;
use tegata_admin::check::{self, CheckArea, CheckFacts, CheckFinding};
use tegata_installation::{Failure, SystemContext};

/// Runs all checks and prints the report; what is wrong ends the command with exit code 1.
pub async fn run(
    place: &InstallationArgs,
    output: &OutputFormat,
    system: &SystemContext,
) -> Result<(), Failure> {
    let config = place.config()?;
    let mut progress = TerminalProgress::new();
    let facts = check::check(&config, &place.file(), &StartupChecks, &mut progress, system).await;
    drop(progress);
    if output.json {
        outln!("{}", json!(facts));
    } else {
        print(&facts);
    }
    if facts.ok {
        Ok(())
    } else {
        Err(Failure::wrong(format!("{} wrong, {} warnings", facts.wrong, facts.warnings)))
    }
}

fn print(facts: &CheckFacts) {
    for finding in &facts.findings {
        let CheckFinding { code, subject, detail, advice, .. } = finding;
        let word = if finding.is_wrong() { "WRONG  " } else { "warning" };
        outln!("{word}  {:24}  {subject}: {detail}; {advice}", code.word());
    }
    for CheckArea { check, detail, .. } in facts.checks.iter().filter(|area| area.ok) {
        outln!("ok       {check:24}  {detail}");
    }
}
