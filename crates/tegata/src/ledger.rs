//! The ledger of an installation, opened as its revocation log demands.

use crate::config::Config;
use crate::failure::{Doing, Failure};
use crate::machine::Machine;
use tegata_storage::{Ledger, LogPlace};

/// Opens the ledger, and brings it up to its revocation log when it was restored from a backup.
pub async fn open_ledger(config: &Config, machine: &Machine) -> Result<Ledger, Failure> {
    let (url, file) = (config.ledger_url(), config.revocation_log());
    let log = LogPlace { file: &file, installation: &config.installation.name };
    let ledger = Ledger::open_with(&url, &log, machine.now(), machine.entropy.as_ref()).await;
    ledger.doing("cannot open the ledger")
}
