//! `tegata check`: looks for anything wrong, and says so in one line each.

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use crate::cli::progress::TerminalProgress;
use crate::server::checks::StartupChecks;
use clap::Args;
use serde_json::json;
use tegata_admin::check::{self, CheckArea, CheckFacts, CheckFinding};
use tegata_installation::{Failure, SystemContext};

#[derive(Args)]
pub struct CheckOptions {
    #[command(flatten)]
    output: OutputFormat,
    /// Ends when its standard input does: with the server that began it, however that ends
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

/// Runs all checks and prints the report; what is wrong ends the command with exit code 1.
pub async fn run(
    place: &InstallationArgs,
    options: &CheckOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    if options.until_input_ends {
        end_with_input();
    }
    let config = place.config()?;
    let mut progress = TerminalProgress::new();
    let facts = check::check(&config, &place.file(), &StartupChecks, &mut progress, system).await;
    drop(progress);
    if options.output.json {
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

/// Nothing is written there: a read returns when the other end is gone.
fn end_with_input() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
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
