//! The revocation log of an installation: where it is, and what to do when it is lost.

use crate::failure::{Doing, Failure};
use crate::ledger::open_ledger;
use crate::machine::Machine;
use crate::place::Place;
use tegata_storage::{Ledger, LogPlace};

/// What can be done with the revocation log.
#[derive(Clone, Copy, clap::Subcommand)]
pub enum RevocationsCommand {
    /// Begin another log because the former is lost for ever, from what the ledger knows. Never after restoring a
    /// backup: what was revoked since would be forgotten
    NewLog,
    /// Say that the ledger was restored from a backup, before a server is started. What the log says is done again; CRLs,
    /// refresh tokens and status lists of before are not gone on with
    Restored,
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
        RevocationsCommand::Restored => {
            let ledger = open_ledger(&config, machine).await?;
            let noted = ledger.note_restored(&Machine::operator(), machine.now()).await;
            ledger.close().await;
            noted.doing("nothing was noted")?;
            println!(
                "what was stopped since the backup is stopped; CRLs and status lists begin anew with the next server"
            );
            Ok(())
        }
    }
}
