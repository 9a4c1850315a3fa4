//! Which run of the server was here before: whoever starts in its place need not wait for the end of its leases.
//!
//! The ports are taken by then, so the other is not at work any more. Where the file is wrong all the same, as in a folder that two
//! machines share, a lease moves to another server and nothing else happens.

use crate::config::Config;
use std::path::{Path, PathBuf};
use tegata_core::ServerId;

/// Notes this run, and gives the one before it, where it is known.
pub fn succeed(config: &Config, server: &ServerId) -> Option<ServerId> {
    let file = file(config);
    let before = std::fs::read_to_string(&file).ok().and_then(|text| ServerId::parse(text.trim()));
    if let Err(error) = std::fs::write(&file, format!("{server}\n")) {
        tracing::debug!(%error, "the next start waits for the end of this server's leases");
    }
    before
}

fn file(config: &Config) -> PathBuf {
    config.path(Path::new("server.id"))
}
