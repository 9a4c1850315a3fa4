//! The ledger of an installation, opened as its revocation log demands.

use crate::config::Config;
use crate::failure::{Failure, FailureContext};
use crate::system_context::SystemContext;
use std::path::Path;
use tegata_core::TenantId;
use tegata_storage::{Ledger, LogPlace, Patience, ScopedLedger};

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
    let opened = Ledger::open_patiently(
        config.ledger_place(&url),
        patience,
        &log,
        system.now(),
        system.entropy.as_ref(),
    )
    .await;
    opened.doing("cannot open the ledger")
}

/// Opens the ledger as it is, for whoever only looks: opening a SQLite ledger would make one where none is, and joining
/// it to its log would change it.
pub async fn open_beside(config: &Config) -> Result<Ledger, Failure> {
    let (url, file) = (config.ledger_url(), config.revocation_log());
    let path = url.strip_prefix("sqlite:").map(|path| path.split('?').next().unwrap_or(path));
    if let Some(path) = path.filter(|path| !Path::new(path).exists()) {
        return Err(Failure::wrong(format!("{path} is not there")));
    }
    let log = LogPlace { file: &file, installation: &config.installation.name };
    Ledger::open_beside(config.ledger_place(&url), &log).await.doing("cannot open the ledger")
}

/// The ledger as whoever sits at this machine sees it: all of it, or the one tenant that they named.
pub fn rows(ledger: &Ledger, tenant: Option<&TenantId>) -> ScopedLedger {
    ledger.within(SystemContext::principal(tenant).scope())
}
