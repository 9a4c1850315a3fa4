//! Acts on the hierarchy of CAs, each described in one file that can be reviewed, signed
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

mod candidate;
mod create;
mod ending;
mod fields;
mod file;
mod header;
mod install;
pub(crate) mod list;
mod lists;
mod outputs;
pub(crate) mod request;
pub(crate) mod root;
mod run;
mod sign;
mod tenant;
mod transcript;

pub use candidate::ca_serial;
pub use run::CeremonyOptions;
pub use transcript::CeremonyTerminal;

use crate::ListenerTrust;
use file::{CeremonyFile, CeremonyStep};
use run::CeremonyRun;
use serde_json::json;
use tegata_installation::{Failure, SystemContext};
use transcript::Transcript;

/// Holds a ceremony, or rehearses it.
pub async fn hold(
    options: &CeremonyOptions,
    terminal: &mut dyn CeremonyTerminal,
    trust: &dyn ListenerTrust,
    system: &SystemContext,
) -> Result<(), Failure> {
    let CeremonyFile { header, act } = CeremonyFile::read(&options.file)?;
    if let Some(expected) = &options.expect
        && !expected.eq_ignore_ascii_case(&header.sha256)
    {
        let (file, found) = (options.file.display(), &header.sha256);
        return Err(Failure::misuse(format!("{file} is not what was expected: its SHA-256 is {found}")));
    }
    let mut transcript = Transcript::open(options.transcript.as_deref(), terminal, system)?;
    transcript.say(
        "ceremony",
        &json!({
            "act": header.name, "file": header.file.display().to_string(), "sha256": header.sha256,
            "tool": concat!("tegata ", env!("CARGO_PKG_VERSION")), "why": header.why,
            "present": header.present, "perform": options.perform,
        }),
    )?;
    let mut ceremony = CeremonyRun::new(&header, options, trust, system, transcript);
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
