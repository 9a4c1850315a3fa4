//! Which run of the server was here before: whoever starts in its place need not wait for the end of its leases, and nobody
//! need wait for its receipts.
//!
//! The ports are taken by then, so the other is not at work any more. Where the file is wrong all the same, as in a folder that two
//! machines share, a lease moves to another server and nothing else happens: a run counts as over only where its process is
//! gone from the host that registered it.

use crate::system;
use std::path::{Path, PathBuf};
use tegata_core::ServerId;
use tegata_installation::Config;

/// The run that noted itself last.
pub struct PreviousRun {
    pub id: ServerId,
    /// Whether its process, as numbered on this host, is gone. Not known of runs that did not note it.
    pub is_gone: bool,
}

/// Notes this run, and gives the one before it, where it is known.
pub fn succeed(config: &Config, server: &ServerId) -> Option<PreviousRun> {
    let file = file(config);
    let before = std::fs::read_to_string(&file).ok().and_then(|text| read(&text));
    if let Err(error) = std::fs::write(&file, format!("{server} {}\n", std::process::id())) {
        tracing::debug!(%error, "the next start waits for the end of this server's leases");
    }
    before
}

/// An identifier, and the number of a process where the version that wrote it gave one.
fn read(text: &str) -> Option<PreviousRun> {
    let mut words = text.split_whitespace();
    let id = ServerId::parse(words.next()?)?;
    let process: Option<u32> = words.next().and_then(|number| number.parse().ok());
    Some(PreviousRun { id, is_gone: process.is_some_and(|number| !system::is_running(number)) })
}

fn file(config: &Config) -> PathBuf {
    config.path(Path::new("server.id"))
}
