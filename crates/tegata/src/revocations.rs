//! The revocation log of an installation: where it is, and what to do when it is lost.

use crate::config::Config;
use crate::failure::{Doing, Failure};
use crate::house::Place;
use crate::machine::Machine;
use tegata_storage::{Ledger, LogPlace};

/// What can be done with the revocation log.
#[derive(Clone, Copy, clap::Subcommand)]
pub enum RevocationsCommand {
    /// Begin another log because the former is lost for ever, from what the ledger knows. Never after restoring a
    /// backup: what was revoked since would be forgotten
    NewLog,
}

/// Runs the command.
pub async fn run(place: &Place, command: RevocationsCommand, machine: &Machine) -> Result<(), Failure> {
    let config = place.config()?;
    match command {
        RevocationsCommand::NewLog => {
            let (url, file) = (config.ledger_url(), config.revocation_log());
            let log = LogPlace { file: &file, installation: &config.installation.name };
            let opened = Ledger::open_with_new_log(&url, &log, machine.now(), machine.entropy.as_ref()).await;
            opened.doing("no other log was begun")?.close().await;
            println!("{} begins with all that the ledger knows to be revoked", file.display());
            Ok(())
        }
    }
}

/// Opens the ledger, and brings it up to its revocation log when it was restored from a backup.
pub async fn open_ledger(config: &Config, machine: &Machine) -> Result<Ledger, Failure> {
    let (url, file) = (config.ledger_url(), config.revocation_log());
    let log = LogPlace { file: &file, installation: &config.installation.name };
    let ledger = Ledger::open_with(&url, &log, machine.now(), machine.entropy.as_ref()).await;
    ledger.doing("cannot open the ledger")
}
