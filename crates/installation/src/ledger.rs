//! The ledger of an installation, opened as its revocation log demands.

use crate::config::Config;
use crate::failure::{Failure, FailureContext};
use crate::system_context::SystemContext;
use tegata_storage::{Ledger, LogPlace, Patience};

/// Opens the ledger, and brings it up to its revocation log when it was restored from a backup.
pub async fn open_ledger(config: &Config, system: &SystemContext) -> Result<Ledger, Failure> {
    open(config, Patience::Command, system).await
}

/// Opens the ledger for a server: it waits for the database as little as requests may wait for it.
pub async fn open_to_serve(config: &Config, system: &SystemContext) -> Result<Ledger, Failure> {
    open(config, Patience::Server, system).await
}

async fn open(config: &Config, patience: Patience, system: &SystemContext) -> Result<Ledger, Failure> {
    let (url, file) = (config.ledger_url(), config.revocation_log());
    let log = LogPlace { file: &file, installation: &config.installation.name };
    let opened = Ledger::open_patiently(&url, patience, &log, system.now(), system.entropy.as_ref()).await;
    opened.doing("cannot open the ledger")
}
