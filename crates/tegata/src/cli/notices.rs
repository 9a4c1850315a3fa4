//! `tegata notices …`: who is told by mail, and what they were sent.

mod mails;
mod recipients;

use crate::cli::installation_args::InstallationArgs;
use mails::{ListMailsOptions, ShowMailOptions};
use recipients::{
    AddRecipientOptions, ListRecipientsOptions, PauseRecipientOptions, RecipientOptions, SenderOptions,
};
use tegata_installation::{Failure, SystemContext};

/// What can be done with notices.
#[derive(clap::Subcommand)]
pub enum NoticesCommand {
    /// Tell somebody of renewals, and of the day's work at an hour of theirs. Nobody can be told to be told nothing, but others
    /// are told while they are away
    Add(AddRecipientOptions),
    /// Who is told, and whom no mail reaches
    Recipients(ListRecipientsOptions),
    /// Tell somebody nothing any more
    Remove(RecipientOptions),
    /// While somebody is away, tell those above them
    Pause(PauseRecipientOptions),
    /// Tell somebody again: after a pause, or once the mailbox that mail came back from takes it again
    Resume(RecipientOptions),
    /// What the sender of a tenant's mails is called. Without NAME: show it
    Sender(SenderOptions),
    /// The newest mails, and what became of each
    List(ListMailsOptions),
    /// One mail, as its reader without HTML sees it
    Show(ShowMailOptions),
}

pub async fn run(
    place: &InstallationArgs,
    command: &NoticesCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        NoticesCommand::Add(options) => recipients::add(&ledger, options, system).await,
        NoticesCommand::Recipients(options) => recipients::list(&ledger, options, system).await,
        NoticesCommand::Remove(options) => recipients::remove(&ledger, options, system).await,
        NoticesCommand::Pause(options) => recipients::pause(&ledger, options, system).await,
        NoticesCommand::Resume(options) => recipients::resume(&ledger, options, system).await,
        NoticesCommand::Sender(options) => recipients::sender(&ledger, options, system).await,
        NoticesCommand::List(options) => mails::list(&ledger, options).await,
        NoticesCommand::Show(options) => mails::show(&ledger, options).await,
    };
    ledger.close().await;
    result
}
