//! `tegata ceremony ACT.toml`: acts on the hierarchy of CAs as a reviewed file describes it.

use crate::cli::confirm::OperatorConsent;
use crate::cli::installation_args::InstallationArgs;
use crate::server::checks::DeviceListenerTrust;
use serde_json::Value;
use std::path::PathBuf;
use tegata_admin::ceremony::{self, CeremonyOptions, CeremonyTerminal};
use tegata_installation::{Failure, SystemContext};

/// The options of a ceremony, beside what its file says.
#[derive(clap::Args)]
pub struct CeremonyArgs {
    /// The file that describes the act; examples are in ca-config/ceremony
    #[arg(value_name = "ACT.toml")]
    pub file: PathBuf,
    /// Do it. Without this, only what would be done is shown
    #[arg(long)]
    pub perform: bool,
    #[command(flatten)]
    pub consent: OperatorConsent,
    /// Go on only if the SHA-256 of the file is this one, which everybody present has compared
    #[arg(long, value_name = "SHA256")]
    pub expect: Option<String>,
    /// Write a transcript to this new file: one JSON object a line, never a secret
    #[arg(long, value_name = "FILE")]
    pub transcript: Option<PathBuf>,
    /// The lines of the transcript on standard output, for scripts
    #[arg(long)]
    pub json: bool,
}

/// Holds the ceremony, or shows what it would do.
pub async fn run(
    place: &InstallationArgs,
    arguments: &CeremonyArgs,
    system: &SystemContext,
) -> Result<(), Failure> {
    let options = CeremonyOptions {
        installation: place.file(),
        file: arguments.file.clone(),
        perform: arguments.perform,
        expect: arguments.expect.clone(),
        transcript: arguments.transcript.clone(),
    };
    let mut terminal = StandardOutput { as_json: arguments.json, consent: arguments.consent };
    ceremony::hold(&options, &mut terminal, &DeviceListenerTrust, system).await
}

/// Those present read along; consent is given on the terminal or with `--yes`.
struct StandardOutput {
    as_json: bool,
    consent: OperatorConsent,
}

impl CeremonyTerminal for StandardOutput {
    fn hear(&mut self, what: &str, facts: &Value, line: &Value) {
        if self.as_json {
            outln!("{line}");
        } else {
            outln!("{what}");
            show(facts, 1);
        }
    }

    fn consent(&mut self, what: &str) -> Result<(), Failure> {
        self.consent.obtain(what)
    }
}

/// For people: one fact a line.
fn show(facts: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let Value::Object(facts) = facts else { return };
    for (name, fact) in facts {
        match fact {
            Value::Object(_) => {
                outln!("{indent}{name}");
                show(fact, depth + 1);
            }
            Value::Array(list) => {
                outln!("{indent}{name}");
                for one in list {
                    outln!("{indent}  {}", plain(one));
                }
            }
            _ => outln!("{indent}{name:22} {}", plain(fact)),
        }
    }
}

fn plain(fact: &Value) -> String {
    match fact {
        Value::String(text) => text.clone(),
        Value::Object(facts) => {
            let parts = facts.iter().map(|(name, fact)| format!("{name} {}", plain(fact)));
            parts.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
