//! `tegata ceremony ACT.toml`: acts on the hierarchy of CAs, each described in one file that can be reviewed, signed
//! off and kept.
//!
//! | to learn about | read |
//! |---|---|
//! | the file of an act | [`file`] |
//! | what is said and written down about it | [`transcript`], [`fields`] |
//! | why nothing is left half done | [`outputs`] |
//! | lists of revoked issuing CAs | [`list`] |
//! | a CA before it is taken in | [`candidate`] |
//! | the acts | [`root`], [`request`], [`sign`], [`install`], [`create`], [`lists`], [`ending`], [`tenant`] |
//!
//! Every act first finds out all that it will do, from inputs alone; a dry run ends there. What it makes goes to new
//! files, and into the ledger in one transaction.

pub mod candidate;
mod create;
mod ending;
mod fields;
mod file;
mod header;
mod install;
pub mod list;
mod lists;
mod outputs;
pub mod request;
pub mod root;
mod run;
mod sign;
mod tenant;
mod transcript;

use crate::cli::confirm::OperatorConsent;
use crate::failure::Failure;
use crate::installation_args::InstallationArgs;
use crate::system_context::SystemContext;
use file::{CeremonyFile, CeremonyStep};
use run::CeremonyRun;
use serde_json::json;
use std::path::PathBuf;
use transcript::Transcript;

/// What can be said about a ceremony beside its file.
#[derive(clap::Args)]
pub struct CeremonyOptions {
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

pub async fn run(
    place: &InstallationArgs,
    options: &CeremonyOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let CeremonyFile { cover, act } = CeremonyFile::read(&options.file)?;
    if let Some(expected) = &options.expect
        && !expected.eq_ignore_ascii_case(&cover.sha256)
    {
        let (file, found) = (options.file.display(), &cover.sha256);
        return Err(Failure::misuse(format!("{file} is not what was expected: its SHA-256 is {found}")));
    }
    let mut transcript = Transcript::open(options.transcript.as_deref(), options.json, system)?;
    transcript.say(
        "ceremony",
        &json!({
            "act": cover.name, "file": cover.file.display().to_string(), "sha256": cover.sha256,
            "tool": concat!("tegata ", env!("CARGO_PKG_VERSION")), "why": cover.why,
            "present": cover.present, "perform": options.perform,
        }),
    )?;
    let mut ceremony = CeremonyRun::new(place, &cover, options, system, transcript);
    let ended = play(&act, &mut ceremony).await;
    let result = match &ended {
        Ok(()) if options.perform => json!({"result": "done"}),
        Ok(()) => json!({"result": "rehearsed", "next": "nothing was changed; add --perform to do it"}),
        Err(error) => json!({"result": "failed", "error": error.to_string()}),
    };
    ceremony.say("end", &result).and(ended)
}

async fn play(act: &CeremonyStep, ceremony: &mut CeremonyRun<'_>) -> Result<(), Failure> {
    match act {
        CeremonyStep::CreateRoot(details) => root::create(details, ceremony),
        CeremonyStep::RequestIssuing(details) => request::request(details, ceremony).await,
        CeremonyStep::SignIssuing(details) => sign::sign(details, ceremony),
        CeremonyStep::InstallIssuing(details) => install::install(details, ceremony).await,
        CeremonyStep::CreateIssuing(details) => create::create(details, ceremony).await,
        CeremonyStep::SignRootCrl(details) => lists::sign(details, ceremony),
        CeremonyStep::InstallRootCrl(details) => lists::install(details, ceremony).await,
        CeremonyStep::RestIssuing(details) => ending::rest(details, ceremony).await,
        CeremonyStep::RetireIssuing(details) => ending::retire(details, ceremony).await,
        CeremonyStep::RevokeIssuing(details) => ending::revoke(details, ceremony).await,
        CeremonyStep::TenantIssuing(details) => tenant::issuing(details, ceremony).await,
    }
}

#[cfg(test)]
mod tests;
